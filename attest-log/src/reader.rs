//! The reading side: in any process, while a writer runs, without holding it up.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use attest_core::checkpoint::LogKeys;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use sha2::{Digest, Sha256};

use crate::error::{OpenError, ReadError};
use crate::record::{Hash, OpenCall};
use crate::sqlite::{Identity, Stored, Tiles, identify, read_keys, resolve};
use crate::tree::{self, TILE_WIDTH, Unproved};

/// Entries fetched at once by an iteration: at most 4 MiB of bodies.
const CHUNK: u64 = 64;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its exact bytes.
    pub body: Vec<u8>,
    /// The token that came with it alone, as it stands. Whoever believes it compares its hash with the one that the body
    /// names.
    pub token: Option<String>,
}

/// A log opened for reading. Every call sees what was committed when it began, so a reader that asks [`Reader::len`]
/// again follows the log.
///
/// It needs write access to the directory, for SQLite's `-shm` file, unless a writer is running.
pub struct Reader {
    pub(crate) connection: Connection,
    /// For proofs of different entries, and of different sizes.
    tiles: Tiles,
}

impl Reader {
    /// Opens an existing log. Its mode is the owner's business here: a copy handed to an investigator is readable.
    ///
    /// # Errors
    /// [`OpenError`]: no such file, not a log, another format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = resolve(path.as_ref())?;
        let refused = |source| OpenError::Sqlite { path: path.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
        // Readers wait only while another connection recovers the write-ahead file.
        connection.busy_timeout(Duration::from_secs(5)).map_err(refused)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(refused)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(refused)?;
        match identify(&connection, &path)? {
            Identity::Ours => Ok(Self { connection, tiles: Tiles::default() }),
            Identity::Empty => Err(OpenError::NotALog { path: path.clone() }),
        }
    }

    /// Number of entries; the next index.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn len(&self) -> Result<u64, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT max(idx) FROM entry")?;
        let last: Option<i64> = statement.query_row([], |row| row.get(0))?;
        Ok(last.map_or(0, |last| last.cast_unsigned().saturating_add(1)))
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn is_empty(&self) -> Result<bool, ReadError> {
        Ok(self.len()? == 0)
    }

    /// The bytes of entry `index`; `None` at or beyond the end.
    ///
    /// # Errors
    /// [`ReadError::Gap`] when it is missing below the end.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Ok(key) = i64::try_from(index) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT body FROM entry WHERE idx = ?1")?;
        let body: Option<Vec<u8>> = statement.query_row([key], |row| row.get(0)).optional()?;
        match body {
            None if index < self.len()? => Err(ReadError::Gap { index }),
            body => Ok(body),
        }
    }

    /// The entries of a range, as far as they exist, in order, a few at a time: no transaction stays open between
    /// two steps, so a slow walk does not keep the writer's write-ahead file from being reused. Entries committed
    /// during the walk are part of it.
    pub fn entries(&self, range: Range<u64>) -> Entries<'_> {
        Entries { reader: self, next: range.start, end: range.end, fetched: VecDeque::new() }
    }

    /// Shows `each` the entries of a range, as far as they exist, in order, with the token that came with each alone: index,
    /// body, token. Nothing is copied, nothing is checked, gaps are passed over, and the range is read in one transaction:
    /// keep it small. A token that is no UTF-8 is shown as the empty text, which no token is.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`], from this or from `each`.
    pub fn walk<E: From<ReadError>>(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(u64, &[u8], Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sqlite = |error| E::from(ReadError::Sqlite(error));
        let bound = |index: u64| i64::try_from(index).unwrap_or(i64::MAX);
        let mut statement = self
            .connection
            .prepare_cached("SELECT idx, body, token FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")
            .map_err(sqlite)?;
        let mut rows = statement.query([bound(range.start), bound(range.end)]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let index = row.get::<_, i64>(0).map_err(sqlite)?.cast_unsigned();
            let body = row.get_ref(1).map_err(sqlite)?.as_blob().unwrap_or_default();
            let token = match row.get_ref(2).map_err(sqlite)? {
                ValueRef::Null => None,
                text => Some(text.as_str().unwrap_or_default()),
            };
            each(index, body, token)?;
        }
        Ok(())
    }

    /// The token with this hash, checked against it; `None` when the log has none.
    ///
    /// # Errors
    /// [`ReadError::WrongToken`] when the stored text has another hash.
    pub fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT text FROM token WHERE hash = ?1")?;
        let text: Option<String> = statement.query_row([hash.as_slice()], |row| row.get(0)).optional()?;
        match text {
            Some(text) if Hash::from(Sha256::digest(text.as_bytes())) != *hash => {
                Err(ReadError::WrongToken { hash: *hash })
            }
            text => Ok(text),
        }
    }

    /// The token that came with entry `index` alone (a call's proof), as it stands; `None` where none did.
    ///
    /// Whoever believes it compares its hash with the one that the entry names.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn own_token(&self, index: u64) -> Result<Option<String>, ReadError> {
        let Ok(key) = i64::try_from(index) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT token FROM entry WHERE idx = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?.flatten())
    }

    /// Every token that was stored once for many entries, with the hash it is stored under, as it stands. In no order that
    /// means anything; ends after the first error.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`], from this or from `each`.
    pub fn tokens<E: From<ReadError>>(&self, mut each: impl FnMut(&[u8], &str) -> Result<(), E>) -> Result<(), E> {
        let sqlite = |error| E::from(ReadError::Sqlite(error));
        let mut statement = self.connection.prepare_cached("SELECT hash, text FROM token").map_err(sqlite)?;
        let mut rows = statement.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let hash = row.get_ref(0).map_err(sqlite)?.as_blob().unwrap_or_default();
            let text = row.get_ref(1).map_err(sqlite)?.as_str().unwrap_or_default();
            each(hash, text)?;
        }
        Ok(())
    }

    /// The last checkpoint: a signed note.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn checkpoint(&self) -> Result<String, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT checkpoint FROM state WHERE id = 0")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The checkpoints that witnesses cosigned, with their sizes, smallest first.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn cosigned(&self) -> Result<Vec<(u64, String)>, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT size, note FROM cosigned ORDER BY size")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest checkpoint that witnesses cosigned.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn last_cosigned(&self) -> Result<Option<(u64, String)>, ReadError> {
        let mut statement =
            self.connection.prepare_cached("SELECT size, note FROM cosigned ORDER BY size DESC LIMIT 1")?;
        let row = statement.query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)));
        Ok(row.optional()?)
    }

    /// What is open: calls without an outcome, and alerts that nobody closed. Oldest first.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn open_entries(&self) -> Result<Vec<OpenCall>, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT hash, idx FROM open_call ORDER BY idx")?;
        let rows = statement
            .query_map([], |row| Ok(OpenCall { hash: row.get(0)?, index: row.get::<_, i64>(1)?.cast_unsigned() }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The log's keys, as the log itself says. They are evidence only as far as they agree with what the reader pinned.
    ///
    /// # Errors
    /// [`ReadError::Keys`].
    pub fn log_keys(&self) -> Result<LogKeys, ReadError> {
        read_keys(&self.connection)
    }

    /// The root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`ReadError::Outside`], [`ReadError::Tile`].
    pub fn root(&self, size: u64) -> Result<Hash, ReadError> {
        self.prove(size, |stored| tree::root(stored, size))
    }

    /// The proof that entry `index` is in the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`ReadError::Outside`], [`ReadError::Tile`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.prove(size, |stored| tree::inclusion(stored, index, size))
    }

    /// The proof that the tree of the first `old` entries is a beginning of that of the first `size`.
    ///
    /// # Errors
    /// [`ReadError::Outside`], [`ReadError::Tile`].
    pub fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.prove(size, |stored| tree::consistency(stored, old, size))
    }

    fn prove<T>(
        &self,
        size: u64,
        make: impl FnOnce(&Stored<'_>) -> Result<T, Unproved<ReadError>>,
    ) -> Result<T, ReadError> {
        let has = self.len()?;
        if size > has {
            return Err(ReadError::Outside { size: has });
        }
        make(&Stored::new(&self.connection, &self.tiles, size)).map_err(|error| match error {
            Unproved::Outside => ReadError::Outside { size },
            Unproved::Node(error) => error,
        })
    }

    /// The hashes of a tile (C2SP tlog-tiles) of the tree of the first `size` entries: 256 of 32 bytes, fewer at the right
    /// edge, none beyond it.
    ///
    /// # Errors
    /// [`ReadError::Outside`], [`ReadError::Tile`].
    pub fn tile(&self, level: u8, index: u64, size: u64) -> Result<Vec<u8>, ReadError> {
        self.prove(size, |stored| stored.hashes(level, index).map_err(Unproved::Node))
    }

    /// The entries that belong to tile `index` of level 0 of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn bundle(&self, index: u64, size: u64) -> Result<Vec<Entry>, ReadError> {
        let width = TILE_WIDTH as u64;
        let first = index.saturating_mul(width);
        self.entries(first..first.saturating_add(width).min(size)).collect()
    }

    fn fetch(&self, from: u64, to: u64, into: &mut VecDeque<Entry>) -> Result<(), ReadError> {
        let (Ok(low), high) = (i64::try_from(from), i64::try_from(to).unwrap_or(i64::MAX)) else {
            return Ok(());
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT idx, body, token FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
        let mut rows = statement.query([low, high])?;
        while let Some(row) = rows.next()? {
            let index = row.get::<_, i64>(0)?.cast_unsigned();
            into.push_back(Entry { index, body: row.get(1)?, token: row.get(2)? });
        }
        Ok(())
    }
}

/// See [`Reader::entries`]. Ends after the first error.
pub struct Entries<'a> {
    reader: &'a Reader,
    next: u64,
    end: u64,
    fetched: VecDeque<Entry>,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.end = self.next;
        }
        step.transpose()
    }
}

impl Entries<'_> {
    fn step(&mut self) -> Result<Option<Entry>, ReadError> {
        if self.next >= self.end {
            return Ok(None);
        }
        if self.fetched.is_empty() {
            let to = self.next.saturating_add(CHUNK).min(self.end);
            self.reader.fetch(self.next, to, &mut self.fetched)?;
        }
        match self.fetched.pop_front() {
            Some(entry) if entry.index == self.next => {
                self.next += 1;
                Ok(Some(entry))
            }
            // Nothing here, or a later one: the end, or a hole.
            None if self.reader.len()? <= self.next => Ok(None),
            None if self.reader.entry(self.next)?.is_some() => self.step(),
            _ => Err(ReadError::Gap { index: self.next }),
        }
    }
}
