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
    /// Salted digest of the canonical result without `_meta`, or of the error object.
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

    /// Of an error, wherever it stood.
    pub(crate) fn of_error(error: &Value<'_>, salt: &Salt) -> Self {
        Self { status: Status::Error, digest: Some(Digest::salted(salt, &error.to_canonical())) }
    }
}

/// The message without members of ours in `result._meta`, `error.data` and `params._meta`, which only a verifier may
/// write; `None` where there are none, as nearly always, so that the message passes as it came.
pub fn without_ours<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    const PLACES: [(&str, &str); 3] = [("result", "_meta"), ("error", "data"), ("params", "_meta")];
    let object = message.as_object()?;
    let ours = |o: &Object<'_>| o.iter().any(|(name, _)| name.starts_with(PREFIX));
    let found = PLACES.iter().any(|(outer, inner)| {
        let inner = object.get(outer).and_then(Value::as_object).and_then(|o| o.get(inner));
        inner.and_then(Value::as_object).is_some_and(ours)
    });
    found.then(|| {
        map_members(object, |name, value| match (PLACES.iter().find(|(outer, _)| *outer == name), value) {
            (Some((_, place)), Value::Object(o)) => map_members(o, |name, value| match value {
                Value::Object(inner) if name == *place => Value::Object(Object::sorted(
                    inner.iter().filter(|(n, _)| !n.starts_with(PREFIX)).map(|(n, v)| (owned(n), v.clone())).collect(),
                )),
                value => value.clone(),
            }),
            _ => value.clone(),
        })
    })
}

fn owned(name: &str) -> Cow<'static, str> {
    Cow::Owned(name.to_owned())
}

fn map_members<'v>(object: &Object<'v>, f: impl Fn(&str, &Value<'v>) -> Value<'v>) -> Value<'v> {
    Value::Object(Object::sorted(object.iter().map(|(name, value)| (owned(name), f(name, value))).collect()))
}
