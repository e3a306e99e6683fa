//! Shorthand: the same call with hashes in place of tokens that the verifier remembers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use attest_core::carrier::{Carrier, Tokens};
use attest_core::digest::{Digest, Jti};
use attest_core::entry::Entry;
use attest_core::json;
use attest_core::refusal::{Check, Reason};
use attest_core::request::attested;
use attest_core::tools::Tools;
use attest_core::verifier::{Accepted, Verifier};
use common::{NOW, REQUEST, World, check};

fn refused(verifier: &Verifier, request: &[u8]) -> Reason {
    check(verifier, request, NOW).0.unwrap_err().reason
}

/// What a log keeps of an accepted call.
fn logged(accepted: &Accepted) -> (Vec<u8>, Vec<(Digest, String)>) {
    let entry = Entry::allow(accepted, "files", &Digest::of("policy"), 1);
    (entry.to_bytes(), accepted.evidence.tokens().map(|(hash, text)| (hash, text.to_string())).collect())
}

#[test]
fn a_shorthand_that_is_not_remembered_is_refused_before_the_log_is_asked_for_the_call() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let [full, short] = world.forms(REQUEST, "files");
    let message = json::parse(&short).unwrap();
    let mut passed = Vec::new();
    let never = |_: &_| panic!("a call that is not cached uses up no jti, so nobody asks for it");
    let refusal = verifier.check(&attested(&message).unwrap(), NOW, never, &mut passed).unwrap_err();
    assert_eq!((refusal.reason, refusal.caller), (Reason::NotCached, None));
    assert_eq!(refusal.reason.on_the_wire(), "not-cached");
    assert_eq!(passed, [Check::Size]);
    // The very same proof goes through in full.
    check(&verifier, &full, NOW).0.unwrap();
    check(&verifier, &short, NOW).0.unwrap();
}

#[test]
fn a_shorthand_leads_to_the_same_verdict_forward_and_log_as_the_tokens() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let [full, short] = world.forms(REQUEST, "files");
    let (full, _) = check(&verifier, &full, NOW);
    let (short, passed) = check(&verifier, &short, NOW);
    let (full, short) = (full.unwrap(), short.unwrap());
    assert_eq!(full.forward, short.forward);
    assert_eq!(full.call_id, short.call_id);
    assert_eq!(full.proof_text, short.proof_text);
    assert_eq!(logged(&full), logged(&short));
    assert_eq!(passed.last(), Some(&Check::Flow));
}

#[test]
fn both_forms_carry_one_proof_over_the_same_hashes() {
    let world = World::new();
    let forms = world.forms(REQUEST, "files");
    let messages = forms.each_ref().map(|form| json::parse(form).unwrap());
    let calls = messages.each_ref().map(|message| attested(message).unwrap());
    let [full, short] = calls.each_ref().map(|call| Carrier::read(call.proof().unwrap()).unwrap());
    assert_eq!((full.proof, full.salt), (short.proof, short.salt));
    let Tokens::Full { attestation, delegation } = full.tokens else { panic!("tokens") };
    let hashes =
        Tokens::Short { attestation: Digest::of(attestation), delegation: delegation.iter().map(Digest::of).collect() };
    assert_eq!(short.tokens, hashes);
    // What nobody can tell apart from here on is not longer than it must be.
    assert!(forms[1].len() < forms[0].len() / 2);
}

#[test]
fn the_name_of_the_credentials_is_what_the_verifier_finds_them_by() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let accepted = check(&verifier, &world.signed("files"), NOW).0.unwrap();
    assert_eq!(accepted.evidence.name(), world.credentials().name());
    let renewed = World { id: Jti([8; 16]), ..World::new() };
    assert_ne!(renewed.credentials().name(), world.credentials().name());
}

#[test]
fn a_refused_call_leaves_nothing_to_be_found_by_a_shorthand() {
    let other_state = World { digest: Digest::of("another prompt"), ..World::new() };
    let no_tool = World { tools: Tools(BTreeMap::from([("files#x".to_owned(), BTreeMap::new())])), ..World::new() };
    let cases = [(other_state, Reason::StateMismatch, NOW), (no_tool, Reason::ToolNotGranted, NOW)];
    for (world, reason, now) in cases {
        let verifier = Verifier::new(world.trust());
        let [full, short] = world.forms(REQUEST, "files");
        assert_eq!(check(&verifier, &full, now).0.unwrap_err().reason, reason);
        assert_eq!(refused(&verifier, &short), Reason::NotCached, "after {reason}");
    }
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let [full, short] = world.forms(REQUEST, "files");
    let message = json::parse(&full).unwrap();
    let replay = verifier.check(&attested(&message).unwrap(), NOW, |_| true, &mut ()).unwrap_err();
    assert_eq!(replay.reason, Reason::Replay);
    assert_eq!(refused(&verifier, &short), Reason::NotCached);
}

#[test]
fn an_agent_that_renews_its_attestation_often_is_asked_for_the_oldest_in_full() {
    let verifier = Verifier::new(World::new().trust());
    let of = |n: u8| World { id: Jti([n; 16]), ..World::new() }.forms(REQUEST, "files");
    for n in 0..17 {
        check(&verifier, &of(n)[0], NOW).0.unwrap();
    }
    assert_eq!(refused(&verifier, &of(0)[1]), Reason::NotCached);
    for n in 1..17 {
        check(&verifier, &of(n)[1], NOW).0.unwrap();
    }
}

#[test]
fn another_verifier_remembers_nothing_of_the_first() {
    let world = World::new();
    let [full, short] = world.forms(REQUEST, "files");
    check(&Verifier::new(world.trust()), &full, NOW).0.unwrap();
    assert_eq!(refused(&Verifier::new(world.trust()), &short), Reason::NotCached);
}

#[test]
fn a_remembered_attestation_expires_under_a_shorthand_too() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let [full, short] = world.forms(REQUEST, "files");
    check(&verifier, &full, NOW).0.unwrap();
    assert_eq!(check(&verifier, &short, NOW + 400).0.unwrap_err().reason, Reason::Expired);
}
