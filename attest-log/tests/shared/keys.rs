//! What verifiers know of each other's replay keys, as these end.

use attest_log::{AppendError, Freshness, Log, PRUNE_MARGIN, Record, StopReason};

use super::postgres::Server;
use super::{NOW, key, open};

fn with(log: &Log, n: u64, expires: u64, now: u64) -> Result<u64, AppendError> {
    let record = Record { replay: Some(key(n, expires)), ..Record::new(format!("call {n} until {expires}")) };
    log.append_blocking(record, now).map(|made| made.index)
}

#[test]
fn an_id_that_ended_and_is_used_again_is_taken_at_every_verifier_and_stops_none() {
    let server = Server::start();
    let (one, other) = (open(server.url("log")).0, open(server.url("log")).0);
    let (ends, later, far) = (NOW + 300, NOW + 301 + PRUNE_MARGIN, NOW + 9_000);
    assert_eq!(with(&one, 1, ends, NOW), Ok(0));
    assert_eq!(with(&other, 2, far, NOW), Ok(1), "learns of the first");
    assert_eq!(with(&one, 3, far, later), Ok(2), "forgets the first");
    assert_eq!(server.sql("log", "SELECT count(*) FROM attest_log.replay").trim(), "2");
    assert_eq!(with(&one, 1, far, later), Ok(3));
    // One whose clock is behind, and one that forgets the first id by itself.
    for now in [NOW, later] {
        assert!(with(&other, 10 + now, far, now).is_ok());
        for log in [&one, &other] {
            assert_eq!(with(log, 1, far, now), Err(AppendError::Replay));
            assert_eq!(log.stopped(), None);
        }
    }
}

#[test]
fn a_key_that_no_verifier_remembers_is_held_by_the_database() {
    let server = Server::start();
    let log = open(server.url("log")).0;
    log.append_blocking(Record::new("an entry without a key"), NOW).unwrap();
    with(&log, 1, NOW + 300, NOW).unwrap();
    // The same id for an entry that was followed long ago, so that nobody learns of it; hashed here by SQL.
    let other = key(2, NOW + 300);
    let (scope, jti) = (hex(b"key"), hex(&2u64.to_be_bytes()));
    server.sql(
        "log",
        &format!(
            "INSERT INTO attest_log.replay (idx, scope, jti, expires, hash, hash_rest)
             SELECT 0, scope, jti, {}, left(hash, 32)::uuid, right(hash, 32)::uuid
             FROM (SELECT *, encode(sha256(set_byte('\\x00', 0, length(scope)) || scope || jti), 'hex') AS hash
                 FROM (VALUES ('\\x{scope}'::bytea, '\\x{jti}'::bytea)) AS given (scope, jti)) AS hashed",
            other.expires(),
        ),
    );
    assert_eq!(log.freshness(&other), Freshness::Fresh, "not in memory");
    assert_eq!(with(&log, 2, NOW + 300, NOW), Err(AppendError::Stopped(StopReason::Inconsistent)));
    assert_eq!(server.sql("log", "SELECT count(*) FROM attest_log.entry").trim(), "2");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_verifier_forgets_what_others_forgot_however_little_it_writes() {
    let server = Server::start();
    let (busy, idle) = (open(server.url("log")).0, open(server.url("log")).0);
    let (ends, later, far) = (NOW + 300, NOW + 400 + PRUNE_MARGIN, NOW + 9_000);
    for n in 0..100 {
        with(&busy, n, ends, NOW).unwrap();
    }
    with(&idle, 1_000, far, NOW).unwrap();
    assert_eq!(idle.freshness(&key(7, ends)), Freshness::Replay, "learnt");
    for n in 200..210 {
        with(&busy, n, ends + 10, NOW).unwrap();
    }
    for n in 2_000..2_100 {
        with(&busy, n, far, later).unwrap();
    }
    let held = format!("SELECT count(*) FROM attest_log.replay WHERE expires < {far}");
    assert_eq!(server.sql("log", &held).trim(), "0");
    // Refused, and so it writes nothing at all.
    assert_eq!(with(&idle, 1_000, far, NOW), Err(AppendError::Replay));
    with(&idle, 1_001, far, NOW).unwrap();
    for n in 0..100 {
        assert_eq!(idle.freshness(&key(n, ends)), Freshness::Expired, "{n}");
    }
}
