//! What somebody can do who writes to a log's files past this crate: for trying out, on copies, what is noticed.
//!
//! Never on a log that anybody needs. Nothing here is checked, and nothing is said to a writer that is running.

mod sealed;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{OpenError, ReadError};
use crate::head::Head;
use crate::key::LogKey;
use crate::moving::{self, Target as _};
use crate::place::{Place, Shared};
use crate::postgres;
use crate::reader::Reader;
use crate::record::Hash;
use crate::sqlite::{self, resolve};
use crate::tree::{self, Edge, Tile};

/// A copy of a log, open to everything.
pub struct Copy {
    path: PathBuf,
    connection: Connection,
}

/// What went wrong with a copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The log cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The key that everything is to be signed with does not sign.
    #[error(transparent)]
    Key(#[from] crate::key::KeyFailed),
    /// No tree can be made of these entries.
    #[error("no tree can be made of these entries: an index is missing")]
    Tree,
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error.into())
    }
}

type Done<T = ()> = Result<T, CopyError>;

/// Copies the log at `log`, also while it is written, to the file `to`, which must not exist: the database and the record of what
/// was published. The key stays where it is.
///
/// # Errors
/// [`CopyError`].
pub fn copy(log: impl Into<Place>, to: &Path) -> Done<Copy> {
    let to = resolve(to)?;
    let from = match log.into() {
        Place::File(path) => resolve(&path)?,
        place @ Place::Shared(_) => {
            let reader = Reader::open(place)?;
            let keys = reader.log_keys()?;
            let mut target = sqlite::Arriving::open(&to, reader.rows(), &keys).map_err(|_| CopyError::Tree)?;
            moving::copy_unchecked(reader.rows(), &mut target)?;
            Box::new(target).commit()?;
            return Copy::open(&to);
        }
    };
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::Io { path, source }
    };
    // The record first: what it says was committed before, so the copy's is not ahead of its database.
    let (head, head_to) = (beside(&from, ".head"), beside(&to, ".head"));
    if head.exists() {
        fs::copy(&head, &head_to).map_err(io(&head_to))?;
    }
    let source = Connection::open_with_flags(&from, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(std::time::Duration::from_secs(5))?;
    // One consistent state, write-ahead file included.
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    private(&to).map_err(io(&to))?;
    Copy::open(&to)
}

/// Puts a copy, whatever was done to it, into the database `to` in the place of the log that is there, and its record into the folder
/// beside it. `false` where such a database cannot hold it.
///
/// # Errors
/// [`CopyError`].
pub fn pour(copy: &Copy, to: &Shared) -> Done<bool> {
    postgres::forget(to)?;
    let mut target = postgres::Arriving::open(to).map_err(|_| CopyError::Tree)?;
    if moving::copy_unchecked(&copy.connection, &mut target).is_err() {
        return Ok(false);
    }
    Box::new(target).commit()?;
    if let Some(side) = to.side() {
        let (from, head) = (beside(&copy.path, ".head"), side.join("log.head"));
        let done = fs::create_dir_all(side).and_then(|()| match fs::copy(&from, &head) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => fs::remove_file(&head).or(Ok(())),
            done => done.map(drop),
        });
        done.and_then(|()| fs::set_permissions(side, std::os::unix::fs::PermissionsExt::from_mode(0o700)))
            .map_err(|source| CopyError::Io { path: head, source })?;
    }
    Ok(true)
}

fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Copy {
    /// Opens a copy.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn open(path: &Path) -> Done<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // A copy that a power cut takes is made again.
        connection.pragma_update(None, "synchronous", "OFF")?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn run(&self, statement: &str, parameters: impl rusqlite::Params) -> Done {
        self.connection.execute(statement, parameters)?;
        Ok(())
    }

    /// Puts other bytes in the place of an entry.
    ///
    /// # Errors
    /// [`CopyError`]; so too below.
    pub fn set_body(&self, index: u64, body: &[u8]) -> Done {
        self.run("UPDATE entry SET body = ?2 WHERE idx = ?1", params![index.cast_signed(), body])
    }

    /// Puts another token beside an entry.
    pub fn set_own_token(&self, index: u64, token: Option<&str>) -> Done {
        self.run("UPDATE entry SET token = ?2 WHERE idx = ?1", params![index.cast_signed(), token])
    }

    /// Exchanges two entries, and all that hangs on their indexes.
    pub fn swap(&self, a: u64, b: u64) -> Done {
        for table in ["entry", "replay", "open_call"] {
            for (from, to) in [(a.cast_signed(), -1), (b.cast_signed(), a.cast_signed()), (-1, b.cast_signed())] {
                self.run(&format!("UPDATE {table} SET idx = ?2 WHERE idx = ?1"), [from, to])?;
            }
        }
        Ok(())
    }

    /// Moves all entries from `from` on, and all that hangs on their indexes, up or down by one.
    fn shift(&self, from: u64, by: i64) -> Done {
        for table in ["entry", "replay", "open_call"] {
            // By way of negative numbers, so that no two meet.
            self.run(&format!("UPDATE {table} SET idx = -idx - 2 WHERE idx >= ?1"), [from.cast_signed()])?;
            self.run(&format!("UPDATE {table} SET idx = -idx - 2 + ?1 WHERE idx < -1"), [by])?;
        }
        self.run("UPDATE log_key SET since = since + ?2 WHERE since > ?1", params![from.cast_signed(), by])
    }

    /// Puts an entry in before the one at `at`.
    pub fn insert(&self, at: u64, body: &[u8], token: Option<&str>) -> Done {
        self.shift(at, 1)?;
        self.run("INSERT INTO entry (idx, body, token) VALUES (?1, ?2, ?3)", params![at.cast_signed(), body, token])
    }

    /// Takes an entry out, and closes the gap.
    pub fn delete(&self, at: u64) -> Done {
        for table in ["entry", "replay", "open_call"] {
            self.run(&format!("DELETE FROM {table} WHERE idx = ?1"), [at.cast_signed()])?;
        }
        self.shift(at.saturating_add(1), -1)
    }

    /// Cuts everything from entry `size` on.
    pub fn truncate(&self, size: u64) -> Done {
        for table in ["entry", "replay", "open_call"] {
            self.run(&format!("DELETE FROM {table} WHERE idx >= ?1"), [size.cast_signed()])?;
        }
        self.run("DELETE FROM cosigned WHERE size > ?1", [size.cast_signed()])?;
        self.run("DELETE FROM log_key WHERE since > ?1", [size.cast_signed()])
    }

    /// Lists a call as open.
    pub fn open_call(&self, hash: &Hash, index: u64) -> Done {
        self.run(
            "INSERT OR REPLACE INTO open_call (hash, idx) VALUES (?1, ?2)",
            params![hash.as_slice(), index.cast_signed()],
        )
    }

    /// Takes a call off the list of open ones.
    pub fn close_call(&self, hash: &Hash) -> Done {
        self.run("DELETE FROM open_call WHERE hash = ?1", params![hash.as_slice()])
    }

    /// Takes away the row of the replay window that entry `index` made.
    pub fn forget(&self, index: u64) -> Done {
        self.run("DELETE FROM replay WHERE idx = ?1", [index.cast_signed()])
    }

    /// Makes a row of the replay window end at another time.
    pub fn set_expiry(&self, index: u64, expires: u64) -> Done {
        self.run("UPDATE replay SET expires = ?2 WHERE idx = ?1", [index.cast_signed(), expires.cast_signed()])
    }

    /// Puts another text under a hash of the store.
    pub fn set_token(&self, hash: &Hash, text: &str) -> Done {
        self.run("UPDATE token SET text = ?2 WHERE hash = ?1", params![hash.as_slice(), text])
    }

    /// Adds a token to the store.
    pub fn add_token(&self, hash: &Hash, text: &str) -> Done {
        self.run("INSERT OR REPLACE INTO token (hash, text) VALUES (?1, ?2)", params![hash.as_slice(), text])
    }

    /// Takes a token out of the store.
    pub fn remove_token(&self, hash: &Hash) -> Done {
        self.run("DELETE FROM token WHERE hash = ?1", params![hash.as_slice()])
    }

    /// Changes a byte of a stored tile; `false` where it is not stored.
    pub fn break_tile(&self, level: u8, index: u64) -> Done<bool> {
        let stored: Option<Vec<u8>> = self
            .connection
            .query_row(
                "SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2",
                params![level, index.cast_signed()],
                |r| r.get(0),
            )
            .optional()?;
        let Some(mut hashes) = stored else { return Ok(false) };
        if let Some(byte) = hashes.first_mut() {
            *byte ^= 1;
        }
        self.run(
            "UPDATE tile SET hashes = ?3 WHERE level = ?1 AND idx = ?2",
            params![level, index.cast_signed(), hashes],
        )?;
        Ok(true)
    }

    /// Puts another checkpoint in place.
    pub fn set_checkpoint(&self, note: &str) -> Done {
        self.run("UPDATE state SET checkpoint = ?1 WHERE id = 0", [note])
    }

    /// Puts another mark of a taking over in place.
    pub fn set_since(&self, since: u64) -> Done {
        self.run("UPDATE state SET since = ?1 WHERE id = 0", [since.cast_signed()])
    }

    /// Keeps a cosigned checkpoint.
    pub fn add_cosigned(&self, size: u64, note: &str) -> Done {
        self.run("INSERT OR REPLACE INTO cosigned (size, note) VALUES (?1, ?2)", params![size.cast_signed(), note])
    }

    /// Forgets all cosigned checkpoints.
    pub fn forget_cosigned(&self) -> Done {
        self.run("DELETE FROM cosigned", [])
    }

    /// Puts another list of keys in place.
    pub fn set_keys(&self, keys: &[(u64, String)]) -> Done {
        self.run("DELETE FROM log_key", [])?;
        for (since, key) in keys {
            self.run("INSERT INTO log_key (since, vkey) VALUES (?1, ?2)", params![since.cast_signed(), key])?;
        }
        Ok(())
    }

    /// Makes all tiles anew from the entries as they are, without a signature: what anybody can do. Answers size and root.
    pub fn retile(&self) -> Done<(u64, Hash)> {
        let mut edge = Edge::empty(1);
        let mut tiles = Vec::new();
        {
            let mut statement = self.connection.prepare("SELECT idx, body FROM entry ORDER BY idx")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(0)?.cast_unsigned() != edge.size() {
                    return Err(CopyError::Tree);
                }
                edge.push(merkle::leaf(row.get_ref(1)?.as_blob().unwrap_or_default()), &mut tiles);
            }
        }
        tiles.extend(edge.partial());
        let size = edge.size();
        let root = tree::root(&edge, size).map_err(|_| CopyError::Tree)?;
        self.run("DELETE FROM tile", [])?;
        for Tile { level, index, hashes } in tiles {
            self.run(
                "INSERT OR REPLACE INTO tile (level, idx, hashes) VALUES (?1, ?2, ?3)",
                params![level, index.cast_signed(), hashes],
            )?;
        }
        Ok((size, root))
    }

    /// Makes tree and checkpoint anew and signs it, and writes that as published: what the holder of the log's key can do.
    pub fn sign_anew(&self, key: &LogKey) -> Done<Checkpoint> {
        self.sign_as(key, key.origin())
    }

    /// [`Copy::sign_anew`] in another log's name.
    pub fn sign_as(&self, key: &LogKey, origin: &str) -> Done<Checkpoint> {
        let (size, root) = self.retile()?;
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        let note = key.checkpoint(&checkpoint)?;
        self.set_checkpoint(&note)?;
        self.set_head(&note)?;
        Ok(checkpoint)
    }

    /// Writes a note as what was published last.
    pub fn set_head(&self, note: &str) -> Done {
        let path = beside(&self.path, ".head");
        Head::open(&path, note).map(drop).map_err(|source| CopyError::Io { path, source })
    }

    /// Removes the record of what was published.
    pub fn remove_head(&self) -> Done {
        let path = beside(&self.path, ".head");
        fs::remove_file(&path).map_err(|source| CopyError::Io { path, source })
    }

    /// Fills the record of what was published with something else.
    pub fn garble_head(&self) -> Done {
        let path = beside(&self.path, ".head");
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(b"not a checkpoint"));
        written.map_err(|source| CopyError::Io { path, source })
    }
}
