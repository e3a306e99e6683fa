//! What an audit holds of a decision against what its call proof says of the caller's lineage.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use attest_core::audit::{Bases, Basis, Fact, Fault, Names, Noted, Sequence, Tables, look};
use attest_core::canon::jcs;
use attest_core::digest::Digest;
use attest_core::entry::Entry;
use attest_core::labels::Labels;
use attest_core::refusal::Token;
use attest_core::signing::Lineage;
use attest_core::trust::FlowTrust;
use attest_core::verifier::{Accepted, Verifier};
use common::{NOW, REQUEST, World, check};
use serde_json::{Value, json};

/// A store of one attestation and one chain, and of what stands beside them.
struct Store {
    basis: Arc<Basis>,
    beside: HashSet<[u8; 32]>,
}

impl Bases for Store {
    fn basis(&mut self, _: &Digest, _: &[Digest]) -> Result<Arc<Basis>, Fault> {
        Ok(self.basis.clone())
    }

    fn beside(&mut self, hash: &Digest, which: Token) -> Result<(), Fault> {
        if self.beside.contains(&hash.0) { Ok(()) } else { Err(Fault::TokenMissing(which)) }
    }
}

/// A world whose root releases two labels to every tool.
fn releasing() -> World {
    let both = Labels::of(&["hr", "pay"]).unwrap();
    let flow = attest_core::flow::Flow { of_own_accord: true, release: [("*".to_owned(), both.clone())].into() };
    World { flows: [Some(flow), None], labels: both, ..World::new() }
}

/// A call that shows a receipt without labels and claims one, let through.
fn accepted(world: &World) -> Accepted {
    use attest_core::checkpoint::LogKeys;
    use attest_core::entry::Status;
    use attest_core::note::{Kind, Vkey};
    use attest_core::receipt::Receipt;
    use attest_core::response::Outcome;
    use attest_core::sign::{MemoryKey, Sign as _};

    let log = MemoryKey::from_seed(&[5; 32]);
    let receipt = Receipt {
        call: Digest::of("a call"),
        issued_at: NOW - 1_000,
        index: 1,
        labels: Labels::one("pay").unwrap(),
        log: "files".to_owned(),
        policy: Digest::of("config"),
        outcome: Outcome { status: Status::Unknown, digest: None },
    };
    let receipt = receipt.sign(&log).unwrap();
    let receipts = [(Digest::of(&receipt), receipt.into())];
    let claimed = Labels::one("hr").unwrap();
    let lineage = Lineage { labels: Some(&claimed), receipts: &receipts, ..Lineage::default() };
    let [message, _] = world.forms_of(REQUEST, "files", lineage);
    let key = Vkey::new("files", Kind::Log, log.public().clone()).unwrap().to_string();
    let logs = vec![LogKeys::parse(&[key]).unwrap()];
    let trust = world.trust().with_flow(FlowTrust { logs, ..FlowTrust::default() }).unwrap();
    check(&Verifier::new(trust), &message, NOW).0.unwrap()
}

#[test]
fn a_decision_says_of_lineage_what_its_call_proof_says_and_its_receipts_are_there() {
    let world = releasing();
    let accepted = accepted(&world);
    let chain = world.chain();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    let basis = Arc::new(Basis::read(&world.attestation(), &chain, None).unwrap());
    let shown = accepted.proof.parents[0];
    let entry = Entry::allow(&accepted, "files", &Digest::of("config"), NOW * 1_000).to_bytes();
    let entry: Value = serde_json::from_slice(&entry).unwrap();
    assert_eq!(entry["labels"], json!(["hr", "pay"]));
    assert_eq!(entry["receipts"], json!([shown.to_b64()]));

    let found = |edit: &dyn Fn(&mut Value), beside: &[Digest]| {
        let mut entry = entry.clone();
        edit(&mut entry);
        entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut store = Store { basis: basis.clone(), beside: beside.iter().map(|hash| hash.0).collect() };
        let (mut names, mut faults) = (Names::new(), Vec::new());
        look(1, &jcs(&entry), Some(&*accepted.proof_text), &mut store, &mut names, &mut faults);
        faults.into_iter().map(|finding| finding.fault).collect::<Vec<_>>()
    };
    let other = Digest::of("another");
    let disagrees = |member| vec![Fault::Disagrees(member)];
    assert_eq!(found(&|_| (), &[shown]), []);
    assert_eq!(found(&|_| (), &[]), [Fault::TokenMissing(Token::Receipt(0))]);
    assert_eq!(found(&|e| e["receipts"] = Value::Null, &[shown]), disagrees("receipts"));
    assert_eq!(
        found(&|e| e["receipts"] = json!([shown.to_b64(), other.to_b64()]), &[shown, other]),
        disagrees("receipts")
    );
    assert_eq!(found(&|e| e["cause"] = json!(other.to_b64()), &[shown, other]), disagrees("cause"));
    assert_eq!(found(&|e| e["labels"] = Value::Null, &[shown]), disagrees("labels"));
    assert_eq!(found(&|e| e["labels"] = json!(["pay"]), &[shown]), disagrees("labels"));
    // What a receipt brings is its log's to say, and the keys of that log stand in no log.
    assert_eq!(found(&|e| e["labels"] = json!(["hr"]), &[shown]), []);
    assert_eq!(found(&|e| e["labels"] = json!(["*"]), &[shown]), []);
}

/// What is wrong with a decision that names `declassified`, with `between` the start and it.
fn not_used(declassified: &[Digest], between: &[(Digest, Digest)]) -> Vec<Fault> {
    let world = releasing();
    let accepted = accepted(&world);
    let chain = world.chain();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    let basis = Arc::new(Basis::read(&world.attestation(), &chain, None).unwrap());
    let entry = Entry::allow(&accepted, "files", &Digest::of("config"), NOW * 1_000).to_bytes();
    let mut entry: Value = serde_json::from_slice(&entry).unwrap();
    entry["declassified"] = declassified.iter().map(|token| token.to_b64()).collect();

    let (mut names, mut faults) = (Names::new(), Vec::new());
    let audience = names.number("files");
    let mut facts = vec![Fact::Start { audience, policy: Digest::of("config"), shared: false }];
    facts.extend(between.iter().map(|(call, token)| Fact::Used { audience, call: *call, token: *token, proof: None }));
    let mut store = Store { basis, beside: [accepted.proof.parents[0].0].into() };
    let noted = look(9, &jcs(&entry), Some(&*accepted.proof_text), &mut store, &mut names, &mut faults);
    let Fact::Allow { call, .. } = noted.fact else { panic!("no decision: {noted:?}") };
    assert_eq!(call, accepted.caller.call);
    facts.extend([noted.fact]);
    let mut sequence = Sequence::new(Tables::default());
    for fact in facts {
        sequence.next(&Noted { time: NOW * 1_000, fact }, |name| name, &mut faults);
    }
    let faults = faults.into_iter().map(|finding| finding.fault);
    faults.filter(|fault| !matches!(fault, Fault::ReplayRowMissing)).collect()
}

#[test]
fn what_a_decision_says_was_declassified_was_used_before_it_for_this_very_call() {
    let call = accepted(&releasing()).caller.call;
    let [one, two, other] = ["one", "two", "other"].map(Digest::of);
    let missing = |n| Fault::NotUsed(Token::Declassification(n));
    assert_eq!(not_used(&[one, two], &[(call, two), (call, one)]), []);
    assert_eq!(not_used(&[one, two], &[(call, one)]), [missing(1)]);
    assert_eq!(not_used(&[one], &[]), [missing(0)]);
    assert_eq!(not_used(&[one], &[(other, one), (call, other)]), [missing(0)], "for another call, or another token");
    assert_eq!(missing(0).check(), "replay");
}

#[test]
fn what_was_used_serves_one_decision_and_is_not_waited_for_longer_than_a_call_can_live() {
    let [call, token, policy] = ["call", "token", "config"].map(Digest::of);
    let used = || Fact::Used { audience: 0, call, token, proof: None };
    let allow = || Fact::Allow { call, audience: 0, policy, declassified: [token].into(), opens: false, proof: None };
    let found = |facts: Vec<(u64, Fact)>| {
        let (mut sequence, mut faults) = (Sequence::new(Tables::default()), Vec::new());
        for (seconds, fact) in facts {
            sequence.next(&Noted { time: (NOW + seconds) * 1_000, fact }, |name| name, &mut faults);
        }
        faults.into_iter().map(|finding| (finding.index.unwrap(), finding.fault)).collect::<Vec<_>>()
    };
    let start = || (0, Fact::Start { audience: 0, policy, shared: false });
    let missing = |index| vec![(index, Fault::NotUsed(Token::Declassification(0)))];
    assert_eq!(found(vec![start(), (0, used()), (300, allow())]), []);
    assert_eq!(found(vec![start(), (0, used()), (0, allow()), (0, allow())]), missing(3));
    assert_eq!(found(vec![start(), (0, allow()), (0, used())]), missing(1), "before, not behind");
    // What nobody came for is forgotten with the second change of generations.
    let later = |seconds| (seconds, Fact::Used { audience: 0, call: token, token: call, proof: None });
    assert_eq!(found(vec![start(), (0, used()), later(10_000), later(20_000), (20_000, allow())]), missing(4));
    assert_eq!(found(vec![start(), (0, used()), later(1_000), (1_000, allow())]), []);
}
