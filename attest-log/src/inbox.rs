//! What waits for the writer, and what it took of it for the batch under way.

use std::thread;
use std::time::Duration;

use attest_core::merkle;
use tokio::sync::{mpsc, oneshot};

use crate::error::{AppendError, StopReason};
use crate::record::{Appended, Hash, Record};

pub(crate) type Verdict = Result<Appended, AppendError>;

/// One waiting append.
pub(crate) struct Job {
    pub(crate) record: Record,
    /// The leaf's hash, made by the caller: the writer is what everybody waits for.
    pub(crate) leaf: Hash,
    pub(crate) now: u64,
    pub(crate) answer: oneshot::Sender<Verdict>,
}

impl Job {
    pub(crate) fn new(record: Record, now: u64, answer: oneshot::Sender<Verdict>) -> Self {
        Self { leaf: merkle::leaf(&record.body), record, now, answer }
    }
}

/// A checkpoint with the signatures of witnesses, to be kept.
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    pub(crate) note: String,
    pub(crate) answer: oneshot::Sender<Result<(), AppendError>>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "nearly every message is an append, which would be put into a box of its own for the others"
)]
pub(crate) enum Message {
    Append(Job),
    Cosigned(Cosigned),
    Close,
}

pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Message>,
    messages: Vec<Message>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) cosigned: Vec<Cosigned>,
    max_batch: usize,
    group_window: Option<Duration>,
    /// The batch retires the log's key: nothing may follow it.
    retires: bool,
}

impl Inbox {
    pub(crate) fn new(receiver: mpsc::Receiver<Message>, max_batch: usize, group_window: Option<Duration>) -> Self {
        let room = max_batch.min(1024);
        Self {
            receiver,
            messages: Vec::with_capacity(room),
            jobs: Vec::with_capacity(room),
            cosigned: Vec::new(),
            max_batch,
            group_window,
            retires: false,
        }
    }

    /// Waits for a batch; `false` when nothing will come any more.
    pub(crate) fn gather(&mut self) -> bool {
        if self.retires {
            return false;
        }
        // What stood behind a key change that failed is still here, and nothing else may come.
        if !self.messages.is_empty() {
            self.receive(self.max_batch);
        } else if self.receiver.blocking_recv_many(&mut self.messages, self.max_batch) == 0 {
            return false;
        }
        if let Some(window) = self.group_window
            && self.messages.len() < self.max_batch
        {
            thread::sleep(window);
            self.receive(self.max_batch);
        }
        self.sort();
        true
    }

    /// Adds to the batch what came since, without waiting. Answers the appends among it.
    pub(crate) fn more(&mut self) -> &[Job] {
        let before = self.jobs.len();
        if !self.retires {
            self.receive(self.max_batch.saturating_sub(before));
            self.sort();
        }
        self.jobs.get(before..).unwrap_or_default()
    }

    fn receive(&mut self, most: usize) {
        while self.messages.len() < most
            && let Ok(message) = self.receiver.try_recv()
        {
            self.messages.push(message);
        }
    }

    fn sort(&mut self) {
        // The entry that retires the key ends its batch: nothing after it may be signed by that key.
        let last = self.messages.iter().position(|m| matches!(m, Message::Append(j) if j.record.next_key.is_some()));
        self.retires = last.is_some();
        for message in self.messages.drain(..last.map_or(self.messages.len(), |at| at + 1)) {
            match message {
                Message::Append(job) => self.jobs.push(job),
                Message::Cosigned(cosigned) => self.cosigned.push(cosigned),
                // What is in the channel is still taken; nothing new gets in.
                Message::Close => self.receiver.close(),
            }
        }
    }

    /// Answers the batch.
    pub(crate) fn answer(&mut self, written: bool, verdicts: impl Iterator<Item = Verdict>) {
        // A key that was not retired after all signs on.
        self.retires &= written;
        for (job, verdict) in self.jobs.drain(..).zip(verdicts) {
            // An error means that the caller went away. The entry is in the log all the same.
            let _ = job.answer.send(verdict);
        }
        for cosigned in self.cosigned.drain(..) {
            let _ = cosigned.answer.send(if written { Ok(()) } else { Err(AppendError::Unavailable) });
        }
    }

    /// Refuses all that waits and all that is still to come.
    pub(crate) fn refuse(&mut self, reason: StopReason) {
        self.receiver.close();
        // `None` comes only when every sender that got a place before the close has used it or gone.
        let waiting = self.messages.drain(..).chain(std::iter::from_fn(|| self.receiver.blocking_recv()));
        let taken = self.jobs.drain(..).map(Message::Append).chain(self.cosigned.drain(..).map(Message::Cosigned));
        for message in taken.chain(waiting) {
            match message {
                Message::Append(job) => drop(job.answer.send(Err(reason.into()))),
                Message::Cosigned(cosigned) => drop(cosigned.answer.send(Err(reason.into()))),
                Message::Close => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::LogKey;

    #[test]
    fn what_stands_behind_a_key_change_that_failed_is_the_next_batch() {
        let (sender, receiver) = mpsc::channel(8);
        let mut inbox = Inbox::new(receiver, 8, None);
        let send = |record: Record| {
            let (answer, answered) = oneshot::channel();
            assert!(sender.try_send(Message::Append(Job::new(record, 0, answer))).is_ok());
            answered
        };
        let next = LogKey::new("log.example", attest_core::sign::MemoryKey::from_seed(&[6; 32])).unwrap();
        let change = send(Record { next_key: Some(Box::new(next.vkey().clone())), ..Record::new("change") });
        let behind = send(Record::new("behind"));
        assert!(sender.try_send(Message::Close).is_ok());
        drop(sender);
        assert!(inbox.gather());
        assert_eq!(inbox.jobs.len(), 1);
        inbox.answer(false, std::iter::once(Err(AppendError::Unavailable)));
        assert_eq!(change.blocking_recv().unwrap(), Err(AppendError::Unavailable));
        assert!(inbox.gather(), "nothing else comes");
        assert_eq!(inbox.jobs.len(), 1);
        inbox.answer(true, std::iter::once(Ok(Appended { index: 0, inclusion: None })));
        assert!(behind.blocking_recv().unwrap().is_ok());
        assert!(!inbox.gather(), "closed");
    }
}
