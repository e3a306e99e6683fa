//! `attest log adopt`: going on with a log that may not be all that was published.

use std::path::PathBuf;

use attest_core::entry::{Entry, Written};
use attest_keys::KeySource;
use attest_log::clock::{now, now_ms};
use attest_log::{Log, LogKey, OpenError, Options, Reader, Record};

use crate::{Ending, output};

/// Goes on with a log that does not start, since it is older than what it has published, or another, or has lost its record
///
/// It costs something: what the lost entries proved is lost, receipts and witnesses that saw them contradict the log from now
/// on, and calls that were signed before now are refused, as they may have been made in the part that is lost. First look for
/// the newer file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
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
    let keys = Reader::open(&args.log)?.log_keys()?;
    let key = LogKey::of_log(&args.log, args.key.as_ref(), keys.origin())?;
    let log = match Log::open(&args.log, key.clone(), Options::default()) {
        Ok((log, recovery)) => {
            // A taking over that was interrupted before its entry was written is finished.
            let noted = last_adoption(&args.log)?;
            if recovery.since == noted {
                log.close()?;
                return said(args, None, "there is nothing to take over: the log starts as it is");
            }
            log
        }
        Err(error @ (OpenError::RolledBack { .. } | OpenError::Forked { .. } | OpenError::NoHead { .. })) => {
            if !args.yes {
                output::remark(&error);
                output::remark(COST);
                return Err("nothing was done; say --yes to go on with this log as it is".into());
            }
            Log::adopt(&args.log, key, Options::default(), now())?.0
        }
        Err(error) => return Err(error.into()),
    };
    // The entry says the second that the log keeps, so that the two agree.
    let time =
        now_ms().max(log.since().saturating_mul(1_000)).min(log.since().saturating_mul(1_000).saturating_add(999));
    let size = Reader::open(&args.log)?.len()?;
    let index = log.append_blocking(Record::new(Entry::Adopted { size, time }.to_bytes()), now())?.index;
    log.close()?;
    said(args, Some(index), "the log goes on from here; calls that were signed before now are refused")
}

const COST: &str = "What going on costs: entries that are missing here stay missing, and what they proved is lost; whoever holds a \
receipt or a cosigned checkpoint of them can show that this log was cut; witnesses that saw more refuse its checkpoints; calls \
signed before now are refused. Look for the newer file first.";

/// The second that the last `adopted` entry names; 0 where there is none.
fn last_adoption(log: &std::path::Path) -> Result<u64, Box<dyn std::error::Error>> {
    const STEP: u64 = 4_096;
    let reader = Reader::open(log)?;
    let (mut to, mut found) = (reader.len()?, None);
    while to > 0 && found.is_none() {
        let from = to.saturating_sub(STEP);
        reader.walk(from..to, |_, body, _| -> Result<(), attest_log::ReadError> {
            if let Ok(Written::Adopted { time, .. }) = Written::read(body) {
                found = Some(time / 1_000);
            }
            Ok(())
        })?;
        to = from;
    }
    Ok(found.unwrap_or(0))
}

fn said(args: &Args, index: Option<u64>, what: &str) -> Ending {
    if args.json {
        output::json(&serde_json::json!({ "adopted": index.is_some(), "index": index }))?;
    } else {
        output::line(what);
    }
    Ok(0)
}
