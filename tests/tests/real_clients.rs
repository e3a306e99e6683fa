//! Published clients talk to published servers as if nothing stood between them: one scripted conversation per client and
//! server, directly and through wrap and guard, and not a byte of difference but our `_meta`. See `tests/real/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::ffi::OsString;
use std::process::Command;

use attest_tests::binaries::attest;
use attest_tests::real::{self, calls_of, env, is_logged, real, world_for};
use attest_tests::world::{AUDIENCE, World, must};
use serde_json::{Value, json};

/// `wrap … -- guard … --`, as the words of a command.
fn chain(world: &World) -> Vec<String> {
    let attest = attest().to_str().unwrap().to_owned();
    let (agent, guard) = (world.text_path("agent.toml"), world.text_path("guard.toml"));
    let wrap = ["wrap", "--config", &agent, "--audience", AUDIENCE, "--"];
    let guard = ["guard", "--config", &guard, "--"];
    let words = [attest.as_str()].into_iter().chain(wrap).chain([attest.as_str()]).chain(guard);
    words.map(str::to_owned).collect()
}

/// Compares a conversation held directly with the same one through wrap and guard, and looks that each of its calls is in
/// both logs.
fn is_equal(client: &str, scenario: &str) {
    let world = world_for(scenario);
    let prefix = json!(chain(&world)).to_string();
    real::is_equal(&world, client, scenario, &["--prefix".into(), prefix.into()]);
    let mut calls = calls_of(scenario);
    // A client that is asked something in the middle of a call (2026-07-28) makes the call once more with the answer.
    if scenario == "modern" {
        calls.push("greet".to_owned());
    }
    is_logged(&world, calls);
}

#[test]
fn python_sees_the_filesystem_server_as_without_us() {
    is_equal("python", "filesystem");
}

#[test]
fn python_sees_the_git_server_as_without_us() {
    is_equal("python", "git");
}

#[test]
fn python_sees_the_everything_server_as_without_us() {
    is_equal("python", "everything");
}

#[test]
fn python_sees_a_modern_server_as_without_us() {
    is_equal("python", "modern");
}

#[test]
fn node_sees_the_filesystem_server_as_without_us() {
    is_equal("node", "filesystem");
}

#[test]
fn node_sees_the_git_server_as_without_us() {
    is_equal("node", "git");
}

#[test]
fn node_sees_the_everything_server_as_without_us() {
    is_equal("node", "everything");
}

/// What each client shows of a refused call.
fn refusals(world: &World, tool: &str, arguments: &Value) -> [Value; 2] {
    let work = world.text_path("work");
    must({
        let mut make = Command::new("python3");
        make.arg(real("make-workdir")).arg(&work);
        make
    });
    let clients: [Vec<OsString>; 2] = [real::client("python"), real::client("node")];
    clients.map(|words| {
        let mut client = world.command(&words);
        client.args(["--workdir", &work, "--env"]).arg(format!("XDG_RUNTIME_DIR={}", world.text_path("run")));
        client.args(["--expect-refusal", tool, &arguments.to_string(), "--"]).args(chain(world));
        client.arg(env("python/bin/mcp-server-git")).args(["--repository", &work]);
        let shown = must(client);
        serde_json::from_slice(&shown.stdout).unwrap()
    })
}

#[test]
fn a_refusal_reaches_each_client_as_an_error_with_its_reason() {
    let world = World::granting(&["git_status"]);
    for refusal in refusals(&world, "git_log", &json!({"repo_path": world.text_path("work")})) {
        assert_eq!(refusal["kind"], "error", "{refusal}");
        assert_eq!(refusal["code"], -31401);
        assert_eq!(refusal["data"], json!({"reason": "tool-not-granted"}));
        assert!(refusal["message"].as_str().unwrap().contains("does not grant this tool"), "{refusal}");
    }
    assert_eq!(world.entries("guard.db", &[("reason", "tool-not-granted"), ("tool", "git_log")]).len(), 2);
}

#[test]
fn a_refusal_reaches_each_client_as_a_tools_error_where_the_operator_wants_that() {
    let world = World::granting(&["git_status"]);
    world.set("guard.toml", "deny_as = \"tool-result\"");
    for refusal in refusals(&world, "git_log", &json!({"repo_path": world.text_path("work")})) {
        assert_eq!(refusal["kind"], "tool-error", "{refusal}");
        assert!(refusal["text"].as_str().unwrap().contains("tool-not-granted"), "{refusal}");
    }
}

#[test]
fn a_drifted_agent_is_told_which_component_drifted() {
    let world = World::granting(&["git_status"]);
    world.write("prompt.txt", "You are careless.");
    for refusal in refusals(&world, "git_status", &json!({"repo_path": world.text_path("work")})) {
        assert_eq!(refusal["data"], json!({"reason": "state-mismatch", "component": "system-prompt"}), "{refusal}");
    }
}
