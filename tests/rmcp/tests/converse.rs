//! The scripted client against the fixture, over both transports and in both eras.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use attest_rmcp::converse::{Era, Script, Server, Talk};
use attest_rmcp::serve::{listen, serve, url};
use attest_rmcp::server::{Fixture, service};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios.json")
}

/// What was written down, line by line; panics when anything was not as the scenario expects.
async fn transcript(server: Server, scenario: &str, era: Era) -> Vec<Value> {
    let script = Script::Scenario { name: scenario.to_owned(), file: Some(scenarios()) };
    let mut out = Vec::new();
    let surprises = Talk { server, script, era, workdir: None }.hold(&mut out).await.unwrap();
    assert_eq!(surprises, Vec::<String>::new(), "{}", String::from_utf8_lossy(&out));
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn over_stdio() -> Server {
    let program = env!("CARGO_BIN_EXE_conformance-server").to_owned();
    Server::Command { words: vec![program, "--stdio".to_owned()], env: Vec::new() }
}

/// The fixture in this process; ends with the test's runtime.
async fn over_http() -> Server {
    let (fixture, stop) = (Fixture::new(None).unwrap(), CancellationToken::new());
    let listener = listen(LOOPBACK).await.unwrap();
    let url = url(&listener).unwrap();
    tokio::spawn(serve(listener, service(&fixture, &stop), stop));
    Server::Url { url, headers: Vec::new() }
}

fn step<'a>(transcript: &'a [Value], name: &str) -> &'a Value {
    &transcript.iter().find(|line| line["step"] == name).unwrap_or_else(|| panic!("no step {name}"))["outcome"]
}

#[tokio::test]
async fn over_stdio_and_over_http_a_server_says_the_same() {
    for (era, version) in [(Era::Auto, "2026-07-28"), (Era::Legacy, "2025-11-25")] {
        let stdio = transcript(over_stdio(), "plain", era).await;
        let http = transcript(over_http().await, "plain", era).await;
        assert_eq!(stdio, http);
        assert_eq!(step(&stdio, "connect")["protocol"], version);
        assert_eq!(step(&stdio, "progress")["progress"].as_array().unwrap().len(), 3);
        assert_eq!(step(&stdio, "header")["result"]["content"][0]["text"], "naïve “text” ✓");
    }
}

#[tokio::test]
async fn in_a_session_the_server_asks_by_requests_of_its_own() {
    for server in [over_stdio(), over_http().await] {
        let lines = transcript(server, "sessions", Era::Legacy).await;
        assert_eq!(step(&lines, "asks-model")["asked"][0]["method"], "sampling/createMessage");
        assert_eq!(step(&lines, "asks-user")["asked"][0]["params"]["message"], "Who are you?");
        let logged = step(&lines, "notifications").as_array().unwrap();
        let data: Vec<_> = logged.iter().map(|message| message["params"]["data"].as_str().unwrap()).collect();
        assert_eq!(data, ["Tool execution started", "Tool processing data", "Tool execution completed"]);
    }
}

#[tokio::test]
async fn without_a_session_the_server_asks_in_its_answer() {
    for server in [over_stdio(), over_http().await] {
        let lines = transcript(server, "rounds", Era::Auto).await;
        assert_eq!(step(&lines, "asks-user")["result"]["content"][0]["text"], "Hello, Ada!");
        assert_eq!(step(&lines, "asks-model")["asked"][0]["method"], "sampling/createMessage");
        assert_eq!(step(&lines, "asks-twice")["asked"].as_array().unwrap().len(), 2);
        assert_eq!(step(&lines, "needs-tasks")["error"]["code"], -32021);
    }
}

/// The program itself, with a server over stdio that notes its runs.
fn program(what: &[&str], runs: &Path) -> Output {
    let server = [env!("CARGO_BIN_EXE_conformance-server"), "--stdio", "--runs", runs.to_str().unwrap()];
    Command::new(env!("CARGO_BIN_EXE_converse")).args(what).arg("--").args(server).output().unwrap()
}

#[test]
fn a_refusal_is_told_from_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let status = |what: &[&str]| program(what, &runs).status.code();
    assert_eq!(status(&["--call", "test_simple_text", "{}"]), Some(0));
    assert_eq!(status(&["--call", "test_error_handling", "{}"]), Some(1));
    assert_eq!(status(&["--expect-refusal", "test_simple_text", "{}"]), Some(1));
    let refused = program(&["--expect-refusal", "no_such_tool", "{}"], &runs);
    assert_eq!(refused.status.code(), Some(0));
    let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&line["kind"], &line["code"]), (&Value::from("error"), &Value::from(-32602)));
    let refused = program(&["--expect-refusal", "test_error_handling", "{}"], &runs);
    let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(line["kind"], "tool-error");
    assert_eq!(line["text"], "This tool intentionally returns an error for testing");
}

#[test]
fn each_run_of_a_tool_is_noted_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    program(&["--call", "no_such_tool", "{}"], &runs);
    assert_eq!(fs::read_to_string(&runs).unwrap(), "");
    program(&["--times", "2", "--call", "greet", r#"{"name":"Ada"}"#], &runs);
    let text = fs::read_to_string(&runs).unwrap();
    let noted: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = serde_json::json!({"arguments": {"name": "Ada"}, "tool": "greet"});
    assert_eq!(noted, [run.clone(), run]);
}

#[test]
fn without_a_conversation_the_status_is_2() {
    let status =
        |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_converse")).args(words).output().unwrap().status.code();
    let call = ["--call", "greet", "{}"];
    assert_eq!(status(&call), Some(2), "no server");
    assert_eq!(status(&[&call[..], &["--", "/no/such/program"]].concat()), Some(2), "a program that is not there");
    assert_eq!(status(&[&call[..], &["--", "true"]].concat()), Some(2), "a program that is no server");
    // Port 1 is reserved (tcpmux), and nothing listens there.
    assert_eq!(status(&[&call[..], &["--url", "http://127.0.0.1:1/mcp"]].concat()), Some(2), "nobody listens");
    assert_eq!(status(&["--scenario", "none", "--url", "http://127.0.0.1:1/mcp"]), Some(2), "no such scenario");
}
