//! A connection that is lost while it commits: before the server hears of it, and after it has done it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use attest_log::{AppendError, Record};

use super::postgres::{self, Server};
use super::{Ledger, NOW, decision, open, outcome, verify};

const PASS: u8 = 0;
const BEFORE: u8 = 1;
const AFTER: u8 = 2;
const HUNG: u8 = 3;

/// Stands between log and server, and cuts the connection at the next commit.
struct Between {
    folder: tempfile::TempDir,
    cut: Arc<AtomicU8>,
}

impl Between {
    fn of(server: &Path) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let cut = Arc::<AtomicU8>::default();
        let (server, told) = (server.join(".s.PGSQL.5432"), Arc::clone(&cut));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&server)) else { continue };
                let told = Arc::clone(&told);
                thread::spawn(move || relay(client, server, &told));
            }
        });
        Self { folder, cut }
    }
}

/// The statement, or the answer to it.
fn says_commit(part: &[u8]) -> bool {
    part.windows(7).any(|text| text == b"COMMIT\0")
}

fn relay(mut client: UnixStream, mut server: UnixStream, cut: &Arc<AtomicU8>) {
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let silent = Arc::<AtomicU8>::default();
    let quiet = Arc::clone(&silent);
    thread::spawn(move || {
        let mut bytes = [0; 16_384];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if quiet.load(Ordering::SeqCst) == PASS && to.write_all(&bytes[..count]).is_err() {
                break;
            }
            // The server says that it has committed; that goes nowhere.
            if quiet.load(Ordering::SeqCst) == AFTER && says_commit(&bytes[..count]) {
                break;
            }
        }
        if quiet.load(Ordering::SeqCst) != HUNG {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        }
    });
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let part = &bytes[..count];
        if says_commit(part) {
            match cut.swap(PASS, Ordering::SeqCst) {
                BEFORE => break,
                way @ (AFTER | HUNG) => silent.store(way, Ordering::SeqCst),
                _ => {}
            }
        }
        if server.write_all(part).is_err() {
            break;
        }
    }
    if silent.load(Ordering::SeqCst) == PASS {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

#[test]
fn a_commit_that_was_cut_off_is_acknowledged_if_and_only_if_it_is_there() {
    let server = Server::start();
    let between = Between::of(server.socket());
    let place = postgres::url(&[between.folder.path()], "log");
    let log = open(&place).0;
    let ledger = Ledger::default();
    for n in 0..7 {
        let way = [PASS, BEFORE, AFTER, HUNG][n % 4];
        let n = n as u64;
        between.cut.store(way, Ordering::SeqCst);
        let answer = log.append_blocking(decision(n), NOW).map(|made| (made.index, made.inclusion.is_some()));
        if way == BEFORE {
            assert_eq!(answer, Err(AppendError::Unavailable), "{n}");
            // Nothing was written: neither the replay key nor the call stands in the way.
            let index = log.append_blocking(decision(n), NOW).unwrap().index;
            ledger.lock().unwrap().insert(index, format!("decision {n}"));
        } else {
            let (index, proved) = answer.unwrap();
            assert!(proved);
            ledger.lock().unwrap().insert(index, format!("decision {n}"));
        }
        let index = log.append_blocking(outcome(n), NOW).unwrap().index;
        ledger.lock().unwrap().insert(index, format!("outcome {n}"));
    }
    assert_eq!(verify(&place, &ledger), 14);
    assert_eq!(log.stopped(), None);
}

#[test]
fn what_cannot_be_told_is_answered_with_try_later_and_its_calls_are_nobodys() {
    let server = Server::start();
    let between = Between::of(server.socket());
    let place = postgres::url(&[between.folder.path()], "log");
    let log = open(&place).0;
    log.append_blocking(Record::new("first"), NOW).unwrap();
    between.cut.store(AFTER, Ordering::SeqCst);
    let socket = between.folder.path().join(".s.PGSQL.5432");
    let away = between.folder.path().join("away");
    // Nothing can be asked for longer than callers wait.
    std::fs::rename(&socket, &away).unwrap();
    assert_eq!(log.append_blocking(decision(1), NOW).map(|a| a.index), Err(AppendError::Unavailable));
    std::fs::rename(&away, &socket).unwrap();
    let second = super::append(&log, &decision(2)).unwrap();
    assert_eq!(second, 2, "the batch that nobody was told of is there");
    assert_eq!(log.append_blocking(decision(1), NOW).map(|a| a.index), Err(AppendError::Replay));
    let recovery = open(&place).1;
    assert_eq!(recovery.open_calls.iter().map(|call| call.index).collect::<Vec<_>>(), [1]);
    assert_eq!(recovery.others.iter().map(|call| call.index).collect::<Vec<_>>(), [2]);
}
