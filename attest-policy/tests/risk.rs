//! The rules of risk, in both directions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use attest_core::json;
use attest_core::seen::Can;
use attest_policy::risk::{Assessed, Call, DEFAULT, Hints, RiskRules};
use attest_policy::{Asked, Risk};

fn assess(
    rules: &str,
    tool: &str,
    arguments: Option<&str>,
    labels: &[&str],
    can: Option<Can>,
    hints: Hints,
) -> Assessed {
    let rules = RiskRules::parse(rules).unwrap();
    let value = arguments.map(|text| json::parse(text.as_bytes()).unwrap());
    let labels: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let asked = Asked::Tool(tool.to_owned());
    Risk::of(&rules, &Call { server: "s", asked: &asked, arguments: value.as_ref(), labels: &labels, can, hints })
}

fn plain(tool: &str) -> Risk {
    assess(DEFAULT, tool, None, &[], None, Hints::default()).risk
}

#[test]
fn a_tool_is_as_risky_as_the_worst_of_its_classes() {
    let cases = [
        ("read_file", Risk::Low),
        ("write_file", Risk::Medium),
        ("delete_file", Risk::High),
        ("transfer_money", Risk::Critical),
    ];
    for (tool, risk) in cases {
        assert_eq!(plain(tool), risk, "{tool}");
    }
    let both = assess(DEFAULT, "get_payment", None, &[], None, Hints::default());
    assert_eq!((both.risk, both.classes), (Risk::Critical, ["pay".to_owned(), "read".to_owned()].into()));
}

#[test]
fn of_a_tool_without_class_counts_what_it_can_do_and_nothing_known_is_medium() {
    let with = |can| assess(DEFAULT, "frobnicate", None, &[], can, Hints::default()).risk;
    assert_eq!(with(None), Risk::Medium);
    // That a listing shows nothing is its author's word.
    assert_eq!(with(Some(Can::default())), Risk::Medium);
    assert_eq!(with(Some(Can { danger: true, ..Can::default() })), Risk::High);
    assert_eq!(with(Some(Can { out: true, inward: true, ..Can::default() })), Risk::Medium);
}

#[test]
fn a_server_can_raise_the_risk_of_its_tools_and_never_lower_it() {
    let with = |tool, hints| assess(DEFAULT, tool, None, &[], None, hints).risk;
    let good = Hints { read_only: Some(true), destructive: Some(false), open_world: Some(false) };
    let bad = Hints { read_only: Some(false), destructive: Some(true), open_world: Some(true) };
    for tool in ["read_file", "write_file", "delete_file", "pay_bill", "frobnicate"] {
        assert_eq!(with(tool, good), plain(tool), "{tool}");
        assert!(with(tool, bad) >= Risk::High.max(plain(tool)), "{tool}");
    }
    let value = json::parse(br#"{"readOnlyHint":true,"destructiveHint":"yes"}"#).unwrap();
    assert_eq!(Hints::of(&value), Hints { read_only: Some(true), ..Hints::default() });
}

const RULES: &str = r#"
unknown = "low"
method = "low"
can = { danger = "low", inward = "low", out = "low" }
hints = { destructive = "low", open-world = "low", writes = "low" }
[classes.pay]
risk = "medium"
tools = ["s#pay"]
[[arguments]]
at = "/amount"
above = 100.5
risk = "high"
[[arguments]]
at = "/to"
like = "*@evil.example"
tools = ["send"]
risk = "critical"
[[labels]]
label = "secret*"
classes = ["pay"]
risk = "high"
"#;

#[test]
fn arguments_raise_and_what_cannot_be_told_raises_too() {
    let with = |tool, arguments| assess(RULES, tool, Some(arguments), &[], None, Hints::default()).risk;
    for (arguments, risk) in [
        ("{}", Risk::Low),
        (r#"{"amount":100.5}"#, Risk::Low),
        (r#"{"amount":null}"#, Risk::Low),
        (r#"{"amount":100.6}"#, Risk::High),
        (r#"{"amount":1e300}"#, Risk::High),
        (r#"{"amount":"7"}"#, Risk::High),
        (r#"{"Amount":7}"#, Risk::High),
    ] {
        assert_eq!(with("send", arguments), risk, "{arguments}");
    }
    for (arguments, risk) in [
        (r#"{"to":"a@good.example"}"#, Risk::Low),
        (r#"{"to":"a@evil.example"}"#, Risk::Critical),
        (r#"{"to":["a@good.example","a@evil.example"]}"#, Risk::Critical),
        (r#"{"to":["a@good.example"]}"#, Risk::Low),
        (r#"{"to":[["a@good.example"]]}"#, Risk::Critical),
        (r#"{"to":{"x":1}}"#, Risk::Critical),
    ] {
        assert_eq!(with("send", arguments), risk, "{arguments}");
        assert_eq!(with("other", arguments), Risk::Low, "{arguments}");
    }
}

#[test]
fn labels_raise_for_the_classes_that_they_name() {
    let with = |tool, labels: &[&str]| assess(RULES, tool, None, labels, None, Hints::default()).risk;
    assert_eq!(with("pay", &[]), Risk::Medium);
    assert_eq!(with("pay", &["public", "secret-a"]), Risk::High);
    assert_eq!(with("other", &["secret-a"]), Risk::Low);
    // The class is of a tool of one server.
    let rules = RiskRules::parse(RULES).unwrap();
    let (asked, labels) = (Asked::Tool("pay".into()), BTreeSet::new());
    let call =
        Call { server: "t", asked: &asked, arguments: None, labels: &labels, can: None, hints: Hints::default() };
    assert_eq!(Risk::of(&rules, &call), Assessed { risk: Risk::Low, classes: BTreeSet::new() });
}

#[test]
fn what_is_wrong_in_a_file_is_named() {
    for (from, to, said) in [
        ("unknown = \"low\"", "unknown = \"lowest\"", "line 2"),
        ("unknown = \"low\"", "", "unknown"),
        ("above = 100.5\n", "", "/amount"),
        ("above = 100.5", "above = 1\nbelow = 2", "/amount"),
        ("at = \"/amount\"", "at = \"amount\"", "JSON pointer"),
        ("label = \"secret*\"", "lable = \"secret*\"", "lable"),
    ] {
        let text = RULES.replacen(from, to, 1);
        let error = RiskRules::parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
}
