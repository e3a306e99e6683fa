//! `attest log prove`: one entry with its proof, in one file.

use std::path::PathBuf;

use attest_core::tlog_proof::TlogProof;
use attest_log::Reader;

use crate::{Ending, output};

/// Writes the proof of one entry, the entry inside: a file that can be checked offline
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The entry's index
    #[arg(value_name = "INDEX")]
    index: u64,
    /// Where the proof goes; standard output by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prove it in the newest checkpoint that witnesses cosigned
    #[arg(long)]
    witnessed: bool,
    /// For machines: JSON, with the proof as text
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let reader = Reader::open(&args.log)?;
    let keys = reader.log_keys()?;
    let checkpoint = if args.witnessed {
        reader.last_cosigned()?.ok_or("no checkpoint of this log was cosigned")?.1
    } else {
        reader.checkpoint()?
    };
    let size = keys.open(checkpoint.as_bytes())?.size;
    let entry = match reader.entry(args.index)? {
        Some(entry) if args.index < size => entry,
        _ => return Err(format!("the checkpoint is over {size} entries, and has none of index {}", args.index).into()),
    };
    let path = reader.inclusion(args.index, size)?;
    let proof = TlogProof { entry: Some(entry), index: args.index, path, checkpoint };
    // By other code than made it: a log that was changed would hand out what nobody accepts.
    proof.check(&keys)?;
    let text = proof.to_text();
    match &args.out {
        Some(file) => {
            std::fs::write(file, &text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            if args.json {
                output::json(&serde_json::json!({ "index": args.index, "size": size, "file": file }))?;
            } else {
                output::line(format!("entry {} of {size} proven in {}", args.index, file.display()));
            }
        }
        None if args.json => {
            output::json(&serde_json::json!({ "index": args.index, "size": size, "proof": text }))?;
        }
        None => output::text(text),
    }
    Ok(0)
}
