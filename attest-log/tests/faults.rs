//! A write or fsync that fails stops the log: nothing acknowledged is lost, nothing is acknowledged afterwards, reading
//! goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code, also outside of #[test] functions"
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use attest_log::{AppendError, Log, OpenError, Options, Reader, Record, Recovery, StopReason, Testing};
use common::{CHILD, Ledger, NOW, check, child_main, random, rounds, spawn, test_key};

#[test]
fn child() {
    child_main();
}

fn works(command: &mut Command) -> bool {
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether calls can be made to fail here. Where not, the test says so and shows nothing.
fn strace_works() -> bool {
    let works = works(Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]));
    if !works {
        println!("SKIPPED: strace does not run here");
    }
    works
}

/// A child whose every thread meets `fault` at its `n`-th call out of `calls`.
fn under_fault(path: &Path, calls: &str, fault: &str, n: u64, appends: u64) -> Ledger {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:{fault}:when={n}")]);
    let (mut child, mut out) = spawn(command.arg(std::env::current_exe().unwrap()).args(CHILD), path, n, Some(appends));
    let mut ledger = Ledger::default();
    ledger.drain(&mut out);
    child.wait().unwrap();
    assert_eq!(ledger.violations, Vec::<String>::new(), "fault {n}");
    ledger
}

#[test]
fn a_failed_fsync_stops_the_log_and_nothing_is_acknowledged_after_it() {
    if !strace_works() {
        return;
    }
    let (mut stops, mut refusals) = (0, 0);
    for n in 1..=rounds(12, 100) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log.db");
        let ledger = under_fault(&path, "fsync,fdatasync", "error=EIO", n, 40);
        match (&ledger.refused, &ledger.stopped) {
            (Some(_), None) => refusals += 1,
            (None, Some(reason)) => {
                assert!(reason.contains("SQLite code"), "{reason}");
                assert!(ledger.read_after_stop, "fault {n}: what was acknowledged can be read");
                stops += 1;
            }
            // Later faults may lie beyond the run's last fsync; the early ones may not.
            (None, None) if n > 12 => {}
            other => panic!("fault {n} was not noticed: {other:?}"),
        }
        check(&path, &ledger.acknowledged);
    }
    assert!(stops > 0 && refusals > 0, "{stops} stops, {refusals} refused openings");
}

#[test]
fn a_failed_write_stops_the_log() {
    if !strace_works() {
        return;
    }
    // The database's file, or the record beside it.
    for (error, texts) in [("ENOSPC", ["disk is full"; 2]), ("EIO", ["SQLite code", "system error"])] {
        for _ in 0..rounds(2, 30) {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("log.db");
            let n = 30 + random(100);
            let ledger = under_fault(&path, "pwrite64", &format!("error={error}"), n, 40);
            match (&ledger.refused, &ledger.stopped) {
                // The last writes of the opening: nothing was acknowledged, and the log may not have been finished.
                (Some(_), None) if n < 40 && ledger.acknowledged.is_empty() => continue,
                (None, Some(reason)) => {
                    assert!(texts.iter().any(|text| reason.contains(text)), "{reason}");
                    assert!(ledger.read_after_stop);
                }
                other => panic!("{error} at write {n} was not noticed: {other:?}"),
            }
            check(&path, &ledger.acknowledged);
        }
    }
}

/// Every fsync, fdatasync and write of a short run, each failing in each way that the system has: a full verification
/// follows ([`check`]).
#[test]
fn every_system_call_of_a_short_run_may_fail() {
    if !strace_works() {
        return;
    }
    for (calls, faults) in [
        ("fsync,fdatasync", &["error=EIO", "signal=KILL"][..]),
        ("pwrite64", &["error=EIO", "error=ENOSPC", "signal=KILL"]),
    ] {
        for fault in faults {
            let mut quiet = 0;
            for n in (1..=400).step_by(usize::try_from(rounds(7, 1)).unwrap()) {
                let place = tempfile::tempdir().unwrap();
                let path = place.path().join("log.db");
                let ledger = under_fault(&path, calls, fault, n, 2);
                check(&path, &ledger.acknowledged);
                // Eight callers, two calls each, two appends a call: whoever got them all met no fault.
                quiet = if ledger.acknowledged.len() == 32 { quiet + 1 } else { 0 };
                if quiet == 3 {
                    break;
                }
            }
            assert_eq!(quiet, 3, "{calls} {fault}: the run has more calls than were tried");
        }
    }
}

#[test]
fn a_kill_between_two_writes_of_a_transaction_loses_nothing_acknowledged() {
    if !strace_works() {
        return;
    }
    for round in 0..rounds(6, 100) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log.db");
        // The first writes make the file itself: a log half made is made again.
        let n = if round < 3 { 1 + round * 4 } else { 1 + random(200) };
        let ledger = under_fault(&path, "pwrite64", "signal=KILL", n, 40);
        assert_eq!((&ledger.stopped, &ledger.refused), (&None, &None));
        check(&path, &ledger.acknowledged);
    }
}

#[test]
fn a_full_database_refuses_stops_and_can_still_be_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log.db");
    let testing = Testing { max_pages: Some(40), ..Testing::default() };
    let (log, _) = Log::open(&path, test_key(), Options { testing, ..Options::default() }).unwrap();
    let mut stored = 0;
    let refusal = loop {
        match log.append_blocking(Record::new(vec![b'x'; 1_000]), NOW).map(|a| a.index) {
            Ok(index) => {
                assert_eq!(index, stored);
                stored += 1;
            }
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, AppendError::Stopped(StopReason::Full));
    assert_eq!(log.stopped(), Some(StopReason::Full));
    // A smaller one would fit. It is refused too: stopped is stopped.
    assert_eq!(log.append_blocking(Record::new("x"), NOW).map(|a| a.index), Err(refusal));
    let reader = Reader::open(&path).unwrap();
    assert_eq!(
        (reader.len().unwrap(), reader.entries(0..u64::MAX).count()),
        (stored, usize::try_from(stored).unwrap())
    );
    assert!(stored > 10);
    // The file stays locked until this log goes, so that a restart is somebody's decision.
    assert!(matches!(Log::open(&path, test_key(), Options::default()), Err(OpenError::InUse { .. })));
    // The last connection that SQLite closes would copy the write-ahead file and remove it: a write after the failure.
    drop(reader);
    let state =
        |file: &str| std::fs::metadata(path.with_file_name(file)).map(|m| (m.len(), m.modified().unwrap())).unwrap();
    let before = (state("log.db"), state("log.db-wal"));
    assert_eq!(log.close(), Err(StopReason::Full));
    assert_eq!((state("log.db"), state("log.db-wal")), before);
    drop(log);
    let (log, recovery) = reopened(&path);
    assert_eq!(recovery.next, stored);
    assert_eq!(log.append_blocking(Record::new("x"), NOW).map(|a| a.index), Ok(stored));
}

/// A process that another test's thread starts holds our lock too, until it becomes its program.
fn reopened(path: &Path) -> (Log, Recovery) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Log::open(path, test_key(), Options::default()) {
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened.unwrap(),
        }
    }
}

/// A real one of 1 MiB, in a mount namespace of its own, so that nothing stays mounted however the test ends.
#[test]
fn a_full_disk_refuses_stops_and_can_still_be_read() {
    let place = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=1m,mode=700 attest-log "$0""#;
    if !works(Command::new("unshare").args(["-m", "sh", "-c", mount]).arg(place.path())) {
        println!("SKIPPED: mounting a small file system needs root");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!(r#"{mount} && exec "$@""#)]).arg(place.path());
    let (mut child, mut out) =
        spawn(command.arg(std::env::current_exe().unwrap()).args(CHILD), &place.path().join("log.db"), 0, Some(5_000));
    let mut ledger = Ledger::default();
    ledger.drain(&mut out);
    child.wait().unwrap();
    assert_eq!(ledger.violations, Vec::<String>::new());
    assert!(ledger.acknowledged.len() > 20 && ledger.stopped.is_some() && ledger.read_after_stop, "{ledger:?}");
}
