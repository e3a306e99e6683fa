//! The format of the database file, and telling ours from others.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use crate::error::OpenError;

/// `ATLG`, at byte 68 of the file, for `file(1)` and for us.
const APPLICATION_ID: i64 = 0x4154_4C47;
/// What stands in the version's place once the log was moved elsewhere.
const MOVED: i64 = -1;

/// What grows is keyed by the index of the entry it came with, so that every insert lands at the right end of its table
/// and every removal at its left: the rate at ten million entries is that of the first ones. `state` has one row.
///
/// Of the tree, full tiles are kept (C2SP tlog-tiles), and above level 0 the partial one too; of level 0 the rest is the
/// entries themselves.
///
/// The tables of the first version that there are files of, and what makes each later one of the one before it. One is
/// added with any change to the tables.
const MIGRATIONS: [&str; 2] = [
    "
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 0), horizon INTEGER NOT NULL, since INTEGER NOT NULL,
    checkpoint TEXT NOT NULL) STRICT;
CREATE TABLE log_key (since INTEGER PRIMARY KEY, vkey TEXT NOT NULL) STRICT;
CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL, token TEXT) STRICT;
CREATE TABLE token (hash BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, idx))
    STRICT, WITHOUT ROWID;
CREATE TABLE replay (idx INTEGER PRIMARY KEY, scope BLOB NOT NULL, jti BLOB NOT NULL, expires INTEGER NOT NULL) STRICT;
CREATE TABLE open_call (hash BLOB PRIMARY KEY, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cosigned (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
",
    "
CREATE TABLE sealed (first INTEGER PRIMARY KEY, until INTEGER NOT NULL, place TEXT NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0) STRICT;
",
];

/// Version of the first of [`MIGRATIONS`].
const FIRST: i64 = 2;
/// Version that this program writes.
const VERSION: i64 = FIRST + MIGRATIONS.len() as i64 - 1;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A log in our version.
    Ours,
    /// A log in a version before ours, which can be read, and is brought to ours before it is written.
    Older(i64),
    /// No table, no marks: new, or its making was cut short.
    Empty,
}

/// Reads the marks, and compares every table, index and trigger with those of the version that it says: an added trigger or a lost
/// primary key would change what an append does. Writes nothing.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<Identity, OpenError> {
    let seen = read_marks(connection).map_err(|source| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotALog { path: path.into() },
        _ => OpenError::Sqlite { path: path.into(), source },
    })?;
    match seen {
        Marks { application: 0, version: 0, objects } if objects.is_empty() => Ok(Identity::Empty),
        Marks { application: APPLICATION_ID, version: version @ FIRST..=VERSION, objects } => {
            let made = Connection::open_in_memory().and_then(|blank| {
                blank.execute_batch(&steps(FIRST - 1, version))?;
                read_marks(&blank)
            });
            let expected = made.map_err(|source| OpenError::Sqlite { path: path.into(), source })?.objects;
            match version {
                _ if objects != expected => Err(OpenError::Altered { path: path.into() }),
                VERSION => Ok(Identity::Ours),
                older => Ok(Identity::Older(older)),
            }
        }
        Marks { application: APPLICATION_ID, version: MOVED, .. } => {
            let to = connection.query_row("SELECT place FROM moved", [], |row| row.get(0));
            let to = to.map_err(|source| OpenError::Sqlite { path: path.into(), source })?;
            Err(OpenError::Moved { path: path.into(), to })
        }
        Marks { application: APPLICATION_ID, version, .. } => {
            Err(OpenError::Schema { path: path.into(), found: version, known: VERSION })
        }
        _ => Err(OpenError::NotALog { path: path.into() }),
    }
}

/// What makes version `to` of version `from`.
fn steps(from: i64, to: i64) -> String {
    (FIRST..).zip(MIGRATIONS).filter(|(makes, _)| (from + 1..=to).contains(makes)).map(|(_, step)| step).collect()
}

/// Brings a log of an older version to ours, all or nothing. Whoever calls this has judged it as one of that version, and
/// holds the writer's lock.
pub(crate) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!("{} PRAGMA user_version = {VERSION};", steps(from, VERSION)))?;
    transaction.commit()
}

/// Makes tables, marks, first key and first checkpoint (of the empty tree) in one transaction, so that a file is either empty
/// or a whole log.
pub(crate) fn create(connection: &mut Connection, vkey: &str, checkpoint: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    make_tables(&transaction)?;
    transaction.execute("INSERT INTO state (id, horizon, since, checkpoint) VALUES (0, 0, 0, ?1)", [checkpoint])?;
    transaction.execute("INSERT INTO log_key (since, vkey) VALUES (0, ?1)", [vkey])?;
    transaction.commit()
}

/// Tables and marks, in the running transaction.
pub(super) fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "{} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};",
        steps(FIRST - 1, VERSION)
    ))
}

/// Says for good that the log is elsewhere.
pub(super) fn retire(connection: &mut Connection, to: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS moved (place TEXT NOT NULL) STRICT; DELETE FROM moved; PRAGMA user_version = {MOVED};"
    ))?;
    transaction.execute("INSERT INTO moved (place) VALUES (?1)", [to])?;
    transaction.commit()
}

struct Marks {
    application: i64,
    version: i64,
    objects: String,
}

fn read_marks(connection: &Connection) -> rusqlite::Result<Marks> {
    let objects = connection.query_row(
        "SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10))
         FROM (SELECT type, name, sql FROM sqlite_schema ORDER BY name)",
        [],
        |row| row.get::<_, Option<String>>(0),
    );
    Ok(Marks {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        objects: objects.optional()?.flatten().unwrap_or_default(),
    })
}
