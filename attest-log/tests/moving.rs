//! A log that is moved is the same log: everything that holds it together, whichever storage it comes from and goes to.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;
#[path = "../../tests/src/postgres.rs"]
mod postgres;

use std::path::Path;

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle;
use attest_log::{AppendError, Log, MoveError, OpenError, Options, Place, Reader, Record, ReplayKey, Token, move_log};
use rusqlite::Connection;

use common::{NOW, test_key};
use postgres::Server;

const ENTRIES: u64 = 70_000;

fn key(n: u64) -> ReplayKey {
    ReplayKey::new(b"key", &n.to_be_bytes(), NOW + 300).unwrap()
}

/// A log with a full tile of level 1, partial ones of every level, open calls, shared tokens and a window.
fn fill(path: &Path, entries: u64) {
    let options = Options { group_window: Some(std::time::Duration::from_millis(1)), ..Options::default() };
    let (log, _) = Log::open(path, test_key(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        let log = std::sync::Arc::new(log);
        for n in 0..entries {
            let call = merkle::leaf(&n.to_be_bytes());
            let record = Record {
                tokens: vec![Token::new(format!("shared {}", n / 1_000))],
                token: Some(Token::new(format!("proof {n}"))),
                replay: n.is_multiple_of(50).then(|| key(n)),
                opens: n.is_multiple_of(10_000).then_some(call),
                ..Record::new(format!("entry {n}"))
            };
            let log = std::sync::Arc::clone(&log);
            tasks.spawn(async move { log.append(record, NOW).await.unwrap() });
            if tasks.len() >= 2_000 {
                tasks.join_next().await.unwrap().unwrap();
            }
        }
        while tasks.join_next().await.is_some() {}
    });
}

/// Everything that a reader can see of a log.
fn seen(place: &Place) -> impl PartialEq + std::fmt::Debug + use<> {
    let reader = Reader::open(place).unwrap();
    let mut window = Vec::new();
    let snapshot =
        reader.snapshot(|row| window.push((row.index, row.scope.to_vec(), row.jti.to_vec(), row.expires))).unwrap();
    let mut entries = Vec::new();
    reader
        .walk(0..snapshot.size, |index, body, token| -> Result<(), attest_log::ReadError> {
            entries.push((index, body.to_vec(), token.map(str::to_owned)));
            Ok(())
        })
        .unwrap();
    let mut tokens: Vec<_> = Vec::new();
    reader
        .tokens(|hash, text| -> Result<(), attest_log::ReadError> {
            tokens.push((hash.to_vec(), text.to_owned()));
            Ok(())
        })
        .unwrap();
    tokens.sort();
    let mut tiles = Vec::new();
    for level in &snapshot.tiles {
        for index in 0..=level.last.cast_unsigned() {
            let tile = reader.stored_tile(u8::try_from(level.level).unwrap(), index).unwrap();
            // A partial tile of a lower level may be stored or not; what it would hold follows from the entries.
            tiles.push((level.level, index, tile));
        }
    }
    let counts: Vec<_> = snapshot.tiles.iter().map(|tiles| (tiles.level, tiles.count, tiles.last)).collect();
    let open: Vec<_> = snapshot.open.iter().map(|open| (open.hash, open.index)).collect();
    (
        (snapshot.size, snapshot.checkpoint, snapshot.keys, snapshot.cosigned, snapshot.horizon, snapshot.since),
        (window, entries, tokens, tiles, counts, open),
    )
}

fn moved(from: &Place, to: &Place) -> attest_log::Moved {
    move_log(from, to, |_, _| {}).unwrap()
}

#[test]
fn everything_of_a_log_is_there_after_a_move_to_a_database_and_back_and_it_goes_on() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (first, last) = (folder.path().join("first.db"), folder.path().join("last.db"));
    let (file, shared, back) = (Place::from(&first), Place::new(server.url("log")), Place::from(&last));
    fill(&first, ENTRIES);
    let before = seen(&file);
    let told = moved(&file, &shared);
    assert_eq!((told.entries, told.tokens, told.replay_keys, told.open_calls), (ENTRIES, 70, 1_400, 7));
    assert!(seen(&shared) == before);
    assert!(matches!(Reader::open(&file), Err(OpenError::Moved { .. })));
    let (log, recovery) = Log::open(&shared, test_key(), Options::default()).unwrap();
    assert_eq!(recovery.open_calls.len(), 7, "whoever opens it first closes them");
    let used = Record { replay: Some(key(50)), ..Record::new("again") };
    assert_eq!(log.append_blocking(used.clone(), NOW).unwrap_err(), AppendError::Replay);
    // The database holds it as it does where it was used there.
    server.sql("postgres", "CREATE DATABASE used");
    let (there, _) = Log::open(Place::new(server.url("used")), test_key(), Options::default()).unwrap();
    there.append_blocking(used.clone(), NOW).unwrap();
    let held = server.sql("used", "SELECT jti, hash, hash_rest FROM attest_log.replay");
    let all = server.sql("log", "SELECT jti, hash, hash_rest FROM attest_log.replay");
    assert!(all.lines().any(|one| one == held.trim()), "{held}");
    let index = log.append_blocking(Record { prove: true, ..Record::new("in the database") }, NOW).unwrap().index;
    assert_eq!(index, ENTRIES);
    assert!(matches!(move_log(&shared, &back, |_, _| {}), Err(MoveError::InUse { count: 1, .. })));
    log.close().unwrap();
    drop(log);
    let between = seen(&shared);
    assert_eq!(moved(&shared, &back).entries, ENTRIES + 1);
    assert!(seen(&back) == between);
    // A writer that had the database open, and lost its connection while the log was moved away, does not go on there.
    assert!(matches!(Log::open(&shared, test_key(), Options::default()), Err(OpenError::Moved { .. })));
    let (log, recovery) = Log::open(&back, test_key(), Options::default()).unwrap();
    assert_eq!((recovery.next, recovery.open_calls.len()), (ENTRIES + 1, 7));
    assert_eq!(log.append_blocking(used, NOW).unwrap_err(), AppendError::Replay);
    log.append_blocking(Record::new("in a file again"), NOW).unwrap();
    let reader = Reader::open(&back).unwrap();
    let keys = reader.log_keys().unwrap();
    let Checkpoint { size, root, .. } = keys.open(reader.checkpoint().unwrap().as_bytes()).unwrap();
    for index in [0, 255, 65_536, ENTRIES] {
        let leaf = merkle::leaf(&reader.entry(index).unwrap().unwrap());
        merkle::check_inclusion(&leaf, index, size, &reader.inclusion(index, size).unwrap(), &root).unwrap();
    }
}

#[test]
fn a_writer_that_was_cut_off_while_its_log_was_moved_away_stops() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (shared, file) = (Place::new(server.url("log")), Place::from(folder.path().join("log.db")));
    let (log, _) = Log::open(&shared, test_key(), Options::default()).unwrap();
    log.append_blocking(Record::new("before"), NOW).unwrap();
    // As if the network had been gone: the server sees no verifier at work, and the verifier does not know it yet.
    server.sql("log", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'attest'");
    moved(&shared, &file);
    let stopped = log.append_blocking(Record::new("after"), NOW).unwrap_err();
    assert_eq!(stopped, AppendError::Stopped(attest_log::StopReason::Moved));
    assert_eq!(Reader::open(&file).unwrap().len().unwrap(), 1);
}

#[test]
fn a_log_that_is_not_whole_is_not_moved_and_nothing_is_left_at_the_other_place() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    fill(&old, 600);
    let whole = seen(&Place::from(&old));
    for (change, back) in [
        // In a full tile, which opening does not look into.
        (
            "UPDATE entry SET body = CAST('entry x' AS BLOB) WHERE idx = 5",
            "UPDATE entry SET body = CAST('entry 5' AS BLOB) WHERE idx = 5",
        ),
        ("UPDATE token SET text = text || 'x'", "UPDATE token SET text = substr(text, 1, length(text) - 1)"),
        ("UPDATE entry SET token = '' WHERE idx = 7", "UPDATE entry SET token = 'proof 7' WHERE idx = 7"),
    ] {
        Connection::open(&old).unwrap().execute_batch(change).unwrap();
        let refused = move_log(&Place::from(&old), &Place::from(&new), |_, _| {}).unwrap_err();
        assert!(matches!(refused, MoveError::NotWhole { .. }), "{change}: {refused}");
        assert!(!new.exists());
        Connection::open(&old).unwrap().execute_batch(back).unwrap();
    }
    let taken = Log::open(&old, test_key(), Options::default()).unwrap();
    let busy = move_log(&Place::from(&old), &Place::from(&new), |_, _| {}).unwrap_err();
    assert!(matches!(busy, MoveError::Open(OpenError::InUse { .. })), "{busy}");
    drop(taken);
    fill(&new, 1);
    let full = move_log(&Place::from(&old), &Place::from(&new), |_, _| {}).unwrap_err();
    assert!(
        matches!(
            full,
            MoveError::Open(OpenError::Forked { .. } | OpenError::NoHead { .. })
                | MoveError::NotEmpty { left: false, .. }
        ),
        "{full}"
    );
    assert!(seen(&Place::from(&old)) == whole);
}
