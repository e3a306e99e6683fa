//! The reading side: in any process, while a writer runs, without holding it up.

use std::collections::VecDeque;
use std::ops::Range;

use attest_core::checkpoint::LogKeys;
use sha2::{Digest, Sha256};

use crate::error::{OpenError, ReadError};
use crate::place::Place;
use crate::record::{Hash, OpenCall};
use crate::rows::{EachEntry, Rows, read_keys};
use crate::sealed::{self, Sealed};
use crate::stored::{Stored, Tiles};
use crate::tree::{self, TILE_WIDTH, Unproved};
use crate::{postgres, sqlite};

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
/// Of a file: it needs write access to the directory, for SQLite's `-shm` file, unless a writer is running. Of a database: it
/// connects anew by itself after the connection was lost, and calls made meanwhile fail.
pub struct Reader {
    rows: Box<dyn Rows>,
    sealed: Sealed,
    /// For proofs of different entries, and of different sizes.
    tiles: Tiles,
}

impl Reader {
    /// Opens an existing log. Its mode is the owner's business here: a copy handed to an investigator is readable.
    ///
    /// # Errors
    /// [`OpenError`]: no such file or database, not a log, another format.
    pub fn open(place: impl Into<Place>) -> Result<Self, OpenError> {
        let place = place.into();
        let rows: Box<dyn Rows> = match &place {
            Place::File(path) => Box::new(sqlite::read(path)?),
            Place::Shared(shared) => Box::new(postgres::read(shared)?),
        };
        Ok(Self { rows, sealed: Sealed::of(place), tiles: Tiles::default() })
    }

    pub(crate) fn rows(&self) -> &dyn Rows {
        &*self.rows
    }

    /// Number of entries; the next index.
    ///
    /// # Errors
    /// The database's.
    pub fn len(&self) -> Result<u64, ReadError> {
        self.rows.len()
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// The database's.
    pub fn is_empty(&self) -> Result<bool, ReadError> {
        Ok(self.len()? == 0)
    }

    /// The bytes of entry `index`; `None` at or beyond the end.
    ///
    /// # Errors
    /// [`ReadError::Gap`] when it is missing below the end; [`ReadError::Sealed`], [`ReadError::SealedEntry`].
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Ok(key) = i64::try_from(index) else { return Ok(None) };
        if let Some(body) = self.rows.body(key)? {
            return Ok(Some(body));
        }
        if index >= self.len()? {
            return Ok(None);
        }
        match self.sealed.part(self.rows(), index)? {
            Some(part) => self.sealed.body(self.rows(), &part, index).map(Some),
            None => Err(ReadError::Gap { index }),
        }
    }

    /// Index behind the last entry whose token was let go ([`crate::sealed::Sealing::forget`]), by the log's own mark; 0 where none was.
    ///
    /// # Errors
    /// The database's.
    pub fn forgotten(&self) -> Result<u64, ReadError> {
        Ok(sealed::forgotten_of(&self.rows.sealed()?))
    }

    /// The entries of a range, as far as they exist, in order, a few at a time: no transaction stays open between
    /// two steps, so a slow walk does not keep the writer's write-ahead file from being reused. Entries committed
    /// during the walk are part of it.
    pub fn entries(&self, range: Range<u64>) -> Entries<'_> {
        Entries { reader: self, next: range.start, end: range.end, fetched: VecDeque::new() }
    }

    /// Shows `each` the entries of a range, as far as they exist, in order, with the token that came with each alone: index,
    /// body, token. Nothing is copied, nothing is checked but that sealed entries are those of the tree, gaps are passed over, and
    /// what is in the database is read in one transaction: keep the range small. A token that is no UTF-8 is shown as the empty text, which no token is.
    ///
    /// # Errors
    /// The database's, from this or from `each`.
    pub fn walk<E: From<ReadError>>(
        &self,
        range: Range<u64>,
        each: impl FnMut(u64, &[u8], Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.show(range, true, each)
    }

    /// [`Reader::walk`] that also shows sealed entries which are not those of the tree: for whoever says what is wrong.
    ///
    /// # Errors
    /// As [`Reader::walk`].
    pub fn walk_as_found<E: From<ReadError>>(
        &self,
        range: Range<u64>,
        each: impl FnMut(u64, &[u8], Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.show(range, false, each)
    }

    fn show<E: From<ReadError>>(
        &self,
        range: Range<u64>,
        checked: bool,
        mut each: impl FnMut(u64, &[u8], Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.visit(range, checked, &mut |index, body, token| {
            failed = each(index, body, token).err();
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Goes through sealed parts and rows in order. A part may be sealed meanwhile, and its rows removed under a walk.
    fn visit(&self, range: Range<u64>, checked: bool, each: &mut EachEntry<'_>) -> Result<(), ReadError> {
        let (mut next, end) = (range.start, range.end.min(i64::MAX.cast_unsigned()));
        loop {
            while next < end
                && let Some(part) = self.sealed.known(next)
            {
                let until = part.until.min(end);
                if !self.sealed.walk(self.rows(), &part, next..until, checked, each)? {
                    return Ok(());
                }
                next = until;
            }
            if next >= end {
                return Ok(());
            }
            let (mut behind, mut goes_on) = (None, true);
            self.rows.walk(next.cast_signed(), end.cast_signed(), &mut |index, body, token| {
                if index != next {
                    behind = Some(index);
                    return false;
                }
                next = index.saturating_add(1);
                goes_on = each(index, body, token);
                goes_on
            })?;
            if !goes_on || next >= end {
                return Ok(());
            }
            match (self.sealed.part(self.rows(), next)?, behind) {
                (Some(_), _) => {}
                (None, Some(index)) => next = index,
                (None, None) => return Ok(()),
            }
        }
    }

    /// The token with this hash, checked against it; `None` when the log has none.
    ///
    /// # Errors
    /// [`ReadError::WrongToken`] when the stored text has another hash.
    pub fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError> {
        match self.rows.token(hash)? {
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
    /// The database's; [`ReadError::Sealed`].
    pub fn own_token(&self, index: u64) -> Result<Option<String>, ReadError> {
        let Ok(key) = i64::try_from(index) else { return Ok(None) };
        if let Some(token) = self.rows.own_token(key)? {
            return Ok(Some(token));
        }
        match self.sealed.part(self.rows(), index)? {
            Some(part) => self.sealed.token(self.rows(), &part, index),
            None => Ok(None),
        }
    }

    /// Every token that was stored once for many entries, with the hash it is stored under, as it stands. In no order that
    /// means anything; ends after the first error.
    ///
    /// # Errors
    /// The database's, from this or from `each`.
    pub fn tokens<E: From<ReadError>>(&self, mut each: impl FnMut(&[u8], &str) -> Result<(), E>) -> Result<(), E> {
        let mut failed = None;
        self.rows.tokens(&mut |hash, text| {
            failed = each(hash, text).err();
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The last checkpoint: a signed note.
    ///
    /// # Errors
    /// The database's.
    pub fn checkpoint(&self) -> Result<String, ReadError> {
        self.rows.checkpoint()
    }

    /// The checkpoints that witnesses cosigned, with their sizes, smallest first.
    ///
    /// # Errors
    /// The database's.
    pub fn cosigned(&self) -> Result<Vec<(u64, String)>, ReadError> {
        self.rows.cosigned(false)
    }

    /// The newest checkpoint that witnesses cosigned.
    ///
    /// # Errors
    /// The database's.
    pub fn last_cosigned(&self) -> Result<Option<(u64, String)>, ReadError> {
        Ok(self.rows.cosigned(true)?.pop())
    }

    /// What is open: calls without an outcome, and alerts that nobody closed. Oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn open_entries(&self) -> Result<Vec<OpenCall>, ReadError> {
        self.rows.open()
    }

    /// The log's keys, as the log itself says. They are evidence only as far as they agree with what the reader pinned.
    ///
    /// # Errors
    /// [`ReadError::Keys`].
    pub fn log_keys(&self) -> Result<LogKeys, ReadError> {
        read_keys(self.rows())
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
        make(&Stored::new(self.rows(), &self.tiles, size)).map_err(|error| match error {
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
        self.visit(from..to, true, &mut |index, body, token| {
            into.push_back(Entry { index, body: body.to_owned(), token: token.map(str::to_owned) });
            true
        })
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
