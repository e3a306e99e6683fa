//! The same policies in the signer: servers without a guard are covered too.

use std::ffi::OsString;

use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::world::{AUDIENCE, World, must};
use serde_json::{Value, json};

/// A signer under policies, in front of the counting server and no guard.
fn alone(policy: &str) -> World {
    let world = World::new().without_receipts();
    let risk = String::from_utf8(must(world.attest(&["policy", "show-default", "--risk"])).stdout).unwrap();
    world.write("risk.toml", format!("{risk}\n[classes.shown]\nrisk = \"high\"\ntools = [\"tools#show\"]\n[classes.plain]\nrisk = \"low\"\ntools = [\"tools#echo\"]\n"));
    // No key of a log is pinned where there is no guard.
    let text = world.read("agent.toml");
    let text = text.split("[[server]]").next().unwrap();
    world.write("agent.toml", format!("{text}\n[policy]\nrisk = \"risk.toml\"\n{policy}\n"));
    world
}

fn start(world: &World) -> Client {
    Client::start(world.wrap(AUDIENCE, &world.server()))
}

const ALL: &str = "@id(\"all\")\npermit (principal, action, resource);\n";

#[test]
fn what_a_policy_forbids_is_not_signed_and_reaches_no_server() {
    let world = alone("files = [\"mine.cedar\"]\n[trail]");
    world.write(
        "mine.cedar",
        format!(
            "{ALL}@id(\"no-secrets\")\nforbid (principal == Agent::\"tester\", action, resource == Tool::\"tools#echo\")\n\
             when {{ context.components has \"system-prompt\" && context.texts.hasTag(\"/text\") && context.texts.getTag(\"/text\") like \"*secret*\" }};\n"
        ),
    );
    let mut client = start(&world);
    assert!(text(&client.call("echo", json!({"text": "hello"}))).contains("hello"));
    assert_eq!(reason(&client.call("echo", json!({"text": "the secret"}))), "policy-denied");
    assert_eq!(reason(&client.call("echo", json!({"text": 1.5}))), "policy-error", "not skipped");
    client.end();
    assert_eq!(world.runs().len(), 1);
    let refused: Vec<Value> = world.log("signer.db").into_iter().filter(|e| e["event"]["what"] == "refused").collect();
    assert_eq!(refused.len(), 2, "the caller's trail has both");
    assert_eq!(refused[0]["event"]["reason"], "policy-denied");
}

#[test]
fn without_a_guard_the_signer_measures_anew_and_has_nobody_to_ask_for_approval() {
    let world = alone("files = [\"mine.cedar\"]");
    let asks = |step: &str| {
        format!(
            "{ALL}@id(\"asks\")\n{step}\nforbid (principal, action, resource) when {{ context.risk.contains(Risk::\"high\") }};\n"
        )
    };
    world.write("mine.cedar", asks("@step_up(\"reattest\")"));
    let mut client = start(&world);
    // What was written a moment ago is measured again for a while.
    let attestations = || -> Vec<Value> {
        world.entries("signer.db", &[("type", "call")]).into_iter().map(|mut call| call["attestation"].take()).collect()
    };
    let last = eventually("two calls under one attestation", || {
        assert!(client.call("echo", json!({"text": "a"}))["result"].is_object());
        let all = attestations();
        (all.len() > 1 && all[all.len() - 2] == all[all.len() - 1]).then(|| all[all.len() - 1].clone())
    });
    assert!(client.call("show", json!({}))["result"].is_object());
    client.end();
    assert_ne!(attestations().last().unwrap(), &last, "measured for this call");
    must(world.attest(&["signer", "stop"]));

    world.write("mine.cedar", asks("@step_up(\"approval\")\n@approval(\"1 of treasury\")"));
    let mut client = start(&world);
    assert_eq!(reason(&client.call("show", json!({}))), "policy-denied");
    client.end();
    assert_eq!(world.runs().iter().filter(|run| run["tool"] == "show").count(), 1);
}

#[test]
fn what_a_guard_asks_for_is_left_to_the_guard_and_what_is_forbidden_is_not() {
    let world = super::levelled("default = true");
    let forbid = "@id(\"no-echo\")\nforbid (principal, action, resource == Tool::\"tools#echo\");\n";
    let default = String::from_utf8(must(world.attest(&["policy", "show-default"])).stdout).unwrap();
    world.write("own.cedar", format!("{default}{forbid}"));
    world.write(
        "agent.toml",
        format!("{}\n[policy]\nrisk = \"risk.toml\"\nfiles = [\"own.cedar\"]\n", world.read("agent.toml")),
    );
    let mut client = world.start();
    assert!(client.call("show", json!({}))["result"].is_object(), "the guard asked, and got it");
    assert_eq!(reason(&client.call("echo", json!({"text": "a"}))), "policy-denied");
    client.end();
    assert_eq!(world.entries("guard.db", &[("tool", "echo")]).len(), 0, "it never left");
}

/// A server that says of one of its tools that it destroys.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = {"content": [{"type": "text", "text": "done"}]}
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    if message["method"] == "tools/list":
        schema = {"type": "object"}
        result = {"tools": [{"name": "frob", "inputSchema": schema, "annotations": {"destructiveHint": True}},
                            {"name": "get_frob", "inputSchema": schema, "annotations": {"readOnlyHint": True}}]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

#[test]
fn what_a_server_says_of_its_tools_raises_what_could_come_of_a_call_in_guard_and_signer() {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), SERVER).unwrap();
    let server: Vec<OsString> = vec!["python3".into(), "-SE".into(), script.path().into()];
    let world = World::before(&server);
    let high = format!(
        "{ALL}@id(\"high\")\nforbid (principal, action, resource) when {{ context.risk.contains(Risk::\"high\") }};\n"
    );
    world.write("mine.cedar", high);
    let policy = "[policy]\nfiles = [\"mine.cedar\"]\n[trail]\n";
    for (config, log) in [("guard.toml", "guard.db"), ("agent.toml", "signer.db")] {
        let before = world.read(config);
        world.write(config, format!("{before}\n{policy}"));
        let mut guard = world.guard();
        guard.truncate(4);
        let mut client = Client::start(world.wrap(AUDIENCE, &[guard, vec!["--".into()], server.clone()].concat()));
        assert!(client.call("frob", json!({}))["result"].is_object(), "{log}: nothing is known of it yet");
        let asked = client.ask("tools/list", json!({}));
        client.answer(asked);
        assert_eq!(reason(&client.call("frob", json!({}))), "policy-denied", "{log}");
        assert!(client.call("get_frob", json!({}))["result"].is_object(), "{log}");
        client.end();
        must(world.attest(&["signer", "stop"]));
        world.write(config, before);
    }
}
