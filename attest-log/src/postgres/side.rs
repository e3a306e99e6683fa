//! What verifiers of one shared log share besides it: small files in folders, in a table of the log's schema.
//!
//! Nothing of it is evidence, and none of it is in the tree. Trust: whoever can write the table can put any bytes there and take
//! any away; so what is read is worth what its own signatures say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::session::{PostgresError, Session};
use super::{CLASS, schema};
use crate::error::OpenError;
use crate::place::{Place, Shared};

/// How long nobody tries to connect after that failed: callers are answered at once meanwhile.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest file, in bytes: as long as what one message can hold.
pub const MAX_SIDE_FILE: usize = 4 << 20;

/// Why the files beside a shared log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SideError {
    /// No connection, or no log there that this program knows.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection was lost, or the server said no.
    #[error("the files beside the log {path}: {source}")]
    Postgres {
        /// The address, without its password.
        path: PathBuf,
        /// What went wrong.
        source: PostgresError,
    },
    /// It failed a moment ago, and is not tried again yet.
    #[error("the log's database {path} could not be reached a moment ago; try again later")]
    Paused {
        /// The address, without its password.
        path: PathBuf,
    },
    /// Longer than asked for, or than a file may be.
    #[error("the file {name:?} beside the log {path} is longer than {most} bytes")]
    TooLong {
        /// The address, without its password.
        path: PathBuf,
        /// The file.
        name: String,
        /// The limit.
        most: usize,
    },
}

/// The files beside a shared log. Connects when it is first asked, and anew after a connection was lost. Callers block.
#[derive(Debug)]
pub struct SideFiles {
    shared: Shared,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    session: Option<Session>,
    not_before: Option<Instant>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("connected", &self.session.is_some()).finish()
    }
}

/// The files, in one transaction.
#[derive(Clone, Copy)]
pub struct Side<'s> {
    session: &'s Session,
    shared: &'s Shared,
}

impl SideFiles {
    /// Those beside the log at this place; `None` for a log in a file, beside which files are files.
    pub fn of(place: &Place) -> Option<Self> {
        match place {
            Place::File(_) => None,
            Place::Shared(shared) => Some(Self { shared: shared.clone(), held: Mutex::default() }),
        }
    }

    /// Reads, and sees one moment.
    ///
    /// # Errors
    /// [`SideError`], or what `act` failed with.
    pub fn look<T, E: From<SideError>>(&self, act: impl FnOnce(Side<'_>) -> Result<T, E>) -> Result<T, E> {
        self.within("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", act)
    }

    /// Reads and writes, while nobody else does: all of it, or, where `act` fails, nothing.
    ///
    /// # Errors
    /// [`SideError`], or what `act` failed with. Where the connection is lost in the commit it may have been done.
    pub fn change<T, E: From<SideError>>(&self, act: impl FnOnce(Side<'_>) -> Result<T, E>) -> Result<T, E> {
        // A statement of its own after BEGIN, so that what follows sees what the one before committed.
        self.within(
            &format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on;
                 SELECT pg_advisory_xact_lock({CLASS}, -1)"
            ),
            act,
        )
    }

    fn within<T, E: From<SideError>>(&self, begin: &str, act: impl FnOnce(Side<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.begin(&mut held, begin)?;
        let done = act(Side { session: &session, shared: &self.shared });
        let ended = session.execute(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if ended.is_ok() {
            held.session = Some(session);
        }
        drop(held);
        let value = done?;
        ended.map_err(|source| self.failed(source))?;
        Ok(value)
    }

    /// A session in a transaction. One that was kept may have been lost since.
    fn begin(&self, held: &mut Held, begin: &str) -> Result<Session, SideError> {
        if let Some(kept) = held.session.take().filter(|kept| !kept.is_closed())
            && kept.execute(begin).is_ok()
        {
            return Ok(kept);
        }
        if held.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(SideError::Paused { path: self.shared.name() });
        }
        let begun = self.connect().and_then(|session| {
            session.execute(begin).map_err(|source| self.failed(source))?;
            Ok(session)
        });
        held.not_before = if begun.is_err() { Some(Instant::now() + PAUSE) } else { None };
        begun
    }

    fn connect(&self) -> Result<Session, SideError> {
        let session = Session::connect(&self.shared, true).map_err(|source| super::refused(&self.shared, source))?;
        schema::judge_newest(&session, &self.shared)?;
        Ok(session)
    }

    fn failed(&self, source: PostgresError) -> SideError {
        SideError::Postgres { path: self.shared.name(), source }
    }
}

impl Side<'_> {
    /// What follows `prefix` in the names of the folders that begin with it, in order. A folder is there while it has a file.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn folders(&self, prefix: &str) -> Result<Vec<String>, SideError> {
        let sql =
            "SELECT DISTINCT substr(folder, length($1) + 1) FROM side_file WHERE starts_with(folder, $1) ORDER BY 1";
        self.texts(sql, prefix)
    }

    /// The names of a folder's files; none where it is not there.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn names(&self, folder: &str) -> Result<BTreeSet<String>, SideError> {
        Ok(self.texts("SELECT name FROM side_file WHERE folder = $1", folder)?.into_iter().collect())
    }

    /// The names of a folder's files, each with a text that is another one whenever the file was written anew.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn stamps(&self, folder: &str) -> Result<BTreeMap<String, String>, SideError> {
        // Who wrote the row, and where it lies; the database gives both anew.
        let sql = "SELECT name, xmin::text || ' ' || ctid::text FROM side_file WHERE folder = $1";
        let rows = self.session.rows(sql, &[(&folder, Type::TEXT)]).map_err(|source| self.failed(source))?;
        let of = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(of).collect::<Result<_, PostgresError>>().map_err(|source| self.failed(source))
    }

    fn texts(&self, sql: &str, of: &str) -> Result<Vec<String>, SideError> {
        let rows = self.session.rows(sql, &[(&of, Type::TEXT)]).map_err(|source| self.failed(source))?;
        rows.iter().map(|row| row.try_get(0).map_err(|source| self.failed(source.into()))).collect()
    }

    /// A file of at most `most` bytes; `None` where it is not there.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn read(&self, folder: &str, name: &str, most: usize) -> Result<Option<Vec<u8>>, SideError> {
        let bound = i32::try_from(most).unwrap_or(i32::MAX);
        // What is too long stays where it is.
        let sql =
            "SELECT CASE WHEN octet_length(bytes) <= $3 THEN bytes END FROM side_file WHERE folder = $1 AND name = $2";
        let found: Option<Option<Vec<u8>>> = self
            .session
            .one(sql, &[(&folder, Type::TEXT), (&name, Type::TEXT), (&bound, Type::INT4)])
            .map_err(|source| self.failed(source))?;
        found.map(|bytes| bytes.ok_or_else(|| self.too_long(name, most))).transpose()
    }

    /// Writes a file, in place of one of this name that is there.
    ///
    /// # Errors
    /// [`SideError`]; longer than [`MAX_SIDE_FILE`].
    pub fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), SideError> {
        if bytes.len() > MAX_SIDE_FILE {
            return Err(self.too_long(name, MAX_SIDE_FILE));
        }
        let sql = "INSERT INTO side_file (folder, name, bytes) VALUES ($1, $2, $3)
             ON CONFLICT (folder, name) DO UPDATE SET bytes = EXCLUDED.bytes, changed = now()";
        let given: [(&(dyn ToSql + Sync), Type); 3] =
            [(&folder, Type::TEXT), (&name, Type::TEXT), (&bytes, Type::BYTEA)];
        self.session.rows(sql, &given).map(drop).map_err(|source| self.failed(source))
    }

    /// Removes a file; says whether it was there.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn remove(&self, folder: &str, name: &str) -> Result<bool, SideError> {
        let sql = "DELETE FROM side_file WHERE folder = $1 AND name = $2 RETURNING true";
        let removed: Option<bool> = self
            .session
            .one(sql, &[(&folder, Type::TEXT), (&name, Type::TEXT)])
            .map_err(|source| self.failed(source))?;
        Ok(removed.is_some())
    }

    /// Removes a folder with all its files.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn remove_folder(&self, folder: &str) -> Result<(), SideError> {
        let sql = "DELETE FROM side_file WHERE folder = $1";
        self.session.rows(sql, &[(&folder, Type::TEXT)]).map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: PostgresError) -> SideError {
        SideError::Postgres { path: self.shared.name(), source }
    }

    fn too_long(&self, name: &str, most: usize) -> SideError {
        SideError::TooLong { path: self.shared.name(), name: name.to_owned(), most }
    }
}
