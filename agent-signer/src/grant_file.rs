//! What a token is to grant, as a file says it: for `attest delegate --grant` and `grant` in `agent.toml`.
//!
//! Both forms go the way of a token's own JSON, so that a file can say exactly what a token can.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use attest_core::derivation::Granted;
use attest_core::flow::Flow;
use attest_core::json::{self, Value};
use attest_core::limits::MAX_TOKEN;
use attest_core::pins::Pins;
use attest_core::tools::{Tools, split};

/// Longest file: what fits into a token, with room for comments.
const MAX_FILE: u64 = 4 * MAX_TOKEN as u64;

const FLOW: &str = "flow has origin = \"self\" or no origin, and release with labels by tool, ascending in JSON: [flow.release] \"mail#send\" = [\"finance\"]";
const STATE: &str = "state has max_age in seconds, and holder or below with digests by component: [state.holder] system-prompt = [\"…\"]";

/// Why a file says no grant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no grant.
    #[error("{path}: {what}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads a file: TOML where its name ends in `.toml`, else JSON. Either has `tools`, `flow` and `state`; JSON may be the tools alone.
///
/// # Errors
/// [`GrantFileError`].
pub fn read(path: &Path) -> Result<Granted, GrantFileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|source| GrantFileError::Read { path: path.to_owned(), source })?;
    let granted = if bytes.len() as u64 > MAX_FILE {
        Err(format!("it is longer than {MAX_FILE} bytes; no token holds so much"))
    } else if path.extension().is_some_and(|extension| extension == "toml") {
        of_toml(&bytes)
    } else {
        json::parse(&bytes).map_err(|e| e.to_string()).and_then(|value| of(&value))
    };
    granted.map_err(|what| GrantFileError::Form { path: path.to_owned(), what })
}

fn of_toml(bytes: &[u8]) -> Result<Granted, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut table: toml::Table = toml::from_str(text).map_err(|e| e.to_string())?;
    if let Some(name) = table.keys().find(|name| split(name).is_some()) {
        return Err(format!("{name:?} is no part of a grant; tools stand under it as [tools.{name:?}]"));
    }
    let release = table.get_mut("flow").and_then(|flow| flow.get_mut("release")).and_then(toml::Value::as_table_mut);
    // A set has one order on the wire, and any in a file.
    for labels in release.into_iter().flatten().filter_map(|(_, labels)| labels.as_array_mut()) {
        labels.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    let value = toml::Value::Table(table);
    if let Some(what) = inexpressible(&value) {
        return Err(format!("{what} has no place in a token; for null write the file in JSON"));
    }
    let text = serde_json::to_vec(&value).map_err(|e| e.to_string())?;
    of(&json::parse(&text).map_err(|e| e.to_string())?)
}

/// A value that JSON has no word for: it would come out as another one.
fn inexpressible(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Datetime(time) => Some(format!("the time {time}")),
        toml::Value::Float(number) if !number.is_finite() => Some(format!("the number {number}")),
        toml::Value::Array(items) => items.iter().find_map(inexpressible),
        toml::Value::Table(table) => table.iter().find_map(|(_, value)| inexpressible(value)),
        _ => None,
    }
}

fn of(value: &Value<'_>) -> Result<Granted, String> {
    let tools = |value: &Value<'_>| Tools::read(value).map_err(|e| format!("tools: {e}"));
    let object = value.as_object().ok_or("it is no object of tools, flow and state")?;
    // Every tool has a `#` in its name, and no part of a grant has.
    if object.iter().all(|(name, _)| name.contains('#')) {
        return Ok(Granted { tools: Some(tools(value)?), ..Granted::default() });
    }
    let known = |name: &str| ["tools", "flow", "state"].contains(&name);
    if let Some((name, _)) = object.iter().find(|(name, _)| !known(name)) {
        return Err(format!("{name:?} is no part of a grant; there are tools, flow and state"));
    }
    Ok(Granted {
        tools: object.get("tools").map(tools).transpose()?,
        flow: object.get("flow").map_or(Ok(None), Flow::of).map_err(|_| FLOW)?,
        pins: object.get("state").map_or(Ok(None), Pins::of).map_err(|_| STATE)?,
    })
}
