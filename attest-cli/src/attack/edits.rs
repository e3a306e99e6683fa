//! Every member of an entry, changed: to something that could stand there.

use attest_core::b64;
use attest_core::entry::Status;
use attest_core::json;
use attest_core::receipt::Defect;
use attest_core::refusal::Reason;
use serde_json::Value;

/// An entry changed in one place.
pub(super) struct Edit {
    /// The member.
    pub member: String,
    /// The canonical bytes.
    pub body: Vec<u8>,
}

/// What an entry is called in the table: its type, and a decision by its verdict.
pub(super) fn kind(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("decision").as_str() {
        "" => text("type"),
        verdict => verdict.to_owned(),
    }
}

/// One edit for each member.
pub(super) fn of(body: &[u8]) -> Vec<Edit> {
    let Ok(Value::Object(entry)) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let edit = |(member, value): (&String, &Value)| {
        let mut changed = entry.clone();
        changed.insert(member.clone(), other(member, value));
        Edit { member: member.clone(), body: canonical(&Value::Object(changed)) }
    };
    let mut edits: Vec<Edit> = entry.iter().map(edit).collect();
    let mut more = entry.clone();
    more.insert("note".to_owned(), "x".into());
    edits.push(Edit { member: "a member more".to_owned(), body: canonical(&Value::Object(more)) });
    if let Some(first) = entry.keys().next() {
        let mut less = entry.clone();
        less.remove(first);
        edits.push(Edit { member: "a member less".to_owned(), body: canonical(&Value::Object(less)) });
    }
    edits
}

/// The entry with members set.
pub(super) fn with(body: &[u8], set: &[(&str, Value)]) -> Vec<u8> {
    let mut entry: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(entry) = entry.as_object_mut() {
        for (member, value) in set {
            entry.insert((*member).to_owned(), value.clone());
        }
    }
    canonical(&entry)
}

pub(super) fn canonical(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    json::parse(text.as_bytes()).map(|value| value.to_canonical()).unwrap_or_default()
}

/// Another value of the same form.
fn other(member: &str, value: &Value) -> Value {
    let not = |all: &[&'static str], is: &str| all.iter().find(|word| **word != is).copied().unwrap_or("x").into();
    match value {
        Value::Number(number) => (number.as_u64().unwrap_or(0) + 1).into(),
        Value::Bool(is) => (!is).into(),
        Value::Array(items) => {
            let mut items = items.clone();
            if let Some(last) = items.last_mut() {
                *last = other("", last);
            }
            items.into()
        }
        Value::String(text) => match member {
            "status" => not(&Status::ALL.map(Status::as_str), text),
            "reason" => not(&Reason::ALL.iter().map(|reason| reason.code()).collect::<Vec<_>>(), text),
            "about" if Defect::ALL.iter().any(|defect| defect.word() == text) => {
                not(&Defect::ALL.map(Defect::word), text)
            }
            "decision" => not(&["allow", "deny"], text),
            "check" => not(&["ok", "bad-receipt"], text),
            "type" => not(&["outcome", "start"], text),
            // A digest, or 16 bytes, by another of them.
            _ => match b64::decode(text) {
                Some(mut bytes) if bytes.len() == 32 || bytes.len() == 16 => {
                    if let Some(byte) = bytes.first_mut() {
                        *byte ^= 1;
                    }
                    b64::encode(bytes).into()
                }
                _ => format!("{text}x").into(),
            },
        },
        other => other.clone(),
    }
}
