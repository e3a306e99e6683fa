//! `attest log prove`: one entry with its proof, in one file.

use std::path::PathBuf;

use attest_core::tlog_proof::TlogProof;

use super::entry::{Found, Which};
use super::several::Of;
use crate::{Ending, output};

/// Writes the proof of one entry, the entry inside: a file that can be checked offline; of one log, or of whichever of several has it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
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
    let Found { reader, index, name, .. } = args.which.find()?;
    let keys = reader.log_keys()?;
    let checkpoint = if args.witnessed {
        reader.last_cosigned()?.ok_or("no checkpoint of this log was cosigned")?.1
    } else {
        reader.checkpoint()?
    };
    let size = keys.open(checkpoint.as_bytes())?.size;
    let entry = match reader.entry(index)? {
        Some(entry) if index < size => entry,
        _ => return Err(format!("the checkpoint is over {size} entries, and has none of index {index}").into()),
    };
    let path = reader.inclusion(index, size)?;
    let proof = TlogProof { entry: Some(entry), index, path, checkpoint };
    // By other code than made it: a log that was changed would hand out what nobody accepts.
    proof.check(&keys)?;
    let text = proof.to_text();
    match &args.out {
        Some(file) => {
            std::fs::write(file, &text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            if args.json {
                let said = serde_json::json!({ "index": index, "size": size, "file": file });
                output::json(&Of { log: name, file: None, said })?;
            } else {
                let of = name.map_or_else(String::new, |name| format!(" of {}", name.escape_debug()));
                output::line(format!("entry {index} of {size}{of} proven in {}", file.display()));
            }
        }
        None if args.json => {
            let said = serde_json::json!({ "index": index, "size": size, "proof": text });
            output::json(&Of { log: name, file: None, said })?;
        }
        None => output::text(text),
    }
    Ok(0)
}
