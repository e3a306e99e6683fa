//! A log put into another storage, whole: from a file into a database that several verifiers share, or back.
//!
//! Entries are copied byte for byte, and with them tokens, keys, cosigned checkpoints, the replay window and the open calls, so every
//! receipt and every proof holds as before. The tree is made anew on the way, and must be the one that the last checkpoint was
//! signed over. The old place keeps its entries, and says where the log went: two that go on would be a fork.
//!
//! Order: all is written at the new place, in one transaction; the old place is marked; the transaction is committed. A move that is cut off between
//! the last two leaves a marked log and an empty place, and is done again by the same command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle;
use sha2::{Digest as _, Sha256};

use crate::error::{OpenError, ReadError};
use crate::load;
use crate::place::Place;
use crate::reader::Reader;
use crate::record::Hash;
use crate::rows::{Rows, read_keys};
use crate::sealed::{self, SealedPart};
use crate::snapshot::{ReplayRow, Snapshot};
use crate::tree::{self, Tile};
use crate::{postgres, sqlite};

/// Rows that are written at once.
const ROWS: usize = 512;

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Entries.
    pub entries: u64,
    /// Tokens that are stored once for many entries.
    pub tokens: u64,
    /// Replay keys that are held.
    pub replay_keys: u64,
    /// Calls without an outcome, which whoever opens the log next closes as unknown.
    pub open_calls: u64,
}

/// Why a log was not moved. But for [`MoveError::Unfinished`] the old place goes on as before, and the new one is empty.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// One of the two cannot be opened, read or written as a log.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The old place cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Verifiers are at work.
    #[error("{path}: {count} verifiers write this log; stop them first")]
    InUse {
        /// The old place.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// There is something at the new place.
    #[error("{path} is not empty; a log is moved to where there is none{hint}", hint = if *left { ": one that went elsewhere still lies there; keep a copy if it is evidence, then remove it (of a database: drop schema attest_log cascade)" } else { "" })]
    NotEmpty {
        /// The new place.
        path: PathBuf,
        /// Whether it is a log that was moved from there before.
        left: bool,
    },
    /// The last step failed, or its answer did not come.
    #[error("{source}: the old place is closed already, and the new one may not be there yet; do the same move again")]
    Unfinished {
        /// What went wrong.
        source: OpenError,
    },
    /// The log is not whole.
    #[error(
        "the entries of {path} are not those that its last checkpoint was signed over; run: attest log verify {path}"
    )]
    NotWhole {
        /// The old place.
        path: PathBuf,
    },
}

/// A log that is moved away; nobody writes it meanwhile.
pub(crate) trait Source {
    fn rows(&self) -> &dyn Rows;

    /// As [`Rows::snapshot`], of what nobody changes.
    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError>;

    /// Says for good that the log is at `to` now.
    fn retire(&mut self, to: &str) -> Result<(), OpenError>;

    /// The table of sealed parts, each place by a name that means the same from anywhere.
    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError>;

    /// Whether it says so already: a move to there was cut off.
    fn is_retired(&self) -> bool;
}

/// An entry: index, body, token that came with it alone.
pub(crate) type EntryRow = (u64, Vec<u8>, Option<String>);
/// A replay key: entry, scope, `jti`, expiry.
pub(crate) type KeyRow = (u64, Vec<u8>, Vec<u8>, u64);

/// An empty place that a log is moved to; nothing is there before [`Target::commit`].
pub(crate) trait Target {
    fn entries(&mut self, rows: &[EntryRow]) -> Result<(), OpenError>;
    fn tokens(&mut self, rows: &[(Hash, String)]) -> Result<(), OpenError>;
    fn tiles(&mut self, rows: &[Tile]) -> Result<(), OpenError>;
    fn replay(&mut self, rows: &[KeyRow]) -> Result<(), OpenError>;
    fn sealed(&mut self, parts: &[SealedPart]) -> Result<(), OpenError>;
    /// Keys, checkpoints, the window's end and open calls.
    fn state(&mut self, snapshot: &Snapshot) -> Result<(), OpenError>;
    fn commit(self: Box<Self>) -> Result<(), OpenError>;
    /// Leaves the place as it was.
    fn abandon(self: Box<Self>);
}

/// Moves the log at `from` to `to`, where there must be none. `progress` is told entries done, and entries in all.
///
/// # Errors
/// [`MoveError`].
pub fn move_log(from: &Place, to: &Place, progress: impl FnMut(u64, u64)) -> Result<Moved, MoveError> {
    let name = to.name().display().to_string();
    let mut source: Box<dyn Source> = match from {
        Place::File(path) => Box::new(sqlite::Leaving::open(path, &name)?),
        Place::Shared(shared) => Box::new(postgres::Leaving::open(shared, &name)?),
    };
    let keys = read_keys(source.rows())?;
    if let Some(moved) = moved_already(&*source, &keys, to)? {
        return Ok(moved);
    }
    let mut target: Box<dyn Target> = match to {
        Place::File(path) => Box::new(sqlite::Arriving::open(path, source.rows(), &keys)?),
        Place::Shared(shared) => Box::new(postgres::Arriving::open(shared)?),
    };
    let copied = copy(&*source, &mut *target, from, &keys, progress);
    let moved = match copied.and_then(|moved| Ok(source.retire(&name).map(|()| moved)?)) {
        Ok(moved) => moved,
        Err(error) => {
            target.abandon();
            return Err(error);
        }
    };
    // From here on the old place is closed, whatever becomes of this: an answer that does not come may be a yes.
    target.commit().map_err(|source| MoveError::Unfinished { source })?;
    Ok(moved)
}

/// What a move that was cut off has moved all the same.
fn moved_already(source: &dyn Source, keys: &LogKeys, to: &Place) -> Result<Option<Moved>, MoveError> {
    if !source.is_retired() {
        return Ok(None);
    }
    let Ok(there) = Reader::open(to) else { return Ok(None) };
    let mut moved = Moved::default();
    let snapshot = source.snapshot(&mut |_| moved.replay_keys += 1)?;
    let ours = keys.open(snapshot.checkpoint.as_bytes()).map_err(|_| ReadError::Keys)?;
    if there.root(ours.size).ok() != Some(ours.root) {
        return Ok(None);
    }
    source.rows().tokens(&mut |_, _| {
        moved.tokens += 1;
        true
    })?;
    Ok(Some(Moved { entries: snapshot.size, open_calls: snapshot.open.len() as u64, ..moved }))
}

fn copy(
    source: &dyn Source,
    target: &mut dyn Target,
    from: &Place,
    keys: &LogKeys,
    mut progress: impl FnMut(u64, u64),
) -> Result<Moved, MoveError> {
    let not_whole = || MoveError::NotWhole { path: from.name() };
    let mut window = Vec::new();
    let snapshot = source.snapshot(&mut |row| {
        window.push((row.index, row.scope.to_vec(), row.jti.to_vec(), row.expires));
    })?;
    for rows in window.chunks(ROWS) {
        target.replay(rows)?;
    }
    let mut moved = Moved {
        entries: snapshot.size,
        replay_keys: window.len() as u64,
        open_calls: snapshot.open.len() as u64,
        ..Moved::default()
    };
    // What is sealed is not read: its tiles are held against the checkpoint like all others.
    let sealed = source.sealed()?;
    let begin = sealed::end_of(&sealed).ok_or(ReadError::Parts)?;
    target.sealed(&sealed)?;
    let mut edge = load::edge(source.rows(), begin, 1)?;
    let mut made = BTreeSet::new();
    let mut rows = Vec::with_capacity(ROWS);
    let mut tiles = Vec::new();
    let step = ROWS as u64;
    for first in (begin..snapshot.size).step_by(ROWS) {
        let end = first.saturating_add(step).min(snapshot.size);
        source.rows().walk(first.cast_signed(), end.cast_signed(), &mut |index, body, token| {
            rows.push((index, body.to_vec(), token.map(str::to_owned)));
            true
        })?;
        let in_order = (first..end).eq(rows.iter().map(|(index, ..)| *index));
        // A text that is none is shown as the empty one.
        if !in_order || rows.iter().any(|(_, _, token)| token.as_deref() == Some("")) {
            return Err(not_whole());
        }
        for (_, body, _) in &rows {
            edge.push(merkle::leaf(body), &mut tiles);
        }
        target.entries(&rows)?;
        target.tiles(&tiles)?;
        made.extend(tiles.iter().map(|tile| (tile.level, tile.index)));
        rows.clear();
        tiles.clear();
        progress(end, snapshot.size);
    }
    let partial: Vec<Tile> = edge.partial().collect();
    target.tiles(&partial)?;
    made.extend(partial.iter().map(|tile| (tile.level, tile.index)));
    copy_tiles(source.rows(), target, &snapshot, |level, index| !made.contains(&(level, index)))?;
    let root = tree::root(&edge, snapshot.size).map_err(|_| not_whole())?;
    let expected = Checkpoint { origin: keys.origin().to_owned(), size: snapshot.size, root };
    if snapshot.stray != 0 || keys.open(snapshot.checkpoint.as_bytes()).ok() != Some(expected) {
        return Err(not_whole());
    }
    moved.tokens = copy_tokens(source, target)?.ok_or_else(not_whole)?;
    target.state(&snapshot)?;
    Ok(moved)
}

/// Copies what is there, whatever it is.
pub(crate) fn copy_unchecked(rows: &dyn Rows, target: &mut dyn Target) -> Result<(), OpenError> {
    let failed = |error| load::of_read(error, Path::new("the copy"));
    let mut window = Vec::new();
    let snapshot = rows.snapshot(&mut |row| {
        window.push((row.index, row.scope.to_vec(), row.jti.to_vec(), row.expires));
    });
    let snapshot = snapshot.map_err(failed)?;
    target.replay(&window)?;
    let (mut entries, mut tokens) = (Vec::new(), Vec::new());
    rows.walk(i64::MIN, i64::MAX, &mut |index, body, token| {
        entries.push((index, body.to_vec(), token.map(str::to_owned)));
        true
    })
    .map_err(failed)?;
    target.entries(&entries)?;
    // After the entries: one that was sealed since is in a part.
    target.sealed(&rows.sealed().map_err(failed)?)?;
    rows.tokens(&mut |hash, text| {
        tokens.extend(Hash::try_from(hash).ok().map(|hash| (hash, text.to_owned())));
        true
    })
    .map_err(failed)?;
    target.tokens(&tokens)?;
    copy_tiles(rows, target, &snapshot, |_, _| true).map_err(|error| match error {
        MoveError::Open(error) => error,
        MoveError::Read(error) => failed(error),
        _ => OpenError::Tree { path: PathBuf::from("the copy") },
    })?;
    target.state(&snapshot)
}

/// The stored tiles of which `wanted` holds, by level and index.
fn copy_tiles(
    rows: &dyn Rows,
    target: &mut dyn Target,
    snapshot: &Snapshot,
    wanted: impl Fn(u8, u64) -> bool,
) -> Result<(), MoveError> {
    for found in &snapshot.tiles {
        let Ok(level) = u8::try_from(found.level) else { continue };
        for index in (0..=found.last.cast_unsigned()).filter(|index| wanted(level, *index)) {
            if let Some(hashes) = rows.tile(level, index.cast_signed())? {
                target.tiles(&[Tile { level, index, hashes }])?;
            }
        }
    }
    Ok(())
}

/// `None` where a token is not under its hash.
fn copy_tokens(source: &dyn Source, target: &mut dyn Target) -> Result<Option<u64>, MoveError> {
    let (mut rows, mut count, mut whole, mut failed) = (Vec::with_capacity(ROWS), 0, true, None);
    source.rows().tokens(&mut |hash, text| {
        let digest: Hash = Sha256::digest(text.as_bytes()).into();
        whole = hash == digest;
        rows.push((digest, text.to_owned()));
        count += 1;
        if rows.len() == ROWS {
            failed = target.tokens(&rows).err();
            rows.clear();
        }
        whole && failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    target.tokens(&rows)?;
    Ok(whole.then_some(count))
}
