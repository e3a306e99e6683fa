//! `attest log verify`: what it takes for whole, what it does not, and how it says so.

use attest_core::digest::Digest;
use attest_tests::world::output;
use serde_json::json;

use super::{GUARD, GUARD_KEY, SIGNER, busy, checks, copy, find, keys, told, verify, with};

#[test]
fn a_real_log_of_either_side_is_whole_with_its_key_pinned() {
    let world = busy(16);
    for log in [GUARD, SIGNER] {
        let (code, report) = verify(&world, log, &["--trust", "guard.toml"]);
        assert_eq!((code, report["verdict"].as_str()), (0, Some("whole")), "{report}");
        assert_eq!(report["unchecked_signatures"], 0, "{report}");
        assert_eq!(report["pinned"], true);
    }
    let (_, report) = verify(&world, GUARD, &[]);
    assert_eq!(report["unchecked_signatures"].as_u64().unwrap() % 2, 0, "attestation and root, of each pair");
    assert!(report["unchecked_signatures"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["calls"], 12);
    assert_eq!(report["outcomes"], 12);
}

#[test]
fn without_a_pinned_key_nothing_is_verified_unless_the_logs_word_is_asked_for() {
    let world = busy(4);
    let (code, report) = told(output(world.attest(&["log", "verify", GUARD, "--json"])));
    assert_eq!((code, report["verdict"].as_str()), (2, Some("not pinned")), "{report}");
    let (code, _) = told(output(world.attest(&["log", "verify", GUARD, "--unpinned", "--json"])));
    assert_eq!(code, 0);
    let other = keys(&world, SIGNER).remove(0);
    let (code, report) = told(output(world.attest(&["log", "verify", GUARD, "--key", &other, "--json"])));
    assert_eq!((code, checks(&report)), (1, vec!["pinned-key".to_owned()]), "{report}");
}

#[test]
fn what_cannot_be_read_is_not_called_wrong() {
    let world = busy(2);
    world.write("text.db", "no database");
    for args in [
        &["log", "verify", "nowhere.db"][..],
        &["log", "verify", "text.db"],
        &["log", "verify", GUARD, "--key", "tools+00000000+AAAA"],
        &["log", "verify", GUARD, "--trust", "nowhere.toml"],
        &["log", "verify", GUARD, "--policy", "nowhere.policy"],
    ] {
        assert_eq!(output(world.attest(args)).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn the_first_wrong_entry_is_named_and_how_it_is_wrong() {
    let world = busy(8);
    let at = find(&world, GUARD, &[("decision", "allow")]);
    let entry = &world.log(GUARD)[usize::try_from(at).unwrap()];
    for (name, member, value, check) in [
        ("tool", "tool", json!("big"), "agreement"),
        ("time", "time", json!(1), "time"),
        ("type", "type", json!("nothing"), "entry"),
        ("policy", "policy", json!(Digest::of("x").to_b64()), "context"),
    ] {
        let file = format!("{name}.db");
        copy(&world, GUARD, &file).set_body(at, &with(entry, member, value)).unwrap();
        let (code, report) = verify(&world, &file, &[]);
        assert_eq!(code, 1, "{report}");
        assert_eq!(report["findings"][0]["index"], at, "{report}");
        assert!(checks(&report).contains(&check.to_owned()), "{name}: {report}");
        assert!(checks(&report).contains(&"checkpoint".to_owned()), "the root shows it too: {report}");
    }
}

#[test]
fn the_entry_that_differs_is_named_where_a_whole_tile_is_over_it() {
    let world = busy(180);
    let at = find(&world, GUARD, &[("type", "outcome")]);
    let entry = &world.log(GUARD)[usize::try_from(at).unwrap()];
    // An outcome has no token that would tell.
    copy(&world, GUARD, "edited.db").set_body(at, &with(entry, "status", json!("cancelled"))).unwrap();
    let (code, report) = verify(&world, "edited.db", &[]);
    assert_eq!(code, 1);
    assert_eq!((report["findings"][0]["index"].as_u64(), checks(&report)[0].as_str()), (Some(at), "tile"), "{report}");
}

#[test]
fn only_the_first_is_said_unless_all_is_asked_for() {
    let world = busy(8);
    let copy = copy(&world, GUARD, "edited.db");
    for index in 0..4 {
        copy.set_body(index, b"{}").unwrap();
    }
    drop(copy);
    let key = keys(&world, GUARD).remove(0);
    let (_, one) = told(output(world.attest(&["log", "verify", "edited.db", "--key", &key, "--json"])));
    assert_eq!(one["findings"].as_array().unwrap().len(), 1, "{one}");
    assert!(one["faults"].as_u64().unwrap() > 4, "{one}");
    let (_, all) = verify(&world, "edited.db", &[]);
    assert_eq!(all["findings"].as_array().unwrap().len() as u64, all["faults"].as_u64().unwrap());
}

#[test]
fn attesters_and_roots_have_to_be_pinned_where_the_configuration_is_given() {
    let world = busy(4);
    let config = world.read("guard.toml");
    // The keys of the two exchanged: each is somebody's, and neither in its role.
    let x: Vec<&str> = config.match_indices("x = \"").map(|(at, _)| &config[at + 5..at + 48]).collect();
    let other = config.replace(x[0], "0").replace(x[1], x[0]).replace("x = \"0\"", &format!("x = \"{}\"", x[1]));
    world.write("other.toml", other);
    let (code, report) = verify(&world, GUARD, &["--trust", "other.toml"]);
    assert_eq!(code, 1, "{report}");
    assert!(report["findings"][0]["what"].as_str().unwrap().contains("unknown-attester"), "{report}");
}

#[test]
fn a_log_is_verified_while_its_guard_writes_it() {
    let world = attest_tests::world::World::new();
    let mut client = world.start();
    client.call("echo", json!({}));
    std::thread::scope(|scope| {
        let verifying = scope.spawn(|| {
            for _ in 0..10 {
                let (code, report) = verify(&world, GUARD, &["--trust", "guard.toml"]);
                assert_eq!(code, 0, "{report}");
                let (code, report) = verify(&world, SIGNER, &["--trust", "guard.toml"]);
                assert_eq!(code, 0, "{report}");
            }
        });
        while !verifying.is_finished() {
            client.call("echo", json!({}));
        }
        verifying.join().unwrap();
    });
}

#[test]
fn what_witnesses_saw_is_held_against_the_entries_and_their_times() {
    use attest_core::checkpoint::Checkpoint;
    use attest_core::cosignature;
    use attest_core::note::{Kind, Vkey};
    use attest_core::sign::{MemoryKey, Sign as _};
    use attest_keys::{KeySource, SecretKey};
    use attest_log::{LogKey, Reader};

    let world = busy(12);
    let witness = MemoryKey::from_seed(&[9; 32]);
    let name = Vkey::new("witness.example", Kind::Witness, witness.public().clone()).unwrap();
    world.write("witness.policy", format!("witness w {name}\nquorum w\n"));
    let key = LogKey::of_log(world.path(GUARD), Some(&KeySource::File(world.path(GUARD_KEY))), "tools").unwrap();
    let signing = SecretKey::read(&world.path(GUARD_KEY)).unwrap();
    let entries = world.log(GUARD);
    // As a witness would have seen the log at half its length, at the time of the last entry there.
    let size = entries.len() as u64 / 2;
    let root = Reader::open(world.path(GUARD)).unwrap().root(size).unwrap();
    let checkpoint = Checkpoint { origin: "tools".to_owned(), size, root };
    let at = entries[usize::try_from(size).unwrap() - 1]["time"].as_u64().unwrap() / 1_000;
    let cosigned = |checkpoint: &Checkpoint, time| {
        let note = checkpoint.sign(key.vkey(), &signing).unwrap();
        let line = cosignature::sign(&checkpoint.to_text(), time, &name, &witness).unwrap();
        format!("{note}{line}")
    };
    let verdict = |file: &str, note: &str| {
        copy(&world, GUARD, file).add_cosigned(size, note).unwrap();
        let (code, report) = verify(&world, file, &["--policy", "witness.policy"]);
        (code, checks(&report), report)
    };
    let (code, _, report) = verdict("good.db", &cosigned(&checkpoint, at));
    assert_eq!((code, report["witnessed_size"].as_u64()), (0, Some(size)), "{report}");

    let (code, report) = verify(&world, GUARD, &["--policy", "witness.policy"]);
    assert_eq!((code, checks(&report)), (1, vec!["cosigned".to_owned()]), "nobody cosigned: {report}");

    let other = Checkpoint { root: [7; 32], ..checkpoint.clone() };
    let (code, found, report) = verdict("other.db", &cosigned(&other, at));
    assert_eq!((code, found), (1, vec!["cosigned".to_owned()]), "another root: {report}");

    let (code, found, report) = verdict("early.db", &cosigned(&checkpoint, at - 7_200));
    assert_eq!((code, found), (1, vec!["witnessed-time".to_owned()]), "entries that were not there yet: {report}");

    let (code, found, report) = verdict("late.db", &cosigned(&checkpoint, at + 7_200));
    assert_eq!(code, 1, "{report}");
    assert!(
        found.iter().all(|check| check == "witnessed-time"),
        "entries that came later and are dated before: {report}"
    );
    assert_eq!(report["findings"][0]["index"], size, "{report}");

    let forged = cosigned(&checkpoint, at).replacen("witness.example ", "witness.example A", 1);
    let (code, found, _) = verdict("forged.db", &forged);
    assert_eq!(code, 1);
    assert!(found.contains(&"cosigned".to_owned()), "{found:?}");

    // A line of the log's in the policy pins its key.
    world.write("pins.policy", format!("log {}\nwitness w {name}\nquorum w\n", key.vkey()));
    let out = output(world.attest(&["log", "verify", "good.db", "--policy", "pins.policy", "--json"]));
    assert_eq!(told(out).0, 0);
}
