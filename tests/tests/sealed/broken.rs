//! What is changed or missing where entries are sealed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use attest_core::merkle::check_inclusion;
use attest_core::tile::read_bundle;
use attest_tests::forge::Forge;
use attest_tests::world::{must, must_fail};
use serde_json::Value;

use super::common::{Stage, Store, calls};

/// A log whose first 512 entries are sealed, closed.
fn sealed(store: Store) -> Stage {
    let stage = Stage::new(store);
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1..301);
    client.end();
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    let mode = fs::metadata(stage.world.path("sealed")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "tokens are for whoever may read the log");
    stage
}

#[test]
fn a_byte_of_a_sealed_body_is_noticed_wherever_it_is_read() {
    for store in [Store::File, Store::Database] {
        let stage = sealed(store);
        assert_eq!(stage.verify().0, Some(0));
        let path = stage.world.path("sealed/tile/entries/001");
        let mut file = fs::read(&path).unwrap();
        // In the fourth entry, past its length.
        let at: usize = read_bundle(&file, 256).unwrap().iter().take(3).map(|body| 2 + body.len()).sum();
        file[at + 40] ^= 1;
        fs::write(&path, file).unwrap();
        let (code, said) = stage.verify();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("259"), "{said}");
        for words in [
            &["log", "show", &stage.log, "259"][..],
            &["log", "list", &stage.log],
            &["log", "convert", &stage.log, "--as", "jsonl"],
        ] {
            let refused = must_fail(stage.world.attest(words));
            assert!(refused.contains("entry 259, which is sealed at") && refused.contains("not the one"), "{refused}");
        }
        // What is before it in the same file is still what it was.
        must(stage.world.attest(&["log", "show", &stage.log, "258"]));
    }
}

#[test]
fn a_byte_of_a_sealed_token_is_noticed() {
    let stage = sealed(Store::File);
    let path = stage.world.path("sealed/token/000");
    let mut file = fs::read(&path).unwrap();
    // In the file's last token.
    let at = file.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
    file[at - 3] = if file[at - 3] == b'A' { b'B' } else { b'A' };
    fs::write(&path, &file).unwrap();
    let (code, said) = stage.verify();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the token beside it is not the one"), "{said}");
    // And it is not what a bundle of evidence is made of, nor what a place may be moved with.
    fs::rename(stage.world.path("sealed"), stage.world.path("elsewhere")).unwrap();
    let refused = must_fail(stage.world.attest(&["log", "seal", "guard.db", "--moved-to", "elsewhere"]));
    assert!(refused.contains("the token beside entry 2"), "{refused}");
}

#[test]
fn a_part_that_is_not_there_is_said_with_what_to_do_and_may_have_moved() {
    for store in [Store::File, Store::Database] {
        let stage = sealed(store);
        fs::rename(stage.world.path("sealed"), stage.world.path("elsewhere")).unwrap();
        let (code, said) = stage.verify();
        assert_eq!(code, Some(2), "{said}");
        let refused = must_fail(stage.world.attest(&["log", "show", &stage.log, "300"]));
        for said in [&said, &refused] {
            assert!(said.contains("are sealed at") && said.contains("--moved-to"), "{said}");
        }
        assert!(refused.contains("entries 256 to 511"), "{refused}");
        // What is in the log is shown all the same, and proved.
        must(stage.world.attest(&["log", "show", &stage.log, "520"]));
        must(stage.world.attest(&["log", "prove", &stage.log, "520", "--out", "520.proof"]));
        let reader = stage.reader();
        let size = reader.len().unwrap();
        let tile = reader.tile(0, 1, size).unwrap();
        let leaf: [u8; 32] = tile[..32].try_into().unwrap();
        check_inclusion(&leaf, 256, size, &reader.inclusion(256, size).unwrap(), &reader.root(size).unwrap()).unwrap();
        let moved = stage.said(&["log", "seal", "LOG", "--moved-to", "elsewhere", "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&moved).unwrap()["moved"], 512);
        stage.verified();
    }
}

#[test]
fn files_of_a_part_that_are_cut_short_or_gone_are_said_by_name() {
    let stage = sealed(Store::File);
    for name in ["tile/entries/000", "token/001"] {
        let path = stage.world.path(&format!("sealed/{name}"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let (code, said) = stage.verify();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(name) && said.contains("cut short"), "{said}");
        fs::remove_file(&path).unwrap();
        let (code, said) = stage.verify();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(name) && said.contains("no such file"), "{said}");
        fs::write(&path, whole).unwrap();
    }
    stage.verified();
}

#[test]
fn a_log_with_a_wrong_token_or_entry_is_not_sealed() {
    let stage = Stage::new(Store::File);
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1..301);
    client.end();
    for (what, said) in [
        (
            "UPDATE entry SET token = replace(token, '.', '_')
          WHERE idx = (SELECT min(idx) FROM entry WHERE idx > 300 AND token IS NOT NULL)",
            "token beside entry",
        ),
        (
            "UPDATE entry SET body = CAST(replace(body, 'echo', 'ohce') AS BLOB) 
          WHERE idx = (SELECT min(idx) FROM entry WHERE idx > 300 AND token IS NOT NULL)",
            "is not the one that the tree",
        ),
    ] {
        fs::copy(stage.world.path("guard.db"), stage.world.path("changed.db")).unwrap();
        fs::copy(stage.world.path("guard.db.head"), stage.world.path("changed.db.head")).unwrap();
        let file = rusqlite::Connection::open(stage.world.path("changed.db")).unwrap();
        assert!(file.execute(what, []).unwrap() > 0);
        let rows = |file: &rusqlite::Connection| {
            file.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let before = rows(&file);
        let refused = must_fail(stage.world.attest(&["log", "seal", "changed.db", "--to", "not", "--before", "512"]));
        assert!(refused.contains(said), "{refused}");
        assert_eq!(rows(&file), before);
    }
}
