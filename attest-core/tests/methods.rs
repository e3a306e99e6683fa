//! Other methods than `tools/call`, signed and verified like one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use attest_core::digest::{Digest, Jti};
use attest_core::entry::Entry;
use attest_core::json::{self, Value};
use attest_core::names::{EXTENSION, PROOF};
use attest_core::refusal::Reason;
use attest_core::request::{Message, RequestError, attested, classify};
use attest_core::signing::{Particulars, SigningError, sign_call};
use attest_core::tools::Tools;
use attest_core::verifier::Verifier;
use common::{NOW, REQUEST, World, check};
use proptest::prelude::*;

const READ: &str = r#"{"jsonrpc":"2.0","id":"r","method":"resources/read","params":{"uri":"file:///srv/a.txt","_meta":{"com.example/tenant":"acme"}}}"#;
const NOTIFICATION: &str = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_request_and_a_notification_of_another_method_are_accepted_in_both_forms() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let forwards = [
        (
            READ,
            r#"{"id":"r","jsonrpc":"2.0","method":"resources/read","params":{"_meta":{"com.example/tenant":"acme"},"uri":"file:///srv/a.txt"}}"#,
        ),
        (NOTIFICATION, r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{}}"#),
    ];
    for (request, forward) in forwards {
        for form in world.forms(request, "files") {
            assert_eq!(text(&check(&verifier, &form, NOW).0.unwrap().forward), forward);
        }
    }
}

#[test]
fn a_log_names_the_method_where_it_is_not_a_tools_call() {
    let world = World::new();
    let verifier = Verifier::new(world.trust());
    let named = |request: &str| {
        let [full, _] = world.forms(request, "files");
        let accepted = check(&verifier, &full, NOW).0.unwrap();
        let policy = Digest::of("policy");
        let allowed = text(&Entry::allow(&accepted, "files", &policy, 1).to_bytes());
        let called = text(&Entry::call(&accepted.proof, accepted.caller.call, [], 1).to_bytes());
        let seen = |request: &[u8]| {
            let message = json::parse(request).unwrap();
            verifier.check(&attested(&message).unwrap(), NOW, |_| true, &mut ()).unwrap_err()
        };
        let denied = text(&Entry::deny(&seen(&full), "files", &policy, 1).unwrap().to_bytes());
        [allowed, called, denied]
    };
    for entry in named(READ) {
        assert!(entry.contains(r#""method":"resources/read","#) && !entry.contains(r#""tool""#), "{entry}");
    }
    for entry in named(REQUEST) {
        assert!(entry.contains(r#""tool":"read_file","#) && !entry.contains(r#""method""#), "{entry}");
    }
}

#[test]
fn a_leaf_that_grants_tools_of_another_server_only_grants_no_method_of_this_one() {
    let granted = |tool: &str| {
        let tools = Tools(BTreeMap::from([(tool.to_owned(), BTreeMap::new())]));
        let world = World { tools, ..World::new() };
        let [full, _] = world.forms(READ, "files");
        check(&Verifier::new(world.trust()), &full, NOW).0.map(|_| ()).map_err(|refusal| refusal.reason)
    };
    assert_eq!(granted("files#anything"), Ok(()));
    assert_eq!(granted("mail#files"), Err(Reason::MethodNotGranted));
}

#[test]
fn a_response_is_no_call_of_any_method() {
    for message in [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"id":1,"method":7}"#, r#"{"id":1,"method":["x"]}"#] {
        assert_eq!(attested(&json::parse(message.as_bytes()).unwrap()).unwrap_err(), RequestError::Shape, "{message}");
    }
}

/// What a signer sends for a request of 2026-07-28 whose client has these capabilities.
fn capabilities_sent(capabilities: &str) -> String {
    let request = format!(
        r#"{{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{{"_meta":{{"io.modelcontextprotocol/clientCapabilities":{capabilities},"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},"name":"read_file"}}}}"#
    );
    let [full, _] = World::new().forms(&request, "files");
    let message = json::parse(&full).unwrap();
    let member = |value: &Value<'static>, name: &str| value.as_object().unwrap().get(name).unwrap().clone();
    let meta = member(&member(&message.into_owned(), "params"), "_meta");
    assert!(meta.as_object().unwrap().get(PROOF).is_some());
    text(&member(&meta, "io.modelcontextprotocol/clientCapabilities").to_canonical())
}

#[test]
fn a_signed_request_declares_the_extension_where_its_client_declares_what_it_can() {
    let declared = format!(r#"{{"extensions":{{"{EXTENSION}":{{}}}},"roots":{{}}}}"#);
    assert_eq!(capabilities_sent(r#"{"roots":{}}"#), declared);
    assert_eq!(capabilities_sent(&declared), declared);
    assert_eq!(
        capabilities_sent(r#"{"extensions":{"x.example/y":{"a":1}}}"#),
        format!(r#"{{"extensions":{{"{EXTENSION}":{{}},"x.example/y":{{"a":1}}}}}}"#)
    );
    for left_alone in [r#"{"extensions":[]}"#, r#"{"extensions":null}"#, "[]", "7"] {
        assert_eq!(capabilities_sent(left_alone), left_alone);
    }
}

#[test]
fn what_a_verifier_sends_on_is_not_declared_a_second_time() {
    let request = r#"{"id":1,"jsonrpc":"2.0","method":"resources/read","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}}},"uri":"x"}}"#;
    let world = World::new();
    let [full, _] = world.forms(request, "files");
    let forward = text(&check(&Verifier::new(world.trust()), &full, NOW).0.unwrap().forward);
    // The declaration that was signed along goes on like any other capability; nothing else is added.
    assert_eq!(forward.matches(EXTENSION).count(), 1, "{forward}");
}

#[test]
fn more_members_of_meta_than_a_proof_names_cannot_be_signed_whatever_the_method() {
    let members: Vec<String> = (0..65).map(|n| format!(r#""com.example/{n}":1"#)).collect();
    let request = format!(r#"{{"method":"x/y","params":{{"_meta":{{{}}}}}}}"#, members.join(","));
    let message = json::parse(request.as_bytes()).unwrap();
    let world = World::new();
    let credentials = world.credentials();
    let salt = attest_core::digest::Salt([7; 16]);
    let particulars = Particulars {
        audience: "files",
        context: Jti([5; 16]),
        id: Jti([6; 16]),
        salt,
        now: NOW,
        life: 60,
        lineage: Default::default(),
        nonce: None,
    };
    let call = attested(&message).unwrap();
    assert!(matches!(sign_call(&call, &credentials, particulars, &world.agent), Err(SigningError::Meta)));
}

/// Messages near a `tools/call`: each member there or not, well-formed or not.
fn message() -> impl Strategy<Value = String> {
    let member = |name: &'static str, values: &'static [&'static str]| {
        prop::option::of(prop::sample::select(values)).prop_map(move |value| value.map(|v| format!(r#""{name}":{v}"#)))
    };
    const PARAMS: &[&str] = &[
        "{}",
        "[]",
        "null",
        r#"{"name":"x"}"#,
        r#"{"name":"x","_meta":7}"#,
        r#"{"name":"x","more":1}"#,
        r#"{"name":""}"#,
    ];
    let members = (
        member("jsonrpc", &[r#""2.0""#, "2"]),
        member("id", &["1", r#""a""#, "null", "1e21", "{}"]),
        prop::sample::select(&[r#""tools/call""#, r#""tools\/call""#, r#""ping""#, r#""Tools/Call""#, "[]", "7"][..])
            .prop_map(|method| Some(format!(r#""method":{method}"#))),
        member("params", PARAMS),
        member("result", &["{}"]),
        member("Method", &["1"]),
    );
    members.prop_map(|(a, b, c, d, e, f)| {
        format!("{{{}}}", [a, b, c, d, e, f].into_iter().flatten().collect::<Vec<_>>().join(","))
    })
}

proptest! {
    #[test]
    fn a_tools_call_is_held_to_the_same_whoever_asks(text in message()) {
        let message = json::parse(text.as_bytes()).unwrap();
        match (classify(&message), attested(&message)) {
            (Ok(Message::Call(call)), Ok(attested)) => prop_assert_eq!(call.tool(), attested.tool()),
            (Ok(Message::Call(_)), Err(error)) => prop_assert!(false, "{} as attested: {}", text, error),
            (Err(error), attested) => prop_assert_eq!(attested.err(), Some(error)),
            (Ok(Message::Other), Ok(attested)) => {
                prop_assert!(attested.tool().is_none() && attested.method() != "tools/call");
            }
            (Ok(Message::Other), Err(_)) => {}
        }
    }
}
