//! The crash table: every call to the storage × {failed, failed but done} × {the caller goes on, the caller stops}, over the
//! real storage, and a whole verification of what is there afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest_core::merkle;
use attest_core::sign::MemoryKey;

use crate::error::{AppendError, StopReason};
use crate::key::LogKey;
use crate::load::Doubt;
use crate::log::{Log, Options, Testing};
use crate::place::Place;
use crate::reader::Reader;
use crate::record::{Record, ReplayKey, Token};
use crate::sqlite::{SqliteStore, resolve};
use crate::store::{Failed, Found, Staged, Store};
use crate::tree::{Edge, Tile};

const CALLS: [Call; 7] =
    [Call::Stage, Call::Prune, Call::Tree, Call::Cosigned, Call::Commit, Call::Publish, Call::Tidy];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Stage,
    Prune,
    Tree,
    Cosigned,
    Commit,
    Publish,
    Tidy,
}

/// Which call fails, at which time it is made, and whether it is done all the same.
#[derive(Clone, Copy, Debug)]
struct Fault {
    call: Call,
    nth: usize,
    done: bool,
}

const FAILED: StopReason = StopReason::Io { code: 4_242 };

struct Faulty {
    inner: Box<SqliteStore>,
    fault: Fault,
    seen: Arc<AtomicUsize>,
}

impl Faulty {
    fn meet<T, E: From<StopReason>>(
        &mut self,
        call: Call,
        act: impl FnOnce(&mut SqliteStore) -> Result<T, E>,
    ) -> Result<T, E> {
        if call != self.fault.call || self.seen.fetch_add(1, Ordering::SeqCst) != self.fault.nth {
            return act(&mut self.inner);
        }
        if self.fault.done {
            act(&mut self.inner)?;
        }
        Err(FAILED.into())
    }
}

impl Store for Faulty {
    fn begin(&mut self, edge: &mut Edge, records: &mut dyn Iterator<Item = &Record>) -> Result<Option<Found>, Failed> {
        self.inner.begin(edge, records)
    }

    fn leave(&mut self) -> Result<(), Failed> {
        self.inner.leave()
    }

    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, Failed> {
        self.meet(Call::Stage, |inner| inner.stage(index, record))
    }

    fn prune(&mut self, entries: &[u64], horizon: u64) -> Result<(), Failed> {
        self.meet(Call::Prune, |inner| inner.prune(entries, horizon))
    }

    fn tree(&mut self, size: u64, tiles: &[Tile], checkpoint: &str) -> Result<(), Failed> {
        self.meet(Call::Tree, |inner| inner.tree(size, tiles, checkpoint))
    }

    fn cosigned(&mut self, size: u64, note: &str) -> Result<(), Failed> {
        self.meet(Call::Cosigned, |inner| inner.cosigned(size, note))
    }

    fn commit(&mut self) -> Result<(), Failed> {
        self.meet(Call::Commit, SqliteStore::commit)
    }

    fn publish(&mut self, checkpoint: &str, now: u64) -> Result<(), StopReason> {
        self.meet(Call::Publish, |inner| inner.publish(checkpoint, now))
    }

    fn tidy(&mut self) -> Result<(), StopReason> {
        self.meet(Call::Tidy, SqliteStore::tidy)
    }

    fn close(self: Box<Self>) -> Result<(), StopReason> {
        self.inner.close()
    }

    fn abandon(self: Box<Self>) {
        self.inner.abandon();
    }
}

fn key() -> LogKey {
    LogKey::new("log.example/faults", MemoryKey::from_seed(&[5; 32])).unwrap()
}

fn options() -> Options {
    // Small, so that a short run meets the database's own checkpoints too.
    Options { testing: Testing { checkpoint_pages: Some(8), ..Testing::default() }, ..Options::default() }
}

/// A log whose storage meets `fault`, and how often the call in question was made.
fn faulty(path: &Path, fault: Fault) -> (Log, Arc<AtomicUsize>) {
    let path = resolve(path).unwrap();
    let (store, loaded) = SqliteStore::open(&path, &key(), options().testing, 512, Doubt::Refuse).unwrap();
    let seen = Arc::<AtomicUsize>::default();
    let faulty = Faulty { inner: Box::new(store), fault, seen: Arc::clone(&seen) };
    let (log, _) = Log::start(Place::File(path), Box::new(faulty), loaded, key(), options()).unwrap();
    (log, seen)
}

/// The `n`-th append of a run, with everything that an append can bring. The replay keys of the first ones end early, so
/// that the later ones prune them.
fn record(n: u64) -> (Record, u64) {
    let call = merkle::leaf(&n.to_be_bytes());
    let record = Record {
        tokens: vec![Token::new(format!("shared {}", n / 8))],
        token: Some(Token::new(format!("proof {n}"))),
        replay: Some(ReplayKey::new(b"key", &n.to_be_bytes(), 1_000 + n).unwrap()),
        opens: Some(call),
        prove: true,
        ..Record::new(format!("entry {n}"))
    };
    (record, if n < 20 { 1_000 } else { 2_000 + n })
}

/// What was acknowledged: index and body.
type Ledger = BTreeMap<u64, Vec<u8>>;

fn run(log: &Log, from: u64, ledger: &mut Ledger) -> Result<(), AppendError> {
    for n in from..from + 30 {
        let (record, now) = record(n);
        let body = record.body.clone();
        let appended = log.append_blocking(record, now)?;
        assert!(ledger.insert(appended.index, body).is_none(), "an index was handed out twice");
        if n % 10 == 9 {
            let size = appended.index + 1;
            crate::wait::block_on(log.keep_cosigned(size, log.checkpoint().to_string()))?;
        }
    }
    Ok(())
}

/// Opens the log anew and holds all of it together: acknowledged entries, leaves, tiles, checkpoint, keys, replay keys.
fn verify(path: &Path, ledger: &Ledger) -> u64 {
    let (log, recovery) = Log::open(path, key(), options()).unwrap();
    let reader = Reader::open(path).unwrap();
    let entries: Vec<_> = reader.entries(0..u64::MAX).map(Result::unwrap).collect();
    assert_eq!(recovery.next, entries.len() as u64);
    for (index, body) in ledger {
        assert_eq!(&entries[usize::try_from(*index).unwrap()].body, body, "acknowledged entry {index}");
    }
    let leaves: Vec<_> = entries.iter().map(|entry| merkle::leaf(&entry.body)).collect();
    let checkpoint = reader.log_keys().unwrap().open(reader.checkpoint().unwrap().as_bytes()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (recovery.next, root(&leaves)));
    for (size, note) in reader.cosigned().unwrap() {
        let kept = reader.log_keys().unwrap().open(note.as_bytes()).unwrap();
        assert_eq!((kept.size, kept.root), (size, root(&leaves[..usize::try_from(size).unwrap()])));
    }
    for entry in &entries {
        let n: u64 = std::str::from_utf8(&entry.body).unwrap().strip_prefix("entry ").unwrap().parse().unwrap();
        assert_eq!(entry.token.as_deref(), Some(&*format!("proof {n}")));
        assert!(reader.token(Token::new(format!("shared {}", n / 8)).hash()).unwrap().is_some());
        let (again, now) = record(n);
        let refused = log.append_blocking(Record { opens: None, ..again }, now);
        assert!(matches!(refused, Err(AppendError::Replay | AppendError::Expired)), "{n}: {refused:?}");
    }
    assert_eq!(recovery.open_calls.len(), entries.len());
    recovery.next
}

/// RFC 6962, section 2.1, as it stands there.
fn root(leaves: &[merkle::Hash]) -> merkle::Hash {
    match leaves {
        [] => merkle::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            merkle::node(&root(left), &root(right))
        }
    }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    // In memory where that can be: which calls fail is decided here, and hundreds of logs are made.
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = place.path().join("log.db");
    (place, path)
}

#[test]
fn whatever_call_fails_nothing_acknowledged_is_lost_and_nothing_is_acknowledged_after_it() {
    let mut met = 0;
    for call in CALLS {
        // How often a run without a fault makes this call.
        let (_place, path) = place();
        let (log, seen) = faulty(&path, Fault { call, nth: usize::MAX, done: false });
        let mut ledger = Ledger::new();
        run(&log, 0, &mut ledger).unwrap();
        drop(log);
        let times = seen.load(Ordering::SeqCst);
        assert!(times > 0, "{call:?} is never made");
        assert_eq!(verify(&path, &ledger), 30);
        for (nth, done, goes_on) in
            (0..times).flat_map(|nth| [(nth, false, false), (nth, false, true), (nth, true, false), (nth, true, true)])
        {
            let fault = Fault { call, nth, done };
            let (_place, path) = place();
            let (log, _) = faulty(&path, fault);
            let mut ledger = Ledger::new();
            let ended = run(&log, 0, &mut ledger);
            // A fault in what is done after the answers meets the next append, or the end.
            if goes_on {
                // Whoever does not look at the answer finds the log stopped, for good.
                let before = ledger.clone();
                let later = run(&log, 100, &mut ledger);
                let last = call == Call::Tidy && ended.is_ok();
                assert!(later.is_err() || last, "{fault:?}: {later:?}");
                assert!(last || ledger == before, "{fault:?}");
                assert_eq!(log.stopped(), Some(FAILED), "{fault:?}");
                assert_eq!(log.close(), Err(FAILED));
            } else {
                assert!(ended == Err(FAILED.into()) || call == Call::Tidy, "{fault:?}: {ended:?}");
            }
            drop(log);
            let there = verify(&path, &ledger);
            // What is there beyond what was acknowledged is at most the one append that was under way.
            assert!(there <= ledger.len() as u64 + 1, "{fault:?}: {there} of {}", ledger.len());
            met += 1;
        }
    }
    assert!(met > 4 * 100, "{met} faults");
}
