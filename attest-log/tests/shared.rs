//! A log that several writers share, on a real PostgreSQL: one sequence, one tree, one set of replay keys, whoever writes and
//! whatever becomes of the database.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "shared/batches.rs"]
mod batches;
mod common;
#[path = "shared/cut.rs"]
mod cut;
#[path = "shared/keys.rs"]
mod keys;
#[path = "../../tests/src/postgres.rs"]
mod postgres;
#[path = "shared/refused.rs"]
mod refused;
#[path = "shared/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use attest_core::merkle;
use attest_log::{AppendError, Hash, Log, Options, Place, Reader, Record, Recovery, ReplayKey, StopReason, Token};

use common::test_key;
use postgres::Server;

const NOW: u64 = 1_000_000;

fn open(place: impl Into<Place>) -> (Log, Recovery) {
    Log::open(place, test_key(), Options::default()).unwrap()
}

fn key(n: u64, expires: u64) -> ReplayKey {
    ReplayKey::new(b"key", &n.to_be_bytes(), expires).unwrap()
}

fn call(n: u64) -> Hash {
    merkle::leaf(&n.to_be_bytes())
}

/// A decision with everything that one brings.
fn decision(n: u64) -> Record {
    Record {
        tokens: vec![Token::new(format!("shared {}", n / 8))],
        token: Some(Token::new(format!("proof {n}"))),
        replay: Some(key(n, NOW + 300)),
        opens: Some(call(n)),
        prove: true,
        ..Record::new(format!("decision {n}"))
    }
}

fn outcome(n: u64) -> Record {
    Record { closes: Some(call(n)), ..Record::new(format!("outcome {n}")) }
}

/// Appends until the log takes it; a commit may turn out to have gone through although nobody could tell.
fn append(log: &Log, record: &Record) -> Result<u64, AppendError> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match log.append_blocking(record.clone(), NOW) {
            Err(AppendError::Unavailable) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            answer => return answer.map(|appended| appended.index),
        }
    }
}

/// What was acknowledged, by index.
type Ledger = Mutex<BTreeMap<u64, String>>;

/// Every entry that was acknowledged is there under its index, nothing is there twice, and the tree, made anew from the
/// entries alone, is the one that was signed. Answers how many entries there are.
fn verify(place: impl Into<Place>, ledger: &Ledger) -> u64 {
    let reader = Reader::open(place).unwrap();
    let entries: Vec<_> = reader.entries(0..u64::MAX).map(|entry| entry.unwrap().body).collect();
    for (index, body) in ledger.lock().unwrap().iter() {
        assert_eq!(entries[usize::try_from(*index).unwrap()], body.as_bytes(), "acknowledged entry {index}");
    }
    let different: BTreeSet<_> = entries.iter().collect();
    assert_eq!(different.len(), entries.len(), "an entry is there twice");
    let leaves: Vec<_> = entries.iter().map(|body| merkle::leaf(body)).collect();
    let signed = reader.log_keys().unwrap().open(reader.checkpoint().unwrap().as_bytes()).unwrap();
    assert_eq!(signed.size, entries.len() as u64);
    assert_eq!(signed.root, root(&leaves));
    assert_eq!(reader.root(signed.size).unwrap(), signed.root, "the stored tiles");
    for index in (0..signed.size).step_by(97) {
        let path = reader.inclusion(index, signed.size).unwrap();
        merkle::check_inclusion(&leaves[usize::try_from(index).unwrap()], index, signed.size, &path, &signed.root)
            .unwrap();
    }
    signed.size
}

/// RFC 6962, section 2.1, as it stands there.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => merkle::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            merkle::node(&root(left), &root(right))
        }
    }
}

#[test]
fn many_writers_make_one_sequence_and_one_tree() {
    let server = Server::start();
    let place = server.url("log");
    // All at once, so that they meet at the making of the tables too.
    let logs: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..3).map(|_| scope.spawn(|| open(&place).0)).collect();
        opening.into_iter().map(|log| log.join().unwrap()).collect()
    });
    let ledger = Ledger::default();
    thread::scope(|scope| {
        for (log, from) in logs.iter().zip([0u64, 1_000, 2_000]) {
            for part in 0..4 {
                let ledger = &ledger;
                scope.spawn(move || {
                    for n in from + part * 100..from + part * 100 + 60 {
                        let made = log.append_blocking(decision(n), NOW).unwrap();
                        let proof = made.inclusion.unwrap();
                        let signed = test_key().vkey().to_string();
                        let keys = attest_core::checkpoint::LogKeys::parse(&[signed.as_str()]).unwrap();
                        let signed = keys.open(proof.checkpoint.as_bytes()).unwrap();
                        let leaf = merkle::leaf(format!("decision {n}").as_bytes());
                        merkle::check_inclusion(&leaf, made.index, signed.size, &proof.path, &signed.root).unwrap();
                        let closed = log.append_blocking(outcome(n), NOW).unwrap().index;
                        let mut ledger = ledger.lock().unwrap();
                        assert_eq!(ledger.insert(made.index, format!("decision {n}")), None);
                        assert_eq!(ledger.insert(closed, format!("outcome {n}")), None);
                    }
                });
            }
        }
    });
    assert_eq!(verify(&place, &ledger), 3 * 4 * 60 * 2);
    assert_eq!(Reader::open(&place).unwrap().open_entries().unwrap(), []);
    // One that others left far behind goes on as well.
    let idle = open(&place).0;
    thread::scope(|scope| {
        for part in 0..16 {
            let (log, ledger) = (&logs[0], &ledger);
            scope.spawn(move || {
                for n in 0..150 {
                    let body = format!("more {part} {n}");
                    let index = log.append_blocking(Record::new(body.clone()), NOW).unwrap().index;
                    ledger.lock().unwrap().insert(index, body);
                }
            });
        }
    });
    let index = idle.append_blocking(Record::new("late"), NOW).unwrap().index;
    ledger.lock().unwrap().insert(index, "late".to_owned());
    assert_eq!(index, 1_440 + 2_400);
    verify(&place, &ledger);
}

#[test]
fn a_jti_that_one_accepted_is_a_replay_for_all_also_within_a_race() {
    let server = Server::start();
    let place = server.url("log");
    let logs: Vec<_> = (0..4).map(|_| open(&place).0).collect();
    logs[0].append_blocking(decision(1), NOW).unwrap();
    assert_eq!(logs[1].append_blocking(decision(1), NOW).map(|a| a.index), Err(AppendError::Replay));
    assert!(logs[1].seen(&key(1, NOW + 300)), "what the database knew is known here from then on");
    for n in 100..140 {
        let same = |at: usize| Record { opens: None, ..Record { body: format!("{n} by {at}").into(), ..decision(n) } };
        let verdicts: Vec<_> = thread::scope(|scope| {
            let racing: Vec<_> = (0..4)
                .map(|at| {
                    let log = &logs[at];
                    scope.spawn(move || log.append_blocking(same(at), NOW).map(|a| a.index))
                })
                .collect();
            racing.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Err(AppendError::Replay)).count(), 3, "{verdicts:?}");
    }
    // A call that one opened is closed by any, once.
    assert_eq!(logs[2].append_blocking(outcome(1), NOW).map(|a| a.index), Ok(41));
    assert_eq!(logs[3].append_blocking(outcome(1), NOW).map(|a| a.index), Err(AppendError::NotOpen));
    // Opened and closed within one batch, and opened twice.
    let again = Record { replay: None, ..decision(100) };
    logs[0].append_blocking(again.clone(), NOW).unwrap();
    assert_eq!(logs[1].append_blocking(again, NOW).map(|a| a.index), Err(AppendError::AlreadyOpen));
}

#[test]
fn what_is_pruned_by_one_clock_is_refused_by_all_and_never_free() {
    let server = Server::start();
    let place = server.url("log");
    let (ahead, behind) = (open(&place).0, open(&place).0);
    let with = |n: u64, expires| Record { replay: Some(key(n, expires)), ..Record::new(format!("{n}")) };
    behind.append_blocking(with(1, NOW), NOW).unwrap();
    ahead.append_blocking(with(2, NOW + 10), NOW).unwrap();
    // An hour ahead: it forgets its own key, and everything that ended with it.
    ahead.append_blocking(with(3, NOW + 7_200), NOW + 3_600).unwrap();
    assert_eq!(server.sql("log", "SELECT count(*) FROM attest_log.replay").trim(), "1");
    for log in [&ahead, &behind, &open(&place).0] {
        for n in [1, 2, 77] {
            let refused = log.append_blocking(with(n, NOW + 10), NOW).map(|a| a.index);
            assert!(matches!(refused, Err(AppendError::Expired | AppendError::Replay)), "{n}: {refused:?}");
        }
        assert_eq!(log.append_blocking(with(3, NOW + 7_200), NOW).map(|a| a.index), Err(AppendError::Replay));
    }
    behind.append_blocking(with(4, NOW + 11), NOW).unwrap();
}

#[test]
fn entries_of_any_length_are_followed() {
    let server = Server::start();
    let place = server.url("log");
    let logs = [open(&place).0, open(&place).0];
    for (n, length) in [1, 2_047, 2_048, 2_049, 65_535, 1].into_iter().enumerate() {
        let index = logs[n % 2].append_blocking(Record::new(vec![b'x'; length]), NOW).unwrap().index;
        assert_eq!(index, n as u64);
    }
    // Whoever wrote last has followed all but that one, and signed it; the others do so now.
    logs[0].append_blocking(decision(1), NOW).unwrap();
    assert_eq!(logs.map(|log| log.stopped()), [None, None]);
}

#[test]
fn a_reader_reads_on_once_its_server_is_back() {
    let server = Server::start();
    let place = server.url("log");
    let log = open(&place).0;
    log.append_blocking(decision(1), NOW).unwrap();
    let reader = Reader::open(&place).unwrap();
    for mode in ["fast", "immediate"] {
        assert_eq!(reader.entries(0..1).count(), 1);
        server.down(mode);
        server.up();
        assert_eq!(reader.entries(0..1).next().unwrap().unwrap().body, b"decision 1", "{mode}");
    }
}

#[test]
fn a_database_that_goes_away_refuses_appends_and_the_log_goes_on_by_itself_when_it_is_back() {
    let server = Server::start();
    let place = server.url("log");
    let log = open(&place).0;
    let ledger = Ledger::default();
    let taken = |n: u64| {
        let index = append(&log, &decision(n)).unwrap();
        ledger.lock().unwrap().insert(index, format!("decision {n}"));
    };
    for (n, mode) in [(1, "fast"), (2, "immediate")] {
        taken(10 * n);
        server.down(mode);
        let begun = Instant::now();
        for _ in 0..20 {
            let refused = log.append_blocking(decision(10 * n + 1), NOW).map(|a| a.index);
            assert_eq!(refused, Err(AppendError::Unavailable));
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "callers hang: {:?}", begun.elapsed());
        assert_eq!(log.stopped(), None);
        server.up();
        // The same call again: nothing of it was written, so it is no replay.
        taken(10 * n + 1);
    }
    // Idle while the database restarts: the next append finds it.
    server.down("fast");
    server.up();
    let index = log.append_blocking(decision(99), NOW).unwrap().index;
    ledger.lock().unwrap().insert(index, "decision 99".to_owned());
    assert_eq!(verify(&place, &ledger), 5);
}

#[test]
fn a_server_that_crashes_under_load_loses_nothing_acknowledged() {
    let server = Server::start();
    let place = server.url("log");
    let logs: Vec<_> = (0..2).map(|_| open(&place).0).collect();
    let ledger = Ledger::default();
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for (at, log) in (0u64..).zip(&logs) {
            for part in 0..4 {
                let (ledger, over) = (&ledger, &over);
                scope.spawn(move || {
                    for n in (at * 4 + part) * 100_000.. {
                        if over.load(std::sync::atomic::Ordering::SeqCst) {
                            break;
                        }
                        match append(log, &decision(n)) {
                            Ok(index) => drop(ledger.lock().unwrap().insert(index, format!("decision {n}"))),
                            // It had gone through, and nobody could tell at the time.
                            Err(AppendError::Replay) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
        }
        for _ in 0..common::rounds(3, 20) {
            thread::sleep(Duration::from_millis(400));
            server.kill();
            thread::sleep(Duration::from_millis(300));
            server.up();
        }
        thread::sleep(Duration::from_millis(600));
        over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let there = verify(&place, &ledger);
    let acknowledged = ledger.lock().unwrap().len() as u64;
    assert!(acknowledged > 50, "{acknowledged}");
    assert!(there >= acknowledged);
}

#[test]
fn only_the_calls_of_dead_verifiers_are_handed_to_whoever_opens_next() {
    let server = Server::start();
    let place = server.url("log");
    let (dies, lives) = (open(&place).0, open(&place).0);
    let of_the_dead = dies.append_blocking(decision(1), NOW).unwrap().index;
    let of_the_living = lives.append_blocking(decision(2), NOW).unwrap().index;
    let (_watching, recovery) = open(&place);
    assert_eq!(recovery.open_calls, []);
    assert_eq!(recovery.others.len(), 2);
    drop(dies);
    let (log, recovery) = open(&place);
    assert_eq!(
        recovery.open_calls.iter().map(|call| (call.hash, call.index)).collect::<Vec<_>>(),
        [(call(1), of_the_dead)]
    );
    assert_eq!(
        recovery.others.iter().map(|call| (call.hash, call.index)).collect::<Vec<_>>(),
        [(call(2), of_the_living)]
    );
    // While that one is at it, nobody else is told the same.
    assert_eq!(open(&place).1.open_calls, []);
    log.append_blocking(outcome(1), NOW).unwrap();
    lives.append_blocking(outcome(2), NOW).unwrap();
    drop((log, lives));
    assert_eq!(open(&place).1.open_calls, []);
    // A verifier that lost its connection is no dead one once it is back.
    let log = open(&place).0;
    server.down("fast");
    server.up();
    append(&log, &decision(3)).unwrap();
    assert_eq!(open(&place).1.open_calls, []);
}

#[test]
fn a_database_that_went_back_or_another_way_stops_the_log_for_good() {
    let server = Server::start();
    for (name, change) in [
        ("cut", "DELETE FROM entry WHERE idx = 2; UPDATE state SET size = 2"),
        ("changed", "UPDATE entry SET body = 'other' WHERE idx = 2; UPDATE state SET checkpoint = checkpoint || 'x'"),
        ("signed", "UPDATE state SET checkpoint = 'nothing'"),
        ("unsigned", "INSERT INTO entry (idx, body) VALUES (3, 'forged'); UPDATE state SET size = 4"),
    ] {
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        let place = server.url(name);
        let log = open(&place).0;
        for n in 0..3 {
            log.append_blocking(decision(n), NOW).unwrap();
        }
        server.sql(name, &format!("SET search_path = attest_log; {change}"));
        let refused = log.append_blocking(decision(9), NOW).map(|a| a.index);
        assert_eq!(refused, Err(AppendError::Stopped(StopReason::Forked)), "{name}");
        assert_eq!(log.stopped(), Some(StopReason::Forked));
    }
    // What another verifier signed, over entries that were changed before this one saw them.
    server.sql("postgres", "CREATE DATABASE unseen");
    let place = server.url("unseen");
    let (one, other) = (open(&place).0, open(&place).0);
    one.append_blocking(decision(1), NOW).unwrap();
    server.sql("unseen", "UPDATE attest_log.entry SET body = 'other' WHERE idx = 0");
    let refused = other.append_blocking(decision(2), NOW).map(|a| a.index);
    assert_eq!(refused, Err(AppendError::Stopped(StopReason::Forked)));
    // Whoever stopped keeps nobody else waiting.
    assert_eq!(one.append_blocking(decision(2), NOW).map(|a| a.index), Ok(1));
}

#[test]
fn a_deadlock_is_tried_again() {
    let server = Server::start();
    let place = server.url("log");
    let log = open(&place).0;
    log.append_blocking(decision(0), NOW).unwrap();
    let foreign = "BEGIN; LOCK TABLE attest_log.entry IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.4);
        SELECT FROM attest_log.state FOR UPDATE; COMMIT";
    let mut foreign = server.psql("log", foreign).spawn().unwrap();
    thread::sleep(Duration::from_millis(150));
    let index = log.append_blocking(decision(1), NOW).unwrap().index;
    assert!(foreign.wait().unwrap().success(), "the deadlock was the other's");
    assert_eq!(index, 1);
    verify(&place, &Ledger::default());
}
