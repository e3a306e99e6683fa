//! What the writer keeps in memory, read at opening, and the checks of it.

use std::path::{Path, PathBuf};

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle::MAX_SIZE;
use attest_core::note::Vkey;
use rusqlite::{Connection, Row};

use super::tiles::{Stored, Tiles};
use crate::error::{OpenError, ReadError};
use crate::head::{Found, Head};
use crate::key::LogKey;
use crate::record::{OpenCall, ReplayKey};
use crate::store::Loaded;
use crate::tree::{self, Edge, Unproved};

/// What to do with a database that is not the continuation of what the log has published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doubt {
    /// Not start.
    Refuse,
    /// Go on with it, from `now` (seconds since 1970) on.
    Accept { now: u64 },
}

/// Reads counters, tree, replay keys and open calls, and holds the tree against the last signed checkpoint. The entries
/// themselves are not walked: that is for a verification, when somebody asks.
pub(super) fn load(connection: &Connection, path: &Path, keys: &LogKeys, keep: usize) -> Result<Loaded, OpenError> {
    let refused = |source| OpenError::Sqlite { path: path.into(), source };
    let read = read(connection).map_err(refused)?.ok_or_else(|| OpenError::Damaged { path: path.into() })?;
    let tree = || OpenError::Tree { path: path.into() };
    let tiles = Tiles::default();
    let stored = Stored::new(connection, &tiles, read.next);
    let open = |level: u8| {
        let full = read.next >> (8 * level) >> 8;
        stored.hashes(level, full)
    };
    let edge = Edge::load(&stored, read.next, keep, open).map_err(|error| of_read(error, path))?;
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
    })
}

fn of_read(error: ReadError, path: &Path) -> OpenError {
    match error {
        ReadError::Sqlite(source) => OpenError::Sqlite { path: path.into(), source },
        _ => OpenError::Tree { path: path.into() },
    }
}

/// The log's keys, if the one it is opened with is in force.
pub(super) fn keys(connection: &Connection, path: &Path, key: &LogKey) -> Result<LogKeys, OpenError> {
    let keys = read_keys(connection).map_err(|error| of_read(error, path))?;
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

/// The table of keys: each is in force for trees larger than its `since`.
pub(crate) fn read_keys(connection: &Connection) -> Result<LogKeys, ReadError> {
    let mut statement = connection.prepare_cached("SELECT since, vkey FROM log_key ORDER BY since")?;
    let mut rows = statement.query([])?;
    let mut keys: Vec<(Vkey, u64)> = Vec::new();
    let mut current: Option<Vkey> = None;
    while let Some(row) = rows.next()? {
        let since = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| ReadError::Keys)?;
        let key = Vkey::parse(row.get_ref(1)?.as_str().unwrap_or_default()).map_err(|_| ReadError::Keys)?;
        match current.replace(key) {
            Some(before) => keys.push((before, since)),
            None if since == 0 => {}
            None => return Err(ReadError::Keys),
        }
    }
    LogKeys::new(keys, current.ok_or(ReadError::Keys)?).map_err(|_| ReadError::Keys)
}

/// Holds the database against the record of what was published last.
pub(super) fn compare_with_head(
    connection: &Connection,
    path: &Path,
    head: &Path,
    keys: &LogKeys,
    size: u64,
) -> Result<(), OpenError> {
    let (path, head) = (PathBuf::from(path), PathBuf::from(head));
    let found = Head::read(&head, keys).map_err(|source| OpenError::Io { path: head.clone(), source })?;
    let published = match found {
        Found::Checkpoint(published) => published,
        // A log that never published anything has no record, until its first opening is over.
        Found::None if size == 0 => return Ok(()),
        Found::None => return Err(OpenError::NoHead { path, head, missing: true }),
        Found::Unreadable => return Err(OpenError::NoHead { path, head, missing: false }),
    };
    if published.size > size {
        return Err(OpenError::RolledBack { path, head, found: size, published: published.size });
    }
    match tree::root(&Stored::new(connection, &Tiles::default(), size), published.size) {
        Ok(root) if root == published.root => Ok(()),
        Ok(_) => Err(OpenError::Forked { path, head, published: published.size }),
        Err(Unproved::Node(error)) => Err(of_read(error, &path)),
        Err(Unproved::Outside) => Err(OpenError::Tree { path }),
    }
}

struct Read {
    next: u64,
    horizon: u64,
    since: u64,
    checkpoint: String,
    replay: Vec<(u64, ReplayKey)>,
    open: Vec<OpenCall>,
}

/// `None` when the parts contradict each other.
fn read(connection: &Connection) -> rusqlite::Result<Option<Read>> {
    // Both ends come from the tree's edges; a count would read every page.
    let (first, last) =
        connection.query_row("SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)", [], |r| {
            Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
        })?;
    let next = match (first, last) {
        (None, None) => 0,
        // No larger tree exists, and none is made edges and proofs of.
        (Some(0), Some(last)) if last.cast_unsigned() < MAX_SIZE => last.cast_unsigned() + 1,
        _ => return Ok(None),
    };
    let (horizon, since, checkpoint): (i64, i64, String) =
        connection.query_row("SELECT horizon, since, checkpoint FROM state WHERE id = 0", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?;
    // No log has times before 1970. To take one for 0 would free every key that was pruned for a replay.
    let (Ok(horizon), Ok(since)) = (u64::try_from(horizon), u64::try_from(since)) else { return Ok(None) };
    let mut read = Read { next, horizon, since, checkpoint, replay: Vec::new(), open: Vec::new() };
    let mut statement = connection.prepare("SELECT idx, scope, jti, expires FROM replay ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A key that cannot be one is damage. Leaving it out would free it for a replay.
        let Some(key) = replay_key(row)?.filter(|(index, _)| *index < next) else { return Ok(None) };
        read.replay.push(key);
    }
    let mut statement = connection.prepare("SELECT hash, idx FROM open_call ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(hash), Ok(index)) = (row.get_ref(0)?.as_blob()?.try_into(), u64::try_from(row.get::<_, i64>(1)?))
        else {
            return Ok(None);
        };
        if index >= next {
            return Ok(None);
        }
        read.open.push(OpenCall { hash, index });
    }
    Ok(Some(read))
}

fn replay_key(row: &Row<'_>) -> rusqlite::Result<Option<(u64, ReplayKey)>> {
    let (Ok(index), Ok(expires)) = (u64::try_from(row.get::<_, i64>(0)?), u64::try_from(row.get::<_, i64>(3)?)) else {
        return Ok(None);
    };
    let key = ReplayKey::new(row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?, expires);
    Ok(key.ok().map(|key| (index, key)))
}
