//! What is no log, or can keep none.

use std::fs;

use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, OpenError, Options, PostgresError, Reader, Record};

use super::common::test_key;
use super::postgres::Server;
use super::{NOW, decision, open};

#[test]
fn another_key_is_refused_and_a_verifier_whose_key_was_retired_stops() {
    let server = Server::start();
    let place = server.url("log");
    let log = open(&place).0;
    let other = LogKey::new("log.example/test", MemoryKey::from_seed(&[6; 32])).unwrap();
    let opened = Log::open(&place, other.clone(), Options::default());
    assert!(matches!(opened, Err(OpenError::Key { retired: false, .. })));
    let (rotating, _) = open(&place);
    let next = Record { next_key: Some(Box::new(other.vkey().clone())), ..Record::new("the key changes") };
    rotating.append_blocking(next, NOW).unwrap();
    let refused = log.append_blocking(decision(1), NOW).map(|a| a.index);
    assert_eq!(refused, Err(attest_log::AppendError::Stopped(attest_log::StopReason::Retired)));
    drop((log, rotating));
    assert!(matches!(Log::open(&place, test_key(), Options::default()), Err(OpenError::Key { retired: true, .. })));
    let (log, recovery) = Log::open(&place, other, Options::default()).unwrap();
    assert_eq!(recovery.next, 1);
    assert_eq!(log.append_blocking(decision(1), NOW).unwrap().index, 1);
}

#[test]
fn a_database_that_is_no_log_or_was_changed_or_is_newer_is_refused() {
    let server = Server::start();
    let none = Reader::open(server.url("log"));
    assert!(matches!(none, Err(OpenError::NotALog { .. })));
    for (name, change) in [
        (
            "triggered",
            "CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
            CREATE TRIGGER eat BEFORE INSERT ON replay FOR EACH ROW EXECUTE FUNCTION eat()",
        ),
        ("unkeyed", "ALTER TABLE replay DROP CONSTRAINT replay_hash_hash_rest_key"),
        ("unlogged", "ALTER TABLE replay SET UNLOGGED"),
        ("ruled", "CREATE RULE eat AS ON INSERT TO replay DO INSTEAD NOTHING"),
        ("grown", "ALTER TABLE entry ADD more text"),
    ] {
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        drop(open(server.url(name)));
        server.sql(name, &format!("SET search_path = attest_log; {change}"));
        let opened = Log::open(server.url(name), test_key(), Options::default());
        assert!(matches!(opened, Err(OpenError::Altered { .. })), "{name}");
        assert!(matches!(Reader::open(server.url(name)), Err(OpenError::Altered { .. })), "{name}");
    }
    drop(open(server.url("log")));
    server.sql("log", "UPDATE attest_log.meta SET version = 99");
    let opened = Log::open(server.url("log"), test_key(), Options::default());
    assert!(matches!(opened, Err(OpenError::Schema { found: 99, .. })));
    let away = Log::open("postgresql:///log?host=/nowhere&user=a", test_key(), Options::default());
    assert!(matches!(away, Err(OpenError::Postgres { .. })));
    let wrong = Reader::open("postgresql://a:s3cret@/log?sslmode=perhaps").err().unwrap().to_string();
    assert!(!wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn a_server_that_does_not_sync_is_refused_whatever_it_says_of_single_sessions() {
    let server = Server::start();
    server.sql("postgres", "ALTER DATABASE log SET synchronous_commit = off");
    let log = open(server.url("log")).0;
    // What the database says for every session is not what a commit of ours does.
    log.append_blocking(decision(1), NOW).unwrap();
    drop(log);
    server.sql("postgres", "ALTER SYSTEM SET fsync = off");
    server.sql("postgres", "SELECT pg_reload_conf()");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let opened = Log::open(server.url("log"), test_key(), Options::default()).err().unwrap();
    let setting = matches!(opened, OpenError::Postgres { source: PostgresError::Setting { name: "fsync", .. }, .. });
    assert!(setting, "{opened}");
}

#[test]
fn the_folder_beside_a_shared_log_tells_an_old_copy() {
    let server = Server::start();
    let place = tempfile::tempdir().unwrap();
    let side = place.path().join("side");
    let at = || attest_log::Place::new(server.url("log")).with_side(&side);
    let log = open(at()).0;
    let busy = Log::open(at(), test_key(), Options::default());
    assert!(matches!(busy, Err(OpenError::InUse { .. })), "a folder is one verifier's");
    for n in 0..3 {
        log.append_blocking(decision(n), NOW).unwrap();
    }
    drop(log);
    drop(freed(|| Log::open(at(), test_key(), Options::default())).unwrap());
    server.sql("postgres", "CREATE DATABASE old");
    let old = attest_log::Place::new(server.url("old")).with_side(&side);
    let opened = freed(|| Log::open(&old, test_key(), Options::default()));
    assert!(matches!(opened, Err(OpenError::RolledBack { found: 0, published: 3, .. })));
    drop(freed(|| Log::adopt(&old, test_key(), Options::default(), NOW)).unwrap());
    assert_eq!(freed(|| Log::open(&old, test_key(), Options::default())).unwrap().1.since, NOW);
    // Whoever is new to a log has no record yet.
    fs::remove_file(side.join("log.head")).unwrap();
    drop(freed(|| Log::open(at(), test_key(), Options::default())).unwrap());
}

/// Opens what was closed just now: a process that another test starts at this moment holds a copy of the lock until it runs.
fn freed<T>(open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    for _ in 0..100 {
        match open() {
            Err(OpenError::InUse { .. }) => std::thread::sleep(std::time::Duration::from_millis(20)),
            opened => return opened,
        }
    }
    open()
}
