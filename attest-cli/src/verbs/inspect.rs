//! `attest inspect`: shows what a token, a chain or a request says, without trusting it.

use std::path::PathBuf;

use attest_core::names::PROOF;
use attest_core::{b64, json};
use serde_json::{Value, json as document};

use crate::{Ending, output};

/// Shows what tokens say. Nothing is verified: anybody can write such tokens.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A token, a chain (one token per line) or a request with a proof; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(crate) fn run(args: Args) -> Ending {
    let text = output::input(&args.file)?;
    output::remark("NOT VERIFIED: this is what the tokens say, not what is true. `attest verify` checks them.");
    let shown = if text.trim_start().starts_with('{') { request(&text)? } else { tokens(&text)? };
    output::text(serde_json::to_string_pretty(&shown)? + "\n");
    Ok(0)
}

fn request(text: &str) -> Result<Value, Box<dyn std::error::Error>> {
    // Through the strict reader first: what it refuses has no single meaning that could be shown.
    let read = json::parse(text.as_bytes())?;
    let mut shown = serde_json::to_value(&read)?;
    let proof = shown.pointer_mut("/params/_meta").and_then(Value::as_object_mut).and_then(|m| m.get_mut(PROOF));
    if let Some(proof) = proof.and_then(Value::as_object_mut) {
        for member in proof.values_mut() {
            match member {
                Value::String(text) if text.contains('.') => *member = token(text),
                Value::Array(chain) => {
                    for text in chain.iter_mut() {
                        if let Value::String(t) = text {
                            *text = token(t);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(shown)
}

fn tokens(text: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let mut all: Vec<Value> = text.split_whitespace().map(token).collect();
    match all.len() {
        0 => Err("nothing to show: give a token, a chain or a request".into()),
        1 => Ok(all.remove(0)),
        _ => Ok(Value::Array(all)),
    }
}

/// What one token says, as far as it can be read at all.
pub(crate) fn token(text: &str) -> Value {
    let part = |text: &str| {
        let bytes = b64::decode(text)?;
        serde_json::to_value(json::parse(&bytes).ok()?).ok()
    };
    let mut parts = text.split('.');
    match (parts.next().and_then(part), parts.next().and_then(part)) {
        (Some(header), Some(mut payload)) => {
            open_measurements(&mut payload);
            document!({ "header": header, "payload": payload })
        }
        _ => document!({ "unreadable": text }),
    }
}

/// Measured components travel as JSON in strings; shown as what they are.
fn open_measurements(payload: &mut Value) {
    let entries = payload.get_mut("measurements").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        let text = entry.get_mut(1);
        if let Some(text) = text
            && let Some(inner) = text.as_str().and_then(|t| serde_json::from_str::<Value>(t).ok())
        {
            *text = inner;
        }
    }
}
