//! An agent whose program hands nothing on: its signer asks the guard in front of it on whose behalf it works.

use attest_core::refusal::Reason;
use attest_tests::client::text;
use serde_json::json;

use super::company::{Company, FOR_A};
use super::{CFO, STRANGER, asked};

/// Programs that say nothing of whom they work for, in Python and on rmcp.
const SILENT: [&str; 2] = ["lying", "rmcp, silent"];

/// The assistant's guard shows which call is open, and B's signer asks it.
fn company(manner: &'static str) -> Company {
    let company = Company::new(manner);
    company.edit("assistant.toml", "[flow]\ntell_server = true\n", "[open_calls]\nsocket = \"run/b.calls\"\n[flow]\n");
    company.edit("b.toml", "[flow]\n", "[flow]\nopen_calls = \"run/b.calls\"\n");
    company
}

#[test]
fn a_silent_program_works_for_whoever_asks_it() {
    for manner in SILENT {
        let company = company(manner);
        assert_eq!(asked(&company, CFO), Reason::CauseNotInChain.code(), "{manner}: nobody passed it on");
        company.stop_signer("b.toml");
        company.grant_jointly(CFO);
        assert_eq!(asked(&company, CFO), "done", "{manner}");
        assert_eq!(asked(&company, STRANGER), Reason::ArgumentsNotGranted.code(), "{manner}");
        assert_eq!(company.sent().len(), 1);
        company.logs_are_whole();
        let (code, said) = company.reconciled(&["--asked", "assistant.db"]);
        assert_eq!(code, Some(0), "{manner}: each call names its cause: {said}");
    }
}

#[test]
fn between_two_that_ask_the_signer_does_not_choose() {
    let company = company("lying");
    company.grant_jointly(CFO);
    let mut assistant = company.start(&company.wrapped(FOR_A, "assistant"));
    let slow = json!({"to": CFO, "body": "revenue: 7", "wait": 2});
    let (first, second) = (assistant.ask_tool("ask", slow.clone()), assistant.ask_tool("ask", slow));
    assert_eq!(text(&assistant.answer(first)), Reason::NotSigned.code());
    assert_eq!(text(&assistant.answer(second)), "done", "it is the only one by then");
    assistant.end();
    assert_eq!(company.sent().len(), 1);
}

#[test]
fn nobody_asks_so_it_is_of_its_own_accord() {
    let company = company("lying");
    // The guard is there, and no call is open at it.
    let assistant = company.start(&company.wrapped(FOR_A, "assistant"));
    let mut mail = company.start(&company.wrapped("b.toml", "mail"));
    assert_eq!(text(&mail.call("send", json!({"to": CFO, "body": "good morning"}))), "sent");
    mail.end();
    let mut assistant = assistant;
    assistant.end();
}

#[test]
fn without_its_guard_nothing_is_signed() {
    let company = company("lying");
    let mut mail = company.start(&company.wrapped("b.toml", "mail"));
    let answer = mail.call("send", json!({"to": CFO, "body": "good morning"}));
    assert_eq!(attest_tests::client::reason(&answer), Reason::NotSigned.code());
    mail.end();
    assert!(company.sent().is_empty());
    assert!(!company.path("run/b.calls").exists());
}
