//! One log, read in order and held against its checkpoint.

use std::collections::VecDeque;
use std::path::Path;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle::{Growing, leaf};
use attest_log::Reader;

use super::Done;

/// Entries that are read at once.
pub(super) const STEP: u64 = 1_024;

/// An entry with the token of its own.
pub(super) type Entry = (u64, Vec<u8>, Option<String>);

/// One log, read in order.
pub(super) struct Stream {
    pub(super) reader: Reader,
    pub(super) keys: LogKeys,
    pub(super) checkpoint: Checkpoint,
    next: u64,
    waiting: VecDeque<Entry>,
    tree: Growing,
    /// The largest time that was read; no time of a later entry is much before it.
    pub(super) latest: u64,
    pub(super) first: Option<u64>,
}

impl Stream {
    pub(super) fn open(log: &Path) -> Done<Self> {
        let reader = Reader::open(log)?;
        let keys = reader.log_keys()?;
        let checkpoint = keys.open(reader.checkpoint()?.as_bytes())?;
        Ok(Self {
            reader,
            keys,
            checkpoint,
            next: 0,
            waiting: VecDeque::new(),
            tree: Growing::new(),
            latest: 0,
            first: None,
        })
    }

    /// The next entry, or none at the end, at which the entries must be those of the checkpoint.
    pub(super) fn next(&mut self, name: &str) -> Done<Option<Entry>> {
        if self.waiting.is_empty() && self.next < self.checkpoint.size {
            let to = (self.next + STEP).min(self.checkpoint.size);
            let waiting = &mut self.waiting;
            self.reader.walk(self.next..to, |index, body, token| -> Done<()> {
                waiting.push_back((index, body.to_vec(), token.map(str::to_owned)));
                Ok(())
            })?;
            self.next = to;
        }
        let unread = || format!("{name} is not whole, so it is compared with nothing: see `attest log verify`");
        match self.waiting.pop_front() {
            Some(entry) => {
                if entry.0 != self.tree.size() {
                    return Err(unread().into());
                }
                self.tree.push(leaf(&entry.1));
                Ok(Some(entry))
            }
            None if self.tree.size() == self.checkpoint.size && self.tree.root() == self.checkpoint.root => Ok(None),
            None => Err(unread().into()),
        }
    }
}
