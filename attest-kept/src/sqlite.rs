//! All SQL of this crate.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::digest::{Digest, Salt};
use attest_redact::Salted;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::error::KeptError;
use crate::store::{Erase, Row};

/// `ATKP`, at byte 68 of the file.
const APPLICATION_ID: i64 = 0x4154_4B50;
const VERSION: i64 = 1;
/// Another connection holds the lock for moments only.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE kept (id INTEGER PRIMARY KEY, entry BLOB NOT NULL UNIQUE, session TEXT NOT NULL, time INTEGER NOT NULL,
    what TEXT NOT NULL, text TEXT NOT NULL, salts BLOB NOT NULL) STRICT;
CREATE INDEX kept_session ON kept (session);
CREATE INDEX kept_time ON kept (time);
";

const PUT: &str =
    "INSERT OR REPLACE INTO kept (entry, session, time, what, text, salts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const GET: &str = "SELECT session, time, what, text, salts FROM kept WHERE entry = ?1";

pub(crate) struct File {
    connection: Connection,
    path: PathBuf,
}

impl File {
    pub(crate) fn open(path: &Path) -> Result<Self, KeptError> {
        prepare(path)?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let foreign = || KeptError::Foreign { path: path.into() };
        let wrong = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => foreign(),
            _ => KeptError::Sqlite { path: path.into(), source },
        };
        let connection = Connection::open_with_flags(path, flags).map_err(wrong)?;
        connection.busy_timeout(BUSY).map_err(wrong)?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(wrong);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(wrong)?;
        match (pragma("application_id")?, pragma("user_version")?, tables) {
            (APPLICATION_ID, VERSION, _) => {}
            (0, 0, 0) => {
                let make = format!(
                    "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
                );
                connection.execute_batch(&make).map_err(wrong)?;
            }
            _ => return Err(foreign()),
        }
        // `secure_delete` overwrites what is freed. NORMAL: no fsync per commit; what is lost with the power is no evidence.
        let settings = "PRAGMA secure_delete = ON; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;";
        connection.execute_batch(settings).map_err(wrong)?;
        connection.query_one("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(wrong)?;
        Ok(Self { connection, path: path.into() })
    }

    fn wrong(&self, source: rusqlite::Error) -> KeptError {
        KeptError::Sqlite { path: self.path.clone(), source }
    }

    pub(crate) fn put(&mut self, rows: &[Row]) -> Result<(), KeptError> {
        let path = &self.path;
        let wrong = |source| KeptError::Sqlite { path: path.clone(), source };
        let transaction = self.connection.transaction().map_err(wrong)?;
        for row in rows {
            let mut put = transaction.prepare_cached(PUT).map_err(wrong)?;
            let salts = pack(&row.salts);
            put.execute(params![row.entry.0, row.session, row.time_ms.cast_signed(), row.what, row.text, salts])
                .map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    }

    pub(crate) fn get(&self, entry: &Digest) -> Result<Option<Row>, KeptError> {
        let mut get = self.connection.prepare_cached(GET).map_err(|source| self.wrong(source))?;
        let row = get.query_row([entry.0], |row| {
            Ok(Row {
                entry: *entry,
                session: row.get(0)?,
                time_ms: row.get::<_, i64>(1)?.cast_unsigned(),
                what: row.get(2)?,
                text: row.get(3)?,
                salts: unpack(&row.get::<_, Vec<u8>>(4)?),
            })
        });
        row.optional().map_err(|source| self.wrong(source))
    }

    pub(crate) fn salts(&self, mut each: impl FnMut(&Digest, &Salt)) -> Result<(), KeptError> {
        let wrong = |source| self.wrong(source);
        let mut all = self.connection.prepare_cached("SELECT entry, salts FROM kept").map_err(wrong)?;
        let mut rows = all.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let entry = Digest(row.get(0).map_err(wrong)?);
            let salts = unpack(&row.get::<_, Vec<u8>>(1).map_err(wrong)?);
            salts.iter().filter(|salted| salted.commitment == entry).for_each(|salted| each(&entry, &salted.salt));
        }
        Ok(())
    }

    /// Removes rows, then every copy of them that the file may still hold: pages are rebuilt (deleting alone leaves stale
    /// bytes of rows that had been moved between pages), and the write-ahead file is emptied.
    pub(crate) fn erase(&self, which: &Erase) -> Result<usize, KeptError> {
        let delete = |place: &str, value: &dyn rusqlite::ToSql| {
            self.connection.execute(&format!("DELETE FROM kept WHERE {place}"), [value])
        };
        let erased = match which {
            Erase::Entry(entry) => delete("entry = ?1", &entry.0),
            Erase::Session(session) => delete("session = ?1", session),
            Erase::Before(time_ms) => delete("time < ?1", &time_ms.cast_signed()),
        }
        .map_err(|source| self.wrong(source))?;
        self.connection.execute_batch("VACUUM").map_err(|source| self.wrong(source))?;
        let busy = self.connection.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if busy.map_err(|source| self.wrong(source))? != 0 {
            return Err(KeptError::Held { path: self.path.clone() });
        }
        Ok(erased)
    }
}

/// Makes the file with mode 0600 from its first moment, and judges what is there otherwise.
fn prepare(path: &Path) -> Result<(), KeptError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(source) => return Err(KeptError::Io { path: path.into(), source }),
    }
    let meta = fs::symlink_metadata(path).map_err(|source| KeptError::Io { path: path.into(), source })?;
    let owner = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_file() && owner && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeptError::Mode { path: path.into() })
    }
}

/// 48 bytes each, commitment and salt, and the kind with its length before it.
fn pack(salts: &[Salted]) -> Vec<u8> {
    let mut out = Vec::with_capacity(salts.len() * 60);
    for left in salts {
        out.extend_from_slice(&left.commitment.0);
        out.extend_from_slice(&left.salt.0);
        // Kinds have at most 40 bytes.
        let kind = left.kind.as_bytes().get(..left.kind.len().min(255)).unwrap_or_default();
        out.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(kind);
    }
    out
}

/// What is whole of it: bytes that somebody else wrote are no reason to stop.
fn unpack(mut packed: &[u8]) -> Vec<Salted> {
    let mut salts = Vec::new();
    while let Some((commitment, rest)) = packed.split_first_chunk::<32>()
        && let Some((salt, rest)) = rest.split_first_chunk::<16>()
        && let Some((length, rest)) = rest.split_first()
        && let Some((kind, rest)) = rest.split_at_checked(usize::from(*length))
    {
        let kind = String::from_utf8_lossy(kind).into_owned();
        salts.push(Salted { kind, commitment: Digest(*commitment), salt: Salt(*salt) });
        packed = rest;
    }
    salts
}
