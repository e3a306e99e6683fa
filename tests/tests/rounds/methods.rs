//! `[methods]`: what becomes of other methods than `tools/call`.

use attest_tests::client::reason;
use attest_tests::forge::Forge;
use attest_tests::http::HttpClient;
use attest_tests::world::World;
use serde_json::{Value, json};

use crate::{Peer, changed, guarded, guarded_http, http_wrap, modern};

const URI: &str = "test://static-text";

fn setting(word: &str) -> World {
    let world = World::granting(&["greet"]);
    world.write("guard.toml", format!("{}\n[methods]\n\"resources/read\" = \"{word}\"\n", world.read("guard.toml")));
    world
}

fn read(id: u64) -> String {
    modern(id, "resources/read", json!({"uri": URI}))
}

fn contents(answer: &Value) -> &str {
    answer["result"]["contents"][0]["text"].as_str().unwrap_or_default()
}

/// What the log has of `resources/read`.
fn logged(world: &World) -> Vec<Value> {
    world.entries("guard.db", &[("type", "decision"), ("method", "resources/read"), ("decision", "allow")])
}

#[test]
fn a_method_that_passes_needs_no_proof_and_is_not_in_the_log() {
    let world = setting("pass");
    for (way, mut peer) in guarded(&world) {
        assert!(contents(&peer.ask(&read(1))).contains("static text"), "{way}");
        peer.end();
        assert_eq!(logged(&world).len(), 0, "{way}");
    }
}

#[test]
fn a_method_that_is_denied_goes_nowhere_signed_or_not() {
    let world = setting("deny");
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        for line in [read(1), forge.sign(&read(2)).line] {
            let answer = peer.ask(&line);
            assert_eq!(reason(&answer), "method-denied", "{way}: {answer}");
        }
        // Nothing else is touched by it.
        assert!(peer.ask(&modern(3, "resources/list", json!({})))["result"].is_object(), "{way}");
        peer.end();
        assert_eq!(logged(&world).len(), 0, "{way}");
    }
}

#[test]
fn a_method_that_is_attested_needs_a_proof_of_its_own_parameters() {
    let world = setting("attested");
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        let before = logged(&world).len();
        assert_eq!(reason(&peer.ask(&read(1))), "unauthenticated", "{way}");
        let elsewhere = changed(&forge.sign(&read(2)).line, |m| m["params"]["uri"] = json!("test://watched-resource"));
        assert_eq!(reason(&peer.ask(&elsewhere)), "params-mismatch", "{way}");
        let list = changed(&forge.sign(&modern(3, "resources/list", json!({}))).line, |m| {
            m["method"] = json!("resources/read");
        });
        assert_eq!(reason(&peer.ask(&list)), "method-mismatch", "{way}");
        assert_eq!(logged(&world).len(), before, "{way}");

        let signed = forge.sign(&read(4));
        assert!(contents(&peer.ask(&signed.line)).contains("static text"), "{way}");
        assert_eq!(reason(&peer.ask(&signed.line)), "replay", "{way}");
        peer.end();
        assert_eq!(logged(&world).len(), before + 1, "{way}");
        assert_eq!(crate::outcomes(&world, "guard.db", &json!(signed.call)).len(), 1, "{way}");
    }
}

#[test]
fn wrap_signs_what_the_guard_asks_for_once_it_was_told_and_nothing_else() {
    let world = setting("attested");
    let Peer::Http(_, mut served) = guarded_http(&world) else { panic!("over HTTP") };
    let wrap = http_wrap(&world, &served[0].url);
    let client = HttpClient::new(&wrap.url);
    served.insert(0, wrap);
    let mut peer = Peer::Http(client, served);
    // Not told yet: the guard says what is missing.
    assert_eq!(reason(&peer.ask(&read(1))), "unauthenticated");
    assert!(peer.ask(&modern(2, "server/discover", json!({})))["result"].is_object());
    assert!(contents(&peer.ask(&read(3))).contains("static text"));
    assert!(peer.ask(&modern(4, "resources/list", json!({})))["result"].is_object());
    peer.end();
    let calls = world.entries("signer.db", &[("type", "call")]);
    assert_eq!(calls.iter().map(|call| &call["method"]).collect::<Vec<_>>(), ["resources/read"]);
    assert_eq!(logged(&world).len(), 1);
}
