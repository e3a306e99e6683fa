//! `attest log tail`: entries as they are written.

use std::path::PathBuf;
use std::time::Duration;

use attest_forensics::Row;
use attest_log::Reader;
use serde_json::json as document;

use super::several::name;
use crate::{Ending, output};

/// Shows the last entries of a log, or of several, and then each new one as it is written, until it is stopped
///
/// Entries as they stand: none is proved. `attest log search` proves what it shows.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
    /// Begin with so many of each that are there
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: u64,
    /// End after those that are there
    #[arg(long)]
    once: bool,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

/// How often a log is looked at: no more than a person notices.
const EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &Args) -> Ending {
    let mut logs = Vec::new();
    for log in &args.logs {
        let reader = Reader::open(log)?;
        let origin = name(&reader)?;
        let next = reader.len()?.saturating_sub(args.last);
        logs.push((reader, origin, next));
    }
    let several = logs.len() > 1;
    loop {
        let mut rows = Vec::new();
        for (n, (reader, _, next)) in logs.iter_mut().enumerate() {
            for entry in reader.entries(*next..reader.len()?) {
                let entry = entry?;
                *next = entry.index + 1;
                rows.push((n, Row::of(entry.index, &entry.body)));
            }
        }
        rows.sort_by_key(|(n, row)| (row.time, *n, row.index));
        for (n, row) in &rows {
            let name = logs.get(*n).map(|(_, origin, _)| origin.as_str());
            if args.json {
                output::json(&document!({ "log": name, "entry": row }))?;
            } else {
                output::line(output::row(name.filter(|_| several), row));
            }
        }
        if args.once {
            return Ok(0);
        }
        std::thread::sleep(EVERY);
    }
}
