//! What is attested is what the agent is given and runs with, and a change of it shows with the next call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::ffi::OsString;

use attest_core::digest::Digest;
use attest_core::json;
use attest_tests::binaries::attest;
use attest_tests::client::{Client, reason, text};
use attest_tests::world::{AUDIENCE, World, tests_folder};
use serde_json::{Value, json};

fn open(client: &mut Client) -> Value {
    let id = client.ask(
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}),
    );
    client.answer(id);
    list(client)
}

fn list(client: &mut Client) -> Value {
    let id = client.ask("tools/list", json!({}));
    client.answer(id)["result"]["tools"].take()
}

/// The digest of the tool manifest, by the rules of `spec/measurement.md` and by nobody's code.
fn manifest(tools: &Value) -> String {
    let mut tools: Vec<&Value> = tools.as_array().unwrap().iter().collect();
    tools.sort_by_key(|tool| tool["name"].as_str().unwrap());
    let lines: Vec<String> = tools.into_iter().map(line).collect();
    Digest::of(format!("[{}]", lines.join(","))).to_b64()
}

fn line(tool: &Value) -> String {
    let schema = tool["inputSchema"].to_string();
    let schema = Digest::of(json::parse(schema.as_bytes()).unwrap().to_canonical()).to_b64();
    let description = Digest::of(tool["description"].as_str().unwrap()).to_b64();
    let name = tool["name"].as_str().unwrap();
    format!(r#"{{"description":"{description}","name":"{name}","schema":"{schema}","server":"{AUDIENCE}"}}"#)
}

#[test]
fn a_tool_that_changes_under_its_name_changes_the_state_with_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let script = tests_folder().join("tests/trail/poisoned_server.py");
    let server: Vec<OsString> = vec!["python3".into(), "-SE".into(), script.into(), folder.path().join("runs").into()];
    let world = World::before(&server);
    world.edit("agent.toml", "[measure]\n", "[measure]\ntools = true\n");
    world.write("agent.toml", world.read("agent.toml") + "\n[trail]\n");
    let guard: Vec<OsString> =
        [attest().into(), "guard".into(), "--config".into(), world.path("guard.toml").into(), "--".into()]
            .into_iter()
            .chain(server)
            .collect();

    // A reference that nobody knows yet.
    let (none, agents) = ("A".repeat(43), "[agents.\"tester\"]\n");
    let reference = |digest: &str| format!("tool-manifest = {{ digests = [\"{digest}\"], grade = \"in-use\" }}\n");
    world.edit("guard.toml", agents, &format!("{agents}{}", reference(&none)));
    let mut client = Client::start(world.wrap(AUDIENCE, &guard));
    let id = client.ask_tool("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&client.answer(id)), "component-missing", "nothing was listed yet");
    let tools = open(&mut client);
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    client.end();

    world.edit("guard.toml", &none, &manifest(&tools));
    let mut client = Client::start(world.wrap(AUDIENCE, &guard));
    open(&mut client);
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert!(text(&answer).contains("Bern"), "{answer}");
    // Listed again, nothing is different.
    list(&mut client);
    assert!(text(&client.call("approve", json!({}))).contains("done"));
    let changed = list(&mut client);
    assert_ne!(manifest(&changed), manifest(&tools));
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    assert!(answer.to_string().contains("tool-manifest"), "the component is named: {answer}");
}
