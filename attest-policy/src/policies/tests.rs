//! What decisions promise, over made-up sets of policies.

use std::collections::BTreeSet;

use attest_core::alert::Severity;
use cedar_policy::Policy;
use proptest::prelude::*;

use super::reads::Uses;
use super::slices::Slice;
use super::*;
use crate::{Arguments, Asked, Delegation, Fault, Met, Open, Risk};

fn facts() -> Facts<'static> {
    Facts {
        agent: "a1".into(),
        groups: ["staff".to_owned()].into(),
        server: "mail".into(),
        asked: Asked::Tool("send_email".into()),
        classes: ["send".to_owned()].into(),
        components: Vec::new(),
        delegation: Delegation { depth: 1, holder: "k".into(), left: 900, root: "owner".into() },
        labels: BTreeSet::new(),
        risk: Risk::Low,
        alerts: BTreeSet::new(),
        time: 1_800_000_000,
        met: Met::default(),
        arguments: Arguments::Absent,
    }
}

fn read(text: &str) -> Policies {
    Policies::read(&[("test.cedar", text)]).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn decide(text: &str, facts: &Facts<'_>) -> Decision {
    read(text).decide(facts)
}

fn by(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

const PERMIT: &str = "@id(\"p\") permit (principal, action, resource);\n";

#[test]
fn a_call_that_no_policy_permits_is_denied_by_none() {
    let only_other = "@id(\"p\") permit (principal, action, resource in Server::\"files\");";
    assert_eq!(decide(only_other, &facts()), Decision::Deny { by: vec![] });
    assert_eq!(decide(PERMIT, &facts()), Decision::Allow);
}

#[test]
fn a_forbid_overrides_a_permit_and_no_step_lifts_it() {
    let text = format!("{PERMIT}@id(\"f\") forbid (principal, action, resource in Class::\"send\");");
    let met = Met { nonce: true, reattest: true, approvals: [("x".to_owned(), 9)].into() };
    assert_eq!(decide(&text, &Facts { met, ..facts() }), Decision::Deny { by: by(&["f"]) });
}

#[test]
fn a_step_up_asks_until_it_is_met_and_then_a_permit_must_still_match() {
    let step = "@id(\"s\") @step_up(\"nonce\") forbid (principal, action, resource);
                @id(\"t\") @step_up(\"approval\") @approval(\"2 of finance\") forbid (principal, action, resource);";
    let both = read(&format!("{PERMIT}{step}"));
    let approval = Need::Approval { persons: 2, group: "finance".into() };
    let needs = [Need::Nonce, approval.clone()].into();
    assert_eq!(both.decide(&facts()), Decision::StepUp { needs, by: by(&["s", "t"]) });
    let mut met = Met { nonce: true, approvals: [("finance".to_owned(), 1)].into(), ..Met::default() };
    let one = Facts { met: met.clone(), ..facts() };
    assert_eq!(both.decide(&one), Decision::StepUp { needs: [approval].into(), by: by(&["t"]) });
    met.approvals = [("finance".to_owned(), 2)].into();
    assert_eq!(both.decide(&Facts { met: met.clone(), ..facts() }), Decision::Allow);
    // Persons of another group are no persons of this one.
    met.approvals = [("sales".to_owned(), 2)].into();
    assert_eq!(both.decide(&Facts { met: met.clone(), ..facts() }).word(), "step-up");
    let elsewhere = format!("@id(\"p\") permit (principal, action, resource in Server::\"files\");{step}");
    assert_eq!(decide(&elsewhere, &Facts { met, ..facts() }), Decision::Deny { by: vec![] });
}

#[test]
fn a_plain_forbid_beside_a_step_up_denies_at_once() {
    let text = format!(
        "{PERMIT}@id(\"s\") @step_up(\"nonce\") forbid (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource);"
    );
    assert_eq!(decide(&text, &facts()), Decision::Deny { by: by(&["f"]) });
}

/// The one thing that passes the validator and can still fail: arithmetic beyond 64 bits.
const OVERFLOW: &str = "context.delegation.left * 9223372036854775807 > 0";

#[test]
fn a_policy_that_comes_to_an_error_refuses_the_call_whichever_effect_it_has() {
    for effect in ["permit", "forbid", "@step_up(\"nonce\") forbid"] {
        let text = format!("{PERMIT}@id(\"e\") {effect} (principal, action, resource) when {{ {OVERFLOW} }};");
        let came = decide(&text, &facts());
        assert_eq!(came, Decision::Error(Fault::Policies(by(&["e"]))), "{effect}");
    }
    // Beside a forbid that matches too.
    let text = format!(
        "{PERMIT}@id(\"f\") forbid (principal, action, resource);
        @id(\"e\") forbid (principal, action, resource) when {{ {OVERFLOW} }};"
    );
    assert_eq!(decide(&text, &facts()), Decision::Error(Fault::Policies(by(&["e"]))));
}

#[test]
fn facts_that_are_none_are_refused() {
    let came = read(PERMIT).decide(&Facts { agent: String::new(), ..facts() });
    assert!(matches!(came, Decision::Error(Fault::Facts(_))), "{came:?}");
}

#[test]
fn every_member_of_the_context_reaches_the_policies() {
    let facts = Facts {
        components: vec![attest_core::measurement::Measurement {
            component: attest_core::measurement::Component::ModelWeights,
            digest: Digest([0; 32]),
            grade: attest_core::measurement::Grade::OnDisk,
        }],
        labels: ["financial".to_owned()].into(),
        risk: Risk::High,
        alerts: [Open { rule: "refused".into(), severity: Severity::Medium }].into(),
        ..facts()
    };
    for condition in [
        "context.components has \"model-weights\" && context.components[\"model-weights\"].digest like \"AAAA*\"",
        "context.components has \"model-weights\" && context.components[\"model-weights\"].grade.contains(Grade::\"asserted\")",
        "context.components has \"model-weights\" && context.components[\"model-weights\"].grade.contains(Grade::\"on-disk\")",
        "!(context.components has \"model-weights\" && context.components[\"model-weights\"].grade.contains(Grade::\"in-use\"))",
        "!(context.components has config)",
        "context.delegation.depth == 1 && context.delegation.left == 900",
        "context.delegation.holder == \"k\" && context.delegation.root == \"owner\"",
        "context.labels.contains(\"financial\")",
        "context.risk.contains(Risk::\"high\") && !context.risk.contains(Risk::\"critical\")",
        "context.alerts == [\"refused\"]",
        "context.severity.contains(Severity::\"medium\") && !context.severity.contains(Severity::\"high\")",
        "context.time == datetime(\"2027-01-15T08:00:00Z\") && context.hour == 8",
        "principal in Group::\"staff\" && principal == Agent::\"a1\"",
        "resource in Server::\"mail\" && resource in Class::\"send\" && resource == Tool::\"mail#send_email\"",
        "action == Action::\"call\"",
        "!context.texts.hasTag(\"/to\") && !context.lists.hasTag(\"/cc\")",
    ] {
        let text =
            format!("@id(\"p\") permit (principal, action == Action::\"call\", resource) when {{ {condition} }};");
        assert_eq!(decide(&text, &facts), Decision::Allow, "{condition}");
    }
}

#[test]
fn another_method_is_asked_for_as_a_method() {
    let facts = Facts { asked: Asked::Method("resources/read".into()), ..facts() };
    let text =
        "@id(\"p\") permit (principal, action == Action::\"method\", resource == Method::\"mail#resources/read\");";
    assert_eq!(decide(text, &facts), Decision::Allow);
    let text = "@id(\"p\") permit (principal, action == Action::\"call\", resource);";
    assert_eq!(decide(text, &facts), Decision::Deny { by: vec![] });
}

#[test]
fn the_default_policies_ask_more_of_a_call_the_more_could_come_of_it() {
    let policies = read(crate::DEFAULT);
    assert_eq!(policies.remarks(), []);
    let alerts: BTreeSet<Open> = [Open { rule: "uses-poisoned".into(), severity: Severity::Medium }].into();
    let low: BTreeSet<Open> = [Open { rule: "first-seen".into(), severity: Severity::Low }].into();
    let with =
        |risk, alerts: &BTreeSet<Open>, met| policies.decide(&Facts { risk, alerts: alerts.clone(), met, ..facts() });
    let fresh = Met { nonce: true, reattest: true, ..Met::default() };
    let approved = Met { approvals: [("approvers".to_owned(), 1)].into(), ..fresh.clone() };
    let (none, quiet) = (Met::default(), BTreeSet::new());
    assert_eq!(with(Risk::Low, &alerts, none.clone()), Decision::Allow);
    assert_eq!(with(Risk::Medium, &quiet, none.clone()), Decision::Allow);
    assert_eq!(with(Risk::Medium, &low, none.clone()), Decision::Allow);
    assert_eq!(with(Risk::Medium, &alerts, none.clone()).by(), by(&["open-alert"]));
    assert_eq!(with(Risk::High, &quiet, none.clone()).by(), by(&["high-fresh", "high-measured"]));
    assert_eq!(with(Risk::High, &quiet, fresh.clone()), Decision::Allow);
    assert_eq!(with(Risk::Critical, &quiet, fresh).by(), by(&["critical-approved"]));
    assert_eq!(with(Risk::Critical, &quiet, approved.clone()), Decision::Allow);
    assert_eq!(with(Risk::Critical, &alerts, approved).word(), "deny");
}

#[test]
fn the_digest_is_of_the_texts_and_not_of_names_or_order() {
    let one = Policies::read(&[("a", PERMIT), ("b", "@id(\"x\") permit (principal, action, resource);")]).unwrap();
    let two = Policies::read(&[("c", "@id(\"x\") permit (principal, action, resource);"), ("d", PERMIT)]).unwrap();
    assert_eq!(one.digest(), two.digest());
    assert_ne!(one.digest(), read(PERMIT).digest());
}

/// Scopes and conditions that do and do not fit the calls below.
fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof!["permit", "forbid", "@step_up\\(\"nonce\"\\) forbid", "@step_up\\(\"reattest\"\\) forbid"];
    let principal = prop::sample::select(vec![
        "principal",
        "principal == Agent::\"a1\"",
        "principal == Agent::\"a2\"",
        "principal in Group::\"staff\"",
        "principal in Group::\"guests\"",
        "principal is Agent in Group::\"staff\"",
        "principal in Agent::\"a1\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"call\"",
        "action in [Action::\"call\", Action::\"method\"]",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource == Tool::\"mail#send_email\"",
        "resource == Tool::\"mail#read\"",
        "resource in Server::\"mail\"",
        "resource in Server::\"files\"",
        "resource in Class::\"send\"",
        "resource in Class::\"read\"",
        "resource is Tool in Server::\"mail\"",
        "resource is Tool",
        "resource in Tool::\"mail#send_email\"",
    ]);
    let condition = prop::sample::select(vec![
        "true",
        "context.labels.contains(\"l1\")",
        "context.labels.containsAny([\"l1\", \"l2\"])",
        "!context.alerts.isEmpty()",
        "context.severity.contains(Severity::\"high\")",
        "context.risk.contains(Risk::\"medium\")",
        "context.risk.contains(Risk::\"critical\")",
        OVERFLOW,
        "context.texts.hasTag(\"/to\") && context.texts.getTag(\"/to\") == \"x\"",
    ]);
    (effect, principal, action, resource, condition).prop_map(|(effect, principal, action, resource, condition)| {
        // What only tests for presence may not permit: a permit is for everybody or for a scope.
        let condition = if effect == "permit" { "true" } else { condition };
        format!("{effect} ({principal}, {action}, {resource}) when {{ {condition} }};")
    })
}

fn set(policies: &[String]) -> Policies {
    let last = "@id(\"last\") permit (principal, action, resource == Tool::\"none#none\");".to_owned();
    let numbered = policies.iter().enumerate().map(|(n, policy)| format!("@id(\"n{n}\") {policy}\n"));
    read(&numbered.chain([last]).collect::<String>())
}

prop_compose! {
    fn any_facts()(
        agent in prop::sample::select(vec!["a1", "a2"]),
        groups in prop::collection::btree_set(prop::sample::select(vec!["staff", "guests"]), 0..2),
        server in prop::sample::select(vec!["mail", "files"]),
        tool in prop::sample::select(vec!["send_email", "read"]),
        is_tool in prop::bool::weighted(0.9),
        classes in prop::collection::btree_set(prop::sample::select(vec!["send", "read"]), 0..2),
        labels in prop::collection::btree_set(prop::sample::select(vec!["l1", "l2"]), 0..2),
        risk in prop::sample::select(Risk::ALL.to_vec()),
        alerts in prop::collection::btree_set(prop::sample::select(Severity::ALL.to_vec()), 0..2),
        nonce: bool,
        reattest: bool,
    ) -> Facts<'static> {
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
        Facts {
            agent: agent.into(),
            groups: owned(groups),
            server: server.into(),
            asked: if is_tool { Asked::Tool(tool.into()) } else { Asked::Method(tool.into()) },
            classes: owned(classes),
            labels: owned(labels),
            risk,
            alerts: alerts.into_iter().map(|severity| Open { rule: "r".into(), severity }).collect(),
            met: Met { nonce, reattest, ..Met::default() },
            ..facts()
        }
    }
}

/// The same policies with no slices: each call is shown all of them.
fn unsliced(policies: &[String], sliced: &Policies, facts: &Facts<'_>) -> Decision {
    let mut all = Slice::default();
    let mut uses = Uses::default();
    for (n, text) in policies.iter().enumerate() {
        let policy = Policy::parse(Some(format!("n{n}").parse().unwrap()), text).unwrap();
        uses.add(policy.to_pst().unwrap().body().clauses()).unwrap();
        let set = if text.contains("@step_up") { &mut all.step_up } else { &mut all.plain };
        set.add(policy).unwrap();
    }
    all.uses = uses;
    sliced.ask_of(facts, &sliced.vocabulary.names(facts), &[&all]).unwrap_or_else(Decision::Error)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn slices_leave_no_policy_out(policies in prop::collection::vec(policy(), 1..12), facts in any_facts()) {
        let sliced = set(&policies);
        prop_assert_eq!(sliced.decide(&facts), unsliced(&policies, &sliced, &facts));
    }

    #[test]
    fn one_more_forbid_allows_nothing(policies in prop::collection::vec(policy(), 1..8), more in policy(), facts in any_facts()) {
        prop_assume!(!more.starts_with("permit"));
        let before = set(&policies).decide(&facts);
        let mut with = policies;
        with.push(more);
        let after = set(&with).decide(&facts);
        prop_assert!(before == Decision::Allow || after != Decision::Allow, "{:?} became {:?}", before, after);
    }

    #[test]
    fn more_to_worry_about_allows_nothing(policies in prop::collection::vec(policy(), 1..8), facts in any_facts(), risk in prop::sample::select(Risk::ALL.to_vec())) {
        let policies = set(&policies);
        let before = policies.decide(&facts);
        let mut labelled = facts.clone();
        labelled.labels.insert("l1".into());
        let mut alerted = facts.clone();
        alerted.alerts.insert(Open { rule: "another".into(), severity: Severity::High });
        let riskier = Facts { risk: facts.risk.max(risk), ..facts.clone() };
        let unmet = Facts { met: Met::default(), ..facts };
        for worse in [labelled, alerted, riskier, unmet] {
            let after = policies.decide(&worse);
            prop_assert!(before == Decision::Allow || after != Decision::Allow, "{:?} became {:?}", before, after);
        }
    }
}
