//! `attest log reconcile`: two logs of the same calls, by two owners.

use std::path::{Path, PathBuf};

use serde_json::{Value, json as document};

use super::{WRONG, or_not_checked};
use crate::reconcile::{self, Found, Report};
use crate::{Ending, output};

/// Holds the caller's log against the server's: calls that one has and the other lacks, answers that differ, and receipts that
/// the server's log no longer honours
///
/// Exits with 0 if they agree, with 1 if they differ, with 2 if one cannot be read. Not a difference is what has a good reason:
/// calls that were refused before they were logged or never answered, and calls in flight at the end. Verify both logs first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The caller's log
    #[arg(value_name = "CALLER")]
    caller: PathBuf,
    /// The server's log
    #[arg(value_name = "SERVER")]
    server: PathBuf,
    /// The log of the guard in front of the caller itself, where others ask it for something: shows the calls that it made of its own
    /// accord meanwhile. Whether they were, no log can tell
    #[arg(long, value_name = "LOG")]
    asked: Option<PathBuf>,
    /// Write the proofs of all entries that differ into this folder
    #[arg(long, value_name = "FOLDER")]
    proofs: Option<PathBuf>,
    /// For machines: JSON, with the proofs in it
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    or_not_checked(compare(args))
}

fn compare(args: &Args) -> Ending {
    let bar = output::Bar::of_entries();
    let report = reconcile::run(&args.caller, &args.server, args.asked.as_deref(), |done, total| {
        bar.show("entries", done, total);
    });
    bar.clear();
    let report = report?;
    if let Some(folder) = &args.proofs {
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        for found in &report.found {
            write(folder, "caller", &args.caller, found.caller)?;
            write(folder, "server", &args.server, found.server)?;
        }
    }
    if args.json {
        output::json(&shown(args, &report)?)?;
    } else {
        output::reconciled(&report);
    }
    Ok(if report.found.is_empty() { 0 } else { WRONG })
}

fn write(folder: &Path, whose: &str, log: &Path, index: Option<u64>) -> Result<(), Box<dyn std::error::Error>> {
    let Some(index) = index else { return Ok(()) };
    let file = folder.join(format!("{whose}-{index}.proof"));
    let proof = reconcile::proof(log, index)?;
    std::fs::write(&file, proof).map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

fn shown(args: &Args, report: &Report) -> Result<Value, Box<dyn std::error::Error>> {
    let side = |log: &Path, index: Option<u64>| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(match index {
            Some(index) => document!({ "index": index, "proof": reconcile::proof(log, index)? }),
            None => Value::Null,
        })
    };
    let found = |found: &Found| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(document!({
            "difference": found.difference, "call": found.call.to_b64(), "what": found.what,
            "caller": side(&args.caller, found.caller)?, "server": side(&args.server, found.server)?,
        }))
    };
    Ok(document!({
        "verdict": if report.found.is_empty() { "agree" } else { "differ" },
        "agent": report.agent, "audience": report.audience, "both": report.both, "unlogged": report.unlogged,
        "unknown": report.unknown, "outside": report.outside, "receipts": report.receipts,
        "differences": report.found.iter().map(found).collect::<Result<Vec<_>, _>>()?,
    }))
}
