//! What is kept can be read and checked until it is erased, and then no byte of it is left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use attest_core::digest::{Digest, Salt};
use attest_kept::{Checked, Erase, Kept, KeptError, Row};
use attest_redact::Rules;

fn row(n: u32, session: &str) -> Row {
    let secret = format!("password=hunter{n}");
    let mut salt = 0u8;
    let mut salts = || {
        salt += 1;
        let mut bytes = [salt; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        Salt(bytes)
    };
    let kept =
        Rules::defaults().text(&format!("row-{n:06}-marked {} {secret}", "word ".repeat(n as usize % 90)), &mut salts);
    Row {
        entry: Digest::of(n.to_be_bytes()),
        session: session.into(),
        time_ms: n.into(),
        what: "arguments".into(),
        text: kept.text,
        salts: kept.salts,
    }
}

fn bytes(log: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for end in ["kept", "kept-wal", "kept-shm"] {
        all.extend(fs::read(log.with_extension(end)).unwrap_or_default());
    }
    all
}

fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[test]
fn a_row_is_read_and_checked_until_it_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    let one = row(1, "s");
    kept.put(one.clone()).unwrap();
    assert_eq!(kept.get(&one.entry).unwrap(), Some(one.clone()));
    let commitment = one.salts[0].commitment;
    assert_eq!(kept.check(&one.entry, &commitment, "hunter1").unwrap(), Checked::Holds);
    assert_eq!(kept.check(&one.entry, &commitment, "hunter2").unwrap(), Checked::Differs);
    assert_eq!(kept.erase(&Erase::Entry(one.entry)).unwrap(), 1);
    assert_eq!(kept.check(&one.entry, &commitment, "hunter1").unwrap(), Checked::Forgotten);
    assert_eq!(kept.get(&one.entry).unwrap(), None);
}

#[test]
fn nothing_of_what_was_erased_is_left_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    for n in 0..3_000 {
        kept.put(row(n, if n % 3 == 0 { "gone" } else { "stays" })).unwrap();
    }
    kept.flush().unwrap();
    assert!(has(&bytes(&log), "row-001500-marked"));
    assert_eq!(kept.erase(&Erase::Session("gone".into())).unwrap(), 1_000);
    assert_eq!(kept.erase(&Erase::Before(1_000)).unwrap(), 666);
    assert_eq!(kept.erase(&Erase::Entry(row(2_000, "").entry)).unwrap(), 1);
    let left = bytes(&log);
    for n in 0..3_000u32 {
        let gone = n % 3 == 0 || n < 1_000 || n == 2_000;
        if gone || n % 50 == 0 {
            assert_eq!(has(&left, &format!("row-{n:06}-marked")), !gone, "{n}");
            if gone && n % 10 == 0 {
                let salt = row(n, "").salts[0].salt.0;
                assert!(memchr::memmem::find(&left, &salt).is_none(), "the salt of {n}");
            }
        }
    }
}

#[test]
fn it_survives_being_opened_again_and_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let one = row(1, "s");
    Kept::open(&log).unwrap().put(one.clone()).unwrap();
    let file = log.with_extension("kept");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Kept::open(&log).unwrap().get(&one.entry).unwrap(), Some(one));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Kept::open(&log), Err(KeptError::Mode { .. })));
    fs::write(&file, "no database, but long enough to be looked at as one".repeat(40)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Kept::open(&log), Err(KeptError::Foreign { .. })));
}

#[test]
fn a_row_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(&folder.path().join("log")).unwrap();
    let rows: Vec<Row> = (0..20_000).map(|n| row(n, "s")).collect();
    let start = Instant::now();
    for row in rows {
        kept.put(row).unwrap();
    }
    kept.flush().unwrap();
    // Speed is not asserted in tests; `--no-capture` shows it.
    println!("{:?} a row", start.elapsed() / 20_000);
}

/// In an order that is not that of the rows, so that rows move between pages before they go.
#[test]
fn nothing_is_left_of_rows_that_had_moved_before_they_were_erased() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    let session = |n: u32| n.wrapping_mul(2_654_435_761) >> 27;
    for n in 0..2_000 {
        kept.put(row(n, &session(n).to_string())).unwrap();
    }
    for gone in 0..31 {
        kept.erase(&Erase::Session(gone.to_string())).unwrap();
        let left = bytes(&log);
        for n in (0..2_000).filter(|n| session(*n) <= gone) {
            assert!(!has(&left, &format!("row-{n:06}-marked")), "{n} after {gone}");
        }
    }
    assert!((0..2_000).filter(|n| session(*n) == 31).all(|n| has(&bytes(&log), &format!("row-{n:06}-marked"))));
}

#[test]
fn what_was_put_just_before_is_erased_too_and_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    for n in 0..4_000 {
        kept.put(row(n, "s")).unwrap();
    }
    assert_eq!(kept.erase(&Erase::Session("s".into())).unwrap(), 4_000);
    kept.flush().unwrap();
    assert!(!has(&bytes(&log), "-marked"));
}

#[test]
fn a_value_fits_the_commitment_it_was_made_for_and_no_other_of_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(&folder.path().join("log")).unwrap();
    let mut one = row(1, "s");
    one.salts.extend(row(2, "s").salts);
    kept.put(one.clone()).unwrap();
    let [first, second] = [one.salts[0].commitment, one.salts[1].commitment];
    let check = |of: &Digest, claimed| kept.check(&one.entry, of, claimed).unwrap();
    assert_eq!((check(&first, "hunter1"), check(&second, "hunter2")), (Checked::Holds, Checked::Holds));
    assert_eq!((check(&first, "hunter2"), check(&second, "hunter1")), (Checked::Differs, Checked::Differs));
    assert_eq!(check(&Digest::of("other"), "hunter1"), Checked::Forgotten, "it stands in no text of this entry");
}

#[test]
fn bytes_that_a_reader_holds_are_said_to_be_there_and_go_with_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    kept.put(row(1, "s")).unwrap();
    kept.flush().unwrap();
    let other = rusqlite::Connection::open(log.with_extension("kept")).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM kept").unwrap();
    let whole = Erase::Session("s".into());
    assert!(matches!(kept.erase(&whole), Err(KeptError::Held { .. })));
    assert!(has(&bytes(&log), "row-000001-marked"));
    drop(other);
    assert_eq!(kept.erase(&whole).unwrap(), 0, "the row itself went before");
    assert!(!has(&bytes(&log), "row-000001-marked"));
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_is_taken_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kept = Kept::open(&log).unwrap();
    let other = rusqlite::Connection::open(log.with_extension("kept")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    kept.put(row(1, "s")).unwrap();
    assert!(matches!(kept.flush(), Err(KeptError::Stopped { .. })));
    drop(other);
    assert!(matches!(kept.put(row(2, "s")), Err(KeptError::Stopped { .. })));
}

#[test]
fn neither_a_link_nor_another_programs_database_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let file = log.with_extension("kept");
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert!(matches!(Kept::open(&log), Err(KeptError::Mode { .. })));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
    fs::remove_file(&file).unwrap();
    let foreign = |sql: &str| {
        let _ = fs::remove_file(&file);
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Kept::open(&log), Err(KeptError::Foreign { .. })), "{sql}");
    };
    foreign("CREATE TABLE kept (id INTEGER)");
    foreign("PRAGMA application_id = 1096043344; PRAGMA user_version = 2; CREATE TABLE kept (id INTEGER)");
}
