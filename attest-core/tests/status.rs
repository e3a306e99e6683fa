//! What was taken back is refused on every call, whatever is remembered of its tokens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test rests on is there, or the test fails at that line")]

mod common;

use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::jws::Unverified;
use attest_core::refusal::{About, Check, Reason, Token};
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::status::{Bits, Level, Staleness, Standing, StatusIssuer, StatusList, StatusRef, Statuses};
use attest_core::trust::Trust;
use attest_core::verifier::Verifier;

use common::{NOW, World, check};

const URI: &str = "https://status.example/a";

fn key() -> MemoryKey {
    MemoryKey::from_seed(&[70; 32])
}

fn trust(world: &World, accepted: Vec<Level>) -> Trust {
    let issuer = StatusIssuer { uri: URI.to_owned(), key: key().public().clone() };
    world.trust().with_statuses(vec![issuer], Staleness::new(3_600, accepted).unwrap()).unwrap()
}

fn holding(verifier: &Verifier, marked: &[u64], issued_at: u64) {
    let mut list = StatusList::new(URI.to_owned(), Bits::One, 64).unwrap();
    list.issued_at = issued_at;
    for index in marked {
        list.set(*index, Standing::Invalid).unwrap();
    }
    let mut statuses = (*verifier.statuses()).clone();
    statuses.take(URI, &list.sign(&key()).unwrap(), verifier.trust(), NOW).unwrap();
    verifier.hold(Arc::new(statuses));
}

/// A call whose attestation names place 7.
fn listed(world: &mut World) -> [Vec<u8>; 2] {
    world.status = Some(StatusRef { index: 7, uri: URI.to_owned() });
    let token = world.attestation();
    assert!(Unverified::<Attestation>::read(&token).unwrap().peek().status.is_some());
    world.forms(common::REQUEST, "files")
}

#[test]
fn a_call_that_is_remembered_is_refused_once_its_attestation_is_taken_back_in_either_form() {
    let mut world = World::new();
    let [full, short] = listed(&mut world);
    let verifier = Verifier::new(trust(&world, Vec::new()));
    holding(&verifier, &[], NOW - 10);
    for request in [&full, &short, &full] {
        check(&verifier, request, NOW).0.unwrap();
    }
    holding(&verifier, &[7], NOW - 9);
    for request in [&full, &short] {
        let (verdict, passed) = check(&verifier, request, NOW);
        let refusal = verdict.unwrap_err();
        assert_eq!((refusal.reason, refusal.about.clone()), (Reason::Revoked, Some(About::Token(Token::Attestation))));
        assert_eq!(passed.last(), Some(&Check::Chain), "right after the chain, before what is granted is looked at");
        assert!(refusal.caller.is_some());
    }
    holding(&verifier, &[8], NOW - 8);
    check(&verifier, &short, NOW).0.unwrap();
}

#[test]
fn an_older_list_takes_no_revocation_back() {
    let mut world = World::new();
    let [full, _] = listed(&mut world);
    let verifier = Verifier::new(trust(&world, Vec::new()));
    holding(&verifier, &[7], NOW - 9);
    let mut older = StatusList::new(URI.to_owned(), Bits::One, 64).unwrap();
    older.issued_at = NOW - 10;
    let mut statuses = (*verifier.statuses()).clone();
    statuses.take(URI, &older.sign(&key()).unwrap(), verifier.trust(), NOW).unwrap_err();
    verifier.hold(Arc::new(statuses));
    assert_eq!(check(&verifier, &full, NOW).0.unwrap_err().reason, Reason::Revoked);
}

#[test]
fn a_list_by_a_key_that_another_configuration_pinned_is_no_list() {
    let mut world = World::new();
    let [full, _] = listed(&mut world);
    let verifier = Verifier::new(trust(&world, Vec::new()));
    holding(&verifier, &[], NOW - 10);
    let other = StatusIssuer { uri: URI.to_owned(), key: MemoryKey::from_seed(&[71; 32]).public().clone() };
    let other = world.trust().with_statuses(vec![other], Staleness::default()).unwrap();
    let next = Verifier::new(other);
    next.hold(verifier.statuses());
    assert_eq!(check(&next, &full, NOW).0.unwrap_err().reason, Reason::StatusUnknown);
}

#[test]
fn nothing_is_lost_of_a_refusal_by_leaving_a_list_out_and_only_what_is_accepted_passes_without() {
    let mut world = World::new();
    let [full, _] = listed(&mut world);
    let accepting = Verifier::new(trust(&world, vec![Level::Low]));
    assert_eq!(
        check(&accepting, &full, NOW).0.unwrap_err().reason,
        Reason::StatusUnknown,
        "what is not known is critical"
    );
    let place = StatusRef { index: 7, uri: URI.to_owned() };
    let judge = |level| Statuses::default().check(&place, NOW, level, accepting.trust());
    assert_eq!(
        Level::ALL.map(judge),
        [Ok(()), Err(Reason::StatusUnknown), Err(Reason::StatusUnknown), Err(Reason::StatusUnknown)]
    );
    let nobodys = StatusRef { index: 7, uri: "https://status.example/b".to_owned() };
    for level in Level::ALL {
        assert_eq!(Statuses::default().check(&nobodys, NOW, level, accepting.trust()), Err(Reason::StatusUnknown));
    }
}
