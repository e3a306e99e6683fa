//! The built binaries, for tests that run them as a person would.
//!
//! `CARGO_BIN_EXE_…` exists only within the package that has the binary, so cargo is asked to build it, once per test
//! process, in the profile that the tests themselves were built in. Nothing is rebuilt where nothing changed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "without its binary a test cannot begin, and must stop with the reason"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The binary `attest`.
pub fn attest() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("attest-cli", "--bin", "attest")).clone()
}

/// The binary `server-verifier`.
pub fn server_verifier() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("server-verifier", "--bin", "server-verifier")).clone()
}

/// The example of a server with the gate inside. Built beside [`conformance_server`], so that both take rmcp and all below it
/// from one build.
pub fn attested_server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_with(&["server-verifier", "attest-rmcp"], "--example", "attested_server")).clone()
}

/// The server on rmcp that HTTP tricks are tried on.
pub fn count_server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("attest-count-server", "--bin", "attest-count-server")).clone()
}

/// The server that the conformance suite is run against, without attest or with the layer in it.
pub fn conformance_server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("attest-rmcp", "--bin", "conformance-server")).clone()
}

/// The client that the conformance suite is run with.
pub fn conformance_client() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("attest-rmcp", "--bin", "conformance-client")).clone()
}

/// rmcp's client, scripted as those of `tests/real`.
pub fn converse() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("attest-rmcp", "--bin", "converse")).clone()
}

fn build(package: &str, kind: &str, binary: &str) -> PathBuf {
    build_with(&[package], kind, binary)
}

fn build_with(packages: &[&str], kind: &str, binary: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", kind, binary])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if in_release() {
        command.arg("--release");
    }
    let output = command.output().expect("cargo can be started");
    assert!(output.status.success(), "cargo build {kind} {binary} failed");
    // Cargo says where it put it; that holds for every target folder and target triple.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| executable(line, binary))
        .unwrap_or_else(|| panic!("cargo named no executable {binary}"))
}

/// The path in one of cargo's messages, if it is the one about `binary`.
fn executable(message: &str, binary: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.pointer("/target/name")?.as_str()? != binary {
        return None;
    }
    Some(PathBuf::from(message.get("executable")?.as_str()?))
}

/// Tests run from `<target>/<profile>/deps/<test>`, or the profile's own folder.
fn in_release() -> bool {
    let own = std::env::current_exe().expect("the test knows its own path");
    own.ancestors().take(3).filter_map(Path::file_name).any(|name| name == "release")
}
