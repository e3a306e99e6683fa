//! Less evidence never allows more: nothing that is left out of a message makes a refused call pass.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use attest_core::digest::Digest;
use attest_core::json;
use attest_core::labels::Labels;
use attest_core::refusal::Reason;
use attest_core::request::attested;
use attest_core::signing::Lineage;
use attest_core::tools::Tools;
use attest_core::verifier::Verifier;
use common::{NOW, REQUEST, World, check};
use proptest::prelude::*;
use serde_json::Value;

const READ: &str = r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///srv/a.txt","_meta":{"com.example/tenant":"acme","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

/// A receipt and a decision of a log that nobody pins.
const UNKNOWN: &str = "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiMFl1Q1c0TjlMS1BzTzBqUEtLZ0RZbzNIN0hIMkxraVQ4WUx1RkdzbFpYSSIsInR5cCI6Im1jcC1yZWNlaXB0K2p3dCJ9.eyJjYWxsIjoiYVYwLTVGVGl6M0x4WENKN3dXd3BOZEotUEVwX3cyRE1XZ0xFOExLYTN4VSIsImRlY2lzaW9uIjoiYWxsb3ciLCJpYXQiOjE3OTkwMDAwMDAsImlkeCI6MSwibG9nIjoicGxhbm5lciIsInBvbGljeSI6Ii1ubHkwNkJjTjJNVWRNMlN5OUNNT1lhb1MxMjU2SVMyX2Qtb290UWJyazAiLCJyZXN1bHQiOiJqdm1kRjdRZ19UZWpCcXdCYS1sUXlyT0RiU1Q0QWZzcHdKc3AxbE9Pa1VZIiwic3RhdHVzIjoicmVzdWx0In0.yV8FQVUo6TURidJJ7OJ5TutPEwD6vlyzvf9REDVzfI4VyElRMgVddLMI2144RjmDierhSXiG2K16YmJdWDJ3AQ";
const DECISION: &str = "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiRTkxNlhUakpDSzgydkFpYkVHR2hCM2xEVjd3QU52bExmeGlDTlRxZm9fYyIsInR5cCI6Im1jcC1kZWNpc2lvbitqd3QifQ.eyJhdWQiOiJmaWxlcyIsImNhbGwiOiJhVjAtNUZUaXozTHhYQ0o3d1d3cE5kSi1QRXBfdzJETVdnTEU4TEthM3hVIiwiZXhwIjoxODAwMDAzMDAwLCJpYXQiOjE3OTk5OTk0MDAsImtleSI6InVBV3lMOHI2ZVREbUlFNHdPMU9MYUVXRDdxbFREZnBLVnI0RFlnNDI3OFEiLCJsYWJlbHMiOltdLCJsZWFmIjoieXZhOGlILVAySEJRVmpFYWlTNjFqUmVMN2c2eFI1RDRjYUtvRDFzeVBLRSIsImxvZyI6InBsYW5uZXIifQ.1iONe2NbX9DUyjxG1JShI4W1Nn6rzB5jxU8MlP9dYQWQSxkWP8t4qkebvntARA0QvSoEYGYtIhO4j6qp17dQDw";

/// A signed message and whether it is let through.
struct Case {
    message: Value,
    accepted: bool,
}

/// Everything that can be wrong with a call, over each method and in each form.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let tools = |name: &str| Tools(BTreeMap::from([(name.to_owned(), BTreeMap::new())]));
    let worlds = [
        World::new(),
        World { digest: Digest::of("another prompt"), ..World::new() },
        World { tools: tools("mail#read_file"), ..World::new() },
        World { tools: tools("files#other"), ..World::new() },
    ];
    let mut cases = Vec::new();
    for (world, audience) in worlds.iter().map(|world| (world, "files")).chain([(&worlds[0], "mail")]) {
        for message in [REQUEST, READ].iter().flat_map(|request| world.forms(request, audience)) {
            let mut messages = vec![serde_json::from_slice::<Value>(&message).unwrap()];
            // Changed after the signing.
            for (place, value) in [("/params/uri", "x"), ("/params/name", "x"), ("/params/arguments/path", "x")] {
                let mut changed = messages[0].clone();
                if let Some(place) = changed.pointer_mut(place) {
                    *place = value.into();
                    messages.push(changed);
                }
            }
            cases.extend(messages.into_iter().map(|message| {
                let accepted = verdict(&message, true).is_ok();
                Case { message, accepted }
            }));
        }
    }
    // Of callers that have seen what nobody can judge, or call on somebody's behalf.
    let receipts = [(Digest::of(UNKNOWN), UNKNOWN.into())];
    let labels = Labels::one("hr").unwrap();
    let lineages = [
        Lineage { receipts: &receipts, ..Lineage::default() },
        Lineage { labels: Some(&labels), ..Lineage::default() },
        Lineage { cause: Some(DECISION), ..Lineage::default() },
        Lineage { labels: Some(&labels), receipts: &receipts, cause: Some(DECISION), ..Lineage::default() },
    ];
    for message in lineages.into_iter().flat_map(|lineage| worlds[0].forms_of(REQUEST, "files", lineage)) {
        let message = serde_json::from_slice::<Value>(&message).unwrap();
        let accepted = verdict(&message, true).is_ok();
        cases.push(Case { message, accepted });
    }
    cases
});

/// The verdict of a verifier that remembers the good tokens, or none. What is no call of any method is refused as well.
fn verdict(message: &Value, warm: bool) -> Result<(), Option<Reason>> {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    if warm {
        check(&verifier, &world.signed("files"), NOW).0.unwrap();
    }
    let bytes = serde_json::to_vec(message).unwrap();
    let message = json::parse(&bytes).unwrap();
    let call = attested(&message).map_err(|_| None)?;
    verifier.check(&call, NOW, |_| false, &mut ()).map(|_| ()).map_err(|refusal| Some(refusal.reason))
}

/// The paths of all members and elements below `value`.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in below {
        let path = format!("{at}/{name}");
        places(value, &path, found);
        found.push(path);
    }
}

fn remove(message: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    match message.pointer_mut(parent) {
        Some(Value::Object(object)) => drop(object.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => {
            let n: usize = name.parse().unwrap();
            if n < items.len() {
                items.remove(n);
            }
        }
        _ => {}
    }
}

#[test]
fn the_cases_hold_both_verdicts_and_some_reasons() {
    let reasons: std::collections::BTreeSet<_> =
        CASES.iter().filter_map(|case| verdict(&case.message, true).err().flatten()).collect();
    assert!(CASES.iter().filter(|case| case.accepted).count() >= 4);
    assert!(reasons.len() >= 7, "{reasons:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn leaving_anything_out_never_turns_deny_into_allow(
        case in any::<prop::sample::Index>(), gone in prop::collection::vec(any::<prop::sample::Index>(), 1..4), warm in any::<bool>(),
    ) {
        let case = case.get(&CASES);
        let mut message = case.message.clone();
        for index in gone {
            let mut all = Vec::new();
            places(&message, "", &mut all);
            if !all.is_empty() {
                let place: &String = index.get(&all);
                remove(&mut message, place);
            }
        }
        if verdict(&message, warm).is_ok() {
            prop_assert!(case.accepted, "{} passes now", message);
        }
    }

    #[test]
    fn remembering_nothing_never_turns_deny_into_allow(case in any::<prop::sample::Index>()) {
        let case = case.get(&CASES);
        if verdict(&case.message, false).is_ok() {
            prop_assert!(case.accepted);
        }
    }
}

#[test]
fn leaving_out_any_one_thing_of_what_was_seen_never_turns_deny_into_allow() {
    let brought = |case: &&Case| {
        let proof = &case.message["params"]["_meta"]["io.github.agent-attest/proof"];
        proof.get("rcp").or(proof.get("cause")).is_some()
    };
    let cases: Vec<&Case> = CASES.iter().filter(brought).collect();
    assert!(cases.len() >= 6 && cases.iter().all(|case| !case.accepted));
    for case in cases {
        let mut all = Vec::new();
        places(&case.message, "", &mut all);
        for place in all {
            let mut message = case.message.clone();
            remove(&mut message, &place);
            assert!(verdict(&message, true).is_err(), "without {place} it passes: {message}");
        }
    }
}
