//! What a caller discloses is held to a rule once, and remembered with the evidence.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, HashMap};

use attest_core::comparison::{Rule, Template};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::measurement::{Component, Grade};
use attest_core::refusal::{Check, Reason};
use attest_core::request::attested;
use attest_core::sign::Sign as _;
use attest_core::signing::{Credentials, Form, Particulars, sign_call};
use attest_core::trust::{Attester, Reference, Root, Scope, Trust};
use attest_core::verifier::Verifier;
use common::{NOW, REQUEST, World, check};

const TODAY: &str = "Today is 2026-11-27. Be careful.";

/// As the world's trust, with a rule in place of the digest.
fn verifier(world: &World) -> Verifier {
    let rule = Some(Rule::Template(Template::parse("Today is {{date}}. Be careful.").unwrap()));
    let reference = Reference { digests: Some(Vec::new()), grade: Grade::OnDisk, endorsed: false, rule };
    let references = BTreeMap::from([(Component::SystemPrompt, reference)]);
    let attester =
        Attester { key: world.attester.public().clone(), issuer: "acme".to_owned(), agents: vec!["a1".to_owned()] };
    let tools = vec![Scope::parse("files#*").unwrap()];
    let root = Root {
        key: world.root.public().clone(),
        issuer: "owner".to_owned(),
        tools,
        labels: attest_core::labels::Labels::None,
    };
    let agents = HashMap::from([("a1".to_owned(), references)]);
    Verifier::new(Trust::new("files".to_owned(), vec![attester], vec![root], agents).unwrap())
}

/// A call of an agent with this prompt, which discloses these texts.
fn call(prompt: &str, disclosed: &[&str], form: Form) -> Vec<u8> {
    let world = World { digest: Digest::of(prompt), ..World::new() };
    let credentials = Credentials::new(&world.attestation(), &world.chain()).unwrap();
    let credentials = credentials.disclosing(disclosed.iter().map(|text| (*text).into()).collect());
    let message = json::parse(REQUEST.as_bytes()).unwrap();
    let call = attested(&message).unwrap();
    let particulars = Particulars {
        audience: "files",
        context: Jti([5; 16]),
        id: Jti([6; 16]),
        salt: Salt([7; 16]),
        now: NOW,
        life: 60,
        lineage: Default::default(),
        nonce: None,
    };
    sign_call(&call, &credentials, particulars, &world.agent).unwrap().request(form)
}

fn verdict(verifier: &Verifier, message: &[u8]) -> Result<(), Reason> {
    check(verifier, message, NOW).0.map(|_| ()).map_err(|refusal| refusal.reason)
}

#[test]
fn a_disclosed_prompt_within_the_template_is_accepted_and_the_conclusion_outlives_the_text() {
    let verifier = verifier(&World::new());
    let without = call(TODAY, &[], Form::Full);
    let short = call(TODAY, &[TODAY], Form::Short);
    assert_eq!(
        verdict(&verifier, &without),
        Err(Reason::StateMismatch),
        "who discloses nothing is held to the digests"
    );
    assert_eq!(verdict(&verifier, &short), Err(Reason::NotCached));
    assert_eq!(verdict(&verifier, &call(TODAY, &[TODAY], Form::Full)), Ok(()));
    assert_eq!(verdict(&verifier, &short), Ok(()));
    assert_eq!(verdict(&verifier, &without), Err(Reason::StateMismatch), "in full the verdict hangs on no memory");
}

#[test]
fn another_sentence_is_refused_and_nothing_of_it_is_remembered() {
    let verifier = verifier(&World::new());
    let other = "Today is 2026-11-27. Be careless.";
    assert_eq!(verdict(&verifier, &call(other, &[other], Form::Full)), Err(Reason::StateMismatch));
    assert_eq!(verdict(&verifier, &call(other, &[other], Form::Short)), Err(Reason::NotCached));
}

#[test]
fn what_no_digest_is_over_is_refused_before_anything_is_verified_whether_or_not_the_tokens_are_known() {
    let verifier = verifier(&World::new());
    for known in [false, true] {
        for texts in [&["another text"][..], &[TODAY, TODAY], &[TODAY, ""]] {
            let message = call(TODAY, texts, Form::Full);
            let (verdict, passed) = check(&verifier, &message, NOW);
            assert_eq!(verdict.unwrap_err().reason, Reason::BadCarrier, "{texts:?}, known: {known}");
            assert_eq!(passed, [Check::Size]);
        }
        assert_eq!(verdict(&verifier, &call(TODAY, &[TODAY], Form::Full)), Ok(()));
    }
}

#[test]
fn what_is_forwarded_holds_nothing_of_what_was_disclosed() {
    let verifier = verifier(&World::new());
    let message = call(TODAY, &[TODAY], Form::Full);
    assert!(String::from_utf8_lossy(&message).contains("Be careful"));
    let accepted = check(&verifier, &message, NOW).0.unwrap();
    assert!(!String::from_utf8_lossy(&accepted.forward).contains("Be careful"));
    assert!(!format!("{accepted:?}").contains("Be careful"));
}
