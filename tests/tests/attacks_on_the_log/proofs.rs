//! One entry, one file, offline; and an old checkpoint against the log of today.

use std::fs;

use attest_tests::world::{must, output};

use super::{GUARD, GUARD_KEY, SIGNER, busy, copy, find, keys, told};

#[test]
fn a_proof_is_checked_offline_and_shows_its_entry() {
    let world = busy(8);
    let key = keys(&world, GUARD).remove(0);
    let at = find(&world, GUARD, &[("decision", "allow")]);
    must(world.attest(&["log", "prove", GUARD, &at.to_string(), "--out", "call.proof"]));
    // Nothing but the file and the key.
    let proof = world.read("call.proof");
    fs::remove_file(world.path(GUARD)).unwrap();
    let (code, told) = told(output(world.attest(&["log", "check-proof", "call.proof", "--key", &key, "--json"])));
    assert_eq!(code, 0, "{told}");
    assert_eq!((told["index"].as_u64(), told["entry"]["decision"].as_str()), (Some(at), Some("allow")));
    assert_eq!(told["origin"], "tools");
    // Any change to it, and any other key, is noticed.
    let other = keys(&world, SIGNER).remove(0);
    let out = output(world.attest(&["log", "check-proof", "call.proof", "--key", &other]));
    assert_eq!(out.status.code(), Some(1), "another key");
    for (n, line) in proof.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let middle = line.len() / 2;
        let Some(there) = line.get(middle..=middle) else { continue };
        let mut changed: Vec<String> = proof.lines().map(str::to_owned).collect();
        changed[n].replace_range(middle..=middle, if there == "7" { "8" } else { "7" });
        world.write("changed.proof", changed.join("\n") + "\n");
        let out = output(world.attest(&["log", "check-proof", "changed.proof", "--key", &key]));
        assert_eq!(out.status.code(), Some(1), "line {n}: {line}");
    }
}

#[test]
fn a_proof_is_not_checked_without_a_key() {
    let world = busy(2);
    must(world.attest(&["log", "prove", GUARD, "0", "--out", "start.proof"]));
    assert_eq!(output(world.attest(&["log", "check-proof", "start.proof"])).status.code(), Some(2));
    let out = output(world.attest(&["log", "check-proof", "nowhere.proof", "--key", &keys(&world, GUARD)[0]]));
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_policy_asks_for_witnesses_that_this_proof_has_not() {
    let world = busy(2);
    must(world.attest(&["log", "prove", GUARD, "0", "--out", "start.proof"]));
    let key = keys(&world, GUARD).remove(0);
    let witness = "witness.example+3d54041b+BPv0nu8gKTVBPjUJnDdFO8iNJE8NNrdVUUVSc0iAhPCO";
    let parsed = attest_core::note::Vkey::parse(witness).is_ok();
    let witness = if parsed { witness.to_owned() } else { a_witness() };
    world.write("witness.policy", format!("witness w {witness}\nquorum w\n"));
    let args = ["log", "check-proof", "start.proof", "--key", &key, "--policy", "witness.policy"];
    assert_eq!(output(world.attest(&args)).status.code(), Some(1));
    world.write("witness.policy", format!("witness w {witness}\nquorum none\n"));
    assert_eq!(output(world.attest(&args)).status.code(), Some(0));
}

fn a_witness() -> String {
    use attest_core::note::{Kind, Vkey};
    use attest_core::sign::{MemoryKey, Sign as _};
    Vkey::new("witness.example", Kind::Witness, MemoryKey::from_seed(&[9; 32]).public().clone()).unwrap().to_string()
}

#[test]
fn an_entry_that_is_not_there_is_not_proven() {
    let world = busy(2);
    let out = output(world.attest(&["log", "prove", GUARD, "100000"]));
    assert!(!out.status.success());
    // Nor one of a log whose entries are not those it signed over.
    let copy = copy(&world, GUARD, "edited.db");
    copy.set_body(1, b"{}").unwrap();
    drop(copy);
    assert!(!output(world.attest(&["log", "prove", "edited.db", "1"])).status.success());
}

#[test]
fn an_old_checkpoint_is_held_against_the_log_of_today() {
    let world = attest_tests::world::World::new();
    let mut client = world.start();
    client.call("echo", serde_json::json!({}));
    let old = attest_log::Reader::open(world.path(GUARD)).unwrap().checkpoint().unwrap();
    world.write("old.checkpoint", &old);
    for _ in 0..5 {
        client.call("echo", serde_json::json!({}));
    }
    client.end();
    let key = keys(&world, GUARD).remove(0);
    let consistency = |log: &str, from: &str| {
        told(output(world.attest(&["log", "consistency", log, "--from", from, "--key", &key, "--json"])))
    };
    let (code, said) = consistency(GUARD, "old.checkpoint");
    assert_eq!((code, said["verdict"].as_str()), (0, Some("consistent")), "{said}");
    assert!(!said["proof"].as_array().unwrap().is_empty(), "{said}");
    let (code, said) = consistency(GUARD, "3");
    assert_eq!((code, said["verdict"].as_str()), (0, Some("proof")), "{said}");

    // A log that was cut, and one that goes another way, both signed by the right key.
    use attest_keys::KeySource;
    let source = KeySource::File(world.path(GUARD_KEY));
    let signing = attest_log::LogKey::of_log(world.path(GUARD), Some(&source), "tools").unwrap();
    let cut = copy(&world, GUARD, "cut.db");
    cut.truncate(1).unwrap();
    cut.sign_anew(&signing).unwrap();
    drop(cut);
    let (code, said) = consistency("cut.db", "old.checkpoint");
    assert_eq!(code, 1, "{said}");
    assert!(said["what"].as_str().unwrap().contains("rolled back"), "{said}");
    let forked = copy(&world, GUARD, "forked.db");
    forked.set_body(1, b"{}").unwrap();
    forked.sign_anew(&signing).unwrap();
    drop(forked);
    let (code, said) = consistency("forked.db", "old.checkpoint");
    assert_eq!((code, said["verdict"].as_str()), (1, Some("not consistent")), "{said}");
    // What is no checkpoint of this log says nothing about it.
    let other = attest_log::Reader::open(world.path(SIGNER)).unwrap().checkpoint().unwrap();
    world.write("other.checkpoint", other);
    assert_eq!(consistency(GUARD, "other.checkpoint").0, 2);
    assert_eq!(consistency(GUARD, "nowhere.checkpoint").0, 2);
}
