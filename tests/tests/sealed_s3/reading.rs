//! What is read, proved, changed and let go there.

use std::process::Command;

use attest_tests::forge::Forge;
use attest_tests::real::{env, real};
use attest_tests::world::{must, must_fail};
use serde_json::Value;

use super::common::{Stage, Store, calls};
use super::{sealed, stage};

/// Everything that verbs say of the first entries.
fn all_of(stage: &Stage, until: &str) -> Vec<String> {
    let listed = stage.said(&["log", "list", "LOG", "--json"]);
    let mut all: Vec<String> = listed.lines().take(600).map(str::to_owned).collect();
    for index in ["0", "255", "300", "511", "512"] {
        all.push(stage.said(&["log", "show", "LOG", index]));
    }
    all.push(stage.said(&["log", "search", "LOG", "--tool", "echo", "--until", until, "--last", "1000", "--json"]));
    all.push(stage.said(&["log", "convert", "LOG", "--as", "jsonl", "--until", until]));
    all
}

fn reads_as_before(store: Store) {
    let (stage, server) = stage(store);
    let call = stage.entries(&[("decision", "allow")]).remove(0)["call"].as_str().unwrap().to_owned();
    let listed = stage.said(&["log", "list", "LOG"]);
    let until = listed.lines().nth(599).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let before = all_of(&stage, &until);
    let traced = stage.said(&["trace", &call, "LOG"]);
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    assert_eq!(stage.rows().1, 512);
    assert_eq!(all_of(&stage, &until), before);
    assert_eq!(stage.said(&["trace", &call, "LOG"]), traced);
    stage.verified();
    must(stage.world.attest(&["log", "prove", &stage.log, "300", "--out", "300.proof"]));
    let key = stage.said(&["log", "key", "LOG"]);
    must(stage.world.attest(&["log", "check-proof", "300.proof", "--key", key.trim()]));
    let names = ["checkpoint", "part/0-512.parquet", "tile/entries/001", "token/000", "token/001"];
    for name in names.map(|name| format!("files/{name}")) {
        assert_eq!(server.names(&name), [name]);
    }
    // A guard that starts on it takes what it needs from there, and the next part joins the first.
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1_000..1_100);
    client.end();
    assert_eq!(stage.seal(&["--before", "768"]), (512, 768));
    assert_eq!(all_of(&stage, &until), before);
    stage.verified();
    let counted = stage.said(&["log", "export", "LOG", "public"]);
    assert!(counted.contains(" entries, "), "{counted}");
}

#[test]
fn a_file_that_is_sealed_to_a_store_reads_as_before() {
    reads_as_before(Store::File);
}

#[test]
fn a_database_that_is_sealed_to_a_store_reads_as_before() {
    reads_as_before(Store::Database);
}

#[test]
fn the_table_of_a_part_has_its_entries_and_their_tokens() {
    let (stage, server) = sealed(Store::File);
    stage.world.write("part.parquet", server.read("files/part/0-512.parquet"));
    let mut query = Command::new(env("export/bin/python"));
    query.arg(real("python/query_parquet.py")).arg(stage.world.path("part.parquet"));
    query.arg("SELECT count(*), min(index), max(index), count(token) FROM entries");
    let said: Value = serde_json::from_slice(&must(query).stdout).unwrap();
    // Each call that was let through has one, and an outcome beside it.
    let tokens = stage.entries(&[]).iter().take(512).filter(|entry| entry["type"] == "decision").count();
    assert_eq!(said, serde_json::json!([[512, 0, 511, tokens]]));
    assert!(tokens > 200, "{tokens}");
}

#[test]
fn what_is_changed_in_a_store_is_noticed() {
    let (stage, server) = sealed(Store::File);
    for name in ["files/tile/entries/001", "files/token/001"] {
        let whole = server.read(name);
        let mut changed = whole.clone();
        // In the last body, or the last token.
        let at = changed.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
        changed[at - 3] ^= 1;
        server.write(name, &changed);
        let (code, unverified) = stage.verify();
        assert_eq!(code, Some(1), "{unverified}");
        if name.contains("token") {
            assert!(unverified.contains("the token beside it is not the one"), "{unverified}");
        } else {
            let refused = must_fail(stage.world.attest(&["log", "list", &stage.log]));
            assert!(refused.contains("is sealed at s3://logs/files in tile/entries/001, is not the one"), "{refused}");
        }
        server.remove(name);
        let (code, refused) = stage.verify();
        assert_eq!(code, Some(2), "{refused}");
        assert!(refused.contains("there is no such file") && refused.contains("s3://logs/files"), "{refused}");
        server.write(name, &whole);
    }
    stage.verified();
}

#[test]
fn tokens_in_a_store_are_let_go() {
    let (stage, server) = sealed(Store::File);
    let forget = ["log", "forget", "LOG", "--key", "keys/guard-log.key", "--before", "512", "--yes"];
    stage.said(&forget);
    assert_eq!(server.names("files/token/"), [""; 0]);
    assert_eq!(server.names("files/part/"), [""; 0]);
    stage.verified();
}

#[test]
fn what_was_sealed_to_a_folder_moves_to_a_store_and_back() {
    let (mut stage, server) = stage(Store::File);
    let to = std::mem::replace(&mut stage.to, "sealed".into());
    assert_eq!(stage.seal(&["--before", "256"]), (0, 256));
    let files = ["tile/entries/000", "token/000"];
    let refused = must_fail(stage.world.attest(&["log", "seal", "guard.db", "--moved-to", &to]));
    assert!(refused.contains("there is no such file"), "{refused}");
    for name in files {
        server.write(&format!("files/{name}"), &std::fs::read(stage.world.path(&format!("sealed/{name}"))).unwrap());
    }
    stage.said(&["log", "seal", "LOG", "--moved-to", &to]);
    std::fs::rename(stage.world.path("sealed"), stage.world.path("elsewhere")).unwrap();
    stage.verified();
    stage.said(&["log", "seal", "LOG", "--moved-to", "elsewhere"]);
    files.iter().for_each(|name| server.remove(&format!("files/{name}")));
    stage.verified();
}
