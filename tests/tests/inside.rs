//! The gate inside a server's own process: the example of `server-verifier`, run as its readers would run it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::ffi::OsString;
use std::process::Command;

use attest_tests::binaries::attested_server;
use attest_tests::client::{Client, reason, text};
use attest_tests::forge::Forge;
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::{AUDIENCE, World};
use serde_json::{Value, json};

const TOOL: &str = "whoami";
const WHO: &str = "tester on behalf of self";

/// The example, and a client of it.
enum Inside {
    Http { server: Served, client: HttpClient },
    Stdio(Client),
}

impl Inside {
    fn both(world: &World) -> impl Iterator<Item = (&'static str, Self)> {
        [("http", Self::http as fn(&World) -> Self), ("stdio", Self::stdio)]
            .into_iter()
            .map(|(n, make)| (n, make(world)))
    }

    fn http(world: &World) -> Self {
        let server = Served::server(world.place(Command::new(attested_server())));
        let client = HttpClient::new(&server.url);
        Self::Http { server, client }.begun()
    }

    fn stdio(world: &World) -> Self {
        let mut command = world.place(Command::new(attested_server()));
        command.arg("--stdio");
        Self::Stdio(Client::start(command)).begun()
    }

    fn begun(mut self) -> Self {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        let answer =
            self.ask(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string());
        assert!(answer["result"]["capabilities"]["tools"].is_object(), "{answer}");
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
        match &mut self {
            Self::Http { client, .. } => assert_eq!(client.send(&initialized).status, 202),
            Self::Stdio(client) => assert!(client.send(initialized)),
        }
        self
    }

    fn ask(&mut self, line: &str) -> Value {
        match self {
            Self::Http { client, .. } => client.send(line).last(),
            Self::Stdio(client) => {
                client.send(line);
                let id = serde_json::from_str::<Value>(line).unwrap()["id"].take();
                client.answer(id)
            }
        }
    }

    fn end(self) {
        match self {
            Self::Http { mut server, .. } => assert!(server.end().success()),
            Self::Stdio(mut client) => assert!(client.end().success()),
        }
    }
}

fn allowed(world: &World) -> Vec<Value> {
    world.entries("guard.db", &[("type", "decision"), ("decision", "allow")])
}

#[test]
fn the_tool_knows_who_calls_it_and_the_call_is_in_the_log() {
    let world = World::granting(&[TOOL]);
    let forge = Forge::of(&world);
    for (way, mut inside) in Inside::both(&world) {
        let before = allowed(&world).len();
        let calls = [json!(7), json!("seven")].map(|id| forge.call(id, TOOL, json!({})));
        for call in &calls {
            assert_eq!(text(&inside.ask(&call.line)), WHO, "{way}");
        }
        inside.end();
        let entries = allowed(&world);
        assert_eq!(entries.len(), before + calls.len(), "{way}");
        for call in &calls {
            let outcome = world.entries("guard.db", &[("type", "outcome"), ("call", &call.call)]);
            assert_eq!(outcome.len(), 1, "{way}");
            assert_eq!(outcome[0]["status"], "result", "{way}");
        }
    }
}

#[test]
fn what_is_unsigned_tampered_with_or_replayed_reaches_no_tool_and_is_counted() {
    let world = World::granting(&[TOOL]);
    let forge = Forge::of(&world);
    for (way, mut inside) in Inside::both(&world) {
        let before = allowed(&world).len();
        let unsigned =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": TOOL, "arguments": {}}});
        assert_eq!(reason(&inside.ask(&unsigned.to_string())), "unauthenticated", "{way}");

        let tampered = forge.call(2, TOOL, json!({})).line.replace(r#""arguments":{}"#, r#""arguments":{"as":"root"}"#);
        assert_eq!(reason(&inside.ask(&tampered)), "params-mismatch", "{way}");

        let good = forge.call(3, TOOL, json!({}));
        assert_eq!(text(&inside.ask(&good.line)), WHO, "{way}");
        assert_eq!(reason(&inside.ask(&good.line)), "replay", "{way}");
        inside.end();

        assert_eq!(allowed(&world).len(), before + 1, "{way}: only the good one");
        for reason in ["params-mismatch", "replay"] {
            let denied = world.entries("guard.db", &[("type", "decision"), ("reason", reason)]);
            assert!(denied.iter().any(|entry| entry["tool"] == TOOL), "{way} {reason}");
        }
        assert!(!world.entries("guard.db", &[("type", "refused"), ("reason", "no-proof")]).is_empty(), "{way}");
    }
}

/// A wrap in front, and nothing made by hand.
#[test]
fn an_agent_behind_wrap_is_named_to_the_tool() {
    let world = World::granting(&[TOOL]);
    let words: Vec<OsString> = vec![attested_server().into(), "--stdio".into()];
    let mut agent = Inside::Stdio(Client::start(world.wrap(AUDIENCE, &words))).begun();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": TOOL}});
    assert_eq!(text(&agent.ask(&call.to_string())), WHO);
    agent.end();

    let server = Served::server(world.place(Command::new(attested_server())));
    let mut wrap = world.attest(&["wrap", "--config", "agent.toml", "--audience", AUDIENCE, "--upstream", &server.url]);
    wrap.args(["--listen", "127.0.0.1:0"]);
    let wrap = Served::attest(wrap);
    let mut agent = Inside::Http { client: HttpClient::new(&wrap.url), server }.begun();
    assert_eq!(text(&agent.ask(&call.to_string())), WHO);
    agent.end();
}
