//! What came with old entries is let go: everything that is left is proved and verified as before, and nothing else may be missing.

use std::fs;

use attest_tests::forge::Forge;
use attest_tests::world::{must, must_fail};

use super::common::{Stage, Store, calls};

fn forget<'a>(stage: &'a Stage, words: &[&'a str]) -> Vec<&'a str> {
    [&["log", "forget", &stage.log, "--key", "keys/guard-log.key"], words].concat()
}

#[test]
fn tokens_that_were_let_go_are_not_missed_and_all_else_is() {
    for store in [Store::File, Store::Database] {
        let stage = Stage::new(store);
        let world = &stage.world;
        let forge = Forge::of(world);
        let mut client = stage.guard();
        calls(&mut client, &forge, 1..301);
        client.end();
        assert_eq!(stage.seal(&["--before", "256"]), (0, 256));
        assert_eq!(stage.seal(&["--before", "512"]), (256, 512));
        must(world.attest(&["log", "prove", &stage.log, "100", "--out", "before.tlog-proof"]));
        let listed = stage.entries(&[]);

        let nothing = stage.said(&forget(&stage, &["--before", "255", "--yes"]));
        assert!(nothing.contains("no sealed part"), "{nothing}");
        let refused = must_fail(world.attest(&forget(&stage, &["--before", "300"])));
        assert!(refused.contains("nothing was done") && refused.contains("before 256"), "{refused}");
        assert!(world.path("sealed/token/000").exists());
        let gone = stage.said(&forget(&stage, &["--before", "300", "--yes"]));
        assert!(gone.contains("before 256 are gone"), "{gone}");
        assert!(!world.path("sealed/token/000").exists() && world.path("sealed/token/001").exists());
        assert!(
            !world.path("sealed/part/0-256.parquet").exists() && world.path("sealed/part/256-512.parquet").exists()
        );

        let (code, said) = stage.verify();
        assert_eq!(code, Some(0), "{said}");
        let after = stage.entries(&[]);
        assert_eq!(after[..listed.len()], listed, "every entry is there");
        assert_eq!(
            (after[listed.len()]["type"].as_str(), after[listed.len()]["before"].as_u64()),
            (Some("forgotten"), Some(256))
        );
        let key = stage.said(&["log", "key", "LOG"]);
        must(world.attest(&["log", "check-proof", "before.tlog-proof", "--key", key.trim()]));
        must(world.attest(&["log", "prove", &stage.log, "100", "--out", "after.tlog-proof"]));
        must(world.attest(&["log", "check-proof", "after.tlog-proof", "--key", key.trim()]));
        for words in [
            &["log", "search", &stage.log][..],
            &["log", "show", &stage.log, "100"],
            &["timeline", &stage.log],
            &["log", "convert", &stage.log, "--as", "jsonl"],
        ] {
            must(world.attest(words));
        }
        // A guard goes on with it.
        let mut client = stage.guard();
        calls(&mut client, &forge, 301..303);
        client.end();
        assert_eq!(stage.verify().0, Some(0));
        // Again there is nothing to do, and no second entry.
        stage.said(&forget(&stage, &["--before", "300", "--yes"]));
        assert_eq!(stage.entries(&[("type", "forgotten")]).len(), 1);

        // What was not let go is missed.
        fs::remove_file(world.path("sealed/token/001")).unwrap();
        let (code, said) = stage.verify();
        assert_eq!(code, Some(2), "{said}");
        // Nor is it enough to mark it in the tables.
        match &stage.server {
            Some(server) => drop(server.sql("log", "UPDATE attest_log.sealed SET forgotten = true")),
            None => rusqlite::Connection::open(world.path("guard.db"))
                .unwrap()
                .execute_batch("UPDATE sealed SET forgotten = 1")
                .unwrap(),
        }
        let (code, said) = stage.verify();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("is not that of its `forgotten` entries"), "{said}");
    }
}

#[test]
fn a_letting_go_that_was_cut_off_is_finished_by_the_next() {
    let stage = Stage::new(Store::File);
    let world = &stage.world;
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(world), 1..151);
    client.end();
    assert_eq!(stage.seal(&["--before", "256"]), (0, 256));
    let kept = fs::read(world.path("sealed/token/000")).unwrap();
    stage.said(&forget(&stage, &["--before", "256", "--yes"]));
    // As if it had ended behind its entry.
    fs::write(world.path("sealed/token/000"), kept).unwrap();
    let db = rusqlite::Connection::open(world.path("guard.db")).unwrap();
    db.execute_batch("UPDATE sealed SET forgotten = 0").unwrap();
    drop(db);
    let (code, said) = stage.verify();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("run it again"), "{said}");
    let refused = must_fail(world.attest(&forget(&stage, &["--before", "1"])));
    assert!(refused.contains("before 256"), "{refused}");
    stage.said(&forget(&stage, &["--before", "1", "--yes"]));
    assert!(!world.path("sealed/token/000").exists());
    assert_eq!(stage.verify().0, Some(0));
    assert_eq!(stage.entries(&[("type", "forgotten")]).len(), 1);
}
