//! `attest log show`: one entry in full.

use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use attest_core::receipt::Carried;
use attest_log::Reader;
use serde_json::json as document;

use crate::verbs::inspect;
use crate::{Ending, output};

/// One entry in full, with the tokens it rests on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The entry's index
    #[arg(value_name = "INDEX")]
    index: u64,
}

pub(crate) fn run(args: &Args) -> Ending {
    let reader = Reader::open(&args.log)?;
    let Some(body) = reader.entry(args.index)? else {
        return Err(format!("{} has entries 0 to {}", args.log.display(), reader.len()?.saturating_sub(1)).into());
    };
    let entry = json::parse(&body).map_err(|e| format!("entry {}: {e}", args.index))?;
    let attestation = entry.as_object().and_then(|o| o.get("attestation")).and_then(Value::as_str);
    let chain = entry.as_object().and_then(|o| o.get("delegation")).and_then(Value::as_array).unwrap_or_default();
    let mut tokens = serde_json::Map::new();
    for text in attestation.into_iter().chain(chain.iter().filter_map(Value::as_str)) {
        let Some(hash) = Digest::from_b64(text) else { continue };
        if let Some(token) = reader.token(&hash.0)? {
            tokens.insert(text.to_owned(), inspect::token(&token));
        }
    }
    // The call's own proof stands beside its entry; beside that of a receipt stands what came of it.
    let member = |name: &str| entry.as_object().and_then(|o| o.get(name)).and_then(Value::as_str);
    let named = member("receipt").or(member("call")).unwrap_or_default();
    if let Some(own) = reader.own_token(args.index)? {
        let kept = json::parse(own.as_bytes()).ok();
        let shown = match kept.as_ref().and_then(Carried::read) {
            Some(kept) => document!({ "receipt": inspect::token(kept.receipt), "proof": kept.proof, "kept": own }),
            None => inspect::token(&own),
        };
        tokens.insert(named.to_owned(), shown);
    }
    let shown = document!({ "index": args.index, "entry": serde_json::to_value(&entry)?, "tokens": tokens });
    output::text(serde_json::to_string_pretty(&shown)? + "\n");
    Ok(0)
}
