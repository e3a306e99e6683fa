//! What the writer needs of a storage: SQLite today, PostgreSQL or a preallocated segment file in its place.

use crate::error::StopReason;
use crate::record::{OpenCall, Record, ReplayId, ReplayKey};

/// A transaction at a time, used by one thread.
///
/// Every error is final. The writer calls nothing but [`Store::abandon`] after one, so a store need not be able to go
/// on, and must not retry by itself. Nothing staged may be visible to readers before [`Store::commit`] returns; when it
/// fails, all or none of it may turn up after the next opening.
pub(crate) trait Store: Send + 'static {
    /// Adds the record as entry `index` to the running transaction, beginning one where there is none.
    ///
    /// `Taken` when the replay key is held already; then nothing of the record was added. The writer asks its own
    /// window first: this answer is for a storage that several verifiers share, and for a window that is wrong.
    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, StopReason>;

    /// Forgets replay keys and raises the horizon, in the running transaction.
    fn prune(&mut self, keys: &[ReplayId], horizon: u64) -> Result<(), StopReason>;

    /// The one commit point: when it returns, what was staged survives a power cut.
    fn commit(&mut self) -> Result<(), StopReason>;

    /// House-keeping, called after the answers went out so that nobody waits for it.
    fn tidy(&mut self) -> Result<(), StopReason>;

    /// Ends in good order and lets the next writer in.
    fn close(self: Box<Self>) -> Result<(), StopReason>;

    /// Ends after an error: writes nothing, lets the next writer in.
    fn abandon(self: Box<Self>);
}

/// What became of a staged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// It is in the transaction.
    Added,
    /// Its replay key is held already.
    Taken,
}

/// What a storage hands to the writer when it is opened.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Index of the next entry.
    pub(crate) next: u64,
    /// Highest expiry among the replay keys that were pruned, Unix seconds.
    pub(crate) horizon: u64,
    /// Replay keys still held.
    pub(crate) replay: Vec<ReplayKey>,
    /// Calls without an outcome, in order of their index.
    pub(crate) open: Vec<OpenCall>,
}
