//! The format of the database file, and telling ours from others.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::error::OpenError;

/// `ATLG`, at byte 68 of the file, for `file(1)` and for us.
const APPLICATION_ID: i64 = 0x4154_4C47;
/// Goes up with any change to [`TABLES`].
const VERSION: i64 = 1;

/// `state` has one row. Replay keys and open calls have their key as the table (`WITHOUT ROWID`), because no other
/// order is ever asked of them: what has expired, the writer knows from memory.
const TABLES: &str = "
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 0), horizon INTEGER NOT NULL) STRICT;
CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE token (hash BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE replay (scope BLOB NOT NULL, jti BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (scope, jti))
    STRICT, WITHOUT ROWID;
CREATE TABLE open_call (hash BLOB PRIMARY KEY, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO state (id, horizon) VALUES (0, 0);
";

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A log in our version.
    Ours,
    /// No table, no marks: new, or its making was cut short.
    Empty,
}

/// Reads the marks, and compares every table, index and trigger with those of this version: an added trigger or a lost
/// primary key would change what an append does. Writes nothing.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<Identity, OpenError> {
    let seen = read_marks(connection).map_err(|source| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotALog { path: path.into() },
        _ => OpenError::Sqlite { path: path.into(), source },
    })?;
    match seen {
        Marks { application: 0, version: 0, objects } if objects.is_empty() => Ok(Identity::Empty),
        Marks { application: APPLICATION_ID, version: VERSION, objects } => {
            let made = Connection::open_in_memory().and_then(|blank| {
                blank.execute_batch(TABLES)?;
                read_marks(&blank)
            });
            let expected = made.map_err(|source| OpenError::Sqlite { path: path.into(), source })?.objects;
            if objects == expected { Ok(Identity::Ours) } else { Err(OpenError::Altered { path: path.into() }) }
        }
        Marks { application: APPLICATION_ID, version, .. } => {
            Err(OpenError::Schema { path: path.into(), found: version, known: VERSION })
        }
        _ => Err(OpenError::NotALog { path: path.into() }),
    }
}

/// Makes the tables and the marks in one transaction, so that a file is either empty or a whole log.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
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
