//! A signer that is told to end while it measures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::world::{TOOLS, World, must_fail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// Weights that take many minutes to read and no disk: one hole.
fn huge(world: &World) {
    File::create(world.path("new")).unwrap().set_len(1 << 41).unwrap();
    fs::rename(world.path("new"), world.path("weights.bin")).unwrap();
}

fn world() -> World {
    World::with(&TOOLS, &["--prompt", "prompt.txt", "--weights", "weights.bin"])
}

/// The socket of a signer that measures.
fn starting(world: &World) -> Option<PathBuf> {
    let all = fs::read_dir(world.path("run/attest")).ok()?.map(|entry| entry.unwrap().path());
    all.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "starting"))
}

/// `attest signer stop`, which must not take as long as the measurement.
fn stop(world: &World) -> String {
    let mut stop = Client::start(world.attest(&["signer", "stop"]));
    assert!(stop.wait().success(), "{}", stop.said());
    stop.drain();
    stop.take_kept().into_iter().map(|message| message.line).collect()
}

/// How somebody ends a signer.
type Way = fn(&World, &Client);

#[test]
fn a_signer_that_measures_for_the_first_time_ends_when_it_is_told_to() {
    let world = world();
    huge(&world);
    let ways: [(&str, Way); 2] = [
        ("attest signer stop", |world, _| {
            let said = stop(world);
            assert!(said.contains("ended before it had measured the agent"), "{said}");
        }),
        ("SIGTERM", |_, signer| {
            let pid = Pid::from_raw(i32::try_from(signer.pid()).unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
        }),
    ];
    for (way, end) in ways {
        let mut signer = Client::start(world.attest(&["signer", "run"]));
        eventually("a signer that measures", || starting(&world));
        let other = must_fail(world.attest(&["signer", "run"]));
        assert!(other.contains("measures this agent already"), "{way}: {other}");
        end(&world, &signer);
        assert!(!signer.wait().success(), "{way}");
        assert!(signer.said().contains("measuring was stopped"), "{way}: {}", signer.said());
        assert_eq!(starting(&world), None, "{way}");
        assert!(!world.path("signer.db").exists(), "{way}: nothing is begun");
    }
    let none = world.attest(&["signer", "stop"]).status().unwrap();
    assert_eq!(none.code(), Some(3), "none is left");
}

#[test]
fn a_signer_that_measures_again_ends_when_it_is_told_to_and_the_call_that_waited_is_refused() {
    let world = world();
    let mut client = world.start();
    assert!(text(&client.call("echo", json!({"text": "one"}))).contains("one"));
    assert_eq!(starting(&world), None, "it has measured");
    huge(&world);
    let waits = client.ask_tool("echo", json!({"text": "two"}));
    std::thread::sleep(Duration::from_millis(500));
    let said = stop(&world);
    assert!(said.contains("ended: process"), "{said}");
    let answer = client.answer(waits);
    assert_eq!(reason(&answer), "not-measured", "{answer}");
    assert_eq!(world.runs().len(), 1);
}
