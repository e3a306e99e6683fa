//! The facts' JSON form: strict both ways.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use attest_core::alert::Severity;
use attest_core::digest::Digest;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_policy::{Arguments, Asked, Decision, Delegation, Facts, FactsError, Fault, Met, Open, Policies, Risk};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z#/ \"\\\\é😀-]{1,12}", Just("x".repeat(256))]
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(name(), 0..5)
}

prop_compose! {
    fn facts()(
        (agent, holder, root, asked) in (name(), name(), name(), name()),
        server in "[a-z./:-]{1,20}",
        (groups, classes, labels) in (names(), names(), names()),
        is_tool: bool,
        measured in prop::collection::btree_map(prop::sample::select(Component::ALL.to_vec()), (any::<[u8; 32]>(), prop::sample::select(Grade::ALL.to_vec())), 0..8),
        (depth, left) in (0u64..1 << 53, 0u64..1 << 53),
        risk in prop::sample::select(Risk::ALL.to_vec()),
        alerts in prop::collection::btree_set((name(), prop::sample::select(Severity::ALL.to_vec())), 0..5),
        time in 0u64..=attest_policy::facts::MAX_TIME,
        (nonce, reattest) in (any::<bool>(), any::<bool>()),
        approvals in prop::collection::btree_map(name(), any::<u32>(), 0..4),
    ) -> Facts<'static> {
        let components = measured.into_iter().map(|(component, (digest, grade))| Measurement { component, digest: Digest(digest), grade });
        Facts {
            agent, groups, server, classes, labels, risk, time,
            asked: if is_tool { Asked::Tool(asked) } else { Asked::Method(asked) },
            components: components.collect(),
            delegation: Delegation { depth, holder, left, root },
            alerts: alerts.into_iter().map(|(rule, severity)| Open { rule, severity }).collect(),
            met: Met { nonce, reattest, approvals },
            arguments: Arguments::NotKept,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(facts in facts()) {
        let text = facts.to_json().unwrap();
        prop_assert_eq!(Facts::read(&text).unwrap(), facts);
    }

    #[test]
    fn what_is_read_is_what_would_be_written(facts in facts(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut text = facts.to_json().unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = Facts::read(&text) {
            prop_assert_eq!(read.to_json().unwrap(), text);
        }
    }

    #[test]
    fn any_facts_can_be_decided(facts in facts()) {
        let policies = Policies::read(&[("d", attest_policy::DEFAULT)]).unwrap();
        let decision = policies.decide(&facts);
        prop_assert!(!matches!(decision, Decision::Error(_)), "{:?}", decision);
    }
}

const GOOD: &str = r#"{"agent":"a1","alerts":[],"asked":{"tool":"t"},"classes":[],"components":[],"delegation":{"depth":0,"holder":"k","left":9,"root":"o"},"groups":[],"labels":[],"met":{"approvals":[],"nonce":false,"reattest":false},"risk":"low","server":"s","time":0}"#;

#[test]
fn what_is_not_exactly_facts_is_refused() {
    Facts::read(GOOD.as_bytes()).unwrap();
    for (from, to) in [
        ("\"agent\":\"a1\",", ""),
        ("\"agent\":\"a1\"", "\"agent\":\"\""),
        ("\"agent\":\"a1\"", "\"agent\":\"a\\n\""),
        ("\"agent\":\"a1\"", "\"agent\":1"),
        ("\"agent\"", " \"agent\""),
        ("\"server\":\"s\"", "\"server\":\"s#t\""),
        ("{\"tool\":\"t\"}", "{}"),
        ("{\"tool\":\"t\"}", "{\"method\":\"m\",\"tool\":\"t\"}"),
        ("\"labels\":[]", "\"labels\":[\"b\",\"a\"]"),
        ("\"labels\":[]", "\"labels\":[\"a\",\"a\"]"),
        ("\"alerts\":[]", "\"alerts\":[{\"rule\":\"r\",\"severity\":\"bad\"}]"),
        ("\"alerts\":[]", "\"alerts\":[{\"rule\":\"r\",\"severity\":\"low\",\"x\":1}]"),
        ("\"components\":[]", "\"components\":[{\"component\":\"config\",\"digest\":\"AA\",\"grade\":\"on-disk\"}]"),
        ("\"risk\":\"low\"", "\"risk\":\"none\""),
        ("\"time\":0", "\"time\":-1"),
        ("\"time\":0", "\"time\":253402300800"),
        ("\"time\":0", "\"time\":0,\"x\":1"),
        ("\"nonce\":false", "\"nonce\":0"),
        ("\"approvals\":[]", "\"approvals\":[{\"group\":\"g\",\"persons\":4294967296}]"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        assert!(Facts::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn more_items_than_a_log_entry_could_hold_are_refused() {
    let labels = (0..=attest_policy::facts::MAX_ITEMS).map(|n| n.to_string()).collect();
    let facts = Facts { labels, ..Facts::read(GOOD.as_bytes()).unwrap() };
    assert_eq!(facts.to_json(), Err(FactsError::TooMany("labels")));
    let policies = Policies::read(&[("d", attest_policy::DEFAULT)]).unwrap();
    assert_eq!(policies.decide(&facts), Decision::Error(Fault::Facts(FactsError::TooMany("labels"))));
}

#[test]
fn facts_from_a_log_are_not_taken_for_a_call_without_arguments() {
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource in Server::\"s\") when { context.texts.hasTag(\"/to\") };";
    let policies = Policies::read(&[("p", text)]).unwrap();
    let facts = Facts::read(GOOD.as_bytes()).unwrap();
    assert_eq!(policies.decide(&facts), Decision::Error(Fault::ArgumentsNotKept));
    let elsewhere = Facts { server: "other".into(), ..facts };
    assert_eq!(policies.decide(&elsewhere), Decision::Allow);
}
