//! `attest log consistency`: whether the log still holds what it held then.

use std::path::PathBuf;

use attest_core::b64;
use attest_core::checkpoint::{Checkpoint, CheckpointError};
use attest_core::merkle::check_consistency;
use attest_core::note::Note;
use attest_log::Reader;

use super::pins::Pins;
use super::{NOT_CHECKED, WRONG, or_not_checked};
use crate::{Ending, audit, output};

/// Holds an old checkpoint, as somebody kept it, against the log as it is now, and shows the proof
///
/// Exits with 0 if the log only grew, with 1 if it did not, with 2 if that could not be checked. A size in place of a
/// checkpoint has nothing to be held against: the proof is shown for whoever has the checkpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// The old checkpoint (a file), or its size
    #[arg(long, value_name = "CHECKPOINT|SIZE")]
    from: String,
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
    let reader = Reader::open(&args.log)?;
    let (own, pinned) = (reader.log_keys()?, args.pins.keys()?);
    if pinned.as_ref().is_some_and(|pinned| !audit::pins(pinned, &own)) {
        return wrong(args, "a key that was given is not one of this log's, or the key in force was not given");
    }
    let now = match own.open(reader.checkpoint()?.as_bytes()) {
        Ok(now) => now,
        Err(error) => return wrong(args, &format!("the log's last checkpoint: {error}")),
    };
    if pinned.as_ref().is_some_and(|pinned| !pinned.all().iter().any(|(key, _)| Some(key) == own.at(now.size))) {
        return Err("the last checkpoint is signed by a retired key, which was not given".into());
    }
    match reader.root(now.size) {
        Ok(root) if root == now.root => {}
        _ => return wrong(args, "the entries are not those of the last checkpoint; see `attest log verify`"),
    }
    let (old, held) = match args.from.parse::<u64>() {
        Ok(size) if size > now.size => return Err(format!("the log has {} entries", now.size).into()),
        Ok(size) => (Checkpoint { origin: now.origin.clone(), size, root: reader.root(size)? }, false),
        Err(_) => {
            let text = output::input(args.from.as_ref())?;
            // A checkpoint that was taken out of a proof stands for itself; a proof's own text is no note.
            match own.open(text.as_bytes()) {
                Ok(old) => (old, true),
                Err(CheckpointError::Form) => return Err(format!("{}: not a checkpoint", args.from).into()),
                Err(error @ CheckpointError::Origin) => return Err(format!("{}: {error}", args.from).into()),
                Err(error) => {
                    // Not by this log's key: then it is somebody's else, and says nothing of this log.
                    let size = Note::parse(text.as_bytes()).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
                    let size = size.map_or(0, |old| old.size);
                    output::failure(&error);
                    output::remark(format!("the checkpoint of {size} entries says nothing about this log"));
                    return Ok(NOT_CHECKED);
                }
            }
        }
    };
    if old.size > now.size {
        let what = format!("the log has {} entries, and once had {}: it was rolled back", now.size, old.size);
        return wrong(args, &what);
    }
    let proof = reader.consistency(old.size, now.size)?;
    if let Err(error) = check_consistency(old.size, &old.root, now.size, &now.root, &proof) {
        let what = format!("the first {} entries are not those of the old checkpoint: {error}", old.size);
        return wrong(args, &what);
    }
    if args.json {
        output::json(&serde_json::json!({
            "verdict": if held { "consistent" } else { "proof" },
            "pinned": pinned.is_some(),
            "old": { "size": old.size, "root": b64::encode(old.root) },
            "new": { "size": now.size, "root": b64::encode(now.root) },
            "proof": proof.iter().map(b64::encode).collect::<Vec<_>>(),
        }))?;
    } else {
        let (old, now) = (old.size, now.size);
        output::line(match held {
            true => format!("consistent: the {old} entries of the old checkpoint are the first {old} of {now}"),
            false => {
                format!("proof from {old} to {now} entries; it proves something to whoever has a checkpoint of {old}")
            }
        });
        if pinned.is_none() {
            output::line("no key was pinned: the log's own word was taken for it");
        }
        proof.iter().for_each(|hash| output::line(b64::encode(hash)));
    }
    Ok(0)
}

fn wrong(args: &Args, why: &str) -> Ending {
    if args.json {
        output::json(&serde_json::json!({ "verdict": "not consistent", "what": why }))?;
    } else {
        output::line(format!("NOT CONSISTENT: {why}"));
    }
    Ok(WRONG)
}
