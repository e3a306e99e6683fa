//! A log as evidence: entries with the proof that its last checkpoint is over them.

use std::path::{Path, PathBuf};

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::entry::Written;
use attest_core::merkle::{check_inclusion, leaf};
use attest_log::{Place, Reader};

use crate::error::ForensicsError;
use crate::row::Row;

/// A log, read as of its last checkpoint.
pub struct Evidence {
    /// The log.
    pub reader: Reader,
    path: PathBuf,
    keys: LogKeys,
    checkpoint: Checkpoint,
    note: String,
    /// The agent whose log it is, of a caller's.
    owner: Option<String>,
}

impl Evidence {
    /// Opens a log. Its checkpoint is checked with the keys that the log names itself: whether those are the right ones is for whoever has
    /// them pinned.
    ///
    /// # Errors
    /// [`ForensicsError`]: no log, or a checkpoint that does not hold.
    pub fn open(log: &Path) -> Result<Self, ForensicsError> {
        let reader = Reader::open(log)?;
        let keys = reader.log_keys()?;
        let note = reader.checkpoint()?;
        let checkpoint = keys.open(note.as_bytes());
        let checkpoint =
            checkpoint.map_err(|source| ForensicsError::Checkpoint { log: Place::new(log).name(), source })?;
        let owner = owner(&reader)?;
        Ok(Self { reader, path: Place::new(log).name(), keys, checkpoint, note, owner })
    }

    /// Takes up the log's newest checkpoint; says whether it is another than before. What was read stays as it was where this fails.
    ///
    /// # Errors
    /// [`ForensicsError`]: also where the log does not continue what it was.
    pub fn refresh(&mut self) -> Result<bool, ForensicsError> {
        let note = self.reader.checkpoint()?;
        if note == self.note {
            return Ok(false);
        }
        let keys = self.reader.log_keys()?;
        let checkpoint = keys.open(note.as_bytes());
        let checkpoint = checkpoint.map_err(|source| ForensicsError::Checkpoint { log: self.path.clone(), source })?;
        let before = &self.checkpoint;
        let continued = checkpoint.origin == before.origin
            && checkpoint.size >= before.size
            && self.reader.root(before.size)? == before.root;
        // The root that the newest checkpoint is of, over entries as they are stored: each one that is shown is proved against it.
        if !continued || self.reader.root(checkpoint.size)? != checkpoint.root {
            return Err(ForensicsError::NotContinued { log: self.path.clone() });
        }
        (self.keys, self.checkpoint, self.note) = (keys, checkpoint, note);
        if self.owner.is_none() {
            self.owner = owner(&self.reader)?;
        }
        Ok(true)
    }

    /// The tree's root, of all entries that are covered.
    pub fn root(&self) -> &[u8; 32] {
        &self.checkpoint.root
    }

    /// Where it is; of a database, its address without the password.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name.
    pub fn origin(&self) -> &str {
        self.keys.origin()
    }

    /// The keys that it names.
    pub fn keys(&self) -> &LogKeys {
        &self.keys
    }

    /// Entries below this are covered.
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The checkpoint's text.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The agent whose log it is, of a caller's: what its first context says.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// An entry that the checkpoint is over, flat. What a caller's log says of no other agent is of its own.
    ///
    /// # Errors
    /// As [`Evidence::entry`].
    pub fn row(&self, index: u64) -> Result<Row, ForensicsError> {
        let mut row = Row::of(index, &self.entry(index)?);
        self.owned(&mut row);
        Ok(row)
    }

    pub(crate) fn owned(&self, row: &mut Row) {
        if row.agent.is_none() {
            row.agent.clone_from(&self.owner);
        }
    }

    /// The bytes of an entry, which the checkpoint is over.
    ///
    /// # Errors
    /// [`ForensicsError::NotProved`] where it is not, or lies behind the checkpoint.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ForensicsError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        let wrong = || ForensicsError::NotProved { log: self.path.clone(), index };
        let body = self.reader.entry(index)?.filter(|_| index < *size).ok_or_else(wrong)?;
        let path = self.reader.inclusion(index, *size)?;
        check_inclusion(&leaf(&body), index, *size, &path, root).map_err(|_| wrong())?;
        Ok(body)
    }
}

/// A caller's log begins with its context.
fn owner(reader: &Reader) -> Result<Option<String>, ForensicsError> {
    let body = reader.entry(0)?.unwrap_or_default();
    Ok(match Written::read(&body) {
        Ok(Written::Context { agent, .. }) => Some(agent.into_owned()),
        _ => None,
    })
}
