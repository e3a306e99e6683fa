//! `attest log`: what a log says.

mod export;
mod serve;
mod witness;

use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use attest_log::Reader;
use serde_json::json as document;

use crate::verbs::inspect;
use crate::{Ending, output};

/// Reads a verifier's or a signer's log, also while it is being written.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// One line per entry
    List(List),
    /// One entry in full, with the tokens it rests on
    Show(Show),
    /// Serves it for anybody to read and check
    Serve(serve::Args),
    /// Writes what `serve` serves as static files
    Export(export::Args),
    /// Has witnesses cosign the newest checkpoint
    Witness(witness::Args),
}

#[derive(Debug, clap::Args)]
struct List {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// Only the last N entries
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The entry's index
    #[arg(value_name = "INDEX")]
    index: u64,
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::List(list) => self::list(&list),
        Action::Show(show) => self::show(&show),
        Action::Serve(args) => serve::run(&args),
        Action::Export(args) => export::run(&args),
        Action::Witness(args) => witness::run(&args),
    }
}

fn list(args: &List) -> Ending {
    let reader = Reader::open(&args.log)?;
    let end = reader.len()?;
    let from = args.last.map_or(0, |last| end.saturating_sub(last));
    for entry in reader.entries(from..end) {
        let entry = entry?;
        let read = json::parse(&entry.body).ok();
        if args.json {
            let body = match &read {
                Some(value) => serde_json::to_value(value)?,
                None => serde_json::Value::Null,
            };
            output::json(&document!({ "index": entry.index, "entry": body }))?;
        } else {
            output::line(format!("{:>6}  {}", entry.index, read.as_ref().map_or("unreadable".to_owned(), line)));
        }
    }
    Ok(0)
}

/// One entry in one line. Names come from callers: escaped, so that they cannot move the cursor or forge a line.
fn line(entry: &Value<'_>) -> String {
    let object = entry.as_object();
    let text = |name: &str| {
        let value = object.and_then(|o| o.get(name)).and_then(Value::as_str).unwrap_or("");
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
        "call" => format!("call     {called} to {}, call {}", text("audience"), short("call")),
        other => other.to_owned(),
    };
    format!("{time}  {what}")
}

fn show(args: &Show) -> Ending {
    let reader = Reader::open(&args.log)?;
    let Some(body) = reader.entry(args.index)? else {
        return Err(format!("{} has entries 0 to {}", args.log.display(), reader.len()?.saturating_sub(1)).into());
    };
    let entry = json::parse(&body).map_err(|e| format!("entry {}: {e}", args.index))?;
    let attestation = entry.as_object().and_then(|o| o.get("attestation")).and_then(Value::as_str);
    let chain = entry.as_object().and_then(|o| o.get("delegation")).and_then(Value::as_array).unwrap_or_default();
    let mut tokens = serde_json::Map::new();
    for text in attestation.into_iter().chain(chain.iter().filter_map(Value::as_str)) {
        let Some(hash) = Digest::from_b64(text) else { continue };
        if let Some(token) = reader.token(&hash.0)? {
            tokens.insert(text.to_owned(), inspect::token(&token));
        }
    }
    // The call's own proof stands beside its entry.
    let named = entry.as_object().and_then(|o| o.get("call")).and_then(Value::as_str).unwrap_or_default();
    if let Some(own) = reader.own_token(args.index)? {
        tokens.insert(named.to_owned(), inspect::token(&own));
    }
    let shown = document!({ "index": args.index, "entry": serde_json::to_value(&entry)?, "tokens": tokens });
    output::text(serde_json::to_string_pretty(&shown)? + "\n");
    Ok(0)
}
