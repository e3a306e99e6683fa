//! What is wrong with policies is said: where, what, and what to do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use attest_policy::{Facts, Policies, Problem, Weight};

const PERMIT: &str = "@id(\"p\") permit (principal, action, resource);\n";

fn problems(text: &str) -> Vec<Problem> {
    match Policies::read(&[("mine.cedar", text)]) {
        Ok(policies) => panic!("{text}: read, with remarks {:?}", policies.remarks()),
        Err(problems) => problems,
    }
}

/// Each is refused with one problem, at this place, that says this.
#[test]
fn each_mistake_is_refused_where_it_stands() {
    let cases = [
        // Grammar.
        ("@id(\"x\") permit (principal, action resource);", 1, "unexpected token"),
        // Types and names.
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.riks.contains(Risk::\"high\") };", 2, "riks"),
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.risk.contains(Risk::\"hihg\") };", 2, "hihg"),
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.labels.contains(7) };", 2, "String"),
        ("@id(\"x\") forbid (principal, action == Action::\"cal\", resource);", 1, "cal"),
        ("@id(\"x\") forbid (principal == Agnet::\"a\", action, resource);", 1, "Agnet"),
        // Asked for before it is known to be there.
        (
            "@id(\"x\") forbid (principal, action, resource)\nwhen { context.components.config.digest == \"x\" };",
            2,
            "config",
        ),
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.numbers.getTag(\"/n\") > 1 };", 2, "/n"),
        // Annotations.
        ("forbid (principal, action, resource);", 1, "@id"),
        ("@id(\"\") forbid (principal, action, resource);", 1, "no name"),
        ("@id(\"x\") @stepup(\"nonce\") forbid (principal, action, resource);", 1, "@stepup"),
        ("@id(\"x\") @step_up(\"behaviour\") forbid (principal, action, resource);", 1, "reserved"),
        ("@id(\"x\") @step_up(\"probe\") forbid (principal, action, resource);", 1, "reserved"),
        ("@id(\"x\") @step_up(\"wait\") forbid (principal, action, resource);", 1, "no step-up"),
        ("@id(\"x\") @step_up(\"nonce\") permit (principal, action, resource);", 1, "permit"),
        ("@id(\"x\") @step_up(\"approval\") forbid (principal, action, resource);", 1, "whose"),
        ("@id(\"x\") @approval(\"1 of a\") forbid (principal, action, resource);", 1, "without"),
        ("@id(\"x\") @step_up(\"nonce\") @approval(\"1 of a\") forbid (principal, action, resource);", 1, "without"),
        (
            "@id(\"x\") @step_up(\"approval\") @approval(\"0 of a\") forbid (principal, action, resource);",
            1,
            "M of GROUP",
        ),
        (
            "@id(\"x\") @step_up(\"approval\") @approval(\"two of a\") forbid (principal, action, resource);",
            1,
            "M of GROUP",
        ),
        (
            "@id(\"x\") @step_up(\"approval\") @approval(\"1 of \") forbid (principal, action, resource);",
            1,
            "M of GROUP",
        ),
        ("@id(\"x\") @reason(\"\") forbid (principal, action, resource);", 1, "@reason"),
        // Two of one name.
        ("@id(\"p\") forbid (principal, action, resource);", 1, "taken"),
        // Arguments that could be read without our seeing which.
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.texts.hasTag(\"to\") };", 1, "no pointer"),
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { context.texts.hasTag(\"/~2\") };", 1, "no pointer"),
        (
            "@id(\"x\") forbid (principal, action, resource)\nwhen { context.texts.hasTag(context.delegation.root) };",
            1,
            "written out",
        ),
        (
            "@id(\"x\") forbid (principal, action, resource)\nwhen { Texts::\"of-the-call\".hasTag(\"/to\") };",
            1,
            "by a pointer",
        ),
        (
            "@id(\"x\") forbid (principal, action, resource)\nwhen { (if true then context.texts else context.texts).hasTag(\"/to\") };",
            1,
            "by a pointer",
        ),
        (
            "@id(\"x\") forbid (principal, action, resource)\nwhen { context.texts == context.texts };",
            1,
            "without hasTag",
        ),
        ("@id(\"x\") forbid (principal, action, resource)\nwhen { {c: context}.c.hour == 3 };", 1, "as a whole"),
    ];
    for (text, line, said) in cases {
        let found = problems(&format!("{text}\n{PERMIT}"));
        let found: Vec<_> = found.iter().filter(|problem| problem.weight == Weight::Error).collect();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        let line = if said == "taken" { 2 } else { line };
        assert!(
            shown.iter().any(|one| one.contains(said) && one.starts_with(&format!("mine.cedar:{line}:"))),
            "{text}: {shown:?}"
        );
        assert_eq!(found.len(), 1, "{text}: {shown:?}");
    }
}

#[test]
fn templates_and_sets_without_a_permit_are_refused() {
    let template = format!("{PERMIT}@id(\"t\") permit (principal == ?principal, action, resource);");
    assert!(problems(&template)[0].to_string().contains("?principal"), "{:?}", problems(&template));
    let none = problems("@id(\"f\") forbid (principal, action, resource);");
    assert!(none[0].to_string().contains("there is no permit"), "{none:?}");
    assert!(problems("")[0].to_string().contains("there is no permit"));
}

#[test]
fn an_id_of_another_file_is_taken_too() {
    let found = Policies::read(&[("a.cedar", PERMIT), ("b.cedar", PERMIT)]).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    let shown = found[0].to_string();
    assert!(shown.starts_with("b.cedar:1:") && shown.contains("a.cedar:1:1"), "{shown}");
}

fn remarks(text: &str) -> Vec<String> {
    let policies = Policies::read(&[("mine.cedar", text)]).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    policies.remarks().iter().map(ToString::to_string).collect()
}

#[test]
fn a_rule_that_can_never_apply_is_named() {
    let never = format!("{PERMIT}@id(\"x\") forbid (principal, action == Action::\"method\", resource is Tool);");
    assert!(!remarks(&never).is_empty());
    let never = format!("{PERMIT}@id(\"x\") forbid (principal, action, resource)\nwhen {{ context has nothing }};");
    assert!(!remarks(&never).is_empty());
    let never =
        format!("{PERMIT}@id(\"x\") forbid (principal, action, resource)\nwhen {{ context.hour == 3 && false }};");
    assert_eq!(remarks(&never).len(), 1, "{:?}", remarks(&never));
}

#[test]
fn a_permit_that_a_forbid_takes_whole_is_named_and_no_other_is() {
    let covered = [
        ("permit (principal, action, resource)", "forbid (principal, action, resource)"),
        ("permit (principal == Agent::\"a\", action, resource)", "forbid (principal is Agent, action, resource)"),
        (
            "permit (principal in Group::\"g\", action, resource)",
            "forbid (principal in Group::\"g\", action, resource)",
        ),
        (
            "permit (principal, action == Action::\"call\", resource)",
            "forbid (principal, action == Action::\"call\", resource is Tool)",
        ),
        (
            "permit (principal, action, resource == Tool::\"s#t\")",
            "forbid (principal, action, resource in Server::\"s\")",
        ),
        (
            "permit (principal, action, resource is Tool in Class::\"c\")",
            "forbid (principal, action, resource in Class::\"c\")",
        ),
    ];
    let free = [
        ("permit (principal, action, resource)", "forbid (principal, action, resource in Server::\"s\")"),
        ("permit (principal, action, resource)", "forbid (principal, action == Action::\"call\", resource)"),
        ("permit (principal, action, resource)", "forbid (principal, action, resource) when { context.hour < 6 }"),
        ("permit (principal, action, resource)", "@step_up(\"nonce\") forbid (principal, action, resource)"),
        (
            "permit (principal, action, resource == Tool::\"t#s\")",
            "forbid (principal, action, resource in Server::\"s\")",
        ),
        (
            "permit (principal in Group::\"g\", action, resource)",
            "forbid (principal == Agent::\"a\", action, resource)",
        ),
    ];
    for (permit, forbid) in covered {
        let found = remarks(&format!("@id(\"p\") {permit};\n@id(\"f\") {forbid};"));
        assert!(found.iter().any(|one| one.contains("\"p\"") && one.contains("\"f\"")), "{permit} {forbid}: {found:?}");
    }
    for (permit, forbid) in free {
        let found = remarks(&format!("@id(\"p\") {permit};\n@id(\"f\") {forbid};"));
        assert!(found.iter().all(|one| !one.contains("lets nothing through")), "{permit} {forbid}: {found:?}");
    }
}

#[test]
fn odd_texts_end_in_problems() {
    let deep = format!("@id(\"d\") permit (principal, action, resource) when {{ {}true }};", "true && ".repeat(2_000));
    assert!(!problems(&deep).is_empty());
    // As deep as is read.
    let deep =
        format!("{PERMIT}@id(\"d\") forbid (principal, action, resource) when {{ {}true }};", "true && ".repeat(249));
    let facts = br#"{"agent":"a1","alerts":[],"asked":{"tool":"t"},"classes":[],"components":[],"delegation":{"depth":0,"holder":"k","left":9,"root":"o"},"groups":[],"labels":[],"met":{"approvals":[],"nonce":false,"reattest":false},"risk":"low","server":"s","time":0}"#;
    let policies = Policies::read(&[("x", &deep)]).unwrap();
    assert_ne!(policies.decide(&Facts::read(facts).unwrap()).word(), "allow");
    let parens = format!(
        "@id(\"d\") permit (principal, action, resource) when {{ {}true{} }};",
        "(".repeat(400),
        ")".repeat(400)
    );
    let _ = Policies::read(&[("x", &parens)]);
    assert!(problems(&"x".repeat((1 << 20) + 1))[0].to_string().contains("split"));
    assert!(!problems("\u{0}\u{feff}permit").is_empty());
}
