//! A real log, made by a real guard and a real wrap, and everything that can be done to it: `spec/attacks.md`, row by row, and
//! the commands that tell.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "attacks_on_the_log/ownership.rs"]
mod ownership;
#[path = "attacks_on_the_log/proofs.rs"]
mod proofs;
#[path = "attacks_on_the_log/reconcile.rs"]
mod reconcile;
#[path = "attacks_on_the_log/replay.rs"]
mod replay;
#[path = "attacks_on_the_log/several.rs"]
mod several;
#[path = "attacks_on_the_log/table.rs"]
mod table;
#[path = "attacks_on_the_log/verify.rs"]
mod verify;

use std::path::PathBuf;
use std::process::Output;

use attest_log::danger::{self, Copy};
use attest_tests::world::{World, must, output};
use serde_json::{Value, json};

/// The guard's log and its key.
const GUARD: &str = "guard.db";
const GUARD_KEY: &str = "keys/guard-log.key";
/// The caller's.
const SIGNER: &str = "signer.db";

/// A world in which calls were made, some of them refused, before and after a restart of the guard; guard and signer have
/// ended.
fn busy(calls: usize) -> World {
    let world = World::granting(&["echo", "fail", "show"]);
    for half in 0..2 {
        let mut client = world.start();
        for n in (0..calls).filter(|n| n % 2 == half) {
            // One of four is refused: no grant.
            let tool = ["echo", "fail", "show", "big"][n / 2 % 4];
            client.call(tool, json!({ "text": format!("call {n}") }));
        }
        client.end();
    }
    must(world.attest(&["signer", "stop"]));
    world
}

/// The keys of a log, as its owner prints them.
fn keys(world: &World, log: &str) -> Vec<String> {
    let out = must(world.attest(&["log", "key", log]));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// `attest log verify` with the log's keys pinned, its exit code and what it says for machines.
fn verify(world: &World, log: &str, more: &[&str]) -> (i32, Value) {
    let keys = keys(world, log);
    let mut args = vec!["log", "verify", log, "--json", "--all"];
    for key in &keys {
        args.extend(["--key", key]);
    }
    args.extend(more);
    told(output(world.attest(&args)))
}

/// Exit code and JSON.
fn told(out: Output) -> (i32, Value) {
    let code = out.status.code().expect("it was not killed");
    let text = String::from_utf8(out.stdout).unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The checks that found something, in order.
fn checks(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["check"].as_str().unwrap().to_owned()).collect()
}

/// A copy of a log, beside it, open to everything.
fn copy(world: &World, log: &str, to: &str) -> Copy {
    danger::copy(world.path(log), &world.path(to)).unwrap()
}

/// The index of the first entry that has these members.
fn find(world: &World, log: &str, members: &[(&str, &str)]) -> u64 {
    let all = world.log(log);
    let found = all.iter().position(|entry| members.iter().all(|(name, value)| entry[*name] == *value));
    found.unwrap_or_else(|| panic!("no {members:?} in {log}")) as u64
}

/// The bytes of an entry with a member set.
fn with(entry: &Value, member: &str, value: Value) -> Vec<u8> {
    let mut entry = entry.clone();
    entry[member] = value;
    attest_core::json::parse(entry.to_string().as_bytes()).unwrap().to_canonical()
}

/// A path that does not exist yet.
fn fresh(world: &World, name: &str) -> PathBuf {
    let path = world.path(name);
    assert!(!path.exists());
    path
}
