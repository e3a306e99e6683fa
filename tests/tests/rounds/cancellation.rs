//! A client that no longer wants an answer.

use std::path::PathBuf;
use std::process::Command;

use attest_tests::client::{Client, text};
use attest_tests::forge::{Forge, Forged};
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::{World, tests_folder};
use serde_json::json;

use crate::{Peer, changed, guard_of, http_guard, modern, outcomes};

const TOOLS: [&str; 2] = ["count", "wait_for_cancelled_count"];

fn python() -> PathBuf {
    let python = tests_folder().join("../.test-env/python/bin/python");
    assert!(python.exists(), "{} is missing; run scripts/setup-test-env", python.display());
    python
}

fn server() -> [PathBuf; 2] {
    [python(), tests_folder().join("real/python/modern_server.py")]
}

/// A call that runs for minutes and says at each step that it does.
fn long_count(forge: &Forge, id: u64) -> Forged {
    let call = modern(id, "tools/call", json!({"name": "count", "arguments": {"steps": 10_000}}));
    forge.sign(&changed(&call, |m| m["params"]["_meta"]["progressToken"] = json!("steps")))
}

/// The server has seen the cancellation, and the call has its one outcome.
fn reaches_the_server(world: &World, forge: &Forge, mut peer: Peer, cancelled: &Forged) {
    let wait = forge.sign(&modern(9, "tools/call", json!({"name": "wait_for_cancelled_count", "arguments": {}})));
    assert_eq!(text(&peer.ask(&wait.line)), "a count was cancelled");
    peer.end();
    let ends = outcomes(world, "guard.db", &json!(cancelled.call));
    assert!(matches!(&*ends, [end] if end["status"] == "unknown" && end["result"].is_null()), "{ends:?}");
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn over_http_a_closed_stream_reaches_the_server_and_leaves_an_outcome() {
    let world = World::granting(&TOOLS);
    let forge = Forge::of(&world);
    let [python, script] = server();
    let mut command = world.place(Command::new(python));
    command.arg(script).args(["--http", "--runs", "runs"]);
    let server = Served::server(command);
    let guard = http_guard(&world, &server.url);
    let client = HttpClient::new(&guard.url);

    let call = long_count(&forge, 1);
    let mut events = client.open(&call.line);
    let first = events.next().expect("an event while the tool runs");
    assert_eq!(first["method"], "notifications/progress", "{first}");
    assert_eq!(outcomes(&world, "guard.db", &json!(call.call)).len(), 0);
    drop(events);
    reaches_the_server(&world, &forge, Peer::Http(client, vec![guard, server]), &call);
}

#[test]
fn over_stdio_a_cancelled_call_reaches_the_server_and_leaves_an_outcome() {
    let world = World::granting(&TOOLS);
    let forge = Forge::of(&world);
    let mut words: Vec<_> = server().map(Into::into).into();
    words.extend(["--runs".into(), world.path("runs").into()]);
    let mut client = Client::start(world.command(&guard_of(&world, words)));

    let call = long_count(&forge, 1);
    client.send(&call.line);
    client.find("progress", |m| m.value["method"] == "notifications/progress");
    client.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string());
    reaches_the_server(&world, &forge, Peer::Stdio(client), &call);
}
