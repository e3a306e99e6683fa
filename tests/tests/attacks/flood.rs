//! What anybody can send without end: it buys neither the log's disk nor the guard's attention.

use std::ffi::OsString;

use attest_tests::client::{Client, reason};
use attest_tests::forge::Forge;
use attest_tests::world::World;
use serde_json::{Value, json};

use super::{call, of_type};

#[test]
fn copies_of_a_call_that_somebody_saw_under_another_name_are_counted_and_put_no_word_into_the_agents_mouth() {
    const COPIES: u64 = 300;
    let world = World::new();
    let seen = Forge::of(&world).call(0, "echo", json!({}));
    let mut client = world.start_guard();
    client.send(&seen.line);
    assert_eq!(reason(&client.answer(0)), "");
    let mut copy: Value = serde_json::from_str(&seen.line).unwrap();
    copy["params"]["name"] = json!("wipe_everything");
    for id in 1..=COPIES {
        copy["id"] = json!(id);
        client.send(copy.to_string());
    }
    for id in 1..=COPIES {
        assert_eq!(reason(&client.answer(id)), "tool-mismatch");
    }
    client.end();
    assert_eq!(world.runs().len(), 1);

    let denied = world.entries("guard.db", &[("decision", "deny")]);
    let counted = of_type(&world, "guard.db", "refused");
    assert!(counted.iter().all(|entry| entry["reason"] == "tool-mismatch"), "{counted:?}");
    let sum: u64 = counted.iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
    assert_eq!(sum + denied.len() as u64, COPIES);
    // At once, at the end, and perhaps every ten seconds between on a busy machine.
    assert!(!denied.is_empty() && denied.len() + counted.len() <= 12, "{denied:?} {counted:?}");
    assert!(denied.iter().all(|entry| entry["tool"] == "echo" && entry["call"] == *seen.call), "{denied:?}");
    assert!(!world.log("guard.db").iter().any(|entry| entry.to_string().contains("wipe_everything")));
}

#[test]
fn a_guard_whose_messages_nobody_reads_answers_all_the_same() {
    const CALLS: u64 = 3_000;
    let world = World::new();
    // A pipe that its own writer keeps open, filled to the brim.
    let script = "mkfifo full; exec 2<>full; dd if=/dev/zero of=full bs=4096 oflag=nonblock 2>brim; \
                  grep -q 'unavailable' brim || exit 99; exec \"$@\"";
    let mut words: Vec<OsString> = ["sh", "-c", script, "sh"].map(Into::into).into();
    words.extend(world.guard());
    let mut command = world.command(&words);
    command.env("ATTEST_LOG", "debug").env("LC_ALL", "C");
    let mut client = Client::start(command);
    // In batches that fit a pipe, so that a guard which stands still ends the test instead of holding it up.
    for first in (1..=CALLS).step_by(100) {
        for id in first..first + 100 {
            assert!(client.send(call(id, "echo", json!({}))));
        }
        for id in first..first + 100 {
            assert_eq!(reason(&client.answer(id)), "unauthenticated");
        }
    }
    assert!(client.end().success());
    let counted = of_type(&world, "guard.db", "refused");
    assert_eq!(counted.iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>(), CALLS);
}
