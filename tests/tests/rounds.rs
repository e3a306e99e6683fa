//! Calls of more than one message: rounds of questions, tasks, cancellation, other methods, shorthand and what is declared.
//! Through real guards, in front of real servers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "rounds/cancellation.rs"]
mod cancellation;
#[path = "rounds/declared.rs"]
mod declared;
#[path = "rounds/methods.rs"]
mod methods;
#[path = "rounds/recorder.rs"]
mod recorder;
#[path = "rounds/retries.rs"]
mod retries;
#[path = "rounds/shorthand.rs"]
mod shorthand;
#[path = "rounds/tasks.rs"]
mod tasks;

use std::ffi::OsString;
use std::process::Command;

use attest_tests::binaries::{attest, conformance_server};
use attest_tests::client::Client;
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::World;
use serde_json::{Value, json};

/// A request as clients of 2026-07-28 make it, which declares all that there is.
fn modern(id: impl Into<Value>, method: &str, params: Value) -> String {
    request(id, method, params, json!({"io.github.agent-attest/proof": {}, "io.modelcontextprotocol/tasks": {}}))
}

/// The same with these extensions declared.
fn request(id: impl Into<Value>, method: &str, mut params: Value, extensions: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "roots": {}, "sampling": {}, "extensions": extensions},
    });
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params}).to_string()
}

/// A request as clients of 2025-11-25 make it.
fn legacy(id: impl Into<Value>, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params}).to_string()
}

fn initialize(id: impl Into<Value>) -> String {
    let client = json!({"name": "test", "version": "1"});
    legacy(id, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}))
}

/// The message with something done to it after it was signed.
fn changed(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut message: Value = serde_json::from_str(line).unwrap();
    change(&mut message);
    message.to_string()
}

/// Whoever answers requests, however it is reached.
enum Peer {
    Http(HttpClient, Vec<Served>),
    Stdio(Client),
}

impl Peer {
    fn ask(&mut self, line: &str) -> Value {
        match self {
            Self::Http(client, _) => client.send(line).last(),
            Self::Stdio(client) => {
                assert!(client.send(line), "nobody reads; on standard error: {}", client.said());
                let id = serde_json::from_str::<Value>(line).unwrap()["id"].take();
                client.answer(id)
            }
        }
    }

    /// Sends a notification.
    fn tell(&mut self, line: &str) {
        match self {
            Self::Http(client, _) => assert_eq!(client.send(line).status, 202),
            Self::Stdio(client) => assert!(client.send(line)),
        }
    }

    /// Ends every program in order, the one in front first.
    fn end(self) {
        match self {
            Self::Http(client, served) => {
                drop(client);
                for mut program in served {
                    program.end();
                }
            }
            Self::Stdio(mut client) => drop(client.end()),
        }
    }
}

/// The conformance server, which counts in `runs`.
fn rmcp_server(world: &World) -> Command {
    let mut command = world.place(Command::new(conformance_server()));
    command.args(["--runs", "runs"]);
    command
}

/// `attest guard` over HTTP in front of the endpoint at `url`.
fn http_guard(world: &World, url: &str) -> Served {
    Served::attest(world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--upstream", url]))
}

/// `attest wrap` over HTTP in front of the endpoint at `url`.
fn http_wrap(world: &World, url: &str) -> Served {
    let wrap = ["wrap", "--config", "agent.toml", "--audience", attest_tests::world::AUDIENCE, "--upstream", url];
    let mut wrap = world.attest(&wrap);
    wrap.args(["--listen", "127.0.0.1:0"]);
    Served::attest(wrap)
}

/// A guard in front of the conformance server, over HTTP.
fn guarded_http(world: &World) -> Peer {
    let server = Served::server(rmcp_server(world));
    let guard = http_guard(world, &server.url);
    Peer::Http(HttpClient::new(&guard.url), vec![guard, server])
}

/// `attest guard … --` in front of the conformance server over stdio, as the words of a command.
fn stdio_guard(world: &World) -> Vec<OsString> {
    guard_of(world, vec![conformance_server().into(), "--stdio".into(), "--runs".into(), world.path("runs").into()])
}

fn guard_of(world: &World, server: Vec<OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![attest().into(), "guard".into(), "--config".into()];
    words.extend([world.path("guard.toml").into(), "--".into()]);
    words.extend(server);
    words
}

/// A way to reach a server, by name.
type Named = (&'static str, fn(&World) -> Peer);

/// Both, one after the other.
fn guarded(world: &World) -> impl Iterator<Item = (&'static str, Peer)> {
    let stdio = |world: &World| Peer::Stdio(Client::start(world.command(&stdio_guard(world))));
    let both: [Named; 2] = [("http", guarded_http), ("stdio", stdio)];
    both.into_iter().map(|(name, start)| {
        let mut peer = start(world);
        let discovered = peer.ask(&modern(0, "server/discover", json!({})));
        assert!(discovered["result"]["capabilities"].is_object(), "{name}: {discovered}");
        (name, peer)
    })
}

/// How often the log has let a call of `tool` through.
fn allowed(world: &World, log: &str, tool: &str) -> Vec<Value> {
    let kind = if log == "guard.db" { ("decision", "allow") } else { ("type", "call") };
    world.entries(log, &[kind, ("tool", tool)])
}

/// The outcome of a call, by the hash of its proof.
fn outcomes(world: &World, log: &str, call: &Value) -> Vec<Value> {
    world.entries(log, &[("type", "outcome"), ("call", call.as_str().unwrap())])
}

/// How many refusals for `reason` the log has, those that were only counted too.
fn refused(world: &World, reason: &str) -> u64 {
    let entries = world.entries("guard.db", &[("reason", reason)]);
    entries.iter().map(|entry| entry["count"].as_u64().unwrap_or(1)).sum()
}
