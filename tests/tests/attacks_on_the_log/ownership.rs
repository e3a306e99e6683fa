//! A log's key changes, and a log is taken over by hand.

use std::fs;

use attest_tests::client::{reason, text};
use attest_tests::world::{must, must_fail, output};
use serde_json::json;

use super::{GUARD, GUARD_KEY, busy, checks, copy, fresh, keys, told, verify};

#[test]
fn a_rotated_log_is_whole_goes_on_and_never_takes_its_old_key_back() {
    let world = busy(6);
    let before = keys(&world, GUARD);
    fresh(&world, "keys/second.key");
    let rotate = ["log", "rotate", GUARD, "--key", GUARD_KEY, "--new-key", "keys/second.key", "--json"];
    let (code, said) = told(output(world.attest(&rotate)));
    assert_eq!(code, 0, "{said}");
    let (index, after) = (said["index"].as_u64().unwrap(), keys(&world, GUARD));
    assert_eq!(after[0], format!("{} until {}", before[0], index + 1), "{after:?}");
    assert_eq!(after.len(), 2);
    assert_eq!(verify(&world, GUARD, &[]).0, 0);

    // The new key has signed nothing yet, so that it alone pins nothing; the old one alone is not the log's any more.
    let pinned = |key: &str| told(output(world.attest(&["log", "verify", GUARD, "--key", key, "--json"])));
    assert_eq!(pinned(&after[1]).0, 2);
    let (code, report) = pinned(&before[0]);
    assert_eq!((code, checks(&report)), (1, vec!["pinned-key".to_owned()]), "{report}");
    let early = format!("{} until 2", before[0]);
    let (code, _) =
        told(output(world.attest(&["log", "verify", GUARD, "--key", &early, "--key", &after[1], "--json"])));
    assert_eq!(code, 1, "retired at another size");

    // The guard does not start with the old key, and with the new one it goes on.
    let said = must_fail(world.command(&world.guard()));
    assert!(said.contains("retired"), "{said}");
    world.edit("guard.toml", "keys/guard-log.key", "keys/second.key");
    world.edit("agent.toml", &format!("[\"{}\"]", before[0]), &format!("[\"{}\", \"{}\"]", after[0], after[1]));
    let mut client = world.start();
    assert!(text(&client.call("echo", json!({"text": "on"}))).contains("on"));
    client.end();
    must(world.attest(&["signer", "stop"]));
    assert_eq!(verify(&world, GUARD, &["--trust", "guard.toml"]).0, 0);
    assert_eq!(pinned(&after[1]).0, 0, "now the new one alone is enough");

    // Nor does the old one come back by another rotation.
    let back = ["log", "rotate", GUARD, "--key", "keys/second.key", "--new-key", GUARD_KEY];
    let said = must_fail(world.attest(&back));
    assert!(said.contains("does not come back"), "{said}");
    let said = must_fail(world.attest(&["log", "rotate", GUARD, "--key", GUARD_KEY, "--new-key", "keys/third.key"]));
    assert!(said.contains("retired"), "{said}");
    assert!(!world.path("keys/third.key").exists(), "no key was made for nothing");
    assert_eq!(verify(&world, GUARD, &[]).0, 0, "and all of that changed nothing");
}

#[test]
fn an_old_copy_does_not_start_and_is_taken_over_by_hand_at_a_price() {
    let world = busy(4);
    // The log as it was, before more calls.
    drop(copy(&world, GUARD, "old.db"));
    let mut client = world.start();
    client.call("echo", json!({"text": "lost"}));
    client.end();
    must(world.attest(&["signer", "stop"]));
    let newer = fs::read(world.path("guard.db.head")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.path(&format!("{GUARD}{suffix}")));
    }
    fs::rename(world.path("old.db"), world.path(GUARD)).unwrap();
    fs::write(world.path("guard.db.head"), &newer).unwrap();

    let said = must_fail(world.command(&world.guard()));
    assert!(said.contains("an old copy was put in its place"), "{said}");
    let (code, report) = verify(&world, GUARD, &[]);
    assert_eq!((code, checks(&report)), (1, vec!["head".to_owned()]), "{report}");
    let adopt = ["log", "adopt", GUARD, "--key", GUARD_KEY];
    let said = must_fail(world.attest(&adopt));
    assert!(said.contains("costs") && said.contains("--yes"), "{said}");
    assert_eq!(fs::read(world.path("guard.db.head")).unwrap(), newer, "asked, and nothing done");

    let (code, said) = told(output(world.attest(&[&adopt[..], &["--yes", "--json"]].concat())));
    assert_eq!((code, said["adopted"].as_bool()), (0, Some(true)), "{said}");
    let entry = &world.log(GUARD)[usize::try_from(said["index"].as_u64().unwrap()).unwrap()];
    assert_eq!((entry["type"].as_str(), &entry["size"]), (Some("adopted"), &said["index"]));
    let (code, report) = verify(&world, GUARD, &[]);
    assert_eq!(code, 0, "{report}");
    let (code, said) = told(output(world.attest(&[&adopt[..], &["--yes", "--json"]].concat())));
    assert_eq!((code, said["adopted"].as_bool()), (0, Some(false)), "once is enough: {said}");

    // Calls signed before, by a clock that may be ahead by the skew, could be among those that are lost.
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({"text": "early"}))), "stale");
    client.end();

    // It goes on, and what it lost is contradicted by what the caller holds.
    world.set("guard.toml", "skew_seconds = 1");
    let mut client = world.start();
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert!(text(&client.call("echo", json!({"text": "on"}))).contains("on"));
    client.end();
    must(world.attest(&["signer", "stop"]));
    assert_eq!(verify(&world, GUARD, &["--trust", "guard.toml"]).0, 0);
    let (code, said) = told(output(world.attest(&["log", "reconcile", "signer.db", GUARD, "--json"])));
    assert_eq!(code, 1, "{said}");
    let differences: Vec<_> = said["differences"].as_array().unwrap().iter().map(|d| d["difference"].clone()).collect();
    assert!(differences.contains(&json!("receipt")) && differences.contains(&json!("only-caller")), "{said}");
}

#[test]
fn a_log_without_its_record_is_taken_over_by_hand() {
    let world = busy(2);
    fs::remove_file(world.path("guard.db.head")).unwrap();
    assert!(must_fail(world.command(&world.guard())).contains("is missing"));
    let (_, report) = verify(&world, GUARD, &[]);
    assert_eq!(checks(&report), ["head"]);
    must(world.attest(&["log", "adopt", GUARD, "--key", GUARD_KEY, "--yes"]));
    assert_eq!(verify(&world, GUARD, &[]).0, 0);
}
