//! Arguments reach a policy exactly or the call is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use attest_core::json;
use attest_policy::arguments::{MAX_LIST, MAX_TEXT, Pointer, Unreadable};
use attest_policy::{Arguments, Decision, Facts, Fault, Policies};

const FACTS: &[u8] = br#"{"agent":"a1","alerts":[],"asked":{"tool":"pay"},"classes":[],"components":[],"delegation":{"depth":0,"holder":"k","left":9,"root":"o"},"groups":[],"labels":[],"met":{"approvals":[],"nonce":false,"reattest":false},"risk":"low","server":"bank","time":0}"#;

const LIMIT: &str = "@id(\"p\") permit (principal, action, resource);
    @id(\"limit\") forbid (principal, action, resource == Tool::\"bank#pay\")
    when { context.numbers.hasTag(\"/amount\") && context.numbers.getTag(\"/amount\") > 100 };";

fn decide(policies: &Policies, arguments: &str) -> Decision {
    let value = json::parse(arguments.as_bytes()).unwrap();
    policies.decide(&Facts { arguments: Arguments::Given(&value), ..Facts::read(FACTS).unwrap() })
}

fn read(text: &str) -> Policies {
    Policies::read(&[("test", text)]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn why(decision: &Decision) -> Option<Unreadable> {
    match decision {
        Decision::Error(Fault::Argument { why, .. }) => Some(*why),
        _ => None,
    }
}

#[test]
fn no_spelling_of_a_large_amount_passes_a_limit() {
    let policies = read(LIMIT);
    assert_eq!(decide(&policies, r#"{"amount":100}"#), Decision::Allow);
    assert_eq!(decide(&policies, r#"{"amount":1e2}"#), Decision::Allow);
    assert_eq!(decide(&policies, r#"{"note":"x"}"#), Decision::Allow);
    assert_eq!(decide(&policies, r#"{"amount":101}"#).word(), "deny");
    for (arguments, expected) in [
        (r#"{"amount":100.5}"#, Unreadable::Inexact),
        (r#"{"amount":1e21}"#, Unreadable::Inexact),
        (r#"{"amount":-1e300}"#, Unreadable::Inexact),
        (r#"{"amount":"1000"}"#, Unreadable::Kind),
        (r#"{"amount":[1000]}"#, Unreadable::Kind),
        (r#"{"amount":{"value":1000}}"#, Unreadable::Kind),
        (r#"{"amount":true}"#, Unreadable::Kind),
        (r#"{"Amount":1000}"#, Unreadable::Case),
        (r#"{"amount":1,"AMOUNT":1000}"#, Unreadable::Case),
        (r#"[1000]"#, Unreadable::NoObject),
        (r#""1000""#, Unreadable::NoObject),
    ] {
        let came = decide(&policies, arguments);
        assert_eq!(why(&came), Some(expected), "{arguments}: {came:?}");
    }
    // As if it were not there.
    assert_eq!(decide(&policies, r#"{"amount":null}"#), Decision::Allow);
    assert_eq!(decide(&policies, "null"), Decision::Allow);
}

#[test]
fn what_no_policy_for_this_call_reads_is_not_looked_at() {
    let other = LIMIT.replace("bank#pay", "bank#other");
    assert_eq!(decide(&read(&other), r#"{"amount":100.5,"Amount":"x"}"#), Decision::Allow);
    assert_eq!(decide(&read(LIMIT), r#"{"amount":1,"rate":0.5,"x":{"amount":1e300}}"#), Decision::Allow);
}

#[test]
fn every_kind_reaches_the_policies_where_its_pointer_says() {
    for (condition, arguments) in [
        (
            r#"context.texts.hasTag("/to") && context.texts.getTag("/to") like "*@example.com""#,
            r#"{"to":"a@example.com"}"#,
        ),
        (
            r#"context.numbers.hasTag("/n") && context.numbers.getTag("/n") == -9007199254740991"#,
            r#"{"n":-9007199254740991}"#,
        ),
        (r#"context.flags.hasTag("/f") && !context.flags.getTag("/f")"#, r#"{"f":false}"#),
        (r#"context.lists.hasTag("/l") && context.lists.getTag("/l") == ["a","b"]"#, r#"{"l":["b","a","b"]}"#),
        (r#"context.lists.hasTag("/l") && context.lists.getTag("/l").isEmpty()"#, r#"{"l":[]}"#),
        (
            r#"context.texts.hasTag("/a~1b/~0/1") && context.texts.getTag("/a~1b/~0/1") == "x""#,
            r#"{"a/b":{"~":["","x"]}}"#,
        ),
        (r#"context.texts.hasTag("/") && context.texts.getTag("/") == "x""#, r#"{"":"x"}"#),
        (
            r#"context.texts.hasTag("/to") || (context.lists.hasTag("/to") && context.lists.getTag("/to").contains("a"))"#,
            r#"{"to":["a"]}"#,
        ),
    ] {
        let policies = read(&format!("@id(\"p\") permit (principal, action, resource) when {{ {condition} }};"));
        assert_eq!(decide(&policies, arguments), Decision::Allow, "{condition}: {arguments}");
        assert_eq!(decide(&policies, "{}"), Decision::Deny { by: vec![] }, "{condition}");
    }
}

#[test]
fn what_is_too_long_or_of_odd_items_is_refused() {
    let policies = read(
        r#"@id("p") permit (principal, action, resource) when { context.texts.hasTag("/t") || context.lists.hasTag("/l") };"#,
    );
    let text = |length: usize| format!(r#"{{"t":"{}"}}"#, "x".repeat(length));
    assert_eq!(decide(&policies, &text(MAX_TEXT)), Decision::Allow);
    assert_eq!(why(&decide(&policies, &text(MAX_TEXT + 1))), Some(Unreadable::TooLong));
    let list = |items: usize, item: &str| format!(r#"{{"l":[{}]}}"#, vec![item; items].join(","));
    assert_eq!(decide(&policies, &list(MAX_LIST, "\"\"")), Decision::Allow);
    assert_eq!(why(&decide(&policies, &list(MAX_LIST + 1, "\"\""))), Some(Unreadable::TooLong));
    let long = format!("\"{}\"", "x".repeat(MAX_TEXT / 2));
    assert_eq!(why(&decide(&policies, &list(3, &long))), Some(Unreadable::TooLong));
    for item in ["1", "null", "[\"a\"]", "{}"] {
        assert_eq!(why(&decide(&policies, &list(1, item))), Some(Unreadable::Items), "{item}");
    }
}

#[test]
fn pointers_are_those_of_rfc_6901() {
    for text in ["", "a", "a/b", "/~", "/~2", "/a~", "/~01~"] {
        assert!(Pointer::parse(text).is_err(), "{text}");
    }
    let value = json::parse(br#"{"a":["x","y"],"01":1,"~1":2,"b":"t"}"#).unwrap();
    let at = |text: &str| Pointer::parse(text).unwrap().find(&value).map(|found| found.map(|v| v.to_canonical()));
    assert_eq!(at("/a/1"), Ok(Some(b"\"y\"".to_vec())));
    assert_eq!(at("/a/2"), Ok(None));
    assert_eq!(at("/a/01"), Err(Unreadable::NoObject));
    assert_eq!(at("/a/-"), Err(Unreadable::NoObject));
    assert_eq!(at("/01"), Ok(Some(b"1".to_vec())));
    assert_eq!(at("/~01"), Ok(Some(b"2".to_vec())));
    assert_eq!(at("/b/c"), Err(Unreadable::NoObject));
    assert_eq!(at("/c/d"), Ok(None));
}
