//! Moving entries out of the database, also while a verifier writes it.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use attest_core::merkle::{self, Hash};
use attest_core::tile::{FULL, read_bundle};

use super::home::{Home, PartError, name_of};
use super::{SealedPart, end_of, forgotten_of, form};
use crate::error::{OpenError, ReadError};
use crate::export::{ExportError, export};
use crate::place::Place;
use crate::postgres::{PostgresError, PostgresSealer};
use crate::reader::{Entry, Reader};
use crate::site::Shown;
use crate::sqlite::SqliteSealer;
use crate::tree::TILE_WIDTH;
use crate::wait::runtime;

const WIDTH: u64 = TILE_WIDTH as u64;
/// Most entries of a part: its table is held in memory.
const PART: u64 = 256 * WIDTH;

/// The database's side: what sealing writes there, each by itself and at once.
pub(crate) trait Sealer {
    /// Adds a part to the table.
    fn note(&mut self, part: &SealedPart) -> Result<(), SealError>;

    /// Names another place for all parts that are at `from`.
    fn moved(&mut self, from: &Path, to: &Path) -> Result<(), SealError>;

    /// Marks the parts that end at `until` or before as without tokens.
    fn forget(&mut self, until: u64) -> Result<(), SealError>;

    /// Removes some of the rows of entries below `until`, the first ones, and lets others write in between. Answers how many.
    fn remove(&mut self, until: u64) -> Result<u64, SealError>;

    /// Gives back to the system what it can.
    fn shrink(&mut self) -> Result<(), SealError>;
}

/// What whoever seals a log knows of its entries, and the log does not.
pub trait Knows {
    /// Whether `token` may have come with this entry: it is the one that the entry names as its own, or there is none where
    /// that names none.
    fn fits(&mut self, body: &[u8], token: Option<&str>) -> bool;

    /// The entries of a part as a table for other programs: a file in Parquet; `None` for no table.
    ///
    /// # Errors
    /// Whatever keeps it from being made; then nothing is sealed.
    fn table(&mut self, part: &Range<u64>) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>;
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Files of the export are written.
    Exporting,
    /// Tokens and tables are written.
    Writing,
    /// What was written is read back and held against tree and rows.
    Checking,
    /// Rows are removed.
    Removing,
}

/// Why nothing, or no more, is sealed. What is sealed by then stays so; a row is removed only after its part was noted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The static part cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A file of the part cannot be written or read back.
    #[error("{name} at {place}: {source}; nothing was removed from the log for it", name = name.display(), place = place.display())]
    Part {
        /// The file.
        name: PathBuf,
        /// Where it should be.
        place: PathBuf,
        /// What is wrong.
        source: PartError,
    },
    /// The place is none.
    #[error("{place}: {source}", place = place.display())]
    Place {
        /// The folder.
        place: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The table could not be made.
    #[error("the table of entries {first} to {last} cannot be made: {source}")]
    Table {
        /// Index of the first.
        first: u64,
        /// Of the last.
        last: u64,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An entry is not the one that was appended.
    #[error(
        "entry {index}, read back from where it was sealed, is not the one that the tree was made of; nothing was removed from the log for it; run: attest log verify"
    )]
    Entry {
        /// Its index.
        index: u64,
    },
    /// A token is not that of its entry.
    #[error(
        "the token beside entry {index} is not the one that the entry names; nothing was removed from the log for it; run: attest log verify"
    )]
    Token {
        /// The entry's index.
        index: u64,
    },
    /// Somebody else seals this log.
    #[error("another process sealed entries of this log meanwhile; run it again")]
    Raced,
    /// The log's file refused.
    #[error("the log's file takes no change: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The log's database refused.
    #[error("the log's database takes no change: {0}")]
    Postgres(#[from] PostgresError),
}

/// A log whose old entries are moved out. For a plain thread: it waits for disks and networks.
pub struct Sealing {
    place: Place,
    reader: Reader,
    sealer: Box<dyn Sealer>,
}

/// Told what is being done, and how much of it of how much.
type Tell<'t> = dyn FnMut(Step, u64, u64) + 't;

/// The tree that what is read back is held against.
struct Against {
    size: u64,
    root: Hash,
}

impl Sealing {
    /// Opens a log that may be being written. A file of an older version is brought to this one first, which takes that nobody
    /// writes it.
    ///
    /// # Errors
    /// [`SealError::Open`].
    pub fn open(place: impl Into<Place>) -> Result<Self, SealError> {
        let place = place.into();
        let sealer: Box<dyn Sealer> = match &place {
            Place::File(path) => Box::new(SqliteSealer::open(path)?),
            Place::Shared(shared) => Box::new(PostgresSealer::open(shared)?),
        };
        let reader = Reader::open(&place)?;
        Ok(Self { place, reader, sealer })
    }

    /// The log.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What is sealed: entries 0 to before this.
    ///
    /// # Errors
    /// [`ReadError::Parts`], the database's.
    pub fn sealed(&self) -> Result<u64, ReadError> {
        end_of(&self.reader.rows().sealed()?).ok_or(ReadError::Parts)
    }

    /// Seals entries up to `before`, as far as they are whole tiles and leave the log at least one entry, at `to`: a folder, or
    /// `s3://bucket/prefix`. First finishes what a run before left undone. Answers what is sealed now that was not.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        &mut self,
        to: &str,
        before: u64,
        knows: &mut dyn Knows,
        tell: &mut Tell<'_>,
    ) -> Result<Range<u64>, SealError> {
        let sealed = self.finish(tell)?;
        let until = before.min(self.reader.len()?.saturating_sub(1)) / WIDTH * WIDTH;
        if until <= sealed {
            return Ok(sealed..sealed);
        }
        let home = Home::named(to)?;
        let place = name_of(to, &self.place);
        let place = place.map_err(|source| SealError::Place { place: to.into(), source })?;
        let runtime = runtime().map_err(|source| SealError::Place { place: to.into(), source })?;
        let exporting = |done, all| tell(Step::Exporting, done, all);
        runtime.block_on(export(&self.reader, Shown::Newest, home.destination(), exporting))?;
        let against = self.against()?;
        let mut first = sealed;
        while first < until {
            // So that parts end where they did, whatever was sealed before.
            let end = (first / PART * PART + PART).min(until);
            let part = SealedPart { first, until: end, place: place.clone(), forgotten: false };
            self.write(&home, &part, knows, tell)?;
            for bundle in first / WIDTH..end / WIDTH {
                tell(Step::Checking, bundle * WIDTH - first, end - first);
                self.check(&home, &part, bundle, &against, knows, true)?;
            }
            self.sealer.note(&part)?;
            self.finish(tell)?;
            first = end;
        }
        Ok(sealed..until)
    }

    /// Says that all parts that were at one place are now at `to`, once every file there was checked. Answers how many entries.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn moved(&mut self, to: &str, knows: &mut dyn Knows, tell: &mut Tell<'_>) -> Result<u64, SealError> {
        let parts = self.reader.rows().sealed()?;
        let end = end_of(&parts).ok_or(ReadError::Parts)?;
        let home = Home::named(to)?;
        let place = name_of(to, &self.place);
        let place = place.map_err(|source| SealError::Place { place: to.into(), source })?;
        let against = self.against()?;
        for part in &parts {
            let there = SealedPart { place: place.clone(), ..part.clone() };
            for bundle in part.first / WIDTH..part.until / WIDTH {
                tell(Step::Checking, bundle * WIDTH, end);
                self.check(&home, &there, bundle, &against, knows, false)?;
            }
        }
        for part in &parts {
            self.sealer.moved(&part.place, &place)?;
        }
        Ok(end)
    }

    /// The end of the last part that is whole before `before`: what [`Sealing::forget`] would let go of.
    ///
    /// # Errors
    /// [`ReadError::Parts`], the database's.
    pub fn parts_before(&self, before: u64) -> Result<u64, ReadError> {
        let parts = self.reader.rows().sealed()?;
        end_of(&parts).ok_or(ReadError::Parts)?;
        Ok(parts.iter().map(|part| part.until).filter(|until| *until <= before).max().unwrap_or(0))
    }

    /// Lets go of the tokens that came with sealed entries before `until` alone, for good: marks their parts, then removes the
    /// files. To be called once an entry of the log says so; again, it finishes what was cut short. Entries and all proofs stay.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn forget(&mut self, until: u64, tell: &mut Tell<'_>) -> Result<(), SealError> {
        self.sealer.forget(until)?;
        let parts = self.reader.rows().sealed()?;
        let end = forgotten_of(&parts);
        for part in parts.iter().filter(|part| part.forgotten) {
            let home = Home::open(&part.place, &self.place);
            let home = home.map_err(|source| failed(part, None, source))?;
            let bundles = (part.first / WIDTH..part.until / WIDTH).map(form::tokens);
            for (n, name) in (part.first / WIDTH..).zip(bundles.chain([Some(form::table(&(part.first..part.until)))])) {
                home.remove(name.clone()).map_err(|source| failed(part, name, source))?;
                tell(Step::Removing, (n * WIDTH).min(end), end);
            }
        }
        Ok(())
    }

    /// Makes the log's file as small as its rows; a database does that by itself.
    ///
    /// # Errors
    /// [`SealError::Open`] while the file is being written.
    pub fn shrink(&mut self) -> Result<(), SealError> {
        self.sealer.shrink()
    }

    /// Removes the rows of what is noted as sealed. Answers where that ends.
    fn finish(&mut self, tell: &mut Tell<'_>) -> Result<u64, SealError> {
        let sealed = self.sealed()?;
        let mut removed = 0;
        if sealed > 0 {
            loop {
                match self.sealer.remove(sealed)? {
                    0 => break,
                    some => removed += some,
                }
                tell(Step::Removing, removed, removed);
            }
        }
        Ok(sealed)
    }

    /// The tree of the newest checkpoint, if that is the log's.
    fn against(&self) -> Result<Against, SealError> {
        let note = self.reader.checkpoint()?;
        let checkpoint = self.reader.log_keys()?.open(note.as_bytes()).map_err(|_| ExportError::Checkpoint)?;
        Ok(Against { size: checkpoint.size, root: checkpoint.root })
    }

    /// Writes what an export does not have.
    fn write(
        &self,
        home: &Home,
        part: &SealedPart,
        knows: &mut dyn Knows,
        tell: &mut Tell<'_>,
    ) -> Result<(), SealError> {
        let (first, until) = (part.first, part.until);
        let put = |name: Option<String>, bytes| {
            let failed = |source| failed(part, name.clone(), source);
            home.put(name.clone(), bytes).map_err(failed)
        };
        for bundle in first / WIDTH..until / WIDTH {
            tell(Step::Writing, bundle * WIDTH - first, until - first);
            let tokens: Vec<_> = self.rows(bundle)?.into_iter().map(|row| row.token).collect();
            let file = form::write_tokens(&tokens).ok_or(ReadError::Gap { index: bundle * WIDTH })?;
            put(form::tokens(bundle), file)?;
        }
        let range = first..until;
        let table = knows.table(&range);
        if let Some(table) = table.map_err(|source| SealError::Table { first, last: until - 1, source })? {
            put(Some(form::table(&range)), table)?;
        }
        Ok(())
    }

    /// Reads a bundle and its tokens back. Each entry is the one that the tree has there, each token the one that its entry
    /// names; and, where the rows are still there, both are what they say.
    fn check(
        &self,
        home: &Home,
        part: &SealedPart,
        bundle: u64,
        against: &Against,
        knows: &mut dyn Knows,
        with_rows: bool,
    ) -> Result<(), SealError> {
        let first = bundle * WIDTH;
        let get = |name: Option<String>| {
            let failed = |source| failed(part, name.clone(), source);
            home.get(name.clone()).map_err(failed)
        };
        let name = form::entries(bundle);
        let file = get(name.clone())?;
        let bodies = read_bundle(&file, FULL).ok_or_else(|| failed(part, name, PartError::Form))?;
        let tile = self.reader.tile(0, bundle, against.size)?;
        let mut hashes = tile.chunks_exact(32);
        if let Some(at) = bodies.iter().position(|body| hashes.next() != Some(merkle::leaf(body).as_slice())) {
            return Err(SealError::Entry { index: first + at as u64 });
        }
        // The path is made of all hashes of that tile, so that one leaf's proof is that of all.
        let path = self.reader.inclusion(first, against.size)?;
        let leaf = bodies.first().map(|body| merkle::leaf(body)).unwrap_or_default();
        merkle::check_inclusion(&leaf, first, against.size, &path, &against.root)
            .map_err(|_| SealError::Entry { index: first })?;
        if part.forgotten {
            return Ok(());
        }
        let name = form::tokens(bundle);
        let tokens = form::read_tokens(&get(name.clone())?).ok_or_else(|| failed(part, name, PartError::Form))?;
        for (index, (body, token)) in (first..).zip(bodies.iter().zip(&tokens)) {
            if !knows.fits(body, token.as_deref()) {
                return Err(SealError::Token { index });
            }
        }
        if with_rows {
            for (index, ((body, token), row)) in (first..).zip(bodies.iter().zip(&tokens).zip(self.rows(bundle)?)) {
                if **body != *row.body {
                    return Err(SealError::Entry { index });
                }
                if *token != row.token {
                    return Err(SealError::Token { index });
                }
            }
        }
        Ok(())
    }

    /// The rows of a bundle, which are all there.
    fn rows(&self, bundle: u64) -> Result<Vec<Entry>, SealError> {
        let (first, end) = (bundle * WIDTH, bundle * WIDTH + WIDTH);
        let mut rows = Vec::with_capacity(TILE_WIDTH);
        self.reader.rows().walk(first.cast_signed(), end.cast_signed(), &mut |index, body, token| {
            rows.push(Entry { index, body: body.to_owned(), token: token.map(str::to_owned) });
            true
        })?;
        if rows.len() == TILE_WIDTH { Ok(rows) } else { Err(SealError::Raced) }
    }
}

fn failed(part: &SealedPart, name: Option<String>, source: PartError) -> SealError {
    SealError::Part { name: name.unwrap_or_default().into(), place: part.place.clone(), source }
}
