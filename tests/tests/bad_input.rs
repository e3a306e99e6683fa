//! What nobody vouches for runs nothing: each trick, each bad proof and each bad moment, through the real guard, in front of
//! a server that counts its runs and would fall for every one of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "bad_input/moments.rs"]
mod moments;
#[path = "bad_input/proofs.rs"]
mod proofs;
#[path = "bad_input/tricks.rs"]
mod tricks;

use attest_tests::binaries::server_verifier;
use attest_tests::client::{Client, reason};
use attest_tests::forge::Forge;
use attest_tests::world::{AUDIENCE, World};
use serde_json::json;

/// A call without a proof.
const CALL: &str = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":{"n":1}}}"#;

#[test]
fn the_binary_server_verifier_lets_in_and_refuses_as_attest_guard_does() {
    let world = World::new();
    let mut words = world.guard();
    words.splice(0..2, [server_verifier().into_os_string()]);
    let forged = Forge::of(&world).call(7, "echo", json!({"n": 1}));
    let mut client = Client::start(world.command(&words));
    client.send(&forged.line);
    assert_eq!(reason(&client.answer(7)), "");
    client.send(forged.line.replacen(r#""id":7"#, r#""id":8"#, 1));
    assert_eq!(reason(&client.answer(8)), "replay");
    client.send(CALL);
    assert_eq!(reason(&client.answer("x")), "unauthenticated");
    client.end();
    assert_eq!(world.runs().len(), 1);
    let entries = world.log("guard.db");
    let shown: Vec<&str> = entries.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(shown, ["start", "decision", "outcome", "decision", "refused"]);
    assert!(entries[1..4].iter().all(|e| e["audience"] == AUDIENCE));
}
