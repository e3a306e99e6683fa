//! Reading while a writer runs, and what recovery hands out.

mod common;

use std::path::PathBuf;

use attest_log::{AppendError, Log, OpenCall, OpenError, Options, ReadError, Reader, Record, Testing, Token};
use common::test_key;
use rusqlite::Connection;
use tempfile::TempDir;

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log.db");
    (place, path)
}

#[test]
fn a_reader_follows_a_running_writer() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert!(reader.is_empty().unwrap());
    assert_eq!(reader.entry(0).unwrap(), None);
    for index in 0..200u64 {
        log.append_blocking(Record::new(format!("entry {index}")), 1).map(|a| a.index).unwrap();
        assert_eq!(reader.len().unwrap(), index + 1);
        assert_eq!(reader.entry(index).unwrap(), Some(format!("entry {index}").into_bytes()));
    }
    let read = |range| reader.entries(range).map(|e| e.unwrap().index).collect::<Vec<_>>();
    assert_eq!(read(0..u64::MAX), (0..200).collect::<Vec<_>>());
    assert_eq!(read(63..130), (63..130).collect::<Vec<_>>());
    assert_eq!(read(199..500), [199]);
    assert!(read(200..500).is_empty() && read(u64::MAX - 1..u64::MAX).is_empty());
}

#[test]
fn an_iteration_sees_what_is_committed_while_it_walks() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let reader = Reader::open(&path).unwrap();
    log.append_blocking(Record::new("a"), 1).map(|a| a.index).unwrap();
    let mut walk = reader.entries(0..u64::MAX);
    assert_eq!(walk.next().unwrap().unwrap().body, b"a");
    assert!(walk.next().is_none(), "the end is not final");
    log.append_blocking(Record::new("b"), 1).map(|a| a.index).unwrap();
    assert_eq!(walk.next().unwrap().unwrap().body, b"b");
}

#[test]
fn a_walk_that_is_left_standing_does_not_keep_the_write_ahead_file_from_being_reused() {
    let (_place, path) = place();
    let testing = Testing { checkpoint_pages: Some(20), ..Testing::default() };
    let (log, _) = Log::open(&path, test_key(), Options { testing, ..Options::default() }).unwrap();
    log.append_blocking(Record::new("first"), 1).map(|a| a.index).unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut walk = reader.entries(0..u64::MAX);
    assert!(walk.next().is_some());
    for _ in 0..300 {
        log.append_blocking(Record::new(vec![b'x'; 4_000]), 1).map(|a| a.index).unwrap();
    }
    let wal = std::fs::metadata(path.with_file_name("log.db-wal")).unwrap().len();
    assert!(wal < 60 * 4_120, "{wal} bytes after 300 pages, with a checkpoint every 20");
}

#[test]
fn a_token_is_stored_once_and_checked_when_read() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let (one, two) = (Token::new("eyJ.one.sig"), Token::new("eyJ.two.sig"));
    for tokens in [vec![one.clone(), two.clone()], vec![one.clone()], vec![two.clone(), two.clone()]] {
        log.append_blocking(Record { tokens, ..Record::new("x") }, 1).map(|a| a.index).unwrap();
    }
    log.close().unwrap();
    // The memory of what is stored is gone; the table is not.
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    log.append_blocking(Record { tokens: vec![one.clone()], ..Record::new("x") }, 1).map(|a| a.index).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.token(one.hash()).unwrap().as_deref(), Some("eyJ.one.sig"));
    assert_eq!(reader.token(&[0; 32]).unwrap(), None);
    let db = Connection::open(&path).unwrap();
    assert_eq!(db.query_row("SELECT count(*) FROM token", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    db.execute("UPDATE token SET text = 'forged' WHERE hash = ?1", [one.hash().as_slice()]).unwrap();
    assert!(matches!(reader.token(one.hash()), Err(ReadError::WrongToken { hash }) if hash == *one.hash()));
}

#[test]
fn a_missing_entry_is_an_error_and_not_an_end() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    for _ in 0..200 {
        log.append_blocking(Record::new("x"), 1).map(|a| a.index).unwrap();
    }
    log.close().unwrap();
    // One hole inside what is fetched at once, one that empties a whole fetch.
    for (hole, at) in [("idx = 10", 10), ("idx >= 10 AND idx < 150", 10)] {
        Connection::open(&path).unwrap().execute(&format!("DELETE FROM entry WHERE {hole}"), []).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert!(matches!(reader.entry(10), Err(ReadError::Gap { index: 10 })));
        let mut walk = reader.entries(0..u64::MAX);
        assert_eq!(walk.by_ref().take_while(Result::is_ok).count(), at);
        assert!(walk.next().is_none(), "ends after the error");
        assert!(matches!(reader.entries(64..200).next(), Some(Ok(_) | Err(ReadError::Gap { index: 64 }))));
    }
}

#[test]
fn a_reader_makes_no_log_where_there_is_none() {
    let (_place, path) = place();
    assert!(matches!(Reader::open(&path), Err(OpenError::Sqlite { .. })));
    assert!(!path.exists());
}

#[test]
fn calls_without_an_outcome_are_handed_out_at_the_next_opening_until_they_are_closed() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let open = |call: u8| Record { opens: Some([call; 32]), ..Record::new("decision") };
    let close = |call: u8| Record { closes: Some([call; 32]), ..Record::new("unknown") };
    for call in [9, 2, 5] {
        log.append_blocking(open(call), 1).map(|a| a.index).unwrap();
    }
    log.append_blocking(close(2), 1).map(|a| a.index).unwrap();
    assert_eq!(log.append_blocking(close(2), 1).map(|a| a.index), Err(AppendError::NotOpen), "one outcome each");
    assert_eq!(log.append_blocking(open(5), 1).map(|a| a.index), Err(AppendError::AlreadyOpen));
    drop(log);

    let (log, recovery) = Log::open(&path, test_key(), Options::default()).unwrap();
    let left = vec![OpenCall { hash: [9; 32], index: 0 }, OpenCall { hash: [5; 32], index: 2 }];
    assert_eq!(recovery.open_calls, left);
    assert_eq!(
        log.append_blocking(open(5), 1).map(|a| a.index),
        Err(AppendError::AlreadyOpen),
        "known again after a restart"
    );
    for call in recovery.open_calls {
        log.append_blocking(Record { closes: Some(call.hash), ..Record::new("unknown") }, 1).map(|a| a.index).unwrap();
    }
    drop(log);
    assert_eq!(Log::open(&path, test_key(), Options::default()).unwrap().1.open_calls, []);
}

#[test]
fn a_group_window_and_batches_of_one_lose_and_reorder_nothing() {
    let window = Some(std::time::Duration::from_millis(2));
    for (group_window, max_batch, queue) in [(window, 512, 4096), (None, 1, 1), (window, 1, 1), (window, 0, 0)] {
        let (_place, path) = place();
        let options = Options { group_window, max_batch, queue, ..Options::default() };
        let (log, _) = Log::open(&path, test_key(), options).unwrap();
        let mut indexes: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let append = || log.append_blocking(Record::new("x"), 1).map(|a| a.index).unwrap();
                    scope.spawn(move || [(); 10].map(|()| append()))
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        indexes.sort_unstable();
        assert_eq!(indexes, (0..80).collect::<Vec<_>>());
    }
}
