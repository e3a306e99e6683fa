//! What is opened, and what is refused and left as it was.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use attest_log::{AppendError, Log, MAX_BODY, MAX_TOKEN, MAX_TOKENS, OpenError, Options, Part, Reader, Record, Token};
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
    let (log, _) = Log::open(path, Options::default()).unwrap();
    log.append_blocking(Record::new("one"), 1).unwrap();
    log.close().unwrap();
}

#[expect(clippy::panic, reason = "test code outside a #[test] function")]
fn refused(path: &Path) -> OpenError {
    match Log::open(path, Options::default()) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

#[test]
fn the_files_are_for_their_owner_alone_from_the_start() {
    let (_place, path) = place();
    let (log, recovery) = Log::open(&path, Options::default()).unwrap();
    assert_eq!(recovery, attest_log::Recovery::default());
    assert_eq!(log.append_blocking(Record::new("one"), 1), Ok(0));
    for suffix in ["", "-wal", "-shm", ".lock"] {
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
    let (first, _) = Log::open(&path, Options::default()).unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::InUse { path: p } if *p == path));
    assert!(error.to_string().contains("stop it first"), "{error}");
    assert_eq!(first.append_blocking(Record::new("x"), 1), Ok(0), "the first goes on");
    drop(first);
    assert!(Log::open(&path, Options::default()).is_ok());
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
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Schema { found: 2, known: 1, .. }), "{error:?}");
    assert!(matches!(Reader::open(&path), Err(OpenError::Schema { found: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
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
        "DROP TABLE replay; CREATE TABLE replay (scope BLOB, jti BLOB, expires INTEGER)",
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
        "DELETE FROM entry WHERE idx = 0; INSERT INTO entry VALUES (5, x'00')",
        "INSERT INTO open_call VALUES (zeroblob(32), 9)",
        "INSERT INTO open_call VALUES (zeroblob(31), 0)",
        "INSERT INTO replay VALUES (x'', x'01', 5)",
        "INSERT INTO replay VALUES (x'01', x'01', -5)",
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
    let (log, _) = Log::open(&path, Options::default()).unwrap();
    let append = |record| log.append_blocking(record, 1);
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
