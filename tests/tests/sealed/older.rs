//! Logs of the formats before there was a table of sealed parts: read as they are, and brought to this one by whoever writes.

use std::fs;

use attest_tests::forge::Forge;
use attest_tests::world::must_fail;
use rusqlite::Connection;

use super::common::{Stage, Store, calls};

/// The tables of a file of version 2, as programs of that version made them.
const FILE_2: &str = "
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 0), horizon INTEGER NOT NULL, since INTEGER NOT NULL,
    checkpoint TEXT NOT NULL) STRICT;
CREATE TABLE log_key (since INTEGER PRIMARY KEY, vkey TEXT NOT NULL) STRICT;
CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL, token TEXT) STRICT;
CREATE TABLE token (hash BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, idx))
    STRICT, WITHOUT ROWID;
CREATE TABLE replay (idx INTEGER PRIMARY KEY, scope BLOB NOT NULL, jti BLOB NOT NULL, expires INTEGER NOT NULL) STRICT;
CREATE TABLE open_call (hash BLOB PRIMARY KEY, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cosigned (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
PRAGMA application_id = 1096043591; PRAGMA user_version = 2;";

/// The log of a guard, put into a file of version 2.
fn file_of_version_2() -> Stage {
    let stage = Stage::new(Store::File);
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1..301);
    client.end();
    let path = stage.world.path("guard.db");
    let older = stage.world.path("older.db");
    let file = Connection::open(&older).unwrap();
    file.execute_batch(&format!("{FILE_2} PRAGMA journal_mode = WAL;")).unwrap();
    file.execute("ATTACH ?1 AS made", [path.to_str().unwrap()]).unwrap();
    for table in ["state", "log_key", "entry", "token", "tile", "replay", "open_call", "cosigned"] {
        file.execute(&format!("INSERT INTO {table} SELECT * FROM made.{table}"), []).unwrap();
    }
    file.execute("DETACH made", []).unwrap();
    file.close().unwrap();
    fs::rename(&older, &path).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    stage
}

fn version(stage: &Stage) -> i64 {
    let file = Connection::open(stage.world.path("guard.db")).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_file_of_version_2_is_read_as_it_is_and_changed_by_its_writer() {
    let stage = file_of_version_2();
    let entries = stage.verified()["entries"].as_u64().unwrap();
    assert!(entries > 600, "{entries}");
    stage.said(&["log", "show", "LOG", "300"]);
    assert_eq!(stage.said(&["log", "list", "LOG"]).lines().count() as u64, entries);
    assert_eq!(version(&stage), 2, "reading changes nothing");
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1_000..1_010);
    assert_eq!(version(&stage), 3);
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    client.end();
    assert!(stage.verified()["entries"].as_u64().unwrap() > entries + 20);
}

#[test]
fn a_sealing_changes_a_file_of_version_2_itself_where_nobody_writes_it() {
    let stage = file_of_version_2();
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    assert_eq!(version(&stage), 3);
    stage.verified();
}

#[test]
fn a_file_of_version_2_with_other_tables_is_refused_and_left_alone() {
    let stage = file_of_version_2();
    let file = Connection::open(stage.world.path("guard.db")).unwrap();
    file.execute_batch("CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM replay; END").unwrap();
    file.close().unwrap();
    for refused in [
        must_fail(stage.world.command(&stage.world.guard())),
        must_fail(stage.world.attest(&["log", "seal", "guard.db", "--to", "sealed"])),
        must_fail(stage.world.attest(&["log", "list", "guard.db"])),
    ] {
        assert!(refused.contains("tables that are not those of an attest log"), "{refused}");
    }
    assert_eq!(version(&stage), 2);
}

#[test]
fn a_database_of_version_1_is_read_as_it_is_and_changed_by_the_next_guard() {
    let stage = Stage::new(Store::Database);
    let server = stage.server.as_ref().unwrap();
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1..301);
    client.end();
    let keys = || {
        server.sql(
            "log",
            "SELECT * FROM (SELECT idx, hash, hash_rest FROM attest_log.replay ORDER BY idx LIMIT 300) AS first",
        )
    };
    let kept = keys();
    assert_eq!(kept.lines().count(), 300);
    server.set_back(1);
    let version = || server.sql("log", "SELECT version FROM attest_log.meta").trim().to_owned();
    let entries = stage.verified()["entries"].as_u64().unwrap();
    let refused = must_fail(stage.world.attest(&["log", "seal", &stage.log, "--to", "sealed"]));
    assert!(refused.contains("start a guard of this version once") && refused.contains("read as it is"), "{refused}");
    assert_eq!(stage.said(&["log", "list", &stage.log]).lines().count() as u64, entries, "as that says");
    assert_eq!(version(), "1", "reading changes nothing");
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1_000..1_010);
    assert_eq!(version(), "5");
    assert_eq!(keys(), kept, "SQL hashes as the guard does");
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    client.end();
    assert!(stage.verified()["entries"].as_u64().unwrap() > entries + 20);
}
