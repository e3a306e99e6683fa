//! The writer thread: takes what is waiting, puts it into one transaction, commits, answers.
//!
//! It alone decides the order of entries. Tree hashes and the signed checkpoint join the same transaction, so that there is
//! one commit point; what the checkpoint says is published after it.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use attest_core::checkpoint::Checkpoint;

use crate::error::{AppendError, StopReason};
use crate::inbox::{Cosigned, Inbox, Job, Verdict};
use crate::key::LogKey;
use crate::record::{Appended, Hash, Inclusion, Record, ReplayKey};
use crate::replay::{Ended, Expiries, Freshness, Window};
use crate::store::{Failed, Found, Loaded, Staged, Store};
use crate::tree::{self, Edge, Tile};

/// Replay keys forgotten per transaction: twice what it adds, so that pruning always catches up, and a few more.
const PRUNE_FEW: usize = 16;
/// How often a batch is tried that the database was in the way of.
const TRIES: usize = 3;

/// What the writer and the callers share.
pub(crate) struct Shared {
    pub(crate) window: Window,
    pub(crate) stopped: OnceLock<StopReason>,
    /// The last published checkpoint.
    pub(crate) checkpoint: Mutex<Arc<str>>,
    /// When that was, in seconds since 1970; 0 for before the log was opened.
    pub(crate) published: AtomicU64,
}

pub(crate) struct Writer {
    inbox: Inbox,
    core: Core,
}

impl Writer {
    pub(crate) fn new(store: Box<dyn Store>, loaded: Loaded, key: LogKey, shared: Arc<Shared>, inbox: Inbox) -> Self {
        Self { inbox, core: Core::new(store, loaded, key, shared) }
    }

    /// Runs until the log is closed or stops, and gives the store back: its lock is to be held until the [`crate::Log`]
    /// goes, also after an error, so that nobody opens in between what a failed fsync may have left unsure.
    pub(crate) fn run(mut self) -> Box<dyn Store> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work()));
        let reason = match ended {
            Ok(Ok(())) => StopReason::Closed,
            Ok(Err(reason)) => reason,
            Err(_) => StopReason::Panicked,
        };
        // Before any answer, so that whoever is told that the log stopped finds it stopped.
        let _ = self.core.shared.stopped.set(reason);
        if reason != StopReason::Closed {
            self.core.store.release();
        }
        self.inbox.refuse(reason);
        self.core.store
    }

    fn work(&mut self) -> Result<(), StopReason> {
        while self.inbox.gather() {
            let written = self.core.write(&mut self.inbox)?;
            self.inbox.answer(written, self.core.verdicts.drain(..));
            self.core.store.tidy()?;
        }
        Ok(())
    }
}

/// The sequencer: order, verdicts, the commit point.
struct Core {
    store: Box<dyn Store>,
    shared: Arc<Shared>,
    key: LogKey,
    edge: Edge,
    expiries: Expiries,
    open: HashSet<Hash>,
    verdicts: Vec<Verdict>,
    tiles: Vec<Tile>,
    ended: Vec<Ended>,
    /// How to forget the batch under way; a store with a single writer needs none, since what fails there is the end.
    undo: Option<Undo>,
}

/// What was in memory before a batch.
struct Undo {
    edge: Edge,
    taken: Vec<Ended>,
}

impl Core {
    fn new(store: Box<dyn Store>, loaded: Loaded, key: LogKey, shared: Arc<Shared>) -> Self {
        let mut core = Self {
            store,
            shared,
            key,
            edge: loaded.edge,
            expiries: Expiries::default(),
            open: loaded.open.iter().map(|call| call.hash).collect(),
            verdicts: Vec::new(),
            tiles: Vec::new(),
            ended: Vec::new(),
            undo: None,
        };
        for (entry, key) in &loaded.replay {
            core.take(*entry, key);
        }
        core
    }

    /// One transaction for the batch. Leaves a verdict for each job, in order; on an error none of them holds. Answers whether
    /// anything of it is in the log: `false` where the database was away.
    fn write(&mut self, inbox: &mut Inbox) -> Result<bool, StopReason> {
        for _ in 0..TRIES {
            match self.attempt(inbox) {
                Ok(()) => {
                    self.undo = None;
                    return Ok(true);
                }
                Err(Failed::Stop(reason)) => return Err(reason),
                Err(Failed::Again) => self.forget(),
                Err(Failed::Away) => {
                    self.forget();
                    break;
                }
            }
        }
        self.verdicts.extend(inbox.jobs.iter().map(|_| Err(AppendError::Unavailable)));
        Ok(false)
    }

    /// Sets the memory back to before the batch.
    fn forget(&mut self) {
        self.verdicts.clear();
        self.tiles.clear();
        let Some(Undo { edge, taken }) = self.undo.take() else { return };
        self.edge = edge;
        self.shared.window.forget(&taken);
        self.expiries.put_back(&mut self.ended);
    }

    fn attempt(&mut self, inbox: &mut Inbox) -> Result<(), Failed> {
        self.ended.clear();
        if let Some(found) = self.store.begin(&mut self.edge, &mut inbox.jobs.iter().map(|job| &job.record))? {
            self.go_by(found);
            // Whoever came while the log was waited for goes along: else he would wait for all other verifiers once more.
            let late = inbox.more();
            if late.iter().any(|Job { record, .. }| record.opens.or(record.closes).is_some()) {
                self.open.extend(self.store.open_among(&mut late.iter().map(|job| &job.record))?);
            }
        }
        let Inbox { jobs, cosigned, .. } = inbox;
        let before = self.edge.size();
        let mut now = 0;
        for job in &*jobs {
            let verdict = match self.judge(&job.record) {
                Some(refusal) => Err(refusal),
                None => self.stage(job)?,
            };
            if verdict.is_ok() {
                now = now.max(job.now);
            }
            self.verdicts.push(verdict);
        }
        for Cosigned { size, note, .. } in &*cosigned {
            self.store.cosigned(*size, note)?;
        }
        let staged = self.edge.size() - before;
        if staged == 0 {
            // Refusals alone cost no fsync.
            return if cosigned.is_empty() { self.store.leave() } else { self.store.commit() };
        }
        let checkpoint = self.sign()?;
        self.tiles.extend(self.edge.partial());
        self.store.tree(self.edge.size(), &self.tiles, &checkpoint)?;
        self.tiles.clear();
        let few = usize::try_from(2 * staged).unwrap_or(usize::MAX).saturating_add(PRUNE_FEW);
        let horizon = self.expiries.take_ended(now, few, &mut self.ended);
        if let Some(horizon) = horizon {
            let entries: Vec<u64> = self.ended.iter().map(|(entry, ..)| *entry).collect();
            self.store.prune(&entries, horizon)?;
        }
        self.store.commit()?;
        if let Some(horizon) = horizon {
            self.shared.window.prune(&self.ended, horizon);
        }
        self.store.publish(&checkpoint, now)?;
        *self.shared.checkpoint.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&checkpoint);
        self.shared.published.store(now, Ordering::Relaxed);
        Ok(self.prove(jobs, &checkpoint)?)
    }

    /// A log that others write too: what they did is known from here on, until the batch ends.
    fn go_by(&mut self, found: Found) {
        let Found { horizon, used, open } = found;
        self.open = open;
        for (entry, key) in &used {
            self.shared.window.learn(*entry, key);
            self.expiries.add(*entry, key);
        }
        // Others forget what they have written and what is written here: whoever writes little would keep all of it.
        self.shared.window.prune(&self.expiries.take_below(horizon), horizon);
        self.undo = Some(Undo { edge: self.edge.clone(), taken: Vec::new() });
    }

    /// The checkpoint over all that is staged.
    fn sign(&self) -> Result<Arc<str>, StopReason> {
        let size = self.edge.size();
        let root = tree::root(&self.edge, size).map_err(|_| StopReason::Inconsistent)?;
        let checkpoint = Checkpoint { origin: self.key.origin().to_owned(), size, root };
        self.key.checkpoint(&checkpoint).map(Arc::from).map_err(|_| StopReason::Key)
    }

    /// Adds the proofs that were asked for.
    fn prove(&mut self, jobs: &[Job], checkpoint: &Arc<str>) -> Result<(), StopReason> {
        let size = self.edge.size();
        for (job, verdict) in jobs.iter().zip(&mut self.verdicts) {
            if let (true, Ok(appended)) = (job.record.prove, verdict) {
                let path = tree::inclusion(&self.edge, appended.index, size).map_err(|_| StopReason::Inconsistent)?;
                appended.inclusion = Some(Inclusion { path, checkpoint: Arc::clone(checkpoint) });
            }
        }
        Ok(())
    }

    /// What is known in memory against a record.
    fn judge(&self, record: &Record) -> Option<AppendError> {
        let freshness = record.replay.as_ref().map(|key| self.shared.window.freshness(key));
        match freshness {
            Some(Freshness::Replay) => return Some(AppendError::Replay),
            Some(Freshness::Expired) => return Some(AppendError::Expired),
            Some(Freshness::Fresh) | None => {}
        }
        if record.closes.is_some_and(|hash| !self.open.contains(&hash)) {
            return Some(AppendError::NotOpen);
        }
        record.opens.is_some_and(|hash| self.open.contains(&hash)).then_some(AppendError::AlreadyOpen)
    }

    /// Stages a record. What changes in memory here runs ahead of the commit, which is sound because a commit that
    /// fails is the last thing that this writer does, or is undone, and needed because the next record of the batch must see it.
    fn stage(&mut self, Job { record, leaf, .. }: &Job) -> Result<Verdict, Failed> {
        let index = self.edge.size();
        let staged = self.store.stage(index, record)?;
        if let Some(key) = &record.replay
            && self.take(index, key)
            && let Some(undo) = &mut self.undo
        {
            undo.taken.push((index, key.expires(), key.id().clone()));
        }
        if staged == Staged::Taken {
            return Ok(Err(AppendError::Replay));
        }
        self.edge.push(*leaf, &mut self.tiles);
        if let Some(hash) = &record.closes {
            self.open.remove(hash);
        }
        if let Some(hash) = record.opens {
            self.open.insert(hash);
        }
        Ok(Ok(Appended { index, inclusion: None }))
    }

    /// Takes a key in memory; `false` when it was held.
    fn take(&mut self, entry: u64, key: &ReplayKey) -> bool {
        let taken = self.shared.window.take(entry, key);
        if taken {
            self.expiries.add(entry, key);
        }
        taken
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
