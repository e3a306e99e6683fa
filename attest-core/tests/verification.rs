//! A signed call verifies, and each change to it is refused for its own reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, HashMap};

use attest_core::attestation::Attestation;
use attest_core::constraint::Constraint;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_core::refusal::{Check, Reason, Refusal};
use attest_core::request::{Message, classify};
use attest_core::sign::{MemoryKey, Sign};
use attest_core::signing::{Credentials, Form, Particulars, sign_call};
use attest_core::tools::Tools;
use attest_core::trust::{Attester, MAX_SKEW, Reference, Root, Scope, Trust};
use attest_core::verifier::{Accepted, Verifier};

const NOW: u64 = 1_800_000_000;
const REQUEST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/srv/a.txt"},"_meta":{"progressToken":1,"com.example/tenant":"acme"}}}"#;

struct World {
    attester: MemoryKey,
    root: MemoryKey,
    agent: MemoryKey,
    digest: Digest,
    tools: Tools,
}

impl World {
    fn new() -> Self {
        let tools = BTreeMap::from([(
            "files#read_file".to_owned(),
            BTreeMap::from([("path".to_owned(), Constraint::Wildcard)]),
        )]);
        Self {
            attester: MemoryKey::from_seed(&[1; 32]),
            root: MemoryKey::from_seed(&[2; 32]),
            agent: MemoryKey::from_seed(&[3; 32]),
            digest: Digest::of("the prompt"),
            tools: Tools(tools),
        }
    }

    fn trust(&self) -> Trust {
        let references = BTreeMap::from([(
            Component::SystemPrompt,
            Reference { digests: Some(vec![Digest::of("the prompt")]), grade: Grade::OnDisk },
        )]);
        Trust::new(
            "files".to_owned(),
            vec![Attester {
                key: self.attester.public().clone(),
                issuer: "acme".to_owned(),
                agents: vec!["a1".to_owned()],
            }],
            vec![Root {
                key: self.root.public().clone(),
                issuer: "owner".to_owned(),
                tools: vec![Scope::parse("files#*").unwrap()],
            }],
            HashMap::from([("a1".to_owned(), references)]),
        )
        .unwrap()
    }

    fn attestation(&self) -> String {
        Attestation {
            issuer: "acme".to_owned(),
            agent: "a1".to_owned(),
            issued_at: NOW - 10,
            expires: NOW + 290,
            id: Jti([9; 16]),
            key: self.agent.public().clone(),
            measurements: vec![Measurement {
                component: Component::SystemPrompt,
                digest: self.digest,
                grade: Grade::OnDisk,
            }],
        }
        .sign(&self.attester)
        .unwrap()
    }

    fn chain(&self) -> Vec<String> {
        let middle = MemoryKey::from_seed(&[4; 32]);
        let root = Delegation {
            issuer: "owner".to_owned(),
            id: "r".to_owned(),
            issued_at: NOW - 100,
            expires: NOW + 1000,
            key: middle.public().clone(),
            depth: 0,
            max_depth: 2,
            parent: None,
            tools: self.tools.clone(),
        };
        let root_token = root.sign(&self.root).unwrap();
        let parent = Unverified::<Delegation>::read(&root_token).unwrap();
        let child = Delegation {
            issuer: thumbprint_uri(middle.public().thumbprint()),
            id: "c".to_owned(),
            issued_at: NOW - 50,
            key: self.agent.public().clone(),
            depth: 1,
            parent: Some(Digest::of(parent.signing_input())),
            ..root
        };
        vec![root_token, child.sign(&middle).unwrap()]
    }

    fn signed(&self, audience: &str) -> Vec<u8> {
        let message = json::parse(REQUEST.as_bytes()).unwrap();
        let Ok(Message::Call(call)) = classify(&message) else { panic!("a call") };
        let credentials = Credentials::new(&self.attestation(), &self.chain()).unwrap();
        let particulars =
            Particulars { audience, context: Jti([5; 16]), id: Jti([6; 16]), salt: Salt([7; 16]), now: NOW, life: 60 };
        sign_call(&call, &credentials, particulars, &self.agent).unwrap().request(Form::Full)
    }
}

fn check(verifier: &Verifier, request: &[u8], now: u64) -> (Result<Accepted, Refusal>, Vec<Check>) {
    let message = json::parse(request).unwrap();
    let Ok(Message::Call(call)) = classify(&message) else { panic!("a call") };
    let mut trace = Vec::new();
    let verdict = verifier.check(&call, now, |_| false, &mut trace);
    (verdict, trace)
}

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
