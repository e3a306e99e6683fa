//! A signed call verifies, and each change to it is refused for its own reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use attest_core::digest::Digest;
use attest_core::refusal::Reason;
use attest_core::tools::Tools;
use attest_core::trust::MAX_SKEW;
use attest_core::verifier::Verifier;
use common::{NOW, World, check};

fn reason(world: &World, request: &[u8], now: u64) -> Reason {
    check(&Verifier::new(world.trust()), request, now).0.unwrap_err().reason
}

#[test]
fn a_signed_call_is_accepted_cold_and_warm_with_the_same_verdict() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let request = world.signed("files");
    let (cold, passed) = check(&verifier, &request, NOW);
    let (warm, again) = check(&verifier, &request, NOW);
    let (cold, warm) = (cold.unwrap(), warm.unwrap());
    assert_eq!(passed, again);
    assert_eq!(cold.forward, warm.forward);
    assert_eq!(
        String::from_utf8(cold.forward).unwrap(),
        r#"{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{"_meta":{"com.example/tenant":"acme","progressToken":1},"arguments":{"path":"/srv/a.txt"},"name":"read_file"}}"#
    );
}

#[test]
fn a_remembered_attestation_still_expires() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let request = world.signed("files");
    check(&verifier, &request, NOW).0.unwrap();
    assert_eq!(check(&verifier, &request, NOW + 400).0.unwrap_err().reason, Reason::Expired);
}

#[test]
fn each_change_is_refused_for_its_own_reason() {
    let world = World::new();
    let request = String::from_utf8(world.signed("files")).unwrap();
    let swap = |from: &str, to: &str| {
        assert!(request.contains(from));
        reason(&world, request.replacen(from, to, 1).as_bytes(), NOW)
    };
    assert_eq!(swap("/srv/a.txt", "/srv/b.txt"), Reason::ParamsMismatch);
    assert_eq!(swap(r#""name":"read_file""#, r#""name":"write_file""#), Reason::ToolMismatch);
    assert_eq!(swap("acme\"", "emca\""), Reason::MetaMismatch);
    assert_eq!(
        swap(r#","arguments":{"path":"/srv/a.txt"}"#, r#","arguments":{"path":"/srv/a.txt","x":1}"#),
        Reason::ParamsMismatch
    );
    assert_eq!(reason(&world, &world.signed("mail"), NOW), Reason::WrongAudience);
    assert_eq!(reason(&world, request.as_bytes(), NOW + 3000), Reason::Expired);
    assert_eq!(reason(&world, request.as_bytes(), NOW - 3000), Reason::NotYetValid);
}

#[test]
fn another_state_is_refused_with_the_component() {
    let world = World { digest: Digest::of("another prompt"), ..World::new() };
    let refusal = check(&Verifier::new(world.trust()), &world.signed("files"), NOW).0.unwrap_err();
    assert_eq!(refusal.reason, Reason::StateMismatch);
    assert_eq!(refusal.caller.unwrap().agent, "a1");
}

#[test]
fn a_tool_that_the_leaf_does_not_grant_is_refused() {
    let world = World { tools: Tools(BTreeMap::from([("files#list".to_owned(), BTreeMap::new())])), ..World::new() };
    assert_eq!(reason(&world, &world.signed("files"), NOW), Reason::ToolNotGranted);
}

#[test]
fn a_call_is_remembered_for_as_long_as_any_skew_could_let_it_in_again() {
    let world = World::new();
    let request = world.signed("files");
    let expires = NOW + 60;
    for skew in [0, MAX_SKEW] {
        let trust = world.trust().with_skew(skew).unwrap();
        let accepted = check(&Verifier::new(trust), &request, NOW).0.unwrap();
        assert_eq!(accepted.proof.expires, expires);
        assert_eq!(accepted.call_id.until, expires + MAX_SKEW, "{skew}");
    }
    assert_eq!(MAX_SKEW, 300);
    assert!(world.trust().with_skew(MAX_SKEW + 1).is_err());
}
