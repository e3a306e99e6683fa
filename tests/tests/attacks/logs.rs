//! Logs that somebody edited, and what verifies them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attest_tests::client::reason;
use attest_tests::world::{World, must, output};
use rusqlite::Connection;
use serde_json::{Value, json};

/// A world whose guard let one call through, and has ended.
fn called() -> World {
    let world = World::new();
    call(&world);
    world
}

fn call(world: &World) {
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    client.end();
}

fn edit(world: &World, change: &str) {
    Connection::open(world.path("guard.db")).unwrap().execute_batch(change).unwrap();
}

/// Exit code and checks that failed, of `attest log verify` with these arguments.
fn verified(world: &World, args: &[&str]) -> (i32, Vec<String>) {
    let mut words = vec!["log", "verify", "guard.db", "--json", "--all"];
    words.extend(args);
    let done = output(world.attest(&words));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let mut checks: Vec<String> = findings.iter().map(|f| f["check"].as_str().unwrap().to_owned()).collect();
    checks.dedup();
    (done.status.code().unwrap(), checks)
}

fn ends_in_time(mut command: Command) -> i32 {
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap();
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it goes on and on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_window_that_says_it_forgot_what_it_cannot_have_forgotten_is_named() {
    for horizon in ["-1", "9223372036854775807", "4000000000"] {
        let world = called();
        assert_eq!(verified(&world, &["--unpinned"]), (0, vec![]));
        edit(&world, &format!("DELETE FROM replay; UPDATE state SET horizon = {horizon}"));
        assert_eq!(verified(&world, &["--unpinned"]), (1, vec!["replay-window".to_owned()]), "{horizon}");
    }
}

#[test]
fn an_entry_far_behind_the_last_is_named_and_not_walked_to() {
    let world = called();
    edit(&world, &format!("INSERT INTO entry VALUES ({}, x'00', NULL)", 1_u64 << 62));
    assert_eq!(ends_in_time(world.attest(&["log", "verify", "guard.db", "--unpinned"])), 1);
}

#[test]
fn a_log_that_a_retired_key_signed_last_is_not_pinned_by_the_key_in_force() {
    let world = called();
    let key = || String::from_utf8(must(world.attest(&["log", "key", "guard.db"])).stdout).unwrap();
    must(world.attest(&["log", "rotate", "guard.db", "--key", "keys/guard-log.key", "--new-key", "next.key"]));
    let lines = key();
    let (old, new) = lines.trim().split_once('\n').unwrap();
    // Whoever has the old key alone can make a log that ends like this one, of entries of his own.
    assert_eq!(verified(&world, &["--key", new]), (2, vec![]));
    assert_eq!(verified(&world, &["--key", old, "--key", new]), (0, vec![]));
    let consistent = |args: &[&str]| {
        let mut words = vec!["log", "consistency", "guard.db", "--from", "1"];
        words.extend(args);
        output(world.attest(&words)).status.code()
    };
    assert_eq!(consistent(&["--key", new]), Some(2));
    assert_eq!(consistent(&["--key", old, "--key", new]), Some(0));
    // Once the new one has signed, it has signed all of it.
    world.edit("guard.toml", "keys/guard-log.key", "next.key");
    let mut client = world.start_guard();
    client.end();
    assert_eq!(verified(&world, &["--key", new]), (0, vec![]));
    assert_eq!(consistent(&["--key", new]), Some(0));
}
