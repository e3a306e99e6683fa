//! What is taken back, and what is changed while a guard runs: real processes, real lists, calls all the while.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "revocation/lists.rs"]
mod lists;
#[path = "revocation/reload.rs"]
mod reload;

use attest_core::sign::Sign as _;
use attest_keys::{Form, SecretKey};
use attest_tests::client::{Client, eventually, reason};
use attest_tests::world::{World, must};
use serde_json::{Value, json};

/// A place that each test marks.
const PLACE: &str = "7";

/// A world whose agent's attestations name a place in the list `uri`, which the guard has from where `source` says.
fn listed(uri: &str, source: &str, ttl: &str) -> World {
    let world = World::new();
    let key = SecretKey::generate().unwrap();
    key.write(&world.path("status.key"), Form::Pem).unwrap();
    let new =
        ["revoke", "new", "--uri", uri, "--key", "status.key", "--list", "list.jwt", "--size", "100", "--ttl", ttl];
    must(world.attest(&new));
    world.write("agent.toml", format!("{}\n[status]\nuri = \"{uri}\"\nidx = {PLACE}\n", world.read("agent.toml")));
    pin(&world, uri, key.public().x().as_str(), source);
    world
}

fn pin(world: &World, uri: &str, x: &str, source: &str) {
    let jwk = format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{x}\" }}");
    let section = format!("[[status.list]]\nuri = \"{uri}\"\njwk = {jwk}\n{source}\n");
    world.write("guard.toml", format!("{}\n{section}", world.read("guard.toml")));
}

/// `attest revoke`, of the place.
fn revoke(world: &World, more: &[&str]) {
    let args = [&["revoke", PLACE, "--list", "list.jwt", "--key", "status.key"][..], more].concat();
    must(world.attest(&args));
}

fn call(client: &mut Client) -> Value {
    client.call("echo", json!({"text": "hello"}))
}

fn passes(client: &mut Client) {
    let answer = call(client);
    assert!(answer.get("result").is_some(), "{answer}; {}", client.said());
}

/// Within moments each call is refused so.
fn comes_to(client: &mut Client, wanted: &str) {
    eventually(wanted, || (reason(&call(client)) == wanted).then_some(()));
}

/// Within moments calls pass.
fn comes_to_pass(client: &mut Client) {
    eventually("a call that passes", || call(client).get("result").is_some().then_some(()));
}

/// The beginning of a conversation, which a server behind HTTP waits for.
fn initialize(client: &mut Client) {
    let who = json!({"name": "test", "version": "1"});
    let id = client.ask("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who}));
    assert!(client.answer(id).get("result").is_some(), "{}", client.said());
    client.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
}

/// The process of the guard that a wrap started.
fn guard_of(client: &Client) -> u32 {
    let pid = client.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let words = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let guards = |pid: &u32| words(pid).split(|byte| *byte == 0).nth(1) == Some(b"guard");
    let mut found = children.split_whitespace().map(|pid| pid.parse().unwrap()).filter(guards);
    found.next().expect("a guard among the wrap's children")
}
