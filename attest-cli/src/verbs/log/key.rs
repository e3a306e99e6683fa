//! `attest log key`: what others check a log with.

use std::path::PathBuf;

use attest_log::Reader;

use crate::{Ending, output};

/// Prints the log's keys, one a line, as others pin them; retired ones with the size they ended at
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let keys = Reader::open(&args.log)?.log_keys()?;
    let lines = keys.to_lines();
    if args.json {
        output::json(&serde_json::json!({ "origin": keys.origin(), "keys": lines }))?;
    } else {
        lines.iter().for_each(output::line);
    }
    Ok(0)
}
