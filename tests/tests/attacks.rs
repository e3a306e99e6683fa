//! Breaks that an attacker found, each pinned as what it tried and what must come of it instead.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "attacks/chains.rs"]
mod chains;
#[path = "attacks/files.rs"]
mod files;
#[path = "attacks/flood.rs"]
mod flood;
#[path = "attacks/forged.rs"]
mod forged;
#[path = "attacks/guests.rs"]
mod guests;
#[path = "attacks/http.rs"]
mod http;
#[path = "attacks/ids.rs"]
mod ids;
#[path = "attacks/init.rs"]
mod init;
#[path = "attacks/logs.rs"]
mod logs;

use std::ffi::OsString;

use attest_tests::binaries::attest;
use attest_tests::world::World;
use serde_json::{Value, json};

/// The command of `attacks/careless_server.py`, which keeps each call as it came in `runs`.
fn careless_server(world: &World) -> Vec<OsString> {
    world.write("server.py", include_str!("attacks/careless_server.py"));
    vec!["python3".into(), "-SE".into(), world.path("server.py").into(), world.path("runs").into()]
}

/// `attest guard` in front of any server.
fn guard(world: &World, behind: Vec<OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![attest().into(), "guard".into(), "--config".into()];
    words.extend([world.path("guard.toml").into(), "--".into()]);
    words.extend(behind);
    words
}

/// A call without a proof.
fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params }).to_string()
}

/// The entries of a log that are of this type.
fn of_type(world: &World, log: &str, kind: &str) -> Vec<Value> {
    world.entries(log, &[("type", kind)])
}

/// Ends the signer of a configuration whose socket the world does not look after.
struct Stop<'w>(&'w World, &'static str);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        let _ = self.0.attest(&["signer", "stop", "--config", self.1]).output();
    }
}
