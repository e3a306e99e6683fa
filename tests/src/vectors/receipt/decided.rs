//! Receipts of another decision, and of another call.

use serde_json::{Value, json};

use super::both::{OTHER, OTHER_SALT, cancel, for_both, of_both};
use super::{CALL, Making, PARAMS, SALT, answer, bad, carrying, member, refused, vector};
use crate::vectors::file::Vector;
use crate::vectors::log::ENTRIES;
use crate::vectors::token::{b64, hash};

pub(super) fn entries() -> Vec<Vector> {
    let entry = |name: &str, comment: &str, member: &str, value: Value, about: &str| {
        refused(name, comment, &Making::entry(member, value), about)
    };
    let shown = |name: &str, comment: &str, entry: &str, about: &str| {
        refused(name, comment, &Making::with(|m| m.entries[1] = entry.to_owned()), about)
    };
    vec![
        refused(
            "proof_of_another_entry",
            "the proof of the outcome in place of the decision",
            &Making::with(|m| {
                m.index = 2;
                m.token.claims["idx"] = 2.into();
            }),
            "entry",
        ),
        refused(
            "proof_of_start",
            "the proof of another kind of entry",
            &Making::with(|m| {
                m.index = 0;
                m.token.claims["idx"] = 0.into();
            }),
            "entry",
        ),
        shown(
            "entry_refusal",
            "an entry that refuses the call",
            r#"{"agent":"a1","audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","decision":"deny","key":"nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q","policy":"-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0","reason":"replay","time":1800000000009,"tool":"read_file","type":"decision"}"#,
            "entry",
        ),
        entry("entry_deny", "a decision like the right one, but that it refuses", "decision", json!("deny"), "entry"),
        entry("entry_reason", "an allowing decision with a reason", "reason", json!("replay"), "entry"),
        entry("entry_type", "an entry of another type", "type", json!("call"), "entry"),
        entry("entry_extra", "an entry with a member more", "x", json!(1), "entry"),
        entry("entry_no_params", "an entry without params", "params", Value::Null, "entry"),
        entry("entry_no_tool", "an entry with neither tool nor method", "tool", Value::Null, "entry"),
        entry("entry_tool_and_method", "an entry with both tool and method", "method", json!("x"), "entry"),
        entry("entry_no_attestation", "an entry without its attestation", "attestation", Value::Null, "entry"),
        entry("entry_no_context", "an entry without its context", "context", Value::Null, "entry"),
        entry("entry_delegation_empty", "an entry with an empty chain", "delegation", json!([]), "entry"),
        shown(
            "entry_not_canonical",
            "an entry that is not in canonical form",
            &ENTRIES[1].replacen(':', ": ", 1),
            "entry",
        ),
        shown("entry_not_json", "an entry that is no JSON", "decision", "entry"),
        entry("entry_audience", "the decision of another audience", "audience", json!("mail"), "audience"),
        entry("entry_params", "a decision over other parameters", "params", json!(hash("other")), "params"),
        entry("entry_call", "a decision about another call", "call", json!(OTHER), "call"),
        entry("entry_policy", "a decision by another configuration", "policy", json!(hash("other")), "policy"),
        refused("policy", "the receipt names another configuration", &Making::claim("policy", hash("other")), "policy"),
    ]
}

pub(super) fn calls() -> Vec<Vector> {
    let other = Making::with(|m| {
        m.entries = Making::entry("call", OTHER).entries;
        m.token.claims["call"] = OTHER.into();
    });
    let with = |receipts: Value| answer(&member(&receipts));
    let own = || Making::new().carried();
    let changed = |from: &str, to: &str| {
        let body = answer(&carrying(&Making::new()));
        assert!(body.contains(from), "{from} stands nowhere");
        body.replace(from, to)
    };
    let params = |vector: Vector, params: &str| vector.with("ended", &format!("{CALL}/{params}/{}/answer", b64(SALT)));
    vec![
        refused("other_call", "the receipt of another call", &other, "call"),
        refused("call", "the receipt names another call than the entry", &Making::claim("call", OTHER), "call"),
        bad(
            "two_for_one",
            "a second receipt, of a call that the answer does not end",
            with(json!([own(), other.carried()])),
            "call",
        ),
        bad("twice", "the same receipt twice", with(json!([own(), own()])), "call"),
        for_both(bad(
            "two_of_one",
            "two receipts of one call where the answer ends two",
            cancel(&[of_both(CALL), of_both(CALL)]),
            "call",
        )),
        vector(
            "replayed",
            "the answer to another call of this caller, with its receipt",
            answer(&carrying(&Making::new())),
        )
        .with("ended", &format!("{OTHER}/{PARAMS}/{}/answer", b64(SALT)))
        .with("expect", "bad-receipt")
        .with("about", "call"),
        params(bad("params", "params of another call", answer(&carrying(&Making::new())), "params"), &hash("other")),
        refused("status", "the receipt says another status", &Making::claim("status", "tool-error"), "status"),
        refused("status_unknown", "the receipt says that nobody knows", &Making::of("unknown", None), "status"),
        bad(
            "changed_status",
            "an answer that was made an error of the tool",
            changed("\"isError\":false", "\"isError\":true"),
            "status",
        ),
        bad(
            "changed_to_error",
            "a result that was made an error",
            changed("\"result\":{\"_meta\":", "\"error\":{\"data\":"),
            "status",
        ),
        refused("digest", "the receipt has another digest", &Making::claim("result", hash("other")), "result"),
        refused("digest_none", "the receipt has no digest", &Making::of("result", None), "result"),
        bad("changed_result", "an answer whose text was changed", changed("\"hello\"", "\"hullo\""), "result"),
        bad(
            "added_member",
            "an answer with a member more",
            changed("\"isError\":false", "\"isError\":false,\"x\":1"),
            "result",
        ),
        vector("other_salt", "a digest under another salt", answer(&carrying(&Making::new())))
            .with("ended", &format!("{CALL}/{PARAMS}/{}/answer", b64(OTHER_SALT)))
            .with("expect", "bad-receipt")
            .with("about", "result"),
    ]
}
