//! A log that leaves a file, or comes into one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::LogKeys;
use rusqlite::{Connection, OpenFlags, params};

use super::schema::{Identity, identify};
use super::{BUSY, WriterLock, file, resolve, rows, schema};
use crate::error::{OpenError, ReadError};
use crate::head::Head;
use crate::load;
use crate::moving::{EntryRow, KeyRow, MoveError, Source, Target};
use crate::record::Hash;
use crate::rows::{Rows, read_keys};
use crate::sealed::SealedPart;
use crate::snapshot::{ReplayRow, Snapshot};
use crate::tree::Tile;

/// A file that is moved away. Its lock is held, so nobody writes it.
pub(crate) struct Leaving {
    path: PathBuf,
    connection: Connection,
    /// It was marked by a move that was cut off.
    again: bool,
    _lock: WriterLock,
}

impl Leaving {
    pub(crate) fn open(path: &Path, to: &str) -> Result<Self, MoveError> {
        let path = resolve(path)?;
        let lock = WriterLock::take(&path)?;
        let refused = |source| OpenError::Sqlite { path: path.clone(), source };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
        connection.busy_timeout(BUSY).map_err(refused)?;
        super::configure(&connection).map_err(refused)?;
        let again = match identify(&connection, &path) {
            Ok(Identity::Ours) => false,
            Ok(Identity::Older(version)) => {
                schema::migrate(&mut connection, version).map_err(refused)?;
                false
            }
            Ok(Identity::Empty) => return Err(OpenError::NotALog { path }.into()),
            Err(OpenError::Moved { to: there, .. }) if there == to => true,
            Err(error) => return Err(error.into()),
        };
        let size = Rows::len(&connection)?;
        let keys = read_keys(&connection)?;
        load::compare_with_head(&connection, &path, &file::beside(&path, ".head"), &keys, size, false)?;
        Ok(Self { path, connection, again, _lock: lock })
    }
}

impl Source for Leaving {
    fn rows(&self) -> &dyn Rows {
        &self.connection
    }

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        rows::snapshot(&self.connection, replay)
    }

    fn retire(&mut self, to: &str) -> Result<(), OpenError> {
        let refused = |source| OpenError::Sqlite { path: self.path.clone(), source };
        schema::retire(&mut self.connection, to).map_err(refused)
    }

    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let mut parts = Rows::sealed(&self.connection)?;
        for part in &mut parts {
            // An address is no path below a folder.
            if !part.place.to_string_lossy().contains("://") {
                part.place = folder.join(&part.place);
            }
        }
        Ok(parts)
    }

    fn is_retired(&self) -> bool {
        self.again
    }
}

/// A new file that a log comes into, in one transaction.
pub(crate) struct Arriving {
    path: PathBuf,
    head: PathBuf,
    connection: Connection,
    checkpoint: String,
    _lock: WriterLock,
}

impl Arriving {
    /// `coming` is the log that comes, signed by `keys`.
    pub(crate) fn open(path: &Path, coming: &dyn Rows, keys: &LogKeys) -> Result<Self, MoveError> {
        let path = resolve(path)?;
        let lock = WriterLock::take(&path)?;
        let head = file::beside(&path, ".head");
        // What this log left here is no obstacle, if it goes on from there.
        load::compare_with_head(coming, &path, &head, keys, coming.len()?, true)?;
        file::prepare(&path)?;
        let refused = |source| OpenError::Sqlite { path: path.clone(), source };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
        match identify(&connection, &path) {
            Ok(Identity::Empty) => {}
            Ok(Identity::Ours | Identity::Older(_)) => return Err(MoveError::NotEmpty { path, left: false }),
            Err(OpenError::Moved { .. }) => return Err(MoveError::NotEmpty { path, left: true }),
            Err(error) => return Err(error.into()),
        }
        super::configure(&connection).map_err(refused)?;
        connection.execute_batch(super::BEGIN).map_err(refused)?;
        schema::make_tables(&connection).map_err(refused)?;
        Ok(Self { path, head, connection, checkpoint: String::new(), _lock: lock })
    }

    fn add(
        &self,
        sql: &str,
        add: impl FnOnce(&mut rusqlite::CachedStatement<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), OpenError> {
        let added = self.connection.prepare_cached(sql).and_then(|mut statement| add(&mut statement));
        added.map_err(|source| OpenError::Sqlite { path: self.path.clone(), source })
    }
}

impl Target for Arriving {
    fn entries(&mut self, rows: &[EntryRow]) -> Result<(), OpenError> {
        self.add(super::ADD_ENTRY, |statement| {
            rows.iter().try_for_each(|(index, body, token)| {
                statement.execute(params![index.cast_signed(), body, token]).map(drop)
            })
        })
    }

    fn tokens(&mut self, rows: &[(Hash, String)]) -> Result<(), OpenError> {
        self.add(super::ADD_TOKEN, |statement| {
            rows.iter().try_for_each(|(hash, text)| statement.execute(params![hash.as_slice(), text]).map(drop))
        })
    }

    fn tiles(&mut self, rows: &[Tile]) -> Result<(), OpenError> {
        self.add(super::ADD_TILE, |statement| {
            rows.iter().try_for_each(|tile| {
                statement.execute(params![tile.level, tile.index.cast_signed(), tile.hashes]).map(drop)
            })
        })
    }

    fn replay(&mut self, rows: &[KeyRow]) -> Result<(), OpenError> {
        self.add(super::ADD_REPLAY, |statement| {
            rows.iter().try_for_each(|(index, scope, jti, expires)| {
                statement.execute(params![index.cast_signed(), scope, jti, expires.cast_signed()]).map(drop)
            })
        })
    }

    fn sealed(&mut self, parts: &[SealedPart]) -> Result<(), OpenError> {
        self.add("INSERT INTO sealed (first, until, place, forgotten) VALUES (?1, ?2, ?3, ?4)", |statement| {
            parts.iter().try_for_each(|part| {
                let place = part.place.to_string_lossy();
                let (first, until) = (part.first.cast_signed(), part.until.cast_signed());
                statement.execute(params![first, until, place, part.forgotten]).map(drop)
            })
        })
    }

    fn state(&mut self, snapshot: &Snapshot) -> Result<(), OpenError> {
        snapshot.checkpoint.clone_into(&mut self.checkpoint);
        let state = "INSERT INTO state (id, horizon, since, checkpoint) VALUES (0, ?1, ?2, ?3)";
        self.add(state, |statement| {
            let given = params![snapshot.horizon.cast_signed(), snapshot.since.cast_signed(), snapshot.checkpoint];
            statement.execute(given).map(drop)
        })?;
        self.add(super::NEXT_KEY, |statement| {
            snapshot
                .keys
                .iter()
                .try_for_each(|(since, key)| statement.execute(params![since.cast_signed(), key]).map(drop))
        })?;
        self.add(super::COSIGNED, |statement| {
            snapshot
                .cosigned
                .iter()
                .try_for_each(|(size, note)| statement.execute(params![size.cast_signed(), note]).map(drop))
        })?;
        self.add(super::OPEN_CALL, |statement| {
            snapshot.open.iter().try_for_each(|call| {
                statement.execute(params![call.hash.as_slice(), call.index.cast_signed()]).map(drop)
            })
        })
    }

    fn commit(self: Box<Self>) -> Result<(), OpenError> {
        // First, since a log without this record does not start; alone it keeps anybody from making another log here.
        let head = Head::open(&self.head, &self.checkpoint);
        head.map_err(|source| OpenError::Io { path: self.head.clone(), source })?;
        let refused = |source| OpenError::Sqlite { path: self.path.clone(), source };
        self.connection.execute_batch(super::COMMIT).map_err(refused)
    }

    fn abandon(self: Box<Self>) {
        let Self { path, connection, .. } = *self;
        // What is not committed goes with the connection, and leaves an empty file.
        drop(connection);
        for left in [path.clone(), file::beside(&path, "-journal")] {
            if let Err(error) = fs::remove_file(&left)
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!("{} was left behind, and may be removed: {error}", left.display());
            }
        }
    }
}
