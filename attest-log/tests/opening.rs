//! What is opened, and what is refused and left as it was.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use attest_core::checkpoint::LogKeys;
use attest_core::merkle;
use attest_core::sign::MemoryKey;
use attest_log::{
    AppendError, Log, LogKey, MAX_BODY, MAX_TOKEN, MAX_TOKENS, OpenError, Options, Part, Published, ReadError, Reader,
    Record, Token,
};
use common::test_key;
use rusqlite::Connection;
use tempfile::TempDir;

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap().join("log.db");
    (place, path)
}

#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn a_log(path: &Path) {
    let (log, _) = Log::open(path, test_key(), Options::default()).unwrap();
    log.append_blocking(Record::new("one"), 1).map(|a| a.index).unwrap();
    log.close().unwrap();
}

#[expect(clippy::panic, reason = "test code outside a #[test] function")]
fn refused(path: &Path) -> OpenError {
    match Log::open(path, test_key(), Options::default()) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

#[test]
fn the_files_are_for_their_owner_alone_from_the_start() {
    let (_place, path) = place();
    let (log, recovery) = Log::open(&path, test_key(), Options::default()).unwrap();
    assert_eq!(recovery, attest_log::Recovery::default());
    assert_eq!(log.append_blocking(Record::new("one"), 1).map(|a| a.index), Ok(0));
    for suffix in ["", "-wal", "-shm", ".lock", ".head"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn the_file_is_marked_and_written_ahead() {
    let (_place, path) = place();
    a_log(&path);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[68..72], b"ATLG");
    assert_eq!((bytes[18], bytes[19]), (2, 2), "SQLite file format, section 1.3: 2 is write-ahead");
}

#[test]
fn a_second_writer_is_refused_while_the_first_lives() {
    let (_place, path) = place();
    let (first, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::InUse { path: p } if *p == path));
    assert!(error.to_string().contains("stop it first"), "{error}");
    assert_eq!(first.append_blocking(Record::new("x"), 1).map(|a| a.index), Ok(0), "the first goes on");
    drop(first);
    assert!(Log::open(&path, test_key(), Options::default()).is_ok());
}

#[test]
fn a_wider_mode_is_refused_with_its_remedy() {
    let (_place, path) = place();
    a_log(&path);
    for suffix in ["", ".lock"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let error = refused(&path);
        assert!(matches!(&error, OpenError::Mode { path: p, mode: 0o640 } if *p == file), "{error:?}");
        assert!(error.to_string().ends_with(&format!("chmod 600 {}", file.display())), "{error}");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }
    a_log(&path);
}

#[test]
fn a_symbolic_link_is_refused_in_place_of_the_file_and_of_its_lock() {
    let (_place, path) = place();
    a_log(&path);
    let link = path.with_file_name("link.db");
    symlink(&path, &link).unwrap();
    assert!(matches!(refused(&link), OpenError::Symlink { path } if path == link));
    let elsewhere = path.with_file_name("elsewhere");
    let dangling = path.with_file_name("new.db.lock");
    symlink(&elsewhere, &dangling).unwrap();
    assert!(matches!(refused(&path.with_file_name("new.db")), OpenError::Symlink { path } if path == dangling));
    assert!(!elsewhere.exists());
}

#[test]
fn a_link_in_the_directory_part_is_followed() {
    let (_place, path) = place();
    let directory = path.with_file_name("real");
    fs::create_dir(&directory).unwrap();
    symlink(&directory, path.with_file_name("linked")).unwrap();
    a_log(&path.with_file_name("linked").join("log.db"));
    assert!(directory.join("log.db").exists());
}

#[test]
fn a_directory_is_refused() {
    let (_place, path) = place();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(&path), OpenError::NotAFile { .. }));
}

#[test]
fn a_newer_format_is_refused_and_not_changed() {
    let (_place, path) = place();
    a_log(&path);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 4).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Schema { found: 4, known: 3, .. }), "{error:?}");
    assert!(matches!(Reader::open(&path), Err(OpenError::Schema { found: 4, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_format_of_before_the_first_that_is_read_is_not_said_to_be_for_a_newer_program() {
    let (_place, path) = place();
    a_log(&path);
    let says = |version: i64| {
        Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
        Reader::open(&path).err().unwrap().to_string()
    };
    let (older, newer) = (says(1), says(4));
    assert!(older.contains("the program version that wrote it") && !older.contains("newer"), "{older}");
    assert!(newer.contains("the program version that wrote it, or newer"), "{newer}");
}

#[test]
fn files_that_are_no_log_are_refused_and_not_changed() {
    let (_place, path) = place();
    let foreign = path.with_file_name("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
    let marked = path.with_file_name("marked.db");
    Connection::open(&marked).unwrap().pragma_update(None, "application_id", 0x1234).unwrap();
    let text = path.with_file_name("notes.txt");
    fs::write(&text, "my notes, which are longer than the header of a database, and no database at all. ".repeat(20))
        .unwrap();
    for file in [foreign, marked, text] {
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let before = fs::read(&file).unwrap();
        assert!(matches!(refused(&file), OpenError::NotALog { .. }), "{}", file.display());
        assert!(matches!(Reader::open(&file), Err(OpenError::NotALog { .. })));
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

/// Each of these would change what an append does, or free replay keys.
#[test]
fn changed_tables_are_refused() {
    for change in [
        "CREATE TRIGGER eat AFTER INSERT ON entry BEGIN DELETE FROM replay; END",
        "DROP TABLE replay; CREATE TABLE replay (idx INTEGER, scope BLOB, jti BLOB, expires INTEGER)",
        "CREATE INDEX more ON replay (expires)",
        "DROP TABLE open_call",
    ] {
        let (_place, path) = place();
        a_log(&path);
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        assert!(matches!(refused(&path), OpenError::Altered { .. }), "{change}");
    }
}

#[test]
fn contents_that_contradict_themselves_are_refused() {
    for change in [
        "DELETE FROM entry WHERE idx = 0; INSERT INTO entry VALUES (5, x'00', NULL)",
        "INSERT INTO open_call VALUES (zeroblob(32), 9)",
        "INSERT INTO open_call VALUES (zeroblob(31), 0)",
        "INSERT INTO replay VALUES (7, x'01', x'01', 5)",
        "INSERT INTO replay VALUES (0, x'', x'01', 5)",
        "INSERT INTO replay VALUES (0, x'01', x'01', -5)",
    ] {
        let (_place, path) = place();
        a_log(&path);
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        assert!(matches!(refused(&path), OpenError::Damaged { .. }), "{change}");
    }
}

#[test]
fn a_file_whose_making_was_cut_short_is_made_again() {
    let (_place, path) = place();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Reader::open(&path), Err(OpenError::NotALog { .. })));
    // As it is between the switch to write-ahead mode and the tables.
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "wal").unwrap();
    assert_ne!(fs::metadata(&path).unwrap().len(), 0);
    a_log(&path);
}

#[test]
fn sizes_over_the_limit_are_refused_and_the_limit_is_not() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    let append = |record| log.append_blocking(record, 1).map(|a| a.index);
    let too_large = |part, size, limit| Err(AppendError::TooLarge { part, size, limit });
    let body = |size| Record::new(vec![b'x'; size]);
    assert_eq!(append(body(MAX_BODY + 1)), too_large(Part::Body, MAX_BODY + 1, 65_535));
    assert_eq!(append(body(MAX_BODY)), Ok(0));
    let token = |size| Record { tokens: vec![Token::new("t".repeat(size))], ..Record::new("x") };
    assert_eq!(append(token(MAX_TOKEN + 1)), too_large(Part::Token, MAX_TOKEN + 1, MAX_TOKEN));
    assert_eq!(append(token(MAX_TOKEN)), Ok(1));
    let tokens = |count| Record { tokens: vec![Token::new("t"); count], ..Record::new("x") };
    assert_eq!(append(tokens(MAX_TOKENS + 1)), too_large(Part::Tokens, MAX_TOKENS + 1, MAX_TOKENS));
    assert_eq!(append(tokens(MAX_TOKENS)), Ok(2));
}

/// `<log>.head` at `path`.
fn head(path: &Path) -> PathBuf {
    path.with_added_extension("head")
}

/// The log's files as they are, to be put back: database and record.
#[expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]
fn keep(path: &Path) -> (Vec<u8>, Vec<u8>) {
    (fs::read(path).unwrap(), fs::read(head(path)).unwrap())
}

#[test]
fn a_database_older_than_what_the_log_has_published_does_not_start() {
    let (_place, path) = place();
    a_log(&path);
    let (old, _) = keep(&path);
    a_log(&path);
    fs::write(&path, old).unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::RolledBack { found: 1, published: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("attest log adopt"), "{error}");
    // Nor one that is gone altogether.
    fs::remove_file(&path).unwrap();
    assert!(matches!(refused(&path), OpenError::RolledBack { found: 0, published: 2, .. }));
}

#[test]
fn a_database_that_goes_another_way_than_what_the_log_has_published_does_not_start() {
    let (_place, path) = place();
    a_log(&path);
    let (old, _) = keep(&path);
    a_log(&path);
    let (_, published) = keep(&path);
    // The same length and key, another history.
    fs::write(&path, old).unwrap();
    let (log, _) = Log::adopt(&path, test_key(), Options::default(), 7).unwrap();
    log.append_blocking(Record::new("another"), 1).unwrap();
    log.close().unwrap();
    fs::write(head(&path), published).unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Forked { published: 2, .. }), "{error:?}");
}

#[test]
fn a_log_whose_record_of_what_it_published_is_lost_or_not_its_own_does_not_start() {
    let (_place, path) = place();
    a_log(&path);
    let (_, record) = keep(&path);
    fs::remove_file(head(&path)).unwrap();
    assert!(matches!(refused(&path), OpenError::NoHead { missing: true, .. }));
    fs::write(head(&path), vec![b'x'; 2_048]).unwrap();
    fs::set_permissions(head(&path), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refused(&path), OpenError::NoHead { missing: false, .. }));
    // One torn slot is no loss: the other tells.
    for torn in [0, 1_024] {
        let mut half = record.clone();
        half[torn..torn + 100].fill(b'x');
        fs::write(head(&path), half).unwrap();
        a_log(&path);
    }
}

#[test]
fn a_database_that_was_taken_over_by_hand_goes_on_and_says_since_when() {
    let (_place, path) = place();
    a_log(&path);
    let (old, _) = keep(&path);
    a_log(&path);
    fs::write(&path, old).unwrap();
    let (log, recovery) = Log::adopt(&path, test_key(), Options::default(), 77).unwrap();
    assert_eq!((recovery.next, recovery.since, log.since()), (1, 77, 77));
    log.append_blocking(Record::new("on"), 1).unwrap();
    drop(log);
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    assert_eq!(log.since(), 77, "for good");
}

/// Tiles below the edge are not read at opening: a verification finds those.
#[test]
fn entries_tiles_and_checkpoint_that_do_not_belong_together_do_not_start() {
    let (_place, path) = place();
    let (log, _) = Log::open(&path, test_key(), Options::default()).unwrap();
    for index in 0..300 {
        log.append_blocking(Record::new(format!("{index}")), 1).unwrap();
    }
    let old = Reader::open(&path).unwrap().checkpoint().unwrap();
    log.append_blocking(Record::new("last"), 1).unwrap();
    log.close().unwrap();
    let whole = fs::read(&path).unwrap();
    for change in [
        "UPDATE entry SET body = x'00' WHERE idx = 300",
        "DELETE FROM entry WHERE idx = 300",
        "INSERT INTO entry VALUES (301, x'00', NULL)",
        "UPDATE tile SET hashes = zeroblob(32) WHERE level = 1",
        "DELETE FROM tile",
        "UPDATE state SET checkpoint = ''",
        &format!("UPDATE state SET checkpoint = '{old}'"),
    ] {
        fs::write(&path, &whole).unwrap();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        assert!(matches!(refused(&path), OpenError::Tree { .. }), "{change}");
    }
    fs::write(&path, &whole).unwrap();
    a_log(&path);
}

#[test]
fn a_log_gets_another_key_by_an_entry_and_the_retired_one_never_comes_back() {
    let (_place, path) = place();
    let key = |seed: u8| LogKey::new("log.example/test", MemoryKey::from_seed(&[seed; 32])).unwrap();
    let append = |seed: u8, body: &str, next: Option<u8>| {
        let (log, _) = Log::open(&path, key(seed), Options::default()).unwrap();
        let next_key = next.map(|seed| Box::new(key(seed).vkey().clone()));
        log.append_blocking(Record { next_key, ..Record::new(body) }, 1).unwrap();
        // The key that was retired signs nothing more.
        let more = log.append_blocking(Record::new("more"), 1);
        assert_eq!(more.is_err(), next.is_some(), "{more:?}");
        log.close().unwrap_or_default();
        Reader::open(&path).unwrap().checkpoint().unwrap()
    };
    append(5, "a", None);
    let last = append(5, "the next key", Some(6));
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Key { retired: true, .. }), "{error:?}");
    let first = append(6, "b", None);
    append(6, "and the next", Some(8));
    append(8, "c", None);
    for seed in [5, 6, 7] {
        let opened = Log::open(&path, key(seed), Options::default()).err();
        assert!(matches!(opened, Some(OpenError::Key { retired, .. }) if retired == (seed < 7)), "{seed}: {opened:?}");
    }
    let keys = Reader::open(&path).unwrap().log_keys().unwrap();
    let until: Vec<u64> = keys.all().iter().map(|(_, until)| *until).collect();
    assert_eq!(until, [3, 6, u64::MAX]);
    assert_eq!(keys.open(last.as_bytes()).unwrap().size, 3, "what was signed before stays good");
    assert_eq!(keys.open(first.as_bytes()).unwrap().size, 5);
}

#[test]
fn what_is_appended_is_proved_and_every_proof_holds() {
    let (_place, path) = place();
    let keys = LogKeys::new(Vec::new(), test_key().vkey().clone()).unwrap();
    for start in [0u64, 5, 260, 520] {
        let (log, recovery) = Log::open(&path, test_key(), Options::default()).unwrap();
        assert_eq!(recovery.next, start);
        let until = [5, 260, 520, 530][[0, 5, 260, 520].iter().position(|s| *s == start).unwrap()];
        for index in start..until {
            let body = format!("entry {index}");
            let record = Record { prove: true, ..Record::new(body.clone()) };
            let appended = log.append_blocking(record, 1).unwrap();
            let inclusion = appended.inclusion.unwrap();
            let checkpoint = keys.open(inclusion.checkpoint.as_bytes()).unwrap();
            let leaf = merkle::leaf(body.as_bytes());
            merkle::check_inclusion(&leaf, index, checkpoint.size, &inclusion.path, &checkpoint.root).unwrap();
        }
        log.close().unwrap();
    }
    let reader = Reader::open(&path).unwrap();
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 530] {
        let root = reader.root(size).unwrap();
        for index in [0, 1, 128, 254, 255, 256, 300, 511, 529].into_iter().filter(|index| *index < size) {
            let path = reader.inclusion(index, size).unwrap();
            let leaf = merkle::leaf(format!("entry {index}").as_bytes());
            merkle::check_inclusion(&leaf, index, size, &path, &root).unwrap();
        }
        for old in [0, 1, 2, 200, 256, 300, 512].into_iter().filter(|old| *old <= size) {
            let proof = reader.consistency(old, size).unwrap();
            merkle::check_consistency(old, &reader.root(old).unwrap(), size, &root, &proof).unwrap();
        }
    }
    assert!(matches!(reader.root(531), Err(ReadError::Outside { size: 530 })));
    assert!(matches!(reader.inclusion(5, 5), Err(ReadError::Outside { .. })));
}

#[test]
fn counters_below_zero_are_damage_and_free_no_replay_key() {
    let (_place, path) = place();
    a_log(&path);
    let whole = fs::read(&path).unwrap();
    for column in ["horizon", "since"] {
        Connection::open(&path).unwrap().execute_batch(&format!("UPDATE state SET {column} = -1")).unwrap();
        let error = refused(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{column}: {error:?}");
        fs::write(&path, &whole).unwrap();
    }
    a_log(&path);
}

#[test]
fn a_log_of_more_entries_than_a_tree_has_is_damage_whatever_its_tiles_say() {
    let (_place, path) = place();
    a_log(&path);
    let far = (1_u64 << 62).to_string();
    let edit = format!(
        "INSERT INTO entry VALUES ({far}, x'00', NULL); INSERT INTO tile VALUES (7, 0, zeroblob({}));",
        64 * 32
    );
    Connection::open(&path).unwrap().execute_batch(&edit).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn of_the_record_no_more_is_read_than_it_holds_and_nothing_is_waited_for() {
    let (_place, path) = place();
    a_log(&path);
    let keys = Reader::open(&path).unwrap().log_keys().unwrap();
    fs::OpenOptions::new().write(true).open(head(&path)).unwrap().set_len(1 << 42).unwrap();
    assert!(matches!(Published::of_log(&path, &keys), Ok(Published::Checkpoint(c)) if c.size == 1));
    a_log(&path);
    fs::remove_file(head(&path)).unwrap();
    assert!(Command::new("mkfifo").arg(head(&path)).status().unwrap().success());
    let (told, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(Published::of_log(&path, &keys).is_err()));
    assert_eq!(seen.recv_timeout(Duration::from_secs(10)), Ok(true));
}
