//! Entries about what was seen, in parts that the families `seen`, `alert` and `audit` share.

use super::file::Vector;
use super::token::canonical;
use serde_json::{Value, json};

pub(super) const CALL: &str = "x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM";
pub(super) const DIGEST: &str = "XMN1HZ55JTHJCNULzH0xc9niFtgej08BHyUvGCg-uHM";
pub(super) const SESSION: &str = "BQUFBQUFBQUFBQUFBQUFBQ";

/// An entry of what was seen, with these members of the event beside the three that each has.
pub(super) fn seen(what: &str, members: &Value) -> Value {
    let mut event = json!({"server": "mail", "session": SESSION, "what": what});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({"event": event, "time": 1_800_000_000_002u64, "type": "seen"})
}

pub(super) fn trail() -> Value {
    json!({"session": SESSION, "time": 1_800_000_000_001u64, "type": "trail", "version": "0.1.0"})
}

/// The call of `spec/seen.md`.
pub(super) fn call() -> Value {
    seen(
        "call",
        &json!({"arguments": "QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q", "call": CALL, "destinations": ["mail.example"],
        "shape": DIGEST, "size": 87, "tool": "send_email"}),
    )
}

pub(super) fn read() -> Value {
    seen("read", &json!({"call": CALL, "method": "resources/read", "name": DIGEST, "size": 31}))
}

pub(super) fn answer() -> Value {
    seen("answer", &json!({"call": CALL, "latency": 12, "size": 40, "status": "result"}))
}

/// The alert of `spec/alert.md`.
pub(super) fn alert() -> Value {
    json!({"action": "note", "call": CALL, "entries": [3, 9],
        "reason": "a call of a tool that can carry data out, after text that addresses the model was seen",
        "rule": "out-after-suspicion", "server": "mail", "session": SESSION, "severity": "high",
        "time": 1_800_000_000_003u64, "tool": "send_email", "type": "alert"})
}

/// The object that has the members in question: the event, or the entry itself.
pub(super) fn object(entry: &mut Value) -> &mut serde_json::Map<String, Value> {
    let event = entry.get("event").is_some_and(Value::is_object);
    let object = if event { &mut entry["event"] } else { entry };
    object.as_object_mut().unwrap()
}

/// `entry` with these members set.
pub(super) fn with(mut entry: Value, members: &Value) -> Value {
    object(&mut entry).extend(members.as_object().unwrap().clone());
    entry
}

/// `entry` without a member.
pub(super) fn without(mut entry: Value, member: &str) -> Value {
    object(&mut entry).remove(member).expect(member);
    entry
}

/// A vector of kind `entry`, whose name has its family in it.
pub(super) fn good(name: &str, comment: &str, entry: &Value) -> Vector {
    Vector::new("entry", name, comment, canonical(entry)).with("expect", "accept")
}

pub(super) fn bad(name: &str, comment: &str, entry: &Value, expect: &str, about: &str) -> Vector {
    Vector::new("entry", name, comment, canonical(entry)).with("expect", expect).with("about", about)
}

/// One vector for each member of `required` that is not there.
pub(super) fn each_missing(family: &str, entry: &Value, required: &[&str]) -> Vec<Vector> {
    let one = |member: &&str| {
        let comment = format!("a member that every such entry has is not there: {member}");
        bad(&format!("{family}_no_{member}"), &comment, &without(entry.clone(), member), "missing", member)
    };
    required.iter().map(one).collect()
}

/// A value that a member cannot have: the vector's name, what it is, member and value.
pub(super) type Case = (&'static str, &'static str, &'static str, Value);

/// One vector for each case.
pub(super) fn each_invalid(family: &str, entry: &Value, cases: &[Case]) -> Vec<Vector> {
    let one = |(name, comment, member, value): &Case| {
        let entry = with(entry.clone(), &json!({*member: value}));
        bad(&format!("{family}_{name}"), comment, &entry, "invalid", member)
    };
    cases.iter().map(one).collect()
}
