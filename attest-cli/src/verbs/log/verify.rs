//! `attest log verify`: whether a log is whole.

use std::path::{Path, PathBuf};

use attest_core::audit::Finding;
use attest_core::checkpoint::LogKeys;
use attest_core::log_policy::LogPolicy;
use attest_core::trust::Trust;
use attest_log::{Place, Reader};
use serde::Serialize;
use server_verifier::Config;

use super::pins::Pins;
use super::several::{self, Of};
use super::{NOT_CHECKED, WRONG, or_not_checked, worst};
use crate::audit::{self, Ask, Report};
use crate::{Ending, output};

/// Checks a whole log: every entry, every token and its signature, the tree, the checkpoints, and what the log says of itself
///
/// Exits with 0 if the log is whole, with 1 if something is wrong, with 2 if it could not be verified: where no key is
/// pinned the log has its own word for what it is. Of several logs each is verified, whatever is the matter with the others, and the worst counts:
/// 1 before 2. A key that is pinned is one of the log that bears its name; that there is none of that name is wrong too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
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
    /// For machines: JSON; of several logs one object per line
    #[arg(long)]
    json: bool,
}

/// Said of a key that is pinned for none of several logs.
const UNMET: &str =
    "a key of this name is pinned, and none of these logs is known to bear it; name that log too, or leave its key out";

/// What every log is checked with.
struct Checks {
    policy: Option<LogPolicy>,
    trust: Option<Trust>,
    threads: usize,
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
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let trust = args.trust.as_deref().map(Config::read).transpose()?.map(|config| config.trust);
    let checks = Checks { policy: args.pins.policy()?, trust, threads };
    let [log] = args.logs.as_slice() else { return each(args, &checks) };
    let report = checked(args, &checks, log, args.pins.keys()?.as_ref())?;
    told(args, Of::default(), &report)
}

/// Several logs, each by itself, and what is left of the keys.
fn each(args: &Args, checks: &Checks) -> Ending {
    let mut pins = args.pins.by_name()?;
    let databases = args.logs.iter().filter(|log| matches!(Place::from(*log), Place::Shared(_))).count();
    if args.side.is_some() && databases > 1 {
        return Err(
            format!("--side is beside one log, and {databases} of these are in databases: verify each alone").into()
        );
    }
    let (mut codes, mut met, mut all_known) = (Vec::new(), Vec::new(), true);
    for (n, log) in args.logs.iter().enumerate() {
        let name = Reader::open(log).ok().and_then(|reader| several::name(&reader).ok());
        let pinned = name.as_ref().and_then(|name| pins.get(name));
        all_known &= name.is_some();
        met.extend(name.clone());
        let of = Of { log: name, file: Some(several::shown(log)), said: () };
        if !args.json {
            output::section(n, of.file.as_deref().unwrap_or_default(), of.log.as_deref());
        }
        codes.push(match checked(args, checks, log, pinned) {
            Ok(report) => told(args, of, &report)?,
            Err(error) => failed(args, of, NOT_CHECKED, &error)?,
        });
    }
    // Whoever pins a key means a log that has to be among these: one that another was put in the place of is not there any more.
    pins.retain(|name, _| !met.contains(name));
    for name in pins.into_keys() {
        let code = if all_known { WRONG } else { NOT_CHECKED };
        if !args.json {
            output::section(args.logs.len(), "--key", Some(&name));
        }
        codes.push(failed(args, Of { log: Some(name), ..Of::default() }, code, UNMET)?);
    }
    Ok(worst(&codes))
}

fn checked(args: &Args, checks: &Checks, log: &Path, pinned: Option<&LogKeys>) -> Result<Report, String> {
    let Checks { policy, trust, threads } = checks;
    let log = args.side.iter().fold(Place::from(log), |log, side| log.with_side(side));
    let ask = Ask { log: &log, pinned, policy: policy.as_ref(), trust: trust.as_ref(), threads: *threads };
    let bar = output::Bar::of_entries();
    let report = audit::run(&ask, |done, total| bar.show("entries", done, total));
    bar.clear();
    report.map_err(|error| error.to_string())
}

/// Says what a verification came to, and which code that is.
fn told(args: &Args, of: Of<()>, report: &Report) -> Ending {
    let taken = report.pinned || args.unpinned;
    let (verdict, code) = match (report.findings.is_empty(), taken) {
        (false, _) => ("wrong", WRONG),
        (true, false) => ("not pinned", NOT_CHECKED),
        (true, true) => ("whole", 0),
    };
    if args.json {
        output::json(&of.with(shown(report, verdict, args.all)))?;
    } else {
        output::verified(report, args.all, taken);
    }
    Ok(code)
}

/// Says why one of several logs is not verified.
fn failed(args: &Args, of: Of<()>, code: u8, why: &str) -> Ending {
    let (verdict, word) = if code == WRONG { ("wrong", "WRONG") } else { ("not checked", "NOT CHECKED") };
    if args.json {
        output::json(&of.with(serde_json::json!({ "verdict": verdict, "what": why })))?;
    } else {
        output::line(format!("{word}  {why}"));
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
