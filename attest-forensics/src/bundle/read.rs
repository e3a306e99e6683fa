//! A bundle from bytes, strictly.

use std::collections::HashMap;

use attest_core::b64;
use attest_core::checkpoint::{Checkpoint, CheckpointError};
use attest_core::claims::is_name;
use attest_core::digest::{Digest, Salt};
use attest_core::entry::MAX_ENTRY;
use attest_core::json::{self, JsonError, Object, Value};
use attest_core::merkle::Hash;

use super::{Bundle, Disclosed, FORM, Part};

/// Longest bundle, in bytes.
pub const MAX_BUNDLE: usize = 256 << 20;
/// Longest path of a proof: what a tree of 2^63 entries has.
const MAX_PATH: usize = 63;

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Longer than [`MAX_BUNDLE`].
    #[error("it is longer than {MAX_BUNDLE} bytes")]
    TooLong,
    /// Not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// Not the object that a bundle is.
    #[error("it is no bundle of the form {FORM}")]
    Form,
    /// A part that is not what it should be.
    #[error("{0} is not what it should be")]
    Part(String),
    /// A checkpoint that cannot be read.
    #[error("the checkpoint of {0}: {1}")]
    Checkpoint(String, CheckpointError),
}

impl Bundle {
    /// Whether a text looks like one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(&format!("{{\"bundle\":\"{FORM}\""))
    }

    /// Reads a bundle. Nothing in it is believed: [`Bundle::check`] says what holds.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE {
            return Err(BundleError::TooLong);
        }
        let value = json::parse(bytes)?;
        let object = members(&value, ["bundle", "disclosed", "logs", "tokens"]).ok_or(BundleError::Form)?;
        if object.get("bundle").and_then(Value::as_str) != Some(FORM) {
            return Err(BundleError::Form);
        }
        let list = |name: &str| object.get(name).and_then(Value::as_array).ok_or(BundleError::Form);
        let mut tokens = HashMap::new();
        for (n, token) in list("tokens")?.iter().enumerate() {
            let text = token.as_str().ok_or_else(|| BundleError::Part(format!("token {n}")))?;
            tokens.insert(Digest::of(text), text.to_owned());
        }
        let disclosed = list("disclosed")?.iter().enumerate();
        let disclosed =
            disclosed.map(|(n, text)| disclosure(text).ok_or_else(|| BundleError::Part(format!("disclosed text {n}"))));
        let logs = list("logs")?.iter().enumerate().map(|(n, log)| part(n, log));
        let mut bundle =
            Self { logs: logs.collect::<Result<_, _>>()?, tokens, disclosed: disclosed.collect::<Result<_, _>>()? };
        bundle.index();
        Ok(bundle)
    }
}

/// The object that has exactly these members.
fn members<'v, 'a, const N: usize>(value: &'v Value<'a>, names: [&str; N]) -> Option<&'v Object<'a>> {
    let object = value.as_object()?;
    (object.len() == N && names.iter().all(|name| object.get(name).is_some())).then_some(object)
}

fn disclosure(value: &Value<'_>) -> Option<Disclosed> {
    let object = members(value, ["commitment", "salt", "text"])?;
    let text = |name| object.get(name).and_then(Value::as_str);
    Some(Disclosed {
        commitment: Digest::from_b64(text("commitment")?)?,
        salt: Salt(b64::decode_exact(text("salt")?)?),
        text: text("text")?.to_owned(),
    })
}

fn part(n: usize, value: &Value<'_>) -> Result<Part, BundleError> {
    let wrong = |what: &str| BundleError::Part(format!("log {n}: {what}"));
    let object = members(value, ["checkpoint", "entries", "keys", "origin"]).ok_or_else(|| wrong("its form"))?;
    let text = |name| object.get(name).and_then(Value::as_str);
    let origin = text("origin").filter(|name| is_name(name)).ok_or_else(|| wrong("origin"))?.to_owned();
    let checkpoint = text("checkpoint").ok_or_else(|| wrong("checkpoint"))?.to_owned();
    let keys = object.get("keys").and_then(Value::as_array).ok_or_else(|| wrong("keys"))?;
    let keys: Option<Vec<String>> = keys.iter().map(|key| key.as_str().map(str::to_owned)).collect();
    // The signed part of a note ends with an empty line; its size is what it says until somebody checks it.
    let body = checkpoint.split("\n\n").next().unwrap_or_default();
    let said =
        Checkpoint::parse(&format!("{body}\n")).map_err(|error| BundleError::Checkpoint(origin.clone(), error))?;
    let mut part = Part::new(origin, keys.ok_or_else(|| wrong("keys"))?, checkpoint, said.size);
    for (m, entry) in
        object.get("entries").and_then(Value::as_array).ok_or_else(|| wrong("entries"))?.iter().enumerate()
    {
        let (index, body, path) = entry_of(entry).ok_or_else(|| wrong(&format!("entry {m} of its list")))?;
        if part.entries.contains_key(&index) {
            return Err(wrong(&format!("entry {index} is there twice")));
        }
        part.put(index, body, path);
    }
    Ok(part)
}

fn entry_of(value: &Value<'_>) -> Option<(u64, Vec<u8>, Vec<Hash>)> {
    let object = members(value, ["body", "index", "path"])?;
    let body = object.get("body").and_then(Value::as_str).filter(|body| body.len() <= MAX_ENTRY)?;
    let path = object.get("path").and_then(Value::as_array).filter(|path| path.len() <= MAX_PATH)?;
    let path: Option<Vec<Hash>> = path.iter().map(|hash| b64::decode_exact(hash.as_str()?)).collect();
    Some((object.get("index")?.as_u53()?, body.as_bytes().to_vec(), path?))
}
