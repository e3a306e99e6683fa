//! A may read financials, B may send mail, A asks B to send what it read: what each token allows, and the pair does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "flow/company.rs"]
mod company;
#[path = "flow/labels.rs"]
mod labels;
#[path = "flow/open_calls.rs"]
mod open_calls;
#[path = "flow/subgrants.rs"]
mod subgrants;

use attest_core::names::{PROOF, RECEIPT};
use attest_core::refusal::Reason;
use attest_tests::client::{reason, text};
use company::{Company, FOR_A};
use serde_json::json;

const CFO: &str = "cfo@example.org";
const STRANGER: &str = "stranger@example.net";

/// What B says to A after A read the report and asked it to send a mail to this recipient.
fn asked(company: &Company, to: &str) -> String {
    let mut host = company.host_of_a();
    assert_eq!(text(&host.finance.call("read_report", json!({}))), "revenue: 7");
    let answer = host.assistant.call("ask", json!({"to": to, "body": "revenue: 7"}));
    host.end();
    text(&answer).to_owned()
}

#[test]
fn nobody_passes_on_what_he_never_had() {
    let company = Company::new("honest");
    let error = company.delegate_fails(&[
        "--key",
        "keys/a.key",
        "--to",
        "keys/b.key.pub",
        "--parent",
        "a.chain",
        "--tool",
        "mail#send",
    ]);
    assert!(error.contains("grants what its parent does not"), "{error}");
}

#[test]
fn a_call_on_somebodys_behalf_needs_a_chain_that_passes_through_him() {
    let company = Company::new("honest");
    assert_eq!(asked(&company, CFO), Reason::CauseNotInChain.code());
    assert!(company.sent().is_empty());
}

#[test]
fn who_hides_the_cause_and_shows_the_receipt_may_not_send_what_it_labels() {
    let company = Company::new("honest");
    let receipt = company.receipt_of_finance();
    let refused = company.forged_by_b(|proof| proof.receipts = vec![receipt]);
    assert_eq!(reason(&refused), Reason::FlowNotGranted.code());
    assert!(company.sent().is_empty());
}

#[test]
fn who_strips_all_lineage_counts_as_having_seen_everything_where_lineage_is_asked_for() {
    let company = Company::new("honest");
    assert_eq!(text(&company.forged_by_b(|_| ())), "sent", "where nobody asks");
    company.edit("mail.toml", "[flow]", "[flow]\nlineage = true");
    assert_eq!(reason(&company.forged_by_b(|_| ())), Reason::LineageRequired.code());
    assert_eq!(company.sent().len(), 1);
}

#[test]
fn the_owner_of_the_data_can_grant_the_pair_and_to_one_recipient() {
    let company = Company::new("honest");
    company.grant_jointly(CFO);
    assert_eq!(asked(&company, CFO), "done");
    assert_eq!(asked(&company, STRANGER), Reason::ArgumentsNotGranted.code());
    assert_eq!(company.sent().len(), 1);
    company.logs_are_whole();
    let (code, said) = company.reconciled(&["--asked", "assistant.db"]);
    assert_eq!(code, Some(0), "each call names its cause: {said}");
}

#[test]
fn a_declassification_serves_one_call_with_these_parameters() {
    let company = Company::new("honest");
    company.pass_on("");
    assert_eq!(asked(&company, CFO), Reason::FlowNotGranted.code());
    company.declassify(CFO);
    assert_eq!(asked(&company, STRANGER), Reason::FlowNotGranted.code(), "it is made out to other parameters");
    assert_eq!(asked(&company, CFO), "done");
    assert_eq!(asked(&company, CFO), Reason::DeclassificationUsed.code());
    assert_eq!(company.sent().len(), 1);
    company.logs_are_whole();
}

#[test]
fn a_host_that_lies_about_its_parents_passes() {
    let company = Company::new("lying");
    company.edit("mail.toml", "[agents.b]", "[agents.b]\nlineage = true");
    company.edit("mail.toml", "[flow]", "[flow]\nlineage = true");
    assert_eq!(asked(&company, CFO), "done", "no signature prevents it: SECURITY.md says so");
    company.logs_are_whole();
    assert_eq!(company.reconciled(&[]).0, Some(0), "both logs of the call say the same");
    let (code, said) = company.reconciled(&["--asked", "assistant.db"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("of its own accord while a asked it"), "{said}");
}

#[test]
fn one_agent_between_two_servers_of_one_host_may_not_carry_from_one_to_the_other() {
    let company = Company::new("honest");
    let mut host = company.host_of_a();
    let mail = json!({"to": CFO, "body": "hello"});
    assert_eq!(text(&host.mail.call("send", mail.clone())), "sent", "before it has seen anything");
    host.finance.call("read_report", json!({}));
    assert_eq!(reason(&host.mail.call("send", mail)), Reason::FlowNotGranted.code());
    host.end();
    assert_eq!(company.sent().len(), 1);
    company.logs_are_whole();
}

#[test]
fn a_signer_that_is_started_anew_is_told_what_its_host_has_seen() {
    let company = Company::new("honest");
    let mut host = company.host_of_a();
    host.finance.call("read_report", json!({}));
    company.stop_signer(FOR_A);
    // The wrap of the finance server tells it again with the next word it has for a signer.
    host.finance.call("read_report", json!({}));
    let refused = host.mail.call("send", json!({"to": CFO, "body": "hello"}));
    assert_eq!(reason(&refused), Reason::FlowNotGranted.code());
    host.end();
}

#[test]
fn a_server_is_told_of_a_call_by_the_guard_alone() {
    let company = Company::new("honest");
    let (line, told) = company.what_b_is_told();
    assert!(told.is_some_and(|told| told.matches('.').count() == 2), "a token: {line}");
    assert!(!line.contains(PROOF) && !line.contains(RECEIPT), "and nothing else of ours: {line}");
}
