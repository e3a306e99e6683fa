//! `attest alerts`: the rules over what was seen.

use std::path::{Path, PathBuf};

use attest_core::alert::{Alert, Severity};
use attest_core::digest::Jti;
use attest_core::entry::Written;
use attest_core::json;
use attest_core::seen::Event;
use attest_log::clock::now_ms;
use attest_log::{OpenCall, Reader};
use attest_watch::{Finding, Rules, Watch, rules};
use jiff::Timestamp;
use serde::Deserialize;
use server_verifier::Config;
use server_verifier::config::Closing;

use crate::{Ending, output};

/// Alerts of a log, the rules that raise them, and what other rules would have raised.
///
/// The trail of a signer, a guard or an audit (`[trail]` in its configuration) shows each event to the rules as it writes it. Rules see
/// nothing but what the entries hold, so that over an old log they come to the same.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Prints the rules as they are without a file, as a file to be changed
    Rules,
    /// Lists the alerts of a log; exits with 1 if there are any
    List(Listing),
    /// Says that a person looked at open alerts: they no longer stand in the way of calls
    Close(Close),
    /// Runs rules over a log that is already there; exits with 1 if they find anything
    Replay(Replay),
    /// Runs rules over the events of a test file, and compares what they find
    Test(Test),
}

#[derive(Debug, clap::Args)]
struct List {
    /// The log
    log: PathBuf,
    /// Only those at least as bad: info, low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = severity)]
    severity: Severity,
    /// For machines: a JSON object in each line
    #[arg(long)]
    json: bool,
}

/// Closes open alerts of a guard's log: writes into guard.toml who looked at them and why.
///
/// The guard takes that up by itself, writes it into its log, and judges calls on that context anew. `attest alerts list LOG --open` shows what is open.
#[derive(Debug, clap::Args)]
struct Close {
    /// Whose file
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    config: PathBuf,
    /// Entries of the alerts, by their numbers in the log
    #[arg(required = true, value_name = "N")]
    alerts: Vec<u64>,
    /// Who looked at them
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// What came of it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Listing {
    #[command(flatten)]
    list: List,
    /// Only those that nobody closed, of a guard's log; the first of its rule and severity on a context stands for all
    #[arg(long)]
    open: bool,
}

#[derive(Debug, clap::Args)]
struct Replay {
    #[command(flatten)]
    list: List,
    /// The rules, instead of the defaults
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Test {
    /// Cases: `[[case]]` with name, events (each an event as in spec/seen.md, in JSON, with `time` beside it) and the rules
    /// that are to find something
    cases: PathBuf,
    /// The rules, instead of the defaults
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(word).ok_or_else(|| "one of info, low, medium, high, critical".to_owned())
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        What::Rules => {
            output::text(rules::DEFAULT);
            Ok(0)
        }
        What::Close(close) => closed(&close),
        What::List(list) => written(&list),
        What::Replay(replay) => replayed(&replay),
        What::Test(test) => tested(&test),
    }
}

fn written(Listing { list, open }: &Listing) -> Ending {
    let reader = Reader::open(&list.log)?;
    let mut shown = 0;
    let mut each = |index, body: &[u8]| -> Result<(), Box<dyn std::error::Error>> {
        if let Ok(Written::Alert { alert, time }) = Written::read(body)
            && alert.severity >= list.severity
        {
            show(Some(index), &alert, time, list.json)?;
            shown += 1;
        }
        Ok(())
    };
    if *open {
        for OpenCall { index, .. } in reader.open_entries()? {
            each(index, &reader.entry(index)?.unwrap_or_default())?;
        }
    } else {
        for entry in reader.entries(0..reader.len()?) {
            let entry = entry?;
            each(entry.index, &entry.body)?;
        }
    }
    ended(shown, list.json)
}

fn closed(args: &Close) -> Ending {
    let log = Config::read(&args.config)?.log;
    let reader = Reader::open(&log)?;
    let open = reader.open_entries()?;
    // The file holds whole seconds.
    let time = now_ms() / 1_000 * 1_000;
    let mut closings = Vec::new();
    for alert in &args.alerts {
        let is_open = open.iter().any(|open| open.index == *alert);
        let body = if is_open { reader.entry(*alert)? } else { None };
        if !matches!(body.as_deref().map(Written::read), Some(Ok(Written::Alert { .. }))) {
            return Err(
                format!("entry {alert} of {log} is no open alert; `attest alerts list --open` shows those").into()
            );
        }
        closings.push(Closing { alert: *alert, by: args.by.clone(), reason: args.reason.clone(), time });
    }
    server_verifier::config::close(&args.config, &closings)?;
    let all = args.alerts.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    output::line(format!("closed by {}, {}: {all}", args.by.escape_debug(), args.reason.escape_debug()));
    Ok(0)
}

fn replayed(replay: &Replay) -> Ending {
    let Replay { list, rules } = replay;
    let rules = read(rules.as_deref())?;
    let reader = Reader::open(&list.log)?;
    let mut failed = None;
    let entries = reader.entries(0..reader.len()?).map_while(|entry| match entry {
        Ok(entry) => Some((entry.index, entry.body)),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let mut shown = 0;
    for found in attest_watch::replay(rules, entries) {
        let (time, alert) = found.map_err(|(index, error)| format!("entry {index}: {error}"))?;
        if alert.severity >= list.severity {
            show(None, &alert, time, list.json)?;
            shown += 1;
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => ended(shown, list.json),
    }
}

fn ended(shown: usize, json: bool) -> Ending {
    if shown == 0 && !json {
        output::line("no alerts");
    }
    Ok(u8::from(shown > 0))
}

fn show(index: Option<u64>, alert: &Alert, time: u64, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let Alert { action, entries, reason, rule, server, severity, tool, .. } = alert;
    if json {
        return output::json(&serde_json::json!({
            "action": action, "alert": index, "entries": entries, "reason": reason, "rule": rule, "server": server,
            "severity": severity, "time": time, "tool": tool,
        }));
    }
    let when = i64::try_from(time).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    let when = when.map_or_else(|| time.to_string(), |when| format!("{when:.0}"));
    let at = entries.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let tool = tool.as_deref().map(|tool| format!(" {tool:?}")).unwrap_or_default();
    let (severity, reason) = (severity.as_str(), reason.escape_debug());
    let index = index.map(|index| format!("{index:>8}  ")).unwrap_or_default();
    output::line(format!(
        "{index}{when}  {severity:<8}  {rule:<20}  {server:?}{tool}: {reason} (entries {at}; {action})"
    ));
    Ok(())
}

fn read(path: Option<&Path>) -> Result<Rules, Box<dyn std::error::Error>> {
    let Some(path) = path else { return Ok(Rules::default()) };
    Rules::parse(&output::input(path)?).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    events: Vec<Step>,
    /// The rules that find something, in order; each as often as it does.
    finds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Milliseconds.
    time: u64,
    /// The event, but for `session` and `server`, which may be left out.
    event: serde_json::Map<String, serde_json::Value>,
}

fn tested(test: &Test) -> Ending {
    let rules = read(test.rules.as_deref())?;
    let text = output::input(&test.cases)?;
    let cases: Cases = toml::from_str(&text).map_err(|error| format!("{}: {error}", test.cases.display()))?;
    let mut failed = 0;
    for case in &cases.case {
        let mut watch = Watch::new(rules.clone());
        let mut found: Vec<Finding> = Vec::new();
        for (index, step) in (0u64..).zip(&case.events) {
            let event = event(step)
                .map_err(|error| format!("{}: case {:?}, event {index}: {error}", test.cases.display(), case.name))?;
            found.extend(watch.see(index, step.time, &event));
        }
        let found: Vec<&str> = found.iter().map(|finding| &*finding.rule).collect();
        if found == case.finds {
            output::line(format!("ok      {}", case.name));
        } else {
            failed += 1;
            output::line(format!("FAILED  {}: found {found:?}, not {:?}", case.name, case.finds));
        }
    }
    output::line(format!("{} of {} cases as they should be", cases.case.len() - failed, cases.case.len()));
    Ok(u8::from(failed > 0))
}

fn event(step: &Step) -> Result<Event, Box<dyn std::error::Error>> {
    let mut members = step.event.clone();
    let session = attest_core::b64::encode(Jti([0; 16]).0);
    members.entry("session").or_insert_with(|| session.into());
    members.entry("server").or_insert_with(|| "server".into());
    let text = serde_json::to_vec(&members)?;
    Ok(Event::read(&json::parse(&text)?)?)
}
