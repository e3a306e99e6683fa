//! What a holder derives holds at every verifier, and what would not hold is not derived.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use attest_core::chain::{self, ChainError};
use attest_core::constraint::Constraint;
use attest_core::delegation::Delegation;
use attest_core::derivation::{DerivationError, Granted, Parent, Terms};
use attest_core::digest::{Digest, Jti};
use attest_core::json::Value;
use attest_core::jws::Unverified;
use attest_core::measurement::Component;
use attest_core::pins::Pins;
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::tools::Tools;
use common::{NOW, World};

fn to() -> MemoryKey {
    MemoryKey::from_seed(&[8; 32])
}

fn terms(passes: Option<u64>) -> Terms<'static> {
    let holder = to().public().clone();
    Terms { holder, id: Jti([1; 16]), now: NOW, life: 600, passes, by: None, status: None }
}

fn child(world: &World, granted: Granted, terms: Terms<'_>) -> Result<Delegation, DerivationError> {
    Parent::read(&world.chain()).unwrap().child(world.agent.public(), granted, terms)
}

/// A chain whose leaf is derived again by its holder, for himself, with these pins.
fn pinned(world: &World, digest: Digest) -> Vec<String> {
    let pins = Pins {
        holder: BTreeMap::from([(Component::SystemPrompt, vec![digest])]),
        below: BTreeMap::new(),
        max_age: 3_600,
    };
    let terms = Terms { holder: world.agent.public().clone(), ..terms(None) };
    let leaf = child(world, Granted { pins: Some(pins), ..Granted::default() }, terms).unwrap();
    let mut chain = world.chain();
    chain.push(leaf.sign(&world.agent).unwrap());
    chain
}

#[test]
fn a_child_holds_at_a_verifier_and_passes_through_its_signer() {
    let world = World::new();
    let mut tokens = world.chain();
    let made = child(&world, Granted::default(), terms(Some(0))).unwrap();
    assert_eq!((made.expires, made.depth, made.max_depth), (NOW + 600, 2, 2));
    tokens.push(made.sign(&world.agent).unwrap());
    let read = tokens.iter().map(|token| Unverified::<Delegation>::read(token).unwrap()).collect();
    let chain = chain::verify(read, &world.trust()).unwrap();
    assert!(chain.is_held_by(to().public()) && chain.passes_through(world.agent.public().thumbprint()));
}

#[test]
fn a_child_ends_with_the_first_token_above_it_and_nothing_is_derived_after_that() {
    let world = World::new();
    let long = Terms { life: 50_000, ..terms(None) };
    assert_eq!(child(&world, Granted::default(), long).unwrap().expires, NOW + 1_000);
    let late = Terms { now: NOW + 1_000, ..terms(None) };
    assert_eq!(child(&world, Granted::default(), late), Err(DerivationError::Ended));
}

#[test]
fn nobody_derives_from_a_chain_that_another_holds() {
    let world = World::new();
    let refused = Parent::read(&world.chain()).unwrap().child(to().public(), Granted::default(), terms(None));
    assert!(matches!(refused, Err(DerivationError::Holder { .. })), "{refused:?}");
    assert_eq!(Parent::read::<String>(&[]).err(), Some(DerivationError::Empty));
    let garbled = Parent::read(&[world.chain()[0].clone(), "no token".to_owned()]);
    assert!(matches!(garbled, Err(DerivationError::Token(2, _))), "it says which");
}

#[test]
fn what_a_verifier_would_refuse_is_not_derived_and_the_tool_is_named() {
    let world = World::new();
    let more = BTreeMap::from([("mail#send".to_owned(), BTreeMap::new())]);
    let more = Granted { tools: Some(Tools(more)), ..Granted::default() };
    assert_eq!(child(&world, more, terms(None)), Err(DerivationError::Widened { tool: "mail#send".to_owned() }));
    let deep = child(&world, Granted::default(), terms(Some(1)));
    assert_eq!(deep, Err(DerivationError::Chain(ChainError::Depth)));
    let early = Terms { now: NOW - 60, ..terms(None) };
    assert_eq!(child(&world, Granted::default(), early), Err(DerivationError::Chain(ChainError::Lifetime)));
    let narrow = Tools(BTreeMap::from([(
        "files#read_file".to_owned(),
        BTreeMap::from([("path".to_owned(), Constraint::Exact(Value::String("/srv/a.txt".into())))]),
    )]));
    assert!(child(&world, Granted { tools: Some(narrow), ..Granted::default() }, terms(None)).is_ok());
}

#[test]
fn under_a_pin_nothing_is_derived_without_an_attestation_of_the_signers_that_shows_it() {
    let world = World { passes: 3, ..World::new() };
    let derive = |world: &World, by: Option<&str>, now: u64| {
        let parent = Parent::read(&pinned(world, Digest::of("the prompt"))).unwrap();
        assert!(parent.pins_its_holder());
        let made = parent.child(world.agent.public(), Granted::default(), Terms { by, now, ..terms(None) });
        made.map(|child| child.by)
    };
    let mine = world.attestation();
    assert_eq!(derive(&world, Some(&mine), NOW), Ok(Some(mine.clone())));
    assert_eq!(derive(&world, None, NOW), Err(DerivationError::Unattested));
    assert_eq!(derive(&world, Some(&mine), NOW + 290), Err(DerivationError::OtherAttestation), "it has ended");
    let other = World { agent: to(), ..World::new() };
    assert_eq!(derive(&world, Some(&other.attestation()), NOW), Err(DerivationError::OtherAttestation));
    assert!(matches!(derive(&world, Some("no token"), NOW), Err(DerivationError::Attestation(_))));
    let drifted = World { digest: Digest::of("another prompt"), ..World::new() };
    let refused = derive(&world, Some(&drifted.attestation()), NOW);
    assert_eq!(refused, Err(DerivationError::Pinned(Component::SystemPrompt)));
    assert!(!Parent::read(&world.chain()).unwrap().pins_its_holder());
}

#[test]
fn a_chain_of_nine_tokens_is_not_made_longer() {
    let world = World::new();
    let mut chain = world.chain();
    chain.extend(std::iter::repeat_n(chain[1].clone(), 7));
    let refused = Parent::read(&chain).unwrap().child(world.agent.public(), Granted::default(), terms(None));
    assert_eq!(refused, Err(DerivationError::Chain(ChainError::Length)));
}
