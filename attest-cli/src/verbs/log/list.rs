//! `attest log list`: one line per entry.

use std::path::PathBuf;

use attest_core::json::{self, Value};
use attest_forensics::ByTime;
use attest_log::Reader;
use serde_json::json as document;

use super::several::{Of, name, shown};
use crate::{Ending, output};

/// One line per entry; of several logs in the order of time, each with its log's name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
    /// Only the last N entries, of all logs together
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let mut logs = Vec::new();
    for log in &args.logs {
        let reader = Reader::open(log)?;
        // Of one log nothing is read that is not shown: what is wrong with its keys keeps nobody from its entries.
        let name = if args.logs.len() > 1 { Some(name(&reader)?) } else { None };
        let end = reader.len()?;
        let from = args.last.map_or(0, |last| end.saturating_sub(last));
        logs.push((reader, name, from..end));
    }
    let all: u64 = logs.iter().map(|(_, _, range)| range.end - range.start).sum();
    let left_out = args.last.map_or(0, |last| all.saturating_sub(last));
    let entries = ByTime::new(logs.iter().map(|(reader, _, range)| reader.entries(range.clone())));
    for (nth, entry) in (0..).zip(entries) {
        let (n, entry) = entry?;
        if nth < left_out {
            continue;
        }
        let name = logs.get(n).and_then(|(_, name, _)| name.as_deref());
        let read = json::parse(&entry.body).ok();
        if args.json {
            let body = match &read {
                Some(value) => serde_json::to_value(value)?,
                None => serde_json::Value::Null,
            };
            output::json(&Of {
                log: name.map(str::to_owned),
                file: name.and_then(|_| args.logs.get(n)).map(|log| shown(log)),
                said: document!({ "index": entry.index, "entry": body }),
            })?;
            continue;
        }
        let place = match name {
            Some(name) => output::place(Some(name), entry.index),
            None => format!("{:>6} ", entry.index),
        };
        output::line(format!("{place} {}", read.as_ref().map_or("unreadable".to_owned(), line)));
    }
    Ok(0)
}

/// One entry in one line. Names come from callers: escaped, so that they cannot move the cursor or forge a line.
pub(crate) fn line(entry: &Value<'_>) -> String {
    let object = entry.as_object();
    let event = object.and_then(|o| o.get("event")).and_then(Value::as_object);
    let text = |name: &str| {
        let value = object.and_then(|o| o.get(name)).or_else(|| event?.get(name)).and_then(Value::as_str).unwrap_or("");
        value.escape_debug().to_string()
    };
    let short = |name: &str| text(name).chars().take(8).collect::<String>();
    let number = |name: &str| object.and_then(|o| o.get(name)).and_then(Value::as_u53).unwrap_or(0);
    let time = i64::try_from(number("time")).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.map_or_else(String::new, |t| format!("{t:.3}"));
    let about = match text("about") {
        about if about.is_empty() => String::new(),
        about => format!(" ({about})"),
    };
    // A `tools/call` by its tool, anything else by its method: one of the two is there.
    let called = [text("tool"), text("method")].concat();
    let what = match text("type").as_str() {
        "decision" => match text("decision").as_str() {
            "allow" => format!("allow    {called} by {}, call {}", text("agent"), short("call")),
            _ => format!("deny     {called} by {}: {}{about}, call {}", text("agent"), text("reason"), short("call")),
        },
        "outcome" => format!("outcome  {}, call {}", text("status"), short("call")),
        "refused" => format!("refused  {} unauthenticated: {}", number("count"), text("reason")),
        "start" => format!("start    verifier {} of {}", text("version"), text("audience")),
        "context" => format!("context  {} of {}", short("context"), text("agent")),
        "receipt" if text("check") == "ok" => {
            format!("receipt  good, entry {} of {}, call {}", number("index"), text("log"), short("call"))
        }
        "receipt" => format!("receipt  {}{about}, call {}", text("check"), short("call")),
        "key" => format!("key      the log's key changes to {}", text("key")),
        "accepted" => {
            let of = [text("component"), text("agent")].join(" of ");
            format!("accepted {of}, digest {}, by {}: {}", short("digest"), text("by"), text("reason"))
        }
        "closed" => format!("closed   alert {} by {}: {}", number("alert"), text("by"), text("reason")),
        "forgotten" => format!("forgotten  tokens beside entries before {} let go", number("before")),
        "adopted" => format!("adopted  taken over by hand at {} entries", number("size")),
        "call" => format!("call     {called} to {}, call {}", text("audience"), short("call")),
        "trail" => format!("trail    session {}", short("session")),
        "alert" => format!("alert    {} {}: {}", text("severity"), text("rule"), text("reason")),
        "seen" => {
            let parts = [called, text("status"), text("reason"), short("call")];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("seen     {} {} {}", text("server"), text("what"), parts.join(" "))
        }
        other => other.to_owned(),
    };
    format!("{time}  {what}")
}
