//! What the writer keeps in memory, and the checks of it: whichever database holds the log.

use std::path::{Path, PathBuf};

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle::MAX_SIZE;

use crate::error::{OpenError, ReadError};
use crate::head::{Found, Head};
use crate::key::LogKey;
use crate::record::{OpenCall, ReplayKey};
use crate::rows::{Rows, read_keys};
use crate::sealed::{self, SealedPart};
use crate::store::Loaded;
use crate::stored::{Stored, Tiles};
use crate::tree::{self, Edge, Unproved};

/// What to do with a database that is not the continuation of what the log has published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doubt {
    /// Not start.
    Refuse,
    /// Go on with it, from `now` (seconds since 1970) on.
    Accept { now: u64 },
}

/// What a database says of the log; see [`Loaded`].
pub(crate) struct Read {
    pub(crate) next: u64,
    pub(crate) horizon: u64,
    pub(crate) since: u64,
    pub(crate) checkpoint: String,
    pub(crate) replay: Vec<(u64, ReplayKey)>,
    pub(crate) open: Vec<OpenCall>,
    pub(crate) others: Vec<OpenCall>,
}

/// The next index, by the first and the last of the entries that are in the database; `None` where they contradict what is
/// sealed. Entries before the first are sealed; some that are, may be in the database still.
pub(crate) fn next_index(first: Option<i64>, last: Option<i64>, parts: &[SealedPart]) -> Option<u64> {
    let sealed = sealed::end_of(parts)?;
    match (first, last) {
        // The last entries are never sealed.
        (None, None) => (sealed == 0).then_some(0),
        (Some(first), Some(last)) => {
            let (first, last) = (u64::try_from(first).ok()?, u64::try_from(last).ok()?);
            // No larger tree exists, and none is made edges and proofs of.
            (first <= sealed && last >= sealed && last < MAX_SIZE).then_some(last + 1)
        }
        _ => None,
    }
}

/// Loads the tree and holds it against the last signed checkpoint. The entries themselves are not walked: that is for a
/// verification, when somebody asks.
pub(crate) fn load(rows: &dyn Rows, path: &Path, read: Read, keys: &LogKeys, keep: usize) -> Result<Loaded, OpenError> {
    let edge = edge(rows, read.next, keep).map_err(|error| of_read(error, path))?;
    let tree = || OpenError::Tree { path: path.into() };
    let root = tree::root(&edge, read.next).map_err(|_| tree())?;
    let signed = keys.open(read.checkpoint.as_bytes()).map_err(|_| tree())?;
    if signed != (Checkpoint { origin: keys.origin().to_owned(), size: read.next, root }) {
        return Err(tree());
    }
    Ok(Loaded {
        edge,
        checkpoint: read.checkpoint,
        since: read.since,
        horizon: read.horizon,
        replay: read.replay,
        open: read.open,
        others: read.others,
    })
}

/// The edge of the tree of `size` entries, from its tiles.
pub(crate) fn edge(rows: &dyn Rows, size: u64, keep: usize) -> Result<Edge, ReadError> {
    let tiles = Tiles::default();
    let stored = Stored::new(rows, &tiles, size);
    let open = |level: u8| {
        let full = size >> (8 * level) >> 8;
        stored.hashes(level, full)
    };
    Edge::load(&stored, size, keep, open)
}

pub(crate) fn of_read(error: ReadError, path: &Path) -> OpenError {
    match error {
        ReadError::Sqlite(source) => OpenError::Sqlite { path: path.into(), source },
        ReadError::Postgres(source) => OpenError::Postgres { path: path.into(), source },
        _ => OpenError::Tree { path: path.into() },
    }
}

/// The log's keys, if the one it is opened with is in force.
pub(crate) fn keys(rows: &dyn Rows, path: &Path, key: &LogKey) -> Result<LogKeys, OpenError> {
    let keys = read_keys(rows).map_err(|error| of_read(error, path))?;
    let given = key.vkey();
    if keys.all().last().is_some_and(|(last, _)| last == given) {
        return Ok(keys);
    }
    Err(OpenError::Key {
        path: path.into(),
        in_force: keys.all().last().map(|(key, _)| key.to_string()).unwrap_or_default(),
        given: given.to_string(),
        retired: keys.all().iter().any(|(key, _)| key == given),
    })
}

/// Holds the database against the record of what was published last. `joins` says that others write this log too, so that
/// whoever has no record yet may be new.
pub(crate) fn compare_with_head(
    rows: &dyn Rows,
    path: &Path,
    head: &Path,
    keys: &LogKeys,
    size: u64,
    joins: bool,
) -> Result<(), OpenError> {
    let (path, head) = (PathBuf::from(path), PathBuf::from(head));
    let found = Head::read(&head, keys).map_err(|source| OpenError::Io { path: head.clone(), source })?;
    let published = match found {
        Found::Checkpoint(published) => published,
        // A log that never published anything has no record, until its first opening is over.
        Found::None if size == 0 || joins => return Ok(()),
        Found::None => return Err(OpenError::NoHead { path, head, missing: true }),
        Found::Unreadable => return Err(OpenError::NoHead { path, head, missing: false }),
    };
    if published.size > size {
        return Err(OpenError::RolledBack { path, head, found: size, published: published.size });
    }
    match tree::root(&Stored::new(rows, &Tiles::default(), size), published.size) {
        Ok(root) if root == published.root => Ok(()),
        Ok(_) => Err(OpenError::Forked { path, head, published: published.size }),
        Err(Unproved::Node(error)) => Err(of_read(error, &path)),
        Err(Unproved::Outside) => Err(OpenError::Tree { path }),
    }
}
