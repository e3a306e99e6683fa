//! A call that the server answers with questions, and is made again with their answers.

use attest_tests::client::{reason, text};
use attest_tests::forge::Forge;
use attest_tests::world::World;
use serde_json::{Value, json};

use crate::{allowed, changed, guarded, modern, outcomes, refused};

const TOOL: &str = "test_input_required_result_multi_round";

/// The next round's parameters, from what the last one answered.
fn next_round(answer: &Value) -> Value {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let answers = result["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (key.clone(), json!({"action": "accept", "content": {"name": "Ada", "color": "blue"}})));
    let answers: serde_json::Map<String, Value> = answers.collect();
    json!({"name": TOOL, "arguments": {}, "requestState": result["requestState"], "inputResponses": answers})
}

#[test]
fn each_round_is_signed_anew_and_is_a_call_of_its_own_in_the_log() {
    let world = World::granting(&[TOOL]);
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        let (ran, logged) = (world.runs().len(), allowed(&world, "guard.db", TOOL).len());
        let mut params = json!({"name": TOOL, "arguments": {}});
        let mut calls = Vec::new();
        for round in 1..=3 {
            // The proof of the round before says nothing about this one.
            let unsigned = peer.ask(&modern(10 + round, "tools/call", params.clone()));
            assert_eq!(reason(&unsigned), "unauthenticated", "{way} {round}: {unsigned}");
            let call = forge.sign(&modern(round, "tools/call", params.clone()));
            let answer = peer.ask(&call.line);
            calls.push(json!(call.call));
            match round {
                3 => assert_eq!(text(&answer), "Both rounds are over", "{way}: {answer}"),
                _ => params = next_round(&answer),
            }
        }
        peer.end();
        assert_eq!(world.runs().len(), ran + 3, "{way}");
        assert_eq!(allowed(&world, "guard.db", TOOL).len(), logged + 3, "{way}");
        for call in &calls {
            let ends = outcomes(&world, "guard.db", call);
            assert!(
                matches!(&*ends, [end] if end["status"] == "result" && end["result"].is_string()),
                "{way}: {ends:?}"
            );
        }
    }
}

/// Each member besides name and arguments that a server acts on: in 2026-07-28, and `task` in 2025-11-25.
const STEERING: [(&str, &str, &str); 3] = [
    ("requestState", r#""as it was sealed""#, r#""another""#),
    (
        "inputResponses",
        r#"{"confirm":{"action":"accept","content":{"ok":true}}}"#,
        r#"{"confirm":{"action":"accept","content":{"ok":false}}}"#,
    ),
    ("task", r#"{"ttl":60000}"#, r#"{"ttl":60001}"#),
];

#[test]
fn what_steers_a_call_cannot_be_changed_added_or_removed_after_it_was_signed() {
    let world = World::granting(&[TOOL]);
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        let before = refused(&world, "params-mismatch");
        let mut tried = 0;
        for (member, value, other) in STEERING {
            let [value, other]: [Value; 2] = [value, other].map(|text| serde_json::from_str(text).unwrap());
            let bare = json!({"name": TOOL, "arguments": {}});
            let mut full = bare.clone();
            full[member] = value.clone();
            let sign = |params: &Value| forge.sign(&modern(1, "tools/call", params.clone())).line;
            let tricks = [
                ("changed", changed(&sign(&full), |m| m["params"][member] = other)),
                ("to null", changed(&sign(&full), |m| m["params"][member] = Value::Null)),
                ("removed", changed(&sign(&full), |m| drop(m["params"].as_object_mut().unwrap().remove(member)))),
                ("added", changed(&sign(&bare), |m| m["params"][member] = value)),
            ];
            for (trick, line) in tricks {
                let answer = peer.ask(&line);
                assert_eq!(reason(&answer), "params-mismatch", "{way}: {member} {trick}: {answer}");
                tried += 1;
            }
        }
        peer.end();
        assert_eq!(refused(&world, "params-mismatch"), before + tried, "{way}");
        assert_eq!((world.runs().len(), allowed(&world, "guard.db", TOOL).len()), (0, 0), "{way}");
    }
}

/// Python models take the spelling of Python for `inputResponses`, and so a member that nobody signed.
#[test]
fn a_second_spelling_of_what_steers_a_call_is_no_way_round() {
    let world = World::granting(&[TOOL]);
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        for member in ["input_responses", "request_state", "requeststate", "Task", "InputResponses"] {
            let call = forge.sign(&modern(1, "tools/call", json!({"name": TOOL, "arguments": {}})));
            let answer = peer.ask(&changed(&call.line, |m| m["params"][member] = json!({})));
            assert_eq!(reason(&answer), "malformed", "{way}: {member}: {answer}");
        }
        peer.end();
        assert!(world.runs().is_empty(), "{way}");
    }
}
