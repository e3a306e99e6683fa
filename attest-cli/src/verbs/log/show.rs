//! `attest log show`: one entry in full.

use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use attest_core::receipt::Carried;
use serde_json::json as document;

use super::entry::{Found, Which};
use super::several::Of;
use crate::verbs::inspect;
use crate::{Ending, output};

/// One entry in full, with the tokens it rests on; of one log, or in whichever of several has it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &Args) -> Ending {
    let Found { reader, index, file, name } = args.which.find()?;
    let Some(body) = reader.entry(index)? else {
        return Err(format!("{file} has entries 0 to {}", reader.len()?.saturating_sub(1)).into());
    };
    let entry = json::parse(&body).map_err(|e| format!("entry {index}: {e}"))?;
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
    if let Some(own) = reader.own_token(index)? {
        let kept = json::parse(own.as_bytes()).ok();
        let shown = match kept.as_ref().and_then(Carried::read) {
            Some(kept) => document!({ "receipt": inspect::token(kept.receipt), "proof": kept.proof, "kept": own }),
            None => inspect::token(&own),
        };
        tokens.insert(named.to_owned(), shown);
    }
    let said = document!({ "index": index, "entry": serde_json::to_value(&entry)?, "tokens": tokens });
    let shown = Of { file: name.is_some().then_some(file), log: name, said };
    output::text(serde_json::to_string_pretty(&shown)? + "\n");
    Ok(0)
}
