//! What either side says of itself: to the other, and never to the host.

use attest_tests::client::Client;
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::World;
use serde_json::{Value, json};

use crate::recorder::Recorder;
use crate::{Peer, allowed, guarded, http_guard, http_wrap, initialize, modern, request, rmcp_server};

const EXTENSION: &str = "io.github.agent-attest/proof";

/// The opening of each era, and where its answer has an offer.
fn openings() -> [(String, &'static str); 2] {
    let undeclared = json!({});
    [(initialize(1), "experimental"), (request(2, "server/discover", json!({}), undeclared), "extensions")]
}

#[test]
fn the_guard_offers_itself_in_the_place_of_each_era() {
    let world = World::granting(&["greet"]);
    for (way, mut peer) in guarded(&world) {
        // Over stdio the conversation has begun in one era, and rmcp holds it to that.
        for (opening, place) in openings().into_iter().rev().take(if way == "http" { 2 } else { 1 }) {
            let answer = peer.ask(&opening);
            let capabilities = &answer["result"]["capabilities"];
            let methods = json!(["tasks/cancel", "tasks/update"]);
            assert_eq!(capabilities[place][EXTENSION], json!({"cache": true, "methods": methods}), "{way}: {answer}");
            let other = if place == "extensions" { "experimental" } else { "extensions" };
            assert_eq!(capabilities[other].get(EXTENSION), None, "{way}: {answer}");
            assert!(capabilities["tools"].is_object(), "{way}: what the server said is still there: {answer}");
        }
        peer.end();
    }
}

#[test]
fn behind_wrap_the_host_sees_no_offer_and_the_guard_sees_a_declaration() {
    let world = World::granting(&["greet"]);
    let server = Served::server(rmcp_server(&world));
    let guard = http_guard(&world, &server.url);
    let recorder = Recorder::new(guard.address());
    let wrap = http_wrap(&world, &recorder.url());
    let mut peer = Peer::Http(HttpClient::new(&wrap.url), vec![wrap, guard, server]);
    for (opening, place) in openings() {
        assert!(!opening.contains(EXTENSION), "the host knows nothing of it");
        let answer = peer.ask(&opening);
        assert!(answer["result"]["capabilities"]["tools"].is_object(), "{answer}");
        assert!(!answer.to_string().contains(EXTENSION), "{answer}");
        let declared = format!(r#""{place}":{{"{EXTENSION}":{{}}}}"#);
        let asked = recorder.asked();
        assert!(asked.contains(&declared), "{declared} is not in {asked}");
        assert!(recorder.answered().contains(&format!(r#""{EXTENSION}":{{"cache":true"#)), "{place}");
    }
    peer.end();
}

#[test]
fn a_modern_client_that_declares_nothing_is_told_what_is_required_of_it() {
    let world = World::granting(&["greet"]);
    let call = |extensions: Value| request(1, "tools/call", json!({"name": "greet", "arguments": {}}), extensions);
    for (way, mut peer) in guarded(&world) {
        let answer = peer.ask(&call(json!({})));
        assert_eq!(answer["error"]["code"], -32021, "{way}: {answer}");
        let required = json!({"extensions": {EXTENSION: {}}});
        assert_eq!(answer["error"]["data"], json!({"reason": "unauthenticated", "requiredCapabilities": required}));
        if let Peer::Http(client, _) = &mut peer {
            assert_eq!(client.send(&call(json!({}))).status, 400);
        }
        // Who declares it and shows no proof, and who is of the era that has no such code, get the plain refusal.
        let old = crate::legacy(2, "tools/call", json!({"name": "greet", "arguments": {}}));
        for line in [call(json!({EXTENSION: {}})), old] {
            let answer = peer.ask(&line);
            assert_eq!(answer["error"]["code"], -31401, "{way}: {answer}");
            if let Peer::Http(client, _) = &mut peer {
                assert_eq!(client.send(&line).status, 200);
            }
        }
        peer.end();
        assert_eq!((world.runs().len(), allowed(&world, "guard.db", "greet").len()), (0, 0), "{way}");
    }
}

/// Over stdio the offer is for wrap alone too.
#[test]
fn behind_wrap_over_stdio_the_host_sees_no_offer() {
    let world = World::granting(&["greet"]);
    for opening in [initialize(1), modern(1, "server/discover", json!({}))] {
        let guard = crate::stdio_guard(&world);
        let mut peer = Peer::Stdio(Client::start(world.wrap(attest_tests::world::AUDIENCE, &guard)));
        let answer = peer.ask(&opening);
        assert!(answer["result"]["capabilities"]["tools"].is_object(), "{answer}");
        assert!(!answer.to_string().contains(EXTENSION), "{answer}");
        peer.end();
    }
}
