//! What the writer needs of a storage: SQLite for a log of one writer, PostgreSQL for one that several verifiers share.

use std::collections::HashSet;

use crate::error::StopReason;
use crate::record::{Hash, OpenCall, Record, ReplayKey};
use crate::tree::{Edge, Tile};

/// A transaction at a time, used by one thread.
///
/// A [`StopReason`] is final. The writer calls nothing but [`Store::release`] and [`Store::abandon`] after one, so a store need not be able to go
/// on, and must not retry by itself. Nothing staged may be visible to readers before [`Store::commit`] returns; when it
/// fails for good, all or none of it may turn up after the next opening. The other two ways to fail are for a shared storage
/// alone: it says them only where nothing of the batch is, or will be, acknowledged.
pub(crate) trait Store: Send + 'static {
    /// Begins a batch, before any of it is judged.
    ///
    /// A shared storage takes the log for itself until the batch ends, brings `edge` to where the log is now, and says what
    /// it knows of these records. One that has a single writer says `None`: what the writer remembers is how it is.
    fn begin(&mut self, edge: &mut Edge, records: &mut dyn Iterator<Item = &Record>) -> Result<Option<Found>, Failed>;

    /// Which of the calls that these records open or close are open, said of records that came after the batch began; asked
    /// only of a shared storage.
    fn open_among(&mut self, _: &mut dyn Iterator<Item = &Record>) -> Result<HashSet<Hash>, Failed> {
        Ok(HashSet::new())
    }

    /// Adds the record as entry `index` to the running transaction, beginning one where there is none.
    ///
    /// `Taken` when the replay key is held already; then nothing of the record was added. The writer asks its own
    /// window first: this answer is for a storage that several verifiers share, and for a window that is wrong.
    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, Failed>;

    /// Forgets the replay keys of these entries and raises the horizon, in the running transaction.
    fn prune(&mut self, entries: &[u64], horizon: u64) -> Result<(), Failed>;

    /// Adds tiles of the tree, and the signed checkpoint over all that is staged, to the running transaction.
    fn tree(&mut self, size: u64, tiles: &[Tile], checkpoint: &str) -> Result<(), Failed>;

    /// Adds a checkpoint that witnesses cosigned, beginning a transaction where there is none.
    fn cosigned(&mut self, size: u64, note: &str) -> Result<(), Failed>;

    /// The one commit point: when it returns, what was staged survives a power cut.
    fn commit(&mut self) -> Result<(), Failed>;

    /// Ends a batch in which nothing was staged.
    fn leave(&mut self) -> Result<(), Failed>;

    /// Notes outside the database that this checkpoint, which is committed, is going to be handed out. `now` is in seconds
    /// since 1970.
    fn publish(&mut self, checkpoint: &str, now: u64) -> Result<(), StopReason>;

    /// House-keeping, called after the answers went out so that nobody waits for it.
    fn tidy(&mut self) -> Result<(), StopReason>;

    /// Lets go of what others wait for, at once after an error; the store itself is kept until the log goes.
    fn release(&mut self) {}

    /// Ends in good order and lets the next writer in.
    fn close(self: Box<Self>) -> Result<(), StopReason>;

    /// Ends after an error: writes nothing, lets the next writer in.
    fn abandon(self: Box<Self>);
}

/// Why a batch was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// For good.
    Stop(StopReason),
    /// The database was in its own way (a serialization failure, a deadlock): nothing was written, and the same may go now.
    Again,
    /// The database is away. Nothing of the batch was written, or nobody can tell; a later one may go.
    Away,
}

impl From<StopReason> for Failed {
    fn from(reason: StopReason) -> Self {
        Self::Stop(reason)
    }
}

/// What a shared storage knows of the records of a batch, true until the batch ends.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Highest expiry among the replay keys that were pruned, Unix seconds.
    pub(crate) horizon: u64,
    /// The replay keys that others took since the size that was known here, with the entries that took them.
    pub(crate) used: Vec<(u64, ReplayKey)>,
    /// Those of the calls that the batch opens or closes that are open.
    pub(crate) open: HashSet<Hash>,
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
pub(crate) struct Loaded {
    /// The tree; its size is the index of the next entry.
    pub(crate) edge: Edge,
    /// The last checkpoint, a signed note.
    pub(crate) checkpoint: String,
    /// From when on, in seconds since 1970, this database is known to be whole: it was taken over by hand then.
    pub(crate) since: u64,
    /// Highest expiry among the replay keys that were pruned, Unix seconds.
    pub(crate) horizon: u64,
    /// Replay keys still held, with the entries that took them.
    pub(crate) replay: Vec<(u64, ReplayKey)>,
    /// Calls without an outcome, in order of their index, that nobody else will close.
    pub(crate) open: Vec<OpenCall>,
    /// Those of other verifiers that are at work.
    pub(crate) others: Vec<OpenCall>,
}
