//! One SQLite file: write-ahead mode, every commit fsynced.

mod file;
mod load;
mod moving;
mod rows;
mod schema;
mod seal;

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle::EMPTY_ROOT;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode as Code, OpenFlags, params};

use crate::error::{OpenError, StopReason};
use crate::head::Head;
use crate::key::LogKey;
use crate::load::{self as loading, Doubt};
use crate::log::Testing;
use crate::record::{Hash, Record, Token};
use crate::store::{Failed, Found, Loaded, Staged, Store};
use crate::tree::{Edge, Tile};

pub(crate) use file::{WriterLock, resolve};
pub(crate) use moving::{Arriving, Leaving};
use schema::{Identity, identify};
pub(crate) use seal::SqliteSealer;

/// Write-ahead pages (4 KiB each) after which they are copied into the database: 16 MiB, a few ten thousand entries.
const CHECKPOINT_PAGES: u32 = 4_000;
/// How many token hashes are remembered as stored. An attestation comes with every call for minutes.
pub(crate) const KNOWN_TOKENS: usize = 16_384;
/// Only a foreign program can hold the write lock; the log stops when it does so for longer.
const BUSY: Duration = Duration::from_secs(5);

/// Seconds between two syncs of the record of what was published.
pub(crate) const HEAD_SYNC: u64 = 10;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ADD_REPLAY: &str = "INSERT INTO replay (idx, scope, jti, expires) VALUES (?1, ?2, ?3, ?4)";
const ADD_ENTRY: &str = "INSERT INTO entry (idx, body, token) VALUES (?1, ?2, ?3)";
const ADD_TOKEN: &str = "INSERT INTO token (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING";
const OPEN_CALL: &str = "INSERT INTO open_call (hash, idx) VALUES (?1, ?2)";
const CLOSE_CALL: &str = "DELETE FROM open_call WHERE hash = ?1";
const PRUNE: &str = "DELETE FROM replay WHERE idx = ?1";
const RAISE_HORIZON: &str = "UPDATE state SET horizon = max(horizon, ?1) WHERE id = 0";
const ADD_TILE: &str = "INSERT OR REPLACE INTO tile (level, idx, hashes) VALUES (?1, ?2, ?3)";
const CHECKPOINT: &str = "UPDATE state SET checkpoint = ?1 WHERE id = 0";
const COSIGNED: &str = "INSERT OR REPLACE INTO cosigned (size, note) VALUES (?1, ?2)";
const NEXT_KEY: &str = "INSERT INTO log_key (since, vkey) VALUES (?1, ?2)";
const ADOPT: &str = "UPDATE state SET since = ?1 WHERE id = 0";
const STATEMENTS: [&str; 12] = [
    BEGIN,
    COMMIT,
    ADD_REPLAY,
    ADD_ENTRY,
    ADD_TOKEN,
    OPEN_CALL,
    CLOSE_CALL,
    PRUNE,
    RAISE_HORIZON,
    ADD_TILE,
    CHECKPOINT,
    COSIGNED,
];

/// The writer's side of the file.
pub(crate) struct SqliteStore {
    connection: Connection,
    in_transaction: bool,
    known_tokens: HashSet<Hash>,
    /// Pages in the write-ahead file, told by SQLite after each commit.
    wal_pages: Arc<AtomicU32>,
    checkpoint_every: u32,
    checkpoint_at: u32,
    head: Head,
    /// When the record was synced last, in seconds since 1970.
    head_synced: u64,
    /// After the connection, so that it is closed before the lock goes: fields drop in this order.
    _lock: WriterLock,
}

impl SqliteStore {
    /// Takes the lock, makes or judges the file, and loads what the writer keeps in memory. `path` is resolved. Proofs can be
    /// made of the last `keep` entries.
    pub(crate) fn open(
        path: &Path,
        key: &LogKey,
        testing: Testing,
        keep: usize,
        doubt: Doubt,
    ) -> Result<(Self, Loaded), OpenError> {
        let lock = WriterLock::take(path)?;
        file::prepare(path)?;
        let refused = |source| OpenError::Sqlite { path: path.into(), source };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(path, flags).map_err(refused)?;
        connection.busy_timeout(BUSY).map_err(refused)?;
        let identity = identify(&connection, path)?;

        configure(&connection).map_err(refused)?;
        // `query_one` steps to the end. The answer `wal` comes before SQLite commits the change to the file's header,
        // and `query_row` (or rusqlite's pragma calls) would leave a failure of that unseen: no write-ahead file then.
        let mode: String = connection.query_one("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(refused)?;
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(refused)?;
        if mode != "wal" || synchronous != 2 {
            return Err(OpenError::NoWal { path: path.into() });
        }
        let head_path = file::beside(path, ".head");
        if identity == Identity::Empty {
            let empty = Checkpoint { origin: key.origin().to_owned(), size: 0, root: EMPTY_ROOT };
            let note = key.checkpoint(&empty);
            let note = note.map_err(|source| OpenError::KeyFailed { path: path.into(), source })?;
            schema::create(&mut connection, &key.vkey().to_string(), &note).map_err(refused)?;
        }
        if let Identity::Older(version) = identity {
            schema::migrate(&mut connection, version).map_err(refused)?;
        }
        let keys = loading::keys(&connection, path, key)?;
        if let Some(pages) = testing.max_pages {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).map_err(refused)?;
        }
        for statement in STATEMENTS {
            connection.prepare_cached(statement).map_err(refused)?;
        }
        let wal_pages = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&wal_pages);
        // Replaces SQLite's own checkpoint at commit, which keeps its errors to itself (sqlite3WalDefaultHook) and
        // makes whoever waits for that commit wait for it.
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            told.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(refused)?;

        let read = load::read(&connection)
            .map_err(|error| loading::of_read(error, path))?
            .ok_or_else(|| OpenError::Damaged { path: path.into() })?;
        let mut loaded = loading::load(&connection, path, read, &keys, keep)?;
        match doubt {
            Doubt::Refuse => {
                loading::compare_with_head(&connection, path, &head_path, &keys, loaded.edge.size(), false)?;
            }
            Doubt::Accept { now } => {
                connection.execute(ADOPT, [now.cast_signed()]).map_err(refused)?;
                loaded.since = now;
            }
        }
        let head = Head::open(&head_path, &loaded.checkpoint);
        let head = head.map_err(|source| OpenError::Io { path: head_path, source })?;
        let checkpoint_every = testing.checkpoint_pages.unwrap_or(CHECKPOINT_PAGES);
        let store = Self {
            connection,
            in_transaction: false,
            known_tokens: HashSet::new(),
            wal_pages,
            checkpoint_every,
            checkpoint_at: checkpoint_every,
            head,
            head_synced: 0,
            _lock: lock,
        };
        Ok((store, loaded))
    }

    fn begin(&mut self) -> Result<(), StopReason> {
        if !self.in_transaction {
            self.run(BEGIN, [])?;
            self.in_transaction = true;
        }
        Ok(())
    }

    fn run(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<usize, StopReason> {
        self.connection.prepare_cached(statement).and_then(|mut s| s.execute(parameters)).map_err(|e| stop(&e))
    }

    /// Copies what is in the write-ahead file into the database, as far as readers let it, and syncs both. Answers
    /// how many pages it could not copy.
    fn checkpoint(&self) -> Result<u32, StopReason> {
        let row = self.connection.query_one("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok(row.get::<_, i64>(1)?.saturating_sub(row.get::<_, i64>(2)?))
        });
        row.map(|left| u32::try_from(left).unwrap_or(0)).map_err(|e| stop(&e))
    }
}

impl Store for SqliteStore {
    /// This file has one writer, which knows; the transaction begins with what is staged first.
    fn begin(&mut self, _: &mut Edge, _: &mut dyn Iterator<Item = &Record>) -> Result<Option<Found>, Failed> {
        Ok(None)
    }

    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, Failed> {
        self.begin()?;
        let next = index.saturating_add(1).cast_signed();
        let index = index.cast_signed();
        // That the key is free is known from the window, which is this table in memory: this file has one writer.
        if let Some(key) = &record.replay {
            let (scope, jti) = key.id().parts();
            self.run(ADD_REPLAY, params![index, scope, jti, key.expires().cast_signed()])?;
        }
        let own = record.token.as_ref().map(Token::text);
        self.run(ADD_ENTRY, params![index, record.body.as_slice(), own])?;
        for token in &record.tokens {
            if self.known_tokens.contains(token.hash()) {
                continue;
            }
            self.run(ADD_TOKEN, params![token.hash().as_slice(), token.text()])?;
            if self.known_tokens.len() >= KNOWN_TOKENS {
                self.known_tokens.clear();
            }
            self.known_tokens.insert(*token.hash());
        }
        if let Some(hash) = &record.closes
            && self.run(CLOSE_CALL, params![hash.as_slice()])? != 1
        {
            return Err(StopReason::Inconsistent.into());
        }
        if let Some(hash) = &record.opens {
            self.run(OPEN_CALL, params![hash.as_slice(), index])?;
        }
        if let Some(key) = &record.next_key {
            self.run(NEXT_KEY, params![next, key.to_string()])?;
        }
        Ok(Staged::Added)
    }

    fn prune(&mut self, entries: &[u64], horizon: u64) -> Result<(), Failed> {
        for index in entries {
            self.run(PRUNE, [index.cast_signed()])?;
        }
        self.run(RAISE_HORIZON, params![horizon.cast_signed()])?;
        Ok(())
    }

    fn tree(&mut self, _: u64, tiles: &[Tile], checkpoint: &str) -> Result<(), Failed> {
        for Tile { level, index, hashes } in tiles {
            self.run(ADD_TILE, params![level, index.cast_signed(), hashes.as_slice()])?;
        }
        self.run(CHECKPOINT, [checkpoint])?;
        Ok(())
    }

    fn cosigned(&mut self, size: u64, note: &str) -> Result<(), Failed> {
        self.begin()?;
        self.run(COSIGNED, params![size.cast_signed(), note])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failed> {
        self.run(COMMIT, [])?;
        self.in_transaction = false;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn publish(&mut self, checkpoint: &str, now: u64) -> Result<(), StopReason> {
        self.head.write(checkpoint).map_err(|e| head_failed(&e))?;
        if now >= self.head_synced.saturating_add(HEAD_SYNC) {
            self.head.sync().map_err(|e| head_failed(&e))?;
            self.head_synced = now;
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StopReason> {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages >= self.checkpoint_at {
            let left = self.checkpoint()?;
            // While a reader holds old pages the file goes on growing; another step of growth is another try.
            self.checkpoint_at =
                if left == 0 { self.checkpoint_every } else { pages.saturating_add(self.checkpoint_every) };
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), StopReason> {
        self.checkpoint()?;
        self.head.sync().map_err(|e| head_failed(&e))?;
        self.connection.close().map_err(|(_, e)| stop(&e))
    }

    fn abandon(self: Box<Self>) {
        // Without this SQLite would checkpoint on closing: a second try on top of a failed write. If it cannot be set,
        // the connection is broken further than a checkpoint could reach.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// Opens an existing file for reading. `path` need not be resolved.
pub(crate) fn read(path: &Path) -> Result<Connection, OpenError> {
    let path = resolve(path)?;
    let refused = |source| OpenError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
    // Readers wait only while another connection recovers the write-ahead file.
    connection.busy_timeout(BUSY).map_err(refused)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(refused)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(refused)?;
    match identify(&connection, &path)? {
        Identity::Ours | Identity::Older(_) => Ok(connection),
        Identity::Empty => Err(OpenError::NotALog { path: path.clone() }),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(2 * STATEMENTS.len());
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // FULL fsyncs the write-ahead file at every commit; NORMAL loses acknowledged entries in a power cut. `fullfsync`
    // matters on macOS, where fsync alone leaves data in the drive's cache. `cell_size_check` finds damaged pages.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA cell_size_check = ON;",
    )
}

fn stop(error: &rusqlite::Error) -> StopReason {
    let code = error.sqlite_extended_error_code().unwrap_or(0);
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => StopReason::Full,
        Some(Code::SystemIoFailure) => StopReason::Io { code },
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => StopReason::Corrupt,
        _ => StopReason::Database { code },
    }
}

pub(crate) fn head_failed(error: &io::Error) -> StopReason {
    match error.kind() {
        ErrorKind::StorageFull => StopReason::Full,
        _ => StopReason::Head { code: error.raw_os_error().unwrap_or(0) },
    }
}
