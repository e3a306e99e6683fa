//! Over HTTP, too, published clients and servers talk as if nothing stood between them: one conversation per client through
//! wrap and guard, some by way of stdio on the client's side or the server's. `scripts/test --long` holds all pairs.
//! See `tests/real/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::ffi::OsString;

use attest_tests::binaries::attest;
use attest_tests::real::{calls_of, is_equal, is_logged, world_for};
use attest_tests::world::{AUDIENCE, World};
use serde_json::json;

/// What stands between client and server.
#[derive(Clone, Copy)]
enum Between {
    /// HTTP, wrap, HTTP, guard, HTTP.
    WrapAndGuard,
    /// stdio, wrap, HTTP, guard, HTTP.
    Bridge,
    /// HTTP, wrap, HTTP, guard, stdio.
    Gateway,
}

/// A command as `tests/real/compare` reads it. Where a program listens is said on standard error, and `compare` reads
/// standard output.
fn listening(words: &[&str]) -> OsString {
    let script = ["sh", "-c", "exec \"$@\" 2>&1", "sh"];
    json!([&script[..], words].concat()).to_string().into()
}

fn through(world: &World, between: Between) -> Vec<OsString> {
    let attest = attest().to_str().unwrap().to_owned();
    let (agent, guard_toml) = (world.text_path("agent.toml"), world.text_path("guard.toml"));
    let signed = [&attest[..], "wrap", "--config", &agent, "--audience", AUDIENCE, "--upstream", "{upstream}"];
    let guarded = [&attest[..], "guard", "--config", &guard_toml, "--listen", "127.0.0.1:0"];
    let wrap = listening(&[&signed[..], &["--listen", "127.0.0.1:0"]].concat());
    let guard = listening(&[&guarded[..], &["--upstream", "{upstream}"]].concat());
    match between {
        Between::WrapAndGuard => vec!["--url-prefix".into(), wrap, "--url-prefix".into(), guard],
        Between::Bridge => {
            vec!["--url-prefix".into(), guard, "--prefix".into(), json!(signed).to_string().into()]
        }
        Between::Gateway => {
            let gateway = listening(&[&guarded[..], &["--"]].concat());
            vec!["--url-prefix".into(), wrap, "--gateway".into(), gateway]
        }
    }
}

/// Holds the conversation both ways; `again` is what the client calls once more with the answers to a question.
fn is_as_without_us(client: &str, scenario: &str, between: Between, again: &[&str]) {
    let world = world_for(scenario);
    is_equal(&world, client, scenario, &through(&world, between));
    let mut calls = calls_of(scenario);
    calls.extend(again.iter().map(|&tool| tool.to_owned()));
    if client == "inspector" {
        calls.truncate(2);
    }
    is_logged(&world, calls);
}

#[test]
fn python_over_http() {
    is_as_without_us("python", "modern", Between::WrapAndGuard, &["greet"]);
}

#[test]
fn python_v1_over_http() {
    is_as_without_us("python-v1", "legacy", Between::WrapAndGuard, &[]);
}

#[test]
fn fastmcp_over_http() {
    is_as_without_us(
        "fastmcp",
        "rounds-fastmcp",
        Between::WrapAndGuard,
        &["greet", "invite", "invite", "invite", "invite"],
    );
}

#[test]
fn node_over_http() {
    is_as_without_us("node", "typescript", Between::WrapAndGuard, &[]);
}

#[test]
fn node_v2_over_http() {
    is_as_without_us("node-v2", "everything", Between::WrapAndGuard, &[]);
}

#[test]
fn inspector_over_http() {
    is_as_without_us("inspector", "everything", Between::WrapAndGuard, &[]);
}

#[test]
fn rmcp_over_http() {
    is_as_without_us("rmcp", "modern", Between::WrapAndGuard, &["greet"]);
}

#[test]
fn a_python_client_that_speaks_stdio_to_a_remote_server() {
    is_as_without_us("python", "modern", Between::Bridge, &["greet"]);
}

#[test]
fn a_node_client_that_speaks_stdio_to_a_remote_server() {
    is_as_without_us("node", "everything", Between::Bridge, &[]);
}

#[test]
fn a_modern_client_over_http_to_a_server_that_speaks_stdio() {
    is_as_without_us("rmcp", "modern", Between::Gateway, &["greet"]);
}

#[test]
fn a_client_with_sessions_over_http_to_a_server_that_speaks_stdio() {
    is_as_without_us("node", "everything", Between::Gateway, &[]);
}
