//! `attest log verify`: whether a log is whole.

use std::path::PathBuf;

use attest_core::audit::Finding;
use attest_log::Place;
use serde::Serialize;
use server_verifier::Config;

use super::pins::Pins;
use super::{NOT_CHECKED, WRONG, or_not_checked};
use crate::audit::{self, Ask, Report};
use crate::{Ending, output};

/// Checks a whole log: every entry, every token and its signature, the tree, the checkpoints, and what the log says of itself
///
/// Exits with 0 if the log is whole, with 1 if something is wrong, with 2 if it could not be verified: where no key is
/// pinned the log has its own word for what it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// Of a log in a database, the folder that one of its guards keeps beside it: it says what that guard has published
    #[arg(long, value_name = "FOLDER")]
    side: Option<PathBuf>,
    #[command(flatten)]
    pins: Pins,
    /// Take the log's own word for its key
    #[arg(long)]
    unpinned: bool,
    /// The configuration whose attesters and roots count; without it their signatures are not checked
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Say all that is wrong, not only what is first
    #[arg(long)]
    all: bool,
    /// How many threads work; by default as many as there are cores
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    verdict: &'a str,
    entries: u64,
    root: String,
    calls: u64,
    denied: u64,
    outcomes: u64,
    open: u64,
    tokens: u64,
    signatures: u64,
    unchecked_signatures: u64,
    pinned: bool,
    cosigned: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed_size: Option<u64>,
    milliseconds: u128,
    faults: u64,
    findings: Vec<ShownFinding>,
}

#[derive(Serialize)]
struct ShownFinding {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    check: &'static str,
    what: String,
}

pub(crate) fn run(args: &Args) -> Ending {
    or_not_checked(verify(args))
}

fn verify(args: &Args) -> Ending {
    let (pinned, policy) = (args.pins.keys()?, args.pins.policy()?);
    let trust = args.trust.as_deref().map(Config::read).transpose()?.map(|config| config.trust);
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let log = args.side.iter().fold(Place::from(&args.log), |log, side| log.with_side(side));
    let ask = Ask { log: &log, pinned: pinned.as_ref(), policy: policy.as_ref(), trust: trust.as_ref(), threads };
    let bar = output::Bar::of_entries();
    let report = audit::run(&ask, |done, total| bar.show("entries", done, total));
    bar.clear();
    let report = report.map_err(|error| error.to_string())?;
    let whole = report.findings.is_empty();
    let taken = report.pinned || args.unpinned;
    let (verdict, code) = match (whole, taken) {
        (false, _) => ("wrong", WRONG),
        (true, false) => ("not pinned", NOT_CHECKED),
        (true, true) => ("whole", 0),
    };
    if args.json {
        output::json(&shown(&report, verdict, args.all))?;
    } else {
        output::verified(&report, args.all, taken);
    }
    Ok(code)
}

fn shown<'a>(report: &Report, verdict: &'a str, all: bool) -> Shown<'a> {
    let of = |finding: &Finding| ShownFinding {
        index: finding.index,
        check: finding.fault.check(),
        what: finding.fault.to_string(),
    };
    let most = if all { usize::MAX } else { 1 };
    Shown {
        verdict,
        entries: report.entries,
        root: attest_core::b64::encode(report.root),
        calls: report.counts.calls,
        denied: report.counts.denied,
        outcomes: report.counts.outcomes,
        open: report.counts.open,
        tokens: report.tokens,
        signatures: report.signatures,
        unchecked_signatures: report.unchecked,
        pinned: report.pinned,
        cosigned: report.cosigned,
        witnessed_size: report.witnessed.map(|(size, _)| size),
        milliseconds: report.elapsed.as_millis(),
        faults: report.findings.len() as u64 + report.more,
        findings: report.findings.iter().take(most).map(of).collect(),
    }
}
