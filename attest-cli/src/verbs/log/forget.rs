//! `attest log forget`: what came with old entries is let go, and the log says so.

use std::path::PathBuf;

use attest_core::entry::{Entry, Written};
use attest_keys::KeySource;
use attest_log::clock::{now, now_ms};
use attest_log::sealed::Sealing;
use attest_log::{Log, LogKey, Options, Reader, Record};

use super::seal::first_since;
use super::search::moment;
use crate::output::Bar;
use crate::{Ending, output};

/// Lets go of the tokens that came with old, sealed entries alone: call proofs, approvals, receipts
///
/// It cannot be taken back. The entries stay, and with them every proof that they are in the log; but their signatures cannot be checked again, and
/// nobody can show by this log alone that a caller signed what they say. An entry of the log says what was let go, so that a verification takes
/// anything else that is missing for what it is. Whole parts go, as they were sealed. A guard that writes a log's file must be stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file, or a database's address
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// Of entries that are older than this: how long ago (`365d`), or a time as 2026-11-27T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, required_unless_present = "before")]
    older_than: Option<u64>,
    /// Of entries before this one
    #[arg(long, value_name = "INDEX", conflicts_with = "older_than")]
    before: Option<u64>,
    /// The log's key: a file, or `ssh-agent:<name>`; by default the file beside the log
    #[arg(long, value_name = "KEY")]
    key: Option<KeySource>,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let mut sealing = Sealing::open(&args.log)?;
    let before = match args.older_than {
        Some(time) => first_since(sealing.reader(), 0, time)?,
        None => args.before.unwrap_or(0),
    };
    let until = sealing.parts_before(before)?;
    let marked = sealing.reader().forgotten()?;
    let said = last_said(sealing.reader(), marked)?;
    if until <= said && said == marked {
        return ended(args, None, said, format!("no sealed part ends before entry {before} and still has its tokens"));
    }
    if !args.yes {
        return Err(format!(
            "nothing was done; with --yes the tokens beside entries before {} go for good, and their signatures with them",
            until.max(said)
        )
        .into());
    }
    // An entry of before whose files are still there is carried out.
    let mut index = None;
    if until > said {
        let key = LogKey::of_log(&args.log, args.key.as_ref(), sealing.reader().log_keys()?.origin())?;
        let (log, _) = Log::open(&args.log, key, Options::default())?;
        let entry = Entry::Forgotten { before: until, time: now_ms() };
        index = Some(log.append_blocking(Record::new(entry.to_bytes()), now())?.index);
        log.close()?;
    }
    let until = until.max(said);
    let bar = Bar::of_entries();
    let done = sealing.forget(until, &mut |_, done, all| bar.show("removing", done, all));
    bar.clear();
    done?;
    ended(
        args,
        index,
        until,
        format!("the tokens beside entries before {until} are gone; the entries and their proofs stay"),
    )
}

/// What the last `forgotten` entry of the log says, looked for from the end; not further back than what `marked` was let go by.
fn last_said(reader: &Reader, marked: u64) -> Result<u64, Box<dyn std::error::Error>> {
    const STEP: u64 = 4_096;
    let (mut to, mut found) = (reader.len()?, None);
    while to > marked && found.is_none() {
        let from = to.saturating_sub(STEP);
        reader.walk(from..to, |_, body, _| -> Result<(), attest_log::ReadError> {
            if let Ok(Written::Forgotten { before, .. }) = Written::read(body) {
                found = Some(before);
            }
            Ok(())
        })?;
        to = from;
    }
    Ok(found.unwrap_or(0))
}

fn ended(args: &Args, index: Option<u64>, until: u64, what: String) -> Ending {
    if args.json {
        output::json(&serde_json::json!({ "before": until, "index": index }))?;
    } else {
        output::line(what);
    }
    Ok(0)
}
