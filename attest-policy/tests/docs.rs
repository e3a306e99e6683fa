//! The policies of docs/policy.md do what the page says: each against the cases below it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use attest_policy::cases::{self, CasesError};
use attest_policy::{Facts, Policies};

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

#[test]
fn each_worked_policy_of_the_page_passes_its_cases() {
    let blocks = blocks(include_str!("../../docs/policy.md"));
    let mut pairs = 0;
    for (at, (language, text)) in blocks.iter().enumerate() {
        if *language != "cedar" {
            continue;
        }
        let policies = Policies::read(&[("docs/policy.md", text)]).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(policies.remarks(), [], "{text}");
        let (language, text) = blocks[at + 1];
        assert_eq!(language, "toml");
        for case in cases::parse(text).unwrap() {
            case.run(&policies).unwrap_or_else(|came| panic!("{}: {came}", case.name));
        }
        pairs += 1;
    }
    assert_eq!(pairs, 3);
}

#[test]
fn a_case_that_comes_out_otherwise_is_said_with_what_came() {
    let policies = Policies::read(&[("default", attest_policy::DEFAULT)]).unwrap();
    let text =
        "[[case]]\nname = \"n\"\nexpect = \"allow\"\n[case.facts]\nserver = \"s\"\ntool = \"t\"\nrisk = \"critical\"";
    let came = cases::parse(text).unwrap()[0].run(&policies).unwrap_err();
    assert!(came.starts_with("step-up, by critical-approved and high-fresh"), "{came}");
    assert!(came.ends_with("not allow"), "{came}");
}

#[test]
fn what_is_wrong_with_a_file_of_cases_is_named() {
    let good = "[[case]]\nname = \"n\"\nexpect = \"allow\"\n[case.facts]\nserver = \"s\"\ntool = \"t\"\n";
    cases::parse(good).unwrap();
    for (from, to, said) in [
        ("expect = \"allow\"", "expect = \"allowed\"", "allow, step-up, deny, error"),
        ("tool = \"t\"", "tol = \"t\"", "line 6"),
        ("tool = \"t\"", "", "one of `tool` and `method`"),
        ("tool = \"t\"", "tool = \"t\"\nrisk = \"bad\"", "line 7"),
        ("tool = \"t\"", "tool = \"t\"\ncomponents.x = { digest = \"d\", grade = \"g\" }", "model-weights"),
        ("server = \"s\"", "server = \"\"", "server"),
        ("expect = \"allow\"", "expect = \"allow\"\narguments = '{\"a\":1,\"a\":2}'", "same member twice"),
    ] {
        let error = cases::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    assert!(matches!(cases::parse(""), Err(CasesError::Empty)));
}

#[test]
fn the_page_of_facts_begins_with_facts() {
    let blocks = blocks(include_str!("../../spec/facts.md"));
    Facts::read(blocks[0].1.trim_end().as_bytes()).unwrap();
}
