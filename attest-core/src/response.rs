//! The answer to a call: what of it is committed to, and what of it is dropped. `spec/response.md`.

use std::borrow::Cow;

use crate::digest::{Digest, Salt};
use crate::entry::Status;
use crate::json::{Object, Value, write_canonical, write_members};
use crate::names::{PREFIX, UNTRUSTED};

/// What a log says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the call ended.
    pub status: Status,
    /// Salted digest of the canonical result without `_meta`, or of the error object without members of ours.
    pub digest: Option<Digest>,
}

impl Outcome {
    /// Of the answer `message`, a JSON-RPC response; `None` in place of a message that has no canonical form.
    pub fn of(message: Option<&Value<'_>>, salt: &Salt) -> Self {
        let Some(message) = message.and_then(Value::as_object) else {
            return Self { status: Status::Result, digest: None };
        };
        match (message.get("result"), message.get("error")) {
            (Some(result), _) => Self::of_result(result, salt),
            (None, Some(error)) => Self::of_error(error, salt),
            (None, None) => Self { status: Status::Error, digest: None },
        }
    }

    /// Of a result, wherever it stood.
    pub(crate) fn of_result(result: &Value<'_>, salt: &Salt) -> Self {
        let mut bytes = Vec::with_capacity(512);
        let mut is_error = false;
        match result {
            Value::Object(result) => {
                write_members(result.iter().filter(|(name, _)| *name != "_meta"), &mut bytes);
                is_error = result.get("isError").and_then(Value::as_bool) == Some(true);
            }
            result => write_canonical(result, &mut bytes),
        }
        let status = if is_error { Status::ToolError } else { Status::Result };
        Self { status, digest: Some(Digest::salted(salt, &bytes)) }
    }

    /// Of an error, wherever it stood: without members of ours in its `data`, and without a `data` that has no others, so
    /// that both sides of a verifier, which puts receipts there, commit to the same.
    pub(crate) fn of_error(error: &Value<'_>, salt: &Salt) -> Self {
        let data = error.as_object().and_then(|error| error.get("data")).and_then(Value::as_object);
        let bare = match (error, data) {
            (Value::Object(error), Some(data)) if data.is_empty() || has_ours(data, &[]) => {
                let others = without(data, &[]);
                let none = others.is_empty();
                Some(Value::Object(if none {
                    error.without("data")
                } else {
                    error.with("data", Value::Object(others))
                }))
            }
            _ => None,
        };
        let bytes = bare.as_ref().unwrap_or(error).to_canonical();
        Self { status: Status::Error, digest: Some(Digest::salted(salt, &bytes)) }
    }
}

/// Where only a verifier may write: in a message, and in the result or the error of a task that a message tells of.
const PLACES: [&[&str]; 7] = [
    &["result", "_meta"],
    &["error", "data"],
    &["params", "_meta"],
    &["result", "result", "_meta"],
    &["result", "error", "data"],
    &["params", "result", "_meta"],
    &["params", "error", "data"],
];

/// The message without members of ours where only a verifier may write them; `None` where there are none, as nearly always,
/// so that the message passes as it came.
pub fn without_ours<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    let mut clean = None;
    for place in PLACES {
        if let Some(object) = clean.as_ref().unwrap_or(message).as_object().filter(|object| has_ours(object, place)) {
            clean = Some(Value::Object(without(object, place)));
        }
    }
    clean
}

/// The message with its result marked as untrusted: `_meta` says so, for a host that looks. `None` where it is no result.
pub fn as_untrusted<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    let outer = message.as_object()?;
    let result = outer.get("result")?.as_object()?;
    let meta = result.get("_meta").and_then(Value::as_object).cloned().unwrap_or_default();
    let meta = Value::Object(meta.with(UNTRUSTED, Value::Bool(true)));
    let result = Value::Object(result.with("_meta", meta));
    Some(Value::Object(outer.with("result", result)))
}

fn has_ours(object: &Object<'_>, place: &[&str]) -> bool {
    match place.split_first() {
        None => object.iter().any(|(name, _)| name.starts_with(PREFIX)),
        Some((member, rest)) => {
            object.get(member).and_then(Value::as_object).is_some_and(|inner| has_ours(inner, rest))
        }
    }
}

fn without<'v>(object: &Object<'v>, place: &[&str]) -> Object<'v> {
    let members = object.iter().filter_map(|(name, value)| {
        let value = match (place.split_first(), value) {
            (None, _) if name.starts_with(PREFIX) => return None,
            (Some((member, rest)), Value::Object(inner)) if *member == name => Value::Object(without(inner, rest)),
            _ => value.clone(),
        };
        Some((Cow::Owned(name.to_owned()), value))
    });
    Object::sorted(members.collect())
}
