//! The answer to a call: what of it is committed to, and what of it is dropped. `spec/response.md`.

use std::borrow::Cow;

use crate::digest::{Digest, Salt};
use crate::entry::Status;
use crate::json::{Object, Value, write_canonical, write_members};
use crate::names::PREFIX;

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
            (Value::Object(error), Some(data)) if data.is_empty() || has_ours(data) => {
                let data = of_others(data);
                let empty = data.as_object().is_some_and(Object::is_empty);
                Some(Value::Object(if empty { error.without("data") } else { error.with("data", data) }))
            }
            _ => None,
        };
        let bytes = bare.as_ref().unwrap_or(error).to_canonical();
        Self { status: Status::Error, digest: Some(Digest::salted(salt, &bytes)) }
    }
}

/// The message without members of ours in `result._meta`, `error.data` and `params._meta`, which only a verifier may
/// write; `None` where there are none, as nearly always, so that the message passes as it came.
pub fn without_ours<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    const PLACES: [(&str, &str); 3] = [("result", "_meta"), ("error", "data"), ("params", "_meta")];
    let object = message.as_object()?;
    let found = PLACES.iter().any(|(outer, inner)| {
        let inner = object.get(outer).and_then(Value::as_object).and_then(|o| o.get(inner));
        inner.and_then(Value::as_object).is_some_and(has_ours)
    });
    found.then(|| {
        map_members(object, |name, value| match (PLACES.iter().find(|(outer, _)| *outer == name), value) {
            (Some((_, place)), Value::Object(o)) => map_members(o, |name, value| match value {
                Value::Object(inner) if name == *place => of_others(inner),
                value => value.clone(),
            }),
            _ => value.clone(),
        })
    })
}

fn has_ours(object: &Object<'_>) -> bool {
    object.iter().any(|(name, _)| name.starts_with(PREFIX))
}

/// The object without members of ours.
fn of_others<'v>(object: &Object<'v>) -> Value<'v> {
    let others = object.iter().filter(|(name, _)| !name.starts_with(PREFIX));
    Value::Object(Object::sorted(others.map(|(name, value)| (owned(name), value.clone())).collect()))
}

fn owned(name: &str) -> Cow<'static, str> {
    Cow::Owned(name.to_owned())
}

fn map_members<'v>(object: &Object<'v>, f: impl Fn(&str, &Value<'v>) -> Value<'v>) -> Value<'v> {
    Value::Object(Object::sorted(object.iter().map(|(name, value)| (owned(name), f(name, value))).collect()))
}
