//! The writing side: open, append, close.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::error::{AppendError, OpenError, StopReason};
use crate::record::{OpenCall, Record, ReplayKey};
use crate::replay::{Freshness, Window};
use crate::sqlite::{self, SqliteStore};
use crate::store::{Loaded, Store};
use crate::wait::block_on;
use crate::writer::{Job, Message, Shared, Writer};

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
    /// Calls that were opened and have no outcome, oldest first: the process ended in between. Their fate is unknown;
    /// append an outcome that says so, with `closes`, like any other record.
    pub open_calls: Vec<OpenCall>,
}

/// The one writer of a log file. Share it by reference or in an `Arc`; dropping it closes it.
pub struct Log {
    path: PathBuf,
    inbox: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Box<dyn Store>>>>,
}

impl Log {
    /// Opens the log at `path`, making it where there is none.
    ///
    /// A writer holds `<path>.lock` until it is closed or dropped, or its process ends. `-wal` and `-shm` beside the
    /// file belong to it: copy a log with [`crate::Reader`] or after closing it, never the one file alone.
    ///
    /// # Errors
    /// [`OpenError`]: held by another writer, readable by others, a link, not a log, a newer format, or the system's.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<(Self, Recovery), OpenError> {
        let path = sqlite::resolve(path.as_ref())?;
        let (store, loaded) = SqliteStore::open(&path, options.testing)?;
        Self::start(path, Box::new(store), loaded, options)
    }

    pub(crate) fn start(
        path: PathBuf,
        store: Box<dyn Store>,
        loaded: Loaded,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let shared = Arc::new(Shared { window: Window::new(loaded.horizon), stopped: OnceLock::new() });
        let (inbox, outbox) = mpsc::channel(options.queue.max(1));
        let max_batch = options.max_batch.max(1);
        let writer = Writer::new(store, &loaded, Arc::clone(&shared), outbox, max_batch, options.group_window);
        let thread = thread::Builder::new().name("attest-log".into()).spawn(move || writer.run());
        let thread = thread.map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let recovery = Recovery {
            next: loaded.next,
            replay_keys: loaded.replay.len(),
            horizon: loaded.horizon,
            open_calls: loaded.open,
        };
        Ok((Self { path, inbox, shared, writer: Mutex::new(Some(thread)) }, recovery))
    }

    /// Appends a record and answers its index once it is durable. `now` is Unix seconds, by which replay keys are
    /// pruned; a clock that jumps ahead prunes early and refuses more, never less.
    ///
    /// Nothing happens before the first poll. A future dropped while it waits for a place in the queue appended
    /// nothing; dropped later, the record is committed all the same.
    ///
    /// # Errors
    /// [`AppendError`]. After `Stopped` it is unknown whether the record will be there when the log is opened again.
    pub async fn append(&self, record: Record, now: u64) -> Result<u64, AppendError> {
        record.check()?;
        if let Some(reason) = self.stopped() {
            return Err(reason.into());
        }
        let (answer, verdict) = oneshot::channel();
        if self.inbox.send(Message::Append(Job { record, now, answer })).await.is_err() {
            // Closed for sending while the writer still drains: only `close` does that before it says so.
            return Err(self.stopped().unwrap_or(StopReason::Closed).into());
        }
        verdict.await.unwrap_or_else(|_| Err(self.stopped().unwrap_or(StopReason::Panicked).into()))
    }

    /// [`Log::append`] for a plain thread. In an asynchronous task it would hold up the thread for an fsync.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_blocking(&self, record: Record, now: u64) -> Result<u64, AppendError> {
        block_on(self.append(record, now))
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

    /// The database file, absolute.
    pub fn path(&self) -> &Path {
        &self.path
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
