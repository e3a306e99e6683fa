//! `attest log check-proof`: whether a file proves its entry. Nothing but the file and the pinned keys is looked at.

use std::path::PathBuf;

use attest_core::entry::Written;
use attest_core::json;
use attest_core::note::Note;
use attest_core::tlog_proof::{TlogProof, TlogProofError};

use super::pins::Pins;
use super::{NOT_CHECKED, WRONG, or_not_checked};
use crate::{Ending, output};

/// Checks one entry's proof, offline, and shows the entry
///
/// Exits with 0 if the entry is in the log, with 1 if that is not shown, with 2 if it could not be checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The proof; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    pins: Pins,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    or_not_checked(check(args))
}

fn check(args: &Args) -> Ending {
    let keys = args.pins.keys()?.ok_or("no key is pinned, so nothing can be shown: give the log's key with --key")?;
    let policy = args.pins.policy()?;
    let text = output::input(&args.file)?;
    let proof = match TlogProof::parse(&text) {
        Ok(proof) => proof,
        Err(error) => return refused(args, &error.to_string()),
    };
    let (entry, checkpoint) = match proof.check(&keys) {
        Ok(shown) => shown,
        Err(error @ TlogProofError::NoEntry) => {
            output::failure(&error);
            return Ok(NOT_CHECKED);
        }
        Err(error) => return refused(args, &error.to_string()),
    };
    let mut witnesses = None;
    if let Some(policy) = &policy {
        let note = Note::parse(proof.checkpoint.as_bytes()).map_err(|error| error.to_string())?;
        match policy.witnessed(&note) {
            Err(_) => return refused(args, "a line in a witness's name is not its own"),
            Ok(seen) if !seen.met => {
                return refused(args, "the checkpoint has not the cosignatures that the policy asks for");
            }
            Ok(seen) => witnesses = Some(seen.cosigned.len()),
        }
    }
    // What an entry says is not proven by its being there; one that cannot be read is shown as it is.
    let readable = Written::read(entry).is_ok();
    let value = json::parse(entry).ok().and_then(|value| serde_json::to_value(&value).ok());
    let raw = || String::from_utf8_lossy(entry).escape_debug().to_string();
    if args.json {
        output::json(&serde_json::json!({
            "verdict": "proven", "origin": checkpoint.origin, "index": proof.index, "size": checkpoint.size,
            "witnesses": witnesses, "readable": readable,
            "entry": value.unwrap_or_else(|| raw().into()),
        }))?;
        return Ok(0);
    }
    let (index, size, origin) = (proof.index, checkpoint.size, checkpoint.origin.escape_debug());
    output::line(format!("entry {index} is in the log {origin}, in its checkpoint of {size} entries"));
    if let Some(witnesses) = witnesses {
        output::line(format!("cosigned by {witnesses} of the policy's witnesses, which are enough"));
    }
    if !readable {
        output::line("the entry is none that this version knows:");
    }
    output::line(match value {
        Some(value) => serde_json::to_string_pretty(&value)?,
        None => raw(),
    });
    Ok(0)
}

fn refused(args: &Args, why: &str) -> Result<u8, Box<dyn std::error::Error>> {
    if args.json {
        output::json(&serde_json::json!({ "verdict": "not proven", "what": why }))?;
    } else {
        output::line(format!("NOT PROVEN: {why}"));
    }
    Ok(WRONG)
}
