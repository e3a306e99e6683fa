//! The sequencer over a store whose every step the test decides.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use super::*;
use crate::{Log, Options};

/// What one commit is to do.
#[derive(Clone, Copy)]
enum Commit {
    Works,
    Fails,
    FailsButPersists,
    Panics,
}

#[derive(Default)]
struct Disk {
    bodies: Vec<Vec<u8>>,
    commits: usize,
    published: Vec<String>,
    abandoned: bool,
    closed: bool,
}

/// Says when a commit begins, then waits to be told how it ends.
struct Fake {
    disk: Arc<Mutex<Disk>>,
    staged: Vec<Vec<u8>>,
    pruned: Vec<u64>,
    signed: String,
    begun: Sender<usize>,
    orders: Receiver<Commit>,
    taken: bool,
}

impl Store for Fake {
    fn begin(&mut self, _: &mut Edge, _: &mut dyn Iterator<Item = &Record>) -> Result<Option<Found>, Failed> {
        Ok(None)
    }

    fn leave(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, Failed> {
        if self.taken && record.replay.is_some() {
            return Ok(Staged::Taken);
        }
        assert_eq!(index, (self.disk.lock().unwrap().bodies.len() + self.staged.len()) as u64);
        self.staged.push(record.body.clone());
        Ok(Staged::Added)
    }

    fn prune(&mut self, _: &[u64], horizon: u64) -> Result<(), Failed> {
        self.pruned.push(horizon);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failed> {
        self.begun.send(self.staged.len()).unwrap();
        // A commit that no test ordered ends as a failure, not as a hang.
        let order = self.orders.recv_timeout(Duration::from_secs(20)).unwrap();
        let mut disk = self.disk.lock().unwrap();
        disk.commits += 1;
        if matches!(order, Commit::Works | Commit::FailsButPersists) {
            disk.bodies.append(&mut self.staged);
        }
        drop(disk);
        match order {
            Commit::Works => Ok(()),
            Commit::Fails | Commit::FailsButPersists => Err(StopReason::Io { code: 1034 }.into()),
            Commit::Panics => panic!("ordered by the test"),
        }
    }

    fn tree(&mut self, _: u64, _: &[Tile], checkpoint: &str) -> Result<(), Failed> {
        self.signed = checkpoint.to_owned();
        Ok(())
    }

    fn cosigned(&mut self, _: u64, _: &str) -> Result<(), Failed> {
        Ok(())
    }

    fn publish(&mut self, checkpoint: &str, _: u64) -> Result<(), StopReason> {
        assert_eq!(checkpoint, self.signed, "what is published is what was committed");
        self.disk.lock().unwrap().published.push(checkpoint.to_owned());
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StopReason> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), StopReason> {
        self.disk.lock().unwrap().closed = true;
        Ok(())
    }

    fn abandon(self: Box<Self>) {
        self.disk.lock().unwrap().abandoned = true;
    }
}

struct Bench {
    log: Log,
    disk: Arc<Mutex<Disk>>,
    begun: Receiver<usize>,
    orders: Sender<Commit>,
}

fn key_of_log() -> LogKey {
    LogKey::new("log.example/test", attest_core::sign::MemoryKey::from_seed(&[5; 32])).unwrap()
}

fn empty() -> Loaded {
    struct Nothing;
    impl tree::Nodes for Nothing {
        type Error = ();
        fn node(&self, _: u8, _: u64) -> Result<Hash, ()> {
            Err(())
        }
    }
    let edge = Edge::load(&Nothing, 0, 512, |_| Ok(Vec::new())).unwrap();
    Loaded {
        edge,
        checkpoint: String::new(),
        since: 0,
        horizon: 0,
        replay: Vec::new(),
        open: Vec::new(),
        others: Vec::new(),
    }
}

fn bench(taken: bool) -> Bench {
    let disk = Arc::new(Mutex::new(Disk::default()));
    let (begin, begun) = channel();
    let (orders, ordered) = channel();
    let fake = Fake {
        disk: Arc::clone(&disk),
        staged: Vec::new(),
        pruned: Vec::new(),
        signed: String::new(),
        begun: begin,
        orders: ordered,
        taken,
    };
    let (log, _) =
        Log::start(crate::Place::new("fake"), Box::new(fake), empty(), key_of_log(), Options::default()).unwrap();
    Bench { log, disk, begun, orders }
}

fn key(jti: &str) -> ReplayKey {
    ReplayKey::new(b"key", jti.as_bytes(), 1_000).unwrap()
}

fn with_key(body: &str, jti: &str) -> Record {
    Record { replay: Some(key(jti)), ..Record::new(body) }
}

/// Holds the writer in a first commit, queues `records` behind it, and lets both commits run.
fn one_batch(bench: &Bench, records: Vec<Record>, second: Option<Commit>) -> Vec<Result<u64, AppendError>> {
    let mut waiting: Vec<_> =
        std::iter::once(Record::new("first")).chain(records).map(|r| Box::pin(bench.log.append(r, 1))).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut futures = waiting.iter_mut();
    assert!(futures.next().unwrap().as_mut().poll(&mut context).is_pending());
    assert_eq!(bench.begun.recv().unwrap(), 1);
    // One poll puts each into the queue.
    futures.for_each(|f| assert!(f.as_mut().poll(&mut context).is_pending()));
    bench.orders.send(Commit::Works).unwrap();
    if let Some(second) = second {
        bench.begun.recv().unwrap();
        bench.orders.send(second).unwrap();
    }
    waiting.into_iter().skip(1).map(|w| crate::wait::block_on(w).map(|a| a.index)).collect()
}

#[test]
fn what_waits_during_a_commit_shares_the_next_one_and_keeps_its_order() {
    let bench = bench(false);
    let records = (0..20).map(|i| Record::new(format!("{i}"))).collect();
    let verdicts = one_batch(&bench, records, Some(Commit::Works));
    assert_eq!(verdicts, (1..=20).map(Ok).collect::<Vec<_>>());
    assert_eq!(bench.disk.lock().unwrap().commits, 2);
}

#[test]
fn a_replay_within_one_batch_refuses_only_the_second() {
    let bench = bench(false);
    let records = vec![with_key("a", "j1"), with_key("b", "j1"), with_key("c", "j2")];
    let verdicts = one_batch(&bench, records, Some(Commit::Works));
    assert_eq!(verdicts, [Ok(1), Err(AppendError::Replay), Ok(2)]);
    assert_eq!(bench.disk.lock().unwrap().bodies, [b"first".to_vec(), b"a".to_vec(), b"c".to_vec()]);
}

#[test]
fn a_key_that_only_the_database_knows_is_refused_by_it_and_uses_no_index() {
    let bench = bench(true);
    let verdicts = one_batch(&bench, vec![with_key("a", "j1"), Record::new("b")], Some(Commit::Works));
    assert_eq!(verdicts, [Err(AppendError::Replay), Ok(1)]);
    assert!(bench.log.seen(&key("j1")), "the window has learnt it");
}

#[test]
fn an_outcome_may_follow_its_decision_within_one_batch_and_only_once() {
    let bench = bench(false);
    let call = [7u8; 32];
    let open = || Record { opens: Some(call), ..Record::new("decision") };
    let close = || Record { closes: Some(call), ..Record::new("outcome") };
    let verdicts = one_batch(&bench, vec![close(), open(), open(), close(), close()], Some(Commit::Works));
    let refused = |error| Err::<u64, _>(error);
    assert_eq!(
        verdicts,
        [refused(AppendError::NotOpen), Ok(1), refused(AppendError::AlreadyOpen), Ok(2), refused(AppendError::NotOpen)]
    );
}

#[test]
fn refusals_alone_cost_no_commit() {
    let bench = bench(false);
    let verdicts = one_batch(&bench, vec![Record { closes: Some([1; 32]), ..Record::new("x") }], None);
    assert_eq!(verdicts, [Err(AppendError::NotOpen)]);
    bench.log.close().unwrap();
    assert_eq!(bench.disk.lock().unwrap().commits, 1);
}

/// Sunlight's table: whether or not a failed commit reached the disk, nobody is told that it did, and nothing follows.
#[test]
fn a_failed_commit_is_acknowledged_to_nobody_and_is_the_last() {
    for (order, reason, kept) in [
        (Commit::Fails, StopReason::Io { code: 1034 }, 1),
        (Commit::FailsButPersists, StopReason::Io { code: 1034 }, 4),
        (Commit::Panics, StopReason::Panicked, 1),
    ] {
        let bench = bench(false);
        let records = vec![with_key("a", "j1"), with_key("b", "j1"), Record::new("c"), Record::new("d")];
        let verdicts = one_batch(&bench, records, Some(order));
        assert_eq!(
            verdicts,
            vec![Err(AppendError::Stopped(reason)); 4],
            "the refused one too: its reason was not durable"
        );
        assert_eq!(bench.log.stopped(), Some(reason));
        assert_eq!(
            bench.log.append_blocking(Record::new("later"), 1).map(|a| a.index),
            Err(AppendError::Stopped(reason))
        );
        assert!(!bench.disk.lock().unwrap().abandoned, "the lock is held until the log goes");
        assert_eq!(bench.log.close(), Err(reason));
        let disk = bench.disk.lock().unwrap();
        assert_eq!((disk.bodies.len(), disk.commits), (kept, 2));
        assert!(disk.abandoned && !disk.closed);
    }
}

#[test]
fn a_key_in_an_unfinished_commit_counts_as_seen() {
    let bench = bench(false);
    let mut waiting = pin!(bench.log.append(with_key("a", "j1"), 1));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    bench.begun.recv().unwrap();
    assert!(bench.log.seen(&key("j1")));
    bench.orders.send(Commit::Works).unwrap();
    assert_eq!(crate::wait::block_on(waiting).map(|a| a.index), Ok(0));
}

#[test]
fn a_caller_that_goes_away_does_not_undo_its_commit() {
    let bench = bench(false);
    let mut waiting = Box::pin(bench.log.append(with_key("a", "j1"), 1));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    bench.begun.recv().unwrap();
    drop(waiting);
    bench.orders.send(Commit::Works).unwrap();
    bench.log.close().unwrap();
    assert_eq!(bench.disk.lock().unwrap().bodies, [b"a".to_vec()]);
}

#[test]
fn closing_commits_what_waits_and_refuses_what_comes_after() {
    let bench = bench(false);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(bench.log.append(Record::new("a"), 1));
    assert!(first.as_mut().poll(&mut context).is_pending());
    bench.begun.recv().unwrap();
    let mut second = Box::pin(bench.log.append(Record::new("b"), 1));
    assert!(second.as_mut().poll(&mut context).is_pending());
    bench.orders.send(Commit::Works).unwrap();
    bench.orders.send(Commit::Works).unwrap();
    bench.log.close().unwrap();
    let index = |verdict: Verdict| verdict.map(|a| a.index);
    assert_eq!((index(crate::wait::block_on(first)), index(crate::wait::block_on(second))), (Ok(0), Ok(1)));
    let closed = AppendError::Stopped(StopReason::Closed);
    assert_eq!(bench.log.append_blocking(Record::new("c"), 1).map(|a| a.index), Err(closed));
    assert_eq!(bench.log.close(), Ok(()), "a second close does nothing");
    assert!(bench.disk.lock().unwrap().closed);
}
