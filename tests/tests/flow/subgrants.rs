//! A grant that travels down a call: B has no chain for the mail server but the one that A's signer makes for it.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use attest_core::cause::Cause;
use attest_core::delegation::Delegation;
use attest_core::digest::Digest;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::names::CAUSE;
use attest_core::refusal::Reason;
use attest_core::sign::Sign as _;
use attest_tests::client::{eventually, reason, text};
use attest_tests::forge::now;
use attest_tests::world::{must, must_fail};
use serde_json::{Value, json};

use super::company::{Added, Company, FOR_A};
use super::{CFO, STRANGER, asked};

/// What A grants to B with each call: mails to one recipient.
const TO_THE_CFO: &str = "[tools.\"mail#send\"]\nto = { constraint_type = \"exact\", value = \"cfo@example.org\" }\n\
                          body = { constraint_type = \"wildcard\" }\n";

/// A may send any mail, with what it read; B has a chain for something else.
fn company(manner: &'static str, more: &str) -> Company {
    let company = Company::new(manner);
    company.write(
        "wide.toml",
        format!(
            "[tools.\"finance#read_report\"]\n[tools.\"assistant#ask\"]\n[tools.\"mail#send\"]\n\
             to = {{ constraint_type = \"wildcard\" }}\nbody = {{ constraint_type = \"wildcard\" }}\n\
             [flow]\norigin = \"self\"\n[flow.release]\n\"*\" = [\"financial\"]\n{more}"
        ),
    );
    company.root("a", "wide.chain", &["--grant", "wide.toml"]);
    company.root("b", "elsewhere.chain", &["--tool", "finance#nothing"]);
    company.edit(FOR_A, "delegation = \"a-all.chain\"", "delegation = \"wide.chain\"");
    company.edit("b.toml", "delegation = \"b.chain\"", "delegation = \"elsewhere.chain\"");
    company.write("for-b.toml", TO_THE_CFO);
    configure(&company, "grant = \"for-b.toml\"\ngrant_to = \"keys/b.key.pub\"");
    company
}

fn configure(company: &Company, grant: &str) {
    company.edit(FOR_A, "audience = \"assistant\"", &format!("audience = \"assistant\"\n{grant}"));
}

/// What B says to A when it is asked this.
fn says(company: &Company, arguments: Value) -> String {
    let mut assistant = company.start(&company.wrapped(FOR_A, "assistant"));
    let answer = assistant.call("ask", arguments);
    assistant.end();
    text(&answer).to_owned()
}

/// Why A's signer does not start.
fn why_not(company: &Company) -> String {
    let text = fs::read_to_string(company.path(FOR_A)).unwrap();
    if !text.contains("idle_seconds") {
        // One that does start is not waited for.
        company.edit(FOR_A, "agent = ", "idle_seconds = 1\nagent = ");
    }
    must_fail(company.attest(&["signer", "run", "--config", FOR_A]))
}

/// The chain that comes to B with a call of A's that A's program makes with this `_meta`.
fn handed_down(company: &Company, meta: &Value) -> Vec<String> {
    let mut words = company.wrapped(FOR_A, "assistant");
    words.truncate(words.iter().position(|word| word == "--").unwrap() + 1);
    words.extend(company.guarded_echo());
    let mut client = company.open(&words);
    client.ask("tools/call", json!({"name": "ask", "arguments": {}, "_meta": meta}));
    let found = eventually("what B is told", || {
        let told = fs::read_to_string(company.path("told")).ok()?;
        let line: Value = serde_json::from_str(told.lines().find(|line| line.contains(CAUSE))?).ok()?;
        line["params"]["_meta"][CAUSE]["grant"].as_array().cloned()
    });
    client.end();
    found.iter().map(|token| token.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_sub_agent_without_a_chain_uses_the_one_that_came_with_the_request_and_no_more_of_it() {
    for manner in ["honest", "rmcp"] {
        let company = company(manner, "");
        assert_eq!(asked(&company, CFO), "done", "{manner}");
        assert_eq!(asked(&company, STRANGER), Reason::ArgumentsNotGranted.code(), "{manner}");
        let other = json!({"tool": "delete", "to": CFO, "body": ""});
        assert_eq!(says(&company, other), Reason::ToolNotGranted.code(), "{manner}");
        assert_eq!(company.sent().len(), 1, "{manner}");
        company.logs_are_whole();
        let (code, said) = company.reconciled(&["--asked", "assistant.db"]);
        assert_eq!(code, Some(0), "each call names its cause: {said}");
    }
}

#[test]
fn without_a_grant_the_sub_agent_may_not() {
    let company = company("honest", "");
    company.edit(FOR_A, "grant = \"for-b.toml\"\ngrant_to = \"keys/b.key.pub\"", "");
    assert_eq!(asked(&company, CFO), Reason::ToolNotGranted.code());
    assert!(company.sent().is_empty());
}

#[test]
fn what_is_handed_down_is_for_that_agent_for_ten_minutes_on_this_behalf_alone_and_goes_no_further() {
    let company = company("honest", "");
    let chain = handed_down(&company, &json!({}));
    let leaf = Unverified::<Delegation>::read(chain.last().unwrap()).unwrap();
    let leaf = leaf.peek();
    assert_eq!((chain.len(), leaf.depth, leaf.max_depth), (2, 1, 1));
    assert_eq!(leaf.expires - leaf.issued_at, 600);
    assert!(leaf.by.is_none(), "nobody asks for A's state");
    assert_eq!(leaf.tools.0.keys().collect::<Vec<_>>(), ["mail#send"]);
    let refused = company.forged_under(&chain.join("\n"), &Added::default());
    assert_eq!(reason(&refused), Reason::OriginNotGranted.code());
    assert!(company.sent().is_empty());
}

#[test]
fn what_is_done_on_somebodys_behalf_is_granted_from_the_chain_that_he_sent() {
    let company = company("honest", "");
    let first = ["--key", "keys/owner.key", "--issuer", "owner", "--to", "keys/b.key.pub", "--grant", "wide.toml"];
    let second = ["--key", "keys/b.key", "--to", "keys/a.key.pub", "--parent", "b.root", "--out", "from-b.chain"];
    must(company.attest(&[&["delegate", "--passes", "3", "--out", "b.root"][..], &first].concat()));
    must(company.attest(&[&["delegate"][..], &second].concat()));
    let sent = fs::read_to_string(company.path("from-b.chain")).unwrap();
    let sent: Vec<&str> = sent.split_whitespace().collect();
    let decision = Cause {
        audience: "finance".to_owned(),
        call: Digest::of("a call of b"),
        expires: now() + 60,
        issued_at: now(),
        key: company.key("b").public().thumbprint().clone(),
        labels: Labels::None,
        leaf: Digest::of(sent[0]),
        log: "finance".to_owned(),
    };
    let decision = decision.sign(&company.key("finance")).unwrap();
    let chain = handed_down(&company, &json!({CAUSE: {"decision": decision, "grant": sent}}));
    assert_eq!(chain[..2], sent, "and not from A's own");
    let leaf = Unverified::<Delegation>::read(chain.last().unwrap()).unwrap();
    assert_eq!((chain.len(), leaf.peek().depth, leaf.peek().max_depth), (3, 2, 2), "it goes no further");
}

#[test]
fn after_its_life_it_is_worth_nothing_and_the_next_call_brings_another() {
    let company = company("honest", "");
    configure(&company, "grant_life = \"6s\"");
    company.edit("mail.toml", "audience = ", "skew_seconds = 0\naudience = ");
    let late = json!({"wait": 7, "to": CFO, "body": "revenue: 7"});
    assert_eq!(says(&company, late), "stale");
    assert!(company.sent().is_empty());
    let mut assistant = company.start(&company.wrapped(FOR_A, "assistant"));
    for pause in [0, 6] {
        sleep(Duration::from_secs(pause));
        let answer = assistant.call("ask", json!({"to": CFO, "body": "revenue: 7"}));
        assert_eq!(text(&answer), "done");
    }
    assistant.end();
}

#[test]
fn a_holder_whose_state_is_pinned_shows_it_in_what_he_hands_down() {
    let prompt = Digest::of("You are a.").to_b64();
    let pinned = format!("[state]\nmax_age = 3600\n[state.holder]\nsystem-prompt = [\"{prompt}\"]\n");
    let company = company("honest", &pinned);
    assert_eq!(asked(&company, CFO), "done");
    company.write("a.prompt", "You are somebody else.");
    let mut assistant = company.start(&company.wrapped(FOR_A, "assistant"));
    let refused = assistant.call("ask", json!({"to": CFO, "body": "revenue: 7"}));
    assistant.end();
    assert_eq!(reason(&refused), Reason::NotSigned.code(), "a drifted agent hands nothing down");
    assert_eq!(company.sent().len(), 1);
}

#[test]
fn a_grant_that_is_not_narrower_than_the_agents_own_chain_keeps_its_signer_from_starting() {
    let company = company("honest", "");
    company.write("for-b.toml", "[tools.\"mail#send\"]\n[tools.\"mail#delete\"]\n");
    let said = why_not(&company);
    assert!(said.contains("a.toml") && said.contains("\"assistant\""), "where: {said}");
    assert!(said.contains("grants what its parent does not: mail#delete"), "what: {said}");
    company.write("for-b.toml", "[tools.\"mail#send\"]\nto = { constraint_type = \"wildcard\" }\n");
    assert!(why_not(&company).contains("grants what its parent does not: mail#send"), "fewer arguments are more calls");
    company.write("for-b.toml", TO_THE_CFO);
    configure(&company, "grant_passes = 1");
    let said = why_not(&company);
    assert!(said.contains("deeper than one of its tokens allows"), "{said}");
}

#[test]
fn a_grant_that_is_none_keeps_the_signer_from_starting() {
    let company = company("honest", "");
    for (text, word) in [
        ("[flow]\n", "flow has"),
        ("[flow]\norigin = \"self\"\n[flow.release]\n", "names no tools"),
        ("[tool.\"mail#send\"]\n", "\"tool\" is no part of a grant"),
        ("[tools.\"mail#send\"]\nto = { constraint_type = \"exact\", value = nan }\n", "NaN"),
        ("[tools.send]\n", "<server audience>#<tool>"),
    ] {
        company.write("for-b.toml", text);
        let said = why_not(&company);
        assert!(said.to_lowercase().contains(&word.to_lowercase()) && said.contains("for-b.toml"), "{word}: {said}");
    }
    company.write("for-b.toml", TO_THE_CFO);
    for (from, to, word) in [
        ("grant_to = \"keys/b.key.pub\"", "grant_to = \"keys/a.key.pub\"", "a key of this agent"),
        ("grant_to = \"keys/a.key.pub\"", "grant_to = \"keys/nobody.pub\"", "keys/nobody.pub"),
        ("grant_to = \"keys/nobody.pub\"", "", "grant_to"),
        (
            "grant = \"for-b.toml\"",
            "grant = \"for-b.toml\"\ngrant_to = \"keys/b.key.pub\"\ngrant_life = \"2d\"",
            "1day",
        ),
        ("grant_life = \"2d\"", "grant_passes = 8", "grant_passes"),
    ] {
        company.edit(FOR_A, from, to);
        let said = why_not(&company);
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_grant_that_the_chain_does_not_give_any_more_stops_the_calls_that_it_goes_with_and_no_others() {
    let company = company("honest", "");
    let mut host = company.host_of_a();
    let mail = json!({"to": CFO, "body": "revenue: 7"});
    assert_eq!(text(&host.assistant.call("ask", mail.clone())), "done");
    let narrow = ["--tool", "finance#read_report", "--tool", "assistant#ask", "--release", "*=financial"];
    company.root("a", "narrow.chain", &narrow);
    fs::rename(company.path("narrow.chain"), company.path("wide.chain")).unwrap();
    assert_eq!(reason(&host.assistant.call("ask", mail)), Reason::NotSigned.code());
    assert_eq!(text(&host.finance.call("read_report", json!({}))), "revenue: 7");
    host.end();
    assert_eq!(company.sent().len(), 1);
}

#[test]
fn a_grant_in_json_says_flow_and_null_too() {
    let company = company("honest", "");
    let tools = json!({"mail#send": {"to": {"constraint_type": "exact", "value": null}, "body": {"constraint_type": "wildcard"}}});
    company.write("for-b.json", json!({"tools": tools, "flow": {"release": {"*": ["financial"]}}}).to_string());
    company.edit(FOR_A, "for-b.toml", "for-b.json");
    let chain = handed_down(&company, &json!({}));
    let leaf = Unverified::<Delegation>::read(chain.last().unwrap()).unwrap();
    let flow = leaf.peek().flow.clone().unwrap();
    assert!(!flow.of_own_accord && flow.all().iter().eq(["financial"]));
    let (code, said) = company.run(&["delegate", "--explain", "wide.chain"]);
    assert_eq!(code, Some(0), "{said}");
    company.write("passed.chain", chain.join("\n"));
    let (_, said) = company.run(&["delegate", "--explain", "passed.chain"]);
    assert!(said.contains("exactly null") && said.contains("only on behalf of a call"), "{said}");
}

#[test]
fn a_grant_reaches_a_program_that_hands_nothing_on() {
    let company = company("lying", "");
    company.edit("assistant.toml", "[flow]\ntell_server = true\n", "[open_calls]\nsocket = \"run/b.calls\"\n[flow]\n");
    company.edit("b.toml", "[flow]\n", "[flow]\nopen_calls = \"run/b.calls\"\n");
    assert_eq!(asked(&company, CFO), "done");
    assert_eq!(asked(&company, STRANGER), Reason::ArgumentsNotGranted.code());
    assert_eq!(company.sent().len(), 1);
}
