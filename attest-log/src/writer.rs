//! The writer thread: takes what is waiting, puts it into one transaction, commits, answers.
//!
//! It alone decides the order of entries. A later layer (tree hashes, signed checkpoint) adds its rows between the last
//! `stage` and the `commit` of [`Core::write`], so that there stays one commit point.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::error::{AppendError, StopReason};
use crate::record::{Hash, Record, ReplayId, ReplayKey};
use crate::replay::{Expiries, Freshness, Window};
use crate::store::{Loaded, Staged, Store};

/// Replay keys forgotten per transaction: twice what it adds, so that pruning always catches up, and a few more.
const PRUNE_FEW: usize = 16;

/// What the writer and the callers share.
pub(crate) struct Shared {
    pub(crate) window: Window,
    pub(crate) stopped: OnceLock<StopReason>,
}

type Verdict = Result<u64, AppendError>;

/// One waiting append.
pub(crate) struct Job {
    pub(crate) record: Record,
    pub(crate) now: u64,
    pub(crate) answer: oneshot::Sender<Verdict>,
}

pub(crate) enum Message {
    Append(Job),
    Close,
}

pub(crate) struct Writer {
    inbox: mpsc::Receiver<Message>,
    messages: Vec<Message>,
    jobs: Vec<Job>,
    max_batch: usize,
    group_window: Option<Duration>,
    core: Core,
}

impl Writer {
    pub(crate) fn new(
        store: Box<dyn Store>,
        loaded: &Loaded,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Message>,
        max_batch: usize,
        group_window: Option<Duration>,
    ) -> Self {
        let core = Core::new(store, loaded, shared);
        let room = max_batch.min(1024);
        Self {
            inbox,
            messages: Vec::with_capacity(room),
            jobs: Vec::with_capacity(room),
            max_batch,
            group_window,
            core,
        }
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
        self.inbox.close();
        for job in self.jobs.drain(..) {
            let _ = job.answer.send(Err(reason.into()));
        }
        // `None` comes only when every sender that got a place before the close has used it or gone.
        for message in self.messages.drain(..).chain(std::iter::from_fn(|| self.inbox.blocking_recv())) {
            if let Message::Append(job) = message {
                let _ = job.answer.send(Err(reason.into()));
            }
        }
        self.core.store
    }

    fn work(&mut self) -> Result<(), StopReason> {
        while self.gather() {
            self.core.write(&self.jobs)?;
            for (job, verdict) in self.jobs.drain(..).zip(self.core.verdicts.drain(..)) {
                // An error means that the caller went away. The entry is in the log all the same.
                let _ = job.answer.send(verdict);
            }
            self.core.store.tidy()?;
        }
        Ok(())
    }

    /// Waits for a batch; `false` when nothing will come any more.
    fn gather(&mut self) -> bool {
        if self.inbox.blocking_recv_many(&mut self.messages, self.max_batch) == 0 {
            return false;
        }
        if let Some(window) = self.group_window
            && self.messages.len() < self.max_batch
        {
            thread::sleep(window);
            while self.messages.len() < self.max_batch
                && let Ok(message) = self.inbox.try_recv()
            {
                self.messages.push(message);
            }
        }
        for message in self.messages.drain(..) {
            match message {
                Message::Append(job) => self.jobs.push(job),
                // What is in the channel is still taken; nothing new gets in.
                Message::Close => self.inbox.close(),
            }
        }
        true
    }
}

/// The sequencer: order, verdicts, the commit point.
struct Core {
    store: Box<dyn Store>,
    shared: Arc<Shared>,
    next: u64,
    expiries: Expiries,
    open: HashSet<Hash>,
    verdicts: Vec<Verdict>,
    ended: Vec<ReplayId>,
}

impl Core {
    fn new(store: Box<dyn Store>, loaded: &Loaded, shared: Arc<Shared>) -> Self {
        let mut core = Self {
            store,
            shared,
            next: loaded.next,
            expiries: Expiries::default(),
            open: loaded.open.iter().map(|call| call.hash).collect(),
            verdicts: Vec::new(),
            ended: Vec::new(),
        };
        for key in &loaded.replay {
            core.take(key);
        }
        core
    }

    /// One transaction for all jobs. Leaves a verdict for each, in order; on an error none of them holds.
    fn write(&mut self, jobs: &[Job]) -> Result<(), StopReason> {
        let (mut staged, mut now) = (0usize, 0);
        for job in jobs {
            let verdict = match self.judge(&job.record) {
                Some(refusal) => Err(refusal),
                None => {
                    staged += 1;
                    self.stage(&job.record)?
                }
            };
            if verdict.is_ok() {
                now = now.max(job.now);
            }
            self.verdicts.push(verdict);
        }
        // Refusals alone cost no fsync.
        if staged == 0 {
            return Ok(());
        }
        self.ended.clear();
        let horizon = self.expiries.take_ended(now, 2 * staged + PRUNE_FEW, &mut self.ended);
        if let Some(horizon) = horizon {
            self.store.prune(&self.ended, horizon)?;
        }
        self.store.commit()?;
        if let Some(horizon) = horizon {
            self.shared.window.prune(&self.ended, horizon);
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
    /// fails is the last thing that this writer does, and needed because the next record of the batch must see it.
    fn stage(&mut self, record: &Record) -> Result<Verdict, StopReason> {
        let staged = self.store.stage(self.next, record)?;
        if let Some(key) = &record.replay {
            self.take(key);
        }
        if staged == Staged::Taken {
            return Ok(Err(AppendError::Replay));
        }
        let index = self.next;
        self.next += 1;
        if let Some(hash) = &record.closes {
            self.open.remove(hash);
        }
        if let Some(hash) = record.opens {
            self.open.insert(hash);
        }
        Ok(Ok(index))
    }

    fn take(&mut self, key: &ReplayKey) {
        if self.shared.window.take(key) {
            self.expiries.add(key);
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
