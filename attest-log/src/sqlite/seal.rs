//! The file, when entries are moved out of it. Beside the writer, which waits for the write lock a few milliseconds at a time.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::file::{WriterLock, existing, resolve};
use super::schema::{self, Identity, identify};
use super::{BUSY, configure};
use crate::error::OpenError;
use crate::sealed::{SealError, SealedPart, Sealer};

/// Rows removed in one transaction: a few milliseconds.
const STEP: i64 = 256;
/// What is left to the writer between two of them, at least.
const PAUSE: Duration = Duration::from_millis(4);
/// Transactions after which what is in the write-ahead file is copied into the database: some 10 MiB.
const CHECKPOINT: u32 = 32;

pub(crate) struct SqliteSealer {
    path: PathBuf,
    connection: Connection,
    /// Since the last copying.
    steps: u32,
}

impl SqliteSealer {
    /// Opens the file beside whoever writes it. One of an older version is brought to this one, which takes the writer's lock.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let path = resolve(path)?;
        existing(&path)?;
        let refused = |source| OpenError::Sqlite { path: path.clone(), source };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
        connection.busy_timeout(BUSY).map_err(refused)?;
        let identity = identify(&connection, &path)?;
        configure(&connection).map_err(refused)?;
        // Copied by hand, as the writer does; and what was removed is not left in pages that are free.
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON;").map_err(refused)?;
        match identity {
            Identity::Ours => {}
            Identity::Empty => return Err(OpenError::NotALog { path }),
            Identity::Older(version) => {
                let _lock = WriterLock::take(&path)?;
                schema::migrate(&mut connection, version).map_err(refused)?;
            }
        }
        Ok(Self { path, connection, steps: 0 })
    }

    fn checkpoint(&self) -> Result<(), SealError> {
        self.connection.query_one("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }
}

impl Sealer for SqliteSealer {
    fn note(&mut self, part: &SealedPart) -> Result<(), SealError> {
        let place = part.place.to_string_lossy();
        let added = self.connection.execute(
            "INSERT INTO sealed (first, until, place) SELECT ?1, ?2, ?3
             WHERE ?1 = (SELECT coalesce(max(until), 0) FROM sealed)",
            params![part.first.cast_signed(), part.until.cast_signed(), place],
        )?;
        if added == 1 { Ok(()) } else { Err(SealError::Raced) }
    }

    fn moved(&mut self, from: &Path, to: &Path) -> Result<(), SealError> {
        let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
        self.connection.execute("UPDATE sealed SET place = ?2 WHERE place = ?1", params![from, to])?;
        Ok(())
    }

    fn forget(&mut self, until: u64) -> Result<(), SealError> {
        self.connection.execute("UPDATE sealed SET forgotten = 1 WHERE until <= ?1", [until.cast_signed()])?;
        Ok(())
    }

    fn remove(&mut self, until: u64) -> Result<u64, SealError> {
        let until = until.cast_signed();
        let first = "SELECT min(idx) FROM entry WHERE idx >= 0 AND idx < ?1";
        let first: Option<i64> = self.connection.query_row(first, [until], |row| row.get(0))?;
        let Some(first) = first else {
            if self.steps > 0 {
                self.checkpoint()?;
                self.steps = 0;
            }
            return Ok(0);
        };
        let begun = Instant::now();
        let end = until.min(first.saturating_add(STEP));
        let removed = self.connection.execute("DELETE FROM entry WHERE idx >= ?1 AND idx < ?2", [first, end])?;
        self.steps += 1;
        if self.steps >= CHECKPOINT {
            self.checkpoint()?;
            self.steps = 0;
        }
        // A writer that waits looks again only now and then: it must find the lock free.
        thread::sleep((2 * begun.elapsed()).max(PAUSE));
        Ok(removed as u64)
    }

    /// The whole file is written anew, so its writer's lock is taken: nobody appends meanwhile. Without this the pages that are
    /// free are used for what is appended, and the file does not grow until they are.
    fn shrink(&mut self) -> Result<(), SealError> {
        let _lock = WriterLock::take(&self.path)?;
        self.connection.execute_batch("VACUUM")?;
        self.connection.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

impl Drop for SqliteSealer {
    fn drop(&mut self) {
        // The writer, or the next one, copies what is left: a second connection that closes does not.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}
