//! The tables of an index, and whether one is of this very log.

use std::os::unix::fs::MetadataExt as _;

use attest_core::digest::Digest;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::ForensicsError;
use crate::evidence::Evidence;

/// Raised with every change of the tables, or of what is put into them: an index of another version is made anew.
const VERSION: u32 = 2;

const TABLES: &str = "
CREATE TABLE known (identity TEXT NOT NULL, next INTEGER NOT NULL);
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    idx INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind INTEGER NOT NULL, agent INTEGER, server INTEGER, tool INTEGER,
    verdict INTEGER, reason INTEGER, call INTEGER
);
CREATE TABLE label (name INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (name, idx)) WITHOUT ROWID;
CREATE TABLE destination (name INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (name, idx)) WITHOUT ROWID;
CREATE TABLE commitment (hash INTEGER NOT NULL, idx INTEGER NOT NULL);
CREATE TABLE edge (source INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (source, idx)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, detail=full);
";

/// Made once a first load is in: that many times faster.
pub(super) const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS by_agent ON entry (agent, tool, idx) WHERE agent IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_server ON entry (server, tool, idx) WHERE server IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_tool ON entry (tool, idx) WHERE tool IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_reason ON entry (reason, idx) WHERE reason IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_kind ON entry (kind, verdict, idx);
CREATE INDEX IF NOT EXISTS by_call ON entry (call) WHERE call IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_time ON entry (time);
CREATE INDEX IF NOT EXISTS by_commitment ON commitment (hash);
";

/// The log that an index is of: its name, its first entry, and which file that is. A log that was put in another's place has another; and an index that
/// somebody handed over beside a copy of a log, and that may hide what is in it, is not that copy's.
pub(super) fn identity(evidence: &Evidence) -> Result<String, ForensicsError> {
    let first = evidence.reader.entry(0)?.unwrap_or_default();
    let file = std::fs::metadata(evidence.path()).map_or((0, 0), |file| (file.dev(), file.ino()));
    Ok(format!("{VERSION} {} {} {}:{}", evidence.origin(), Digest::of(first), file.0, file.1))
}

/// Makes the tables, where they are not there or are another log's.
pub(super) fn prepare(connection: &mut Connection, identity: &str) -> rusqlite::Result<()> {
    // Whoever made the file, nothing in it runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // Nothing is lost with it: no fsync, and a torn file is made anew.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA temp_store = FILE;",
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    let known = |connection: &Connection| {
        connection.query_row("SELECT identity FROM known", [], |row| row.get::<_, String>(0)).optional()
    };
    if matches!(known(connection), Ok(Some(is)) if is == identity) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have made it meanwhile.
    if !matches!(known(&transaction), Ok(Some(is)) if is == identity) {
        let names: Vec<String> = transaction
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'words_%'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for name in names {
            transaction.execute_batch(&format!("DROP TABLE \"{}\"", name.replace('"', "\"\"")))?;
        }
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO known VALUES (?1, 0)", [identity])?;
    }
    transaction.commit()
}
