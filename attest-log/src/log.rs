//! The writing side: open, append, close.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::error::{AppendError, OpenError, StopReason};
use crate::inbox::{Cosigned, Inbox, Job, Message};
use crate::key::LogKey;
use crate::load::Doubt;
use crate::place::Place;
use crate::postgres;
use crate::record::{Appended, OpenCall, Record, ReplayKey};
use crate::replay::{Freshness, Window};
use crate::sqlite::{self, SqliteStore};
use crate::store::{Loaded, Store};
use crate::wait::block_on;
use crate::writer::{Shared, Writer};

/// How appends are grouped.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the first of a group waits for others. `None` commits as soon as the writer is free: what comes during
    /// one commit makes the next group, so load groups by itself and a single caller waits for its own fsync alone.
    pub group_window: Option<Duration>,
    /// Most appends in one transaction; 0 counts as 1. It bounds what the last of a group waits for.
    pub max_batch: usize,
    /// Most appends that wait; beyond it `append` waits for a place. 0 counts as 1.
    pub queue: usize,
    /// For tests of this crate and of those above it.
    #[doc(hidden)]
    pub testing: Testing,
}

impl Default for Options {
    fn default() -> Self {
        Self { group_window: None, max_batch: 512, queue: 4096, testing: Testing::default() }
    }
}

/// Limits that make faults reachable in a test.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Testing {
    /// Most pages of the database: a disk that is full.
    pub max_pages: Option<u32>,
    /// Write-ahead pages after which a checkpoint runs.
    pub checkpoint_pages: Option<u32>,
}

/// What was found at opening. To read entries, see [`crate::Reader`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Index of the next entry; also the number of entries.
    pub next: u64,
    /// Replay keys still held.
    pub replay_keys: usize,
    /// Highest expiry among those pruned, Unix seconds; 0 when none was.
    pub horizon: u64,
    /// See [`Log::since`].
    pub since: u64,
    /// Calls that were opened and have no outcome, oldest first: the process ended in between. Their fate is unknown;
    /// append an outcome that says so, with `closes`, like any other record.
    pub open_calls: Vec<OpenCall>,
    /// Those of other verifiers of a shared log that are at work, and close them themselves.
    pub others: Vec<OpenCall>,
}

/// The one writer of a log file. Share it by reference or in an `Arc`; dropping it closes it.
pub struct Log {
    place: Place,
    since: u64,
    inbox: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Box<dyn Store>>>>,
}

impl Log {
    /// Opens the log at `place`, making it where there is none, to be signed by `key`.
    ///
    /// Of a file, a writer holds `<path>.lock` until it is closed or dropped, or its process ends. `-wal` and `-shm` beside the
    /// file belong to it: copy a log with [`crate::Reader`] or after closing it, never the one file alone. `<path>.head` is
    /// the record of what was published last; it belongs to the log too.
    ///
    /// A database ([`Place::Shared`]) may have any number of writers, all with the same key. When it goes away, appends are
    /// refused with [`AppendError::Unavailable`], and the log goes on by itself when it is back.
    ///
    /// # Errors
    /// [`OpenError`]: held by another writer, readable by others, a link, not a log, a newer format, another key, older
    /// than what it has published, or the system's.
    pub fn open(place: impl Into<Place>, key: LogKey, options: Options) -> Result<(Self, Recovery), OpenError> {
        Self::open_in(place.into(), key, options, Doubt::Refuse)
    }

    /// [`Log::open`] for a database that is older than what the log has published, or whose record of that is lost: its
    /// owner says that this is the one to go on with, `now` (seconds since 1970). Calls signed before that moment may have
    /// been made already, as nothing here would tell: see [`Log::since`].
    ///
    /// # Errors
    /// As [`Log::open`], but for [`OpenError::RolledBack`], [`OpenError::Forked`] and [`OpenError::NoHead`].
    pub fn adopt(
        place: impl Into<Place>,
        key: LogKey,
        options: Options,
        now: u64,
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_in(place.into(), key, options, Doubt::Accept { now })
    }

    fn open_in(place: Place, key: LogKey, options: Options, doubt: Doubt) -> Result<(Self, Recovery), OpenError> {
        // A batch is the most that is appended at once, and so the most that is proved at once.
        let keep = options.max_batch.max(1);
        match place {
            Place::File(path) => {
                let path = sqlite::resolve(&path)?;
                let (store, loaded) = SqliteStore::open(&path, &key, options.testing, keep, doubt)?;
                Self::start(Place::File(path), Box::new(store), loaded, key, options)
            }
            Place::Shared(shared) => {
                let (store, loaded) = postgres::open(&shared, &key, keep, doubt)?;
                Self::start(Place::Shared(shared), Box::new(store), loaded, key, options)
            }
        }
    }

    pub(crate) fn start(
        place: Place,
        store: Box<dyn Store>,
        loaded: Loaded,
        key: LogKey,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let shared = Arc::new(Shared {
            window: Window::new(loaded.horizon),
            stopped: OnceLock::new(),
            checkpoint: Mutex::new(loaded.checkpoint.as_str().into()),
            published: AtomicU64::new(0),
        });
        let (inbox, outbox) = mpsc::channel(options.queue.max(1));
        let waiting = Inbox::new(outbox, options.max_batch.max(1), options.group_window);
        let recovery = Recovery {
            next: loaded.edge.size(),
            replay_keys: loaded.replay.len(),
            horizon: loaded.horizon,
            since: loaded.since,
            open_calls: loaded.open.clone(),
            others: loaded.others.clone(),
        };
        let writer = Writer::new(store, loaded, key, Arc::clone(&shared), waiting);
        let thread = thread::Builder::new().name("attest-log".into()).spawn(move || writer.run());
        let thread = thread.map_err(|source| OpenError::Io { path: place.name(), source })?;
        let log = Self { place, since: recovery.since, inbox, shared, writer: Mutex::new(Some(thread)) };
        Ok((log, recovery))
    }

    /// Appends a record and answers its index, and its proof where it asks for one, once it is durable. `now` is Unix seconds, by which replay keys are
    /// pruned; a clock that jumps ahead prunes early and refuses more, never less.
    ///
    /// Nothing happens before the first poll. A future dropped while it waits for a place in the queue appended
    /// nothing; dropped later, the record is committed all the same.
    ///
    /// # Errors
    /// [`AppendError`]. After `Stopped` it is unknown whether the record will be there when the log is opened again.
    pub async fn append(&self, record: Record, now: u64) -> Result<Appended, AppendError> {
        record.check()?;
        if let Some(reason) = self.stopped() {
            return Err(reason.into());
        }
        let (answer, verdict) = oneshot::channel();
        if self.inbox.send(Message::Append(Job::new(record, now, answer))).await.is_err() {
            // Closed for sending while the writer still drains: only `close` does that before it says so.
            return Err(self.stopped().unwrap_or(StopReason::Closed).into());
        }
        verdict.await.unwrap_or_else(|_| Err(self.stopped().unwrap_or(StopReason::Panicked).into()))
    }

    /// [`Log::append`] for a plain thread. In an asynchronous task it would hold up the thread for an fsync.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_blocking(&self, record: Record, now: u64) -> Result<Appended, AppendError> {
        block_on(self.append(record, now))
    }

    /// Keeps a checkpoint of this log of `size` entries that witnesses cosigned: evidence of when that tree was there. Whoever
    /// calls this has checked it.
    ///
    /// # Errors
    /// Why the log stopped.
    pub async fn keep_cosigned(&self, size: u64, note: String) -> Result<(), AppendError> {
        let (answer, verdict) = oneshot::channel();
        let sent = self.inbox.send(Message::Cosigned(Cosigned { size, note, answer })).await;
        let stopped = || self.stopped().unwrap_or(StopReason::Closed);
        sent.map_err(|_| stopped())?;
        verdict.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// The last published checkpoint: a signed note.
    pub fn checkpoint(&self) -> Arc<str> {
        Arc::clone(&self.shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When that was published, in seconds since 1970; 0 for before the log was opened.
    pub fn published(&self) -> u64 {
        self.shared.published.load(Ordering::Relaxed)
    }

    /// From when on this log is known to have forgotten nothing, in seconds since 1970: it was taken over by hand then
    /// ([`Log::adopt`]). What was signed before may have been used already. 0 where that never happened.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// What the replay window knows of a key. A look-up in memory, no promise: between it and the append another call
    /// may take the key, and the append decides.
    pub fn freshness(&self, key: &ReplayKey) -> Freshness {
        self.shared.window.freshness(key)
    }

    /// Whether an append with this key would be refused: it is taken, or too old to tell.
    pub fn seen(&self, key: &ReplayKey) -> bool {
        self.freshness(key) != Freshness::Fresh
    }

    /// Why the log takes no more appends; `None` while it does.
    pub fn stopped(&self) -> Option<StopReason> {
        self.shared.stopped.get().copied()
    }

    /// Where it is; a file's path is absolute.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Commits what is waiting, refuses what comes later, and releases the file. Blocks for the last commit. A second
    /// call does nothing.
    ///
    /// # Errors
    /// Why the log stopped, if it had before or does now. What was acknowledged holds.
    pub fn close(&self) -> Result<(), StopReason> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = writer.take() else { return Ok(()) };
        // Fails only when the writer has gone already, which is what is wanted.
        let _ = block_on(self.inbox.send(Message::Close));
        // The thread catches its panics; one that slips through is reported like those.
        let store = thread.join().map_err(|_| StopReason::Panicked)?;
        match self.stopped() {
            Some(StopReason::Closed) => store.close(),
            reason => {
                store.abandon();
                Err(reason.unwrap_or(StopReason::Panicked))
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
