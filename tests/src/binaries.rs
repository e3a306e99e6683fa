//! The built binaries, for tests that run them as a person would.
//!
//! `CARGO_BIN_EXE_…` exists only within the package that has the binary, so cargo is asked to build them: all at once and for the
//! whole workspace, so that they share every build of a dependency with the tests, in the profile that the tests themselves
//! were built in. Nothing is rebuilt where nothing changed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "without its binary a test cannot begin, and must stop with the reason"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The binary `attest`.
pub fn attest() -> PathBuf {
    built("attest")
}

/// The binary `server-verifier`.
pub fn server_verifier() -> PathBuf {
    built("server-verifier")
}

/// The example of a server with the gate inside.
pub fn attested_server() -> PathBuf {
    built("attested_server")
}

/// The server on rmcp that HTTP tricks are tried on.
pub fn count_server() -> PathBuf {
    built("attest-count-server")
}

/// The server that the conformance suite is run against, without attest or with the layer in it.
pub fn conformance_server() -> PathBuf {
    built("conformance-server")
}

/// The client that the conformance suite is run with.
pub fn conformance_client() -> PathBuf {
    built("conformance-client")
}

/// An agent on rmcp that is itself a server.
pub fn assistant() -> PathBuf {
    built("assistant")
}

/// rmcp's client, scripted as those of `tests/real`.
pub fn converse() -> PathBuf {
    built("converse")
}

/// What is built; the one that is an example comes with those.
const PROGRAMS: [&str; 7] = [
    "attest",
    "server-verifier",
    "attest-count-server",
    "conformance-server",
    "conformance-client",
    "assistant",
    "converse",
];

fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    built.get(name).unwrap_or_else(|| panic!("cargo named no executable {name}")).clone()
}

fn build() -> BTreeMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        // Of the whole workspace, and with the examples, so that cargo counts the features that tests need; by name, since the benches' are
        // many and nobody's here.
        .args(["build", "--workspace", "--examples", "--message-format=json-render-diagnostics"])
        .args(PROGRAMS.map(|name| format!("--bin={name}")))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // Cargo tells a test of what package it is, and the build script of `ring` asks for that: it and all above it would be built anew at
    // every change from the tests to their binaries and back.
    let of_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in std::env::vars().map(|(name, _)| name).filter(|name| of_this_package(name)) {
        command.env_remove(name);
    }
    if in_release() {
        command.arg("--release");
    }
    for (on, feature) in [(cfg!(feature = "tpm"), "attest-cli/tpm"), (cfg!(feature = "s3"), "attest-cli/s3")] {
        if on {
            command.args(["--features", feature]);
        }
    }
    // What scripts/test has built with: else cargo would build all that a feature touches anew.
    if let Ok(features) = std::env::var("ATTEST_TEST_FEATURES") {
        command.args(["--features", &features]);
    }
    let output = command.output().expect("cargo can be started");
    assert!(output.status.success(), "cargo build failed");
    // Cargo says where it put them; that holds for every target folder and target triple.
    String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect()
}

/// Name and path of the binary that one of cargo's messages is about.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    Some((message.pointer("/target/name")?.as_str()?.to_owned(), path))
}

/// Tests run from `<target>/<profile>/deps/<test>`, or the profile's own folder.
fn in_release() -> bool {
    let own = std::env::current_exe().expect("the test knows its own path");
    own.ancestors().take(3).filter_map(Path::file_name).any(|name| name == "release")
}
