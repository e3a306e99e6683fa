//! A replay key is taken once: across restarts, and past the moment it is forgotten.

mod common;

use std::path::{Path, PathBuf};

use attest_log::{AppendError, Freshness, Log, Options, PRUNE_MARGIN, Reader, Record, Recovery, ReplayKey, danger};
use common::test_key;
use rusqlite::Connection;
use tempfile::TempDir;

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log.db");
    (place, path)
}

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn open(path: &Path) -> (Log, Recovery) {
    Log::open(path, test_key(), Options::default()).unwrap()
}

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn key(jti: u64, expires: u64) -> ReplayKey {
    ReplayKey::new(b"key", &jti.to_be_bytes(), expires).unwrap()
}

fn with(key: &ReplayKey) -> Record {
    Record { replay: Some(key.clone()), ..Record::new("decision") }
}

#[test]
fn a_key_is_taken_once_and_still_after_a_restart() {
    let (_place, path) = place();
    let (log, _) = open(&path);
    let used = key(1, 1_000);
    assert!(!log.seen(&used));
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Ok(0));
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Err(AppendError::Replay));
    // Another expiry does not make it another key, nor does it free it.
    assert_eq!(log.append_blocking(with(&key(1, 2_000)), 900).map(|a| a.index), Err(AppendError::Replay));
    drop(log);
    let (log, recovery) = open(&path);
    assert_eq!((recovery.next, recovery.replay_keys), (1, 1));
    assert_eq!(log.freshness(&used), Freshness::Replay);
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Err(AppendError::Replay));
    let other_scope = ReplayKey::new(b"other", &1u64.to_be_bytes(), 1_000).unwrap();
    assert_eq!(log.append_blocking(with(&other_scope), 900).map(|a| a.index), Ok(1));
    assert_eq!(Reader::open(&path).unwrap().len().unwrap(), 2);
}

#[test]
fn a_pruned_key_is_refused_as_expired_also_after_a_restart() {
    let (_place, path) = place();
    let (log, _) = open(&path);
    let used = key(1, 1_000);
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Ok(0));
    // Within the margin it is still known by name.
    assert_eq!(log.append_blocking(Record::new("x"), 1_000 + PRUNE_MARGIN).map(|a| a.index), Ok(1));
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Err(AppendError::Replay));
    assert_eq!(log.append_blocking(Record::new("x"), 1_001 + PRUNE_MARGIN).map(|a| a.index), Ok(2));
    // However the clock is set back.
    assert_eq!(log.append_blocking(with(&used), 0).map(|a| a.index), Err(AppendError::Expired));
    assert_eq!(log.freshness(&used), Freshness::Expired);
    assert!(log.seen(&used));
    drop(log);
    let (log, recovery) = open(&path);
    assert_eq!((recovery.replay_keys, recovery.horizon), (0, 1_000));
    assert_eq!(log.append_blocking(with(&used), 0).map(|a| a.index), Err(AppendError::Expired));
    // One that never was used cannot be told from it; one that ends a second later can.
    assert_eq!(log.append_blocking(with(&key(2, 1_000)), 900).map(|a| a.index), Err(AppendError::Expired));
    assert_eq!(log.append_blocking(with(&key(2, 1_001)), 900).map(|a| a.index), Ok(3));
}

#[test]
fn no_key_is_evicted_inside_its_window_however_many_come() {
    let (_place, path) = place();
    let (log, _) = open(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (count, now) = (12_000, 1_000);
    runtime.block_on(async {
        let log = &log;
        let mut at = 0;
        while at < count {
            let group: Vec<_> = (at..at + 500).map(|jti| key(jti, now + 1)).collect();
            let mut waiting: Vec<_> = group.iter().map(|key| Box::pin(log.append(with(key), now))).collect();
            // Joined by hand: each is polled once, so all are queued before the first is waited for.
            std::future::poll_fn(|context| {
                waiting.retain_mut(|w| match w.as_mut().poll(context) {
                    std::task::Poll::Ready(verdict) => {
                        assert!(verdict.is_ok());
                        false
                    }
                    std::task::Poll::Pending => true,
                });
                if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            at += 500;
        }
    });
    assert_eq!(log.append_blocking(with(&key(0, now + 1)), now).map(|a| a.index), Err(AppendError::Replay));
    drop(log);
    let (log, recovery) = open(&path);
    assert_eq!(recovery.replay_keys, usize::try_from(count).unwrap());
    assert!((0..count).all(|jti| log.seen(&key(jti, now + 1))));
}

#[test]
fn pruning_goes_in_small_steps_and_ends_with_an_empty_table() {
    let (_place, path) = place();
    let (log, _) = open(&path);
    for jti in 0..100 {
        assert_eq!(log.append_blocking(with(&key(jti, 1_000 + jti)), 900).map(|a| a.index), Ok(jti));
    }
    let later = 1_200 + PRUNE_MARGIN;
    let held = || {
        let db = Connection::open(&path).unwrap();
        db.query_row("SELECT count(*) FROM replay", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut steps = vec![held()];
    while steps.last() != Some(&0) {
        log.append_blocking(Record::new("x"), later).map(|a| a.index).unwrap();
        steps.push(held());
        // Kept or forgotten, each is refused at every step.
        assert!((0..100).all(|jti| log.append_blocking(with(&key(jti, 1_000 + jti)), 0).map(|a| a.index).is_err()));
    }
    assert!(steps.windows(2).all(|pair| pair[0] > pair[1] && pair[0] - pair[1] <= 20), "{steps:?}");
}

#[test]
fn two_callers_with_the_same_key_at_once_get_one_entry() {
    let (_place, path) = place();
    let (log, _) = open(&path);
    for round in 0..50 {
        let verdicts = std::thread::scope(|scope| {
            let append = || log.append_blocking(with(&key(round, 1_000)), 900).map(|a| a.index);
            [scope.spawn(append), scope.spawn(append)].map(|thread| thread.join().unwrap())
        });
        assert_eq!(verdicts.iter().filter(|v| v.is_ok()).count(), 1, "{verdicts:?}");
        assert!(verdicts.contains(&Err(AppendError::Replay)));
    }
    assert_eq!(Reader::open(&path).unwrap().len().unwrap(), 50);
}

#[test]
fn a_call_is_refused_again_after_a_million_others() {
    const COUNT: u64 = 1_000_000;
    let (_place, path) = place();
    let (log, _) = open(&path);
    let used = key(0, 1_000_000);
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Ok(0));
    log.close().unwrap();
    // A million others, as the log would have written them, put in by the database itself; signed like any log.
    let copy = danger::Copy::open(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; BEGIN;
             INSERT INTO entry (idx, body) SELECT value, CAST('decision' AS BLOB) FROM
                 (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT {COUNT}) SELECT * FROM n);
             INSERT INTO replay (idx, scope, jti, expires)
                 SELECT idx, CAST('key' AS BLOB), CAST('other ' || idx AS BLOB), 1000000 FROM entry WHERE idx > 0;
             COMMIT;"
        ))
        .unwrap();
    copy.sign_anew(&test_key()).unwrap();
    drop(copy);
    let (log, recovery) = open(&path);
    assert_eq!((recovery.next, recovery.replay_keys as u64), (COUNT + 1, COUNT + 1));
    assert_eq!(log.append_blocking(with(&used), 900).map(|a| a.index), Err(AppendError::Replay));
    let other = ReplayKey::new(b"key", format!("other {COUNT}").as_bytes(), 1_000_000).unwrap();
    assert_eq!(log.append_blocking(with(&other), 900).map(|a| a.index), Err(AppendError::Replay));
    let fresh = ReplayKey::new(b"key", b"fresh", 1_000_000).unwrap();
    assert_eq!(log.append_blocking(with(&fresh), 900).map(|a| a.index), Ok(COUNT + 1));
}
