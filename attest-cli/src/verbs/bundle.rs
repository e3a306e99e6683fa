//! `attest bundle`: what an outsider needs, in one file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_forensics::{Bundle, Query, Search, Trace};

use super::delegate::write_new;
use crate::verbs::log::search::{Filter, open};
use crate::{Ending, output};

/// Puts entries of logs into one file, with their proofs and every token that they name, for somebody who has nothing else
///
/// Of each call that is named the whole trace goes in, over all logs at hand. `attest verify FILE` checks it, and `attest trace CALL FILE` follows a
/// call in it. Arguments and results are no part of logs; `--disclose` adds what a trail kept of them, where nothing was redacted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// Everything that hangs together with this call: the hash of its proof, or its first 8 characters or more; may be repeated
    #[arg(long = "trace", value_name = "CALL", allow_hyphen_values = true)]
    calls: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// All entries
    #[arg(long)]
    all: bool,
    /// Texts too, that a trail kept beside the logs
    #[arg(long)]
    disclose: bool,
    /// Where it goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Most entries of one bundle.
const MOST: u64 = 100_000;

pub(crate) fn run(args: &Args) -> Ending {
    let query = args.filter.query();
    if args.calls.is_empty() && query == Query::default() && !args.all {
        return Err("say what goes in: --trace CALL, what entries must hold, or --all".into());
    }
    let search = open(&args.logs)?;
    let mut wanted = vec![BTreeSet::new(); args.logs.len()];
    for call in &args.calls {
        let call = named(&search, call)?;
        for said in Trace::of(&search.sources(), call, None)?.calls.values().flat_map(|traced| &traced.says) {
            if let Some(of) = wanted.get_mut(said.log) {
                of.insert(said.row.index);
            }
        }
    }
    if args.all || query != Query::default() {
        let found = search.find(&query, MOST + 1)?;
        if found.len() as u64 > MOST {
            return Err(
                format!("more than {MOST} entries: ask for fewer, by --since and --until or what they hold").into()
            );
        }
        for hit in found {
            if let Some(of) = wanted.get_mut(hit.log) {
                of.insert(hit.row.index);
            }
        }
    }
    if wanted.iter().all(BTreeSet::is_empty) {
        return Err("no entry of these logs is asked for".into());
    }
    let mut bundle = Bundle::of(&search, &wanted, args.disclose)?;
    let bytes = bundle.to_bytes();
    write_new(&args.out, &String::from_utf8(bytes)?)?;
    for (origin, entries) in bundle.logs() {
        output::line(format!("{entries} entries of {}", origin.escape_debug()));
    }
    Ok(0)
}

/// The call that a text names.
pub(crate) fn named(search: &Search, text: &str) -> Result<Digest, Box<dyn std::error::Error>> {
    one(text, search.calls(text)?)
}

/// The one of these that a text was to name.
pub(crate) fn one(text: &str, found: Vec<Digest>) -> Result<Digest, Box<dyn std::error::Error>> {
    if text.len() < 8 {
        return Err("a call is named by the hash of its proof, by at least 8 characters of it".into());
    }
    match found.as_slice() {
        [call] => Ok(*call),
        [] => Err(format!("nothing at hand has a call {text:?}; `attest log search` finds calls").into()),
        several => {
            let all: Vec<String> = several.iter().map(Digest::to_string).collect();
            Err(format!("{} calls begin so: {}", several.len(), all.join(", ")).into())
        }
    }
}
