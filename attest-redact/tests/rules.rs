//! Rules as users write them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use attest_core::digest::Salt;
use attest_core::json;
use attest_redact::{Rules, RulesError};

fn value(rules: &str, text: &str) -> String {
    let mut next = 0u128;
    let mut salt = || {
        next += 1;
        Salt(next.to_be_bytes())
    };
    Rules::from_toml(rules).unwrap().value(&json::parse(text.as_bytes()).unwrap(), &mut salt).text
}

#[test]
fn by_path() {
    let rules =
        "[[path]]\nat = \"/**/patient/*/id\"\nkind = \"patient\"\n[[path]]\nat = \"/list/1\"\n[[path]]\nat = \"/a~1b\"";
    let kept = value(
        rules,
        r#"{"a/b":"q1","list":["q2","q3"],"x":{"patient":[{"id":"q4","z":"q5"}]},"patient":{"p":{"id":5}}}"#,
    );
    for (text, is) in [("q1", false), ("q2", true), ("q3", false), ("q4", false), ("q5", true), ("\"id\":5", false)] {
        assert_eq!(kept.contains(text), is, "{text} in {kept}");
    }
    assert_eq!(kept.matches("\"redacted\":\"patient\"").count(), 2, "{kept}");
    assert_eq!(kept.matches("\"redacted\":\"path\"").count(), 2, "{kept}");
}

#[test]
fn by_name_glob_and_exception() {
    let rules = "[names]\nsecret = [\"badge_number\", \"x-*-key\"]\nexcept = [\"kitchen_token\"]";
    let kept = value(rules, r#"{"badgeNumber":"q1","X-Acme-Key":"q2","kitchenToken":"q3","x":"q4","password":"q5"}"#);
    for (text, is) in [("q1", false), ("q2", false), ("q3", true), ("q4", true), ("q5", false)] {
        assert_eq!(kept.contains(text), is, "{text} in {kept}");
    }
}

#[test]
fn by_prefix_and_kind() {
    let rules =
        "[[token]]\nkind = \"acme-key\"\nprefixes = [\"acme_\"]\nof = \"hex\"\nleast = 12\n[find]\nmail = false";
    let kept = value(rules, r#"["acme_0123456789ab","ana@example.org","4111111111111111"]"#);
    assert!(
        kept.contains("acme-key") && kept.contains("ana@example.org") && !kept.contains("4111111111111111"),
        "{kept}"
    );
}

#[test]
fn without_defaults_nothing_else_is_redacted() {
    let text = r#"{"password":"hunter2","to":"ana@example.org"}"#;
    assert_eq!(value("defaults = false", text), text);
}

#[test]
fn wrong_rules_are_named() {
    let wrong = |text: &str| Rules::from_toml(text).unwrap_err();
    assert!(wrong("names = 1").to_string().contains("names"));
    assert!(wrong("[find]\nmial = true").to_string().contains("mial"));
    assert_eq!(wrong("longest = 1"), RulesError::Longest(1));
    assert_eq!(wrong("[[path]]\nat = \"a\""), RulesError::Path("a".into()));
    assert_eq!(wrong("[[path]]\nat = \"/a/**\""), RulesError::Path("/a/**".into()));
    assert_eq!(wrong("[[path]]\nat = \"/a\"\nkind = \"a]b\""), RulesError::Kind("a]b".into()));
    assert_eq!(wrong("[names]\nsecret = [\"*\"]"), RulesError::Name("*".into()));
    let token = "[[token]]\nkind = \"k\"\nprefixes = [\"\"]\nof = \"hex\"\nleast = 12";
    assert_eq!(wrong(token), RulesError::Token("k".into()));
}
