//! The index beside a log: one SQLite file, `<log>.index`, made from the log and what was kept, and made anew whenever it is not there.
//!
//! It holds names, times, and the words of what was kept, so it has the mode of what was kept, and who erases that erases this file too.

pub(crate) mod fill;
mod schema;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use attest_core::b64;
use attest_core::digest::Digest;
use attest_log::Place;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags};

use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::query::Query;

/// Where the index of a log is.
pub fn path_of(log: &Path) -> PathBuf {
    log.with_added_extension("index")
}

/// An index that knows all that the log's checkpoint is over.
pub struct Index {
    connection: Connection,
    path: PathBuf,
    names: HashMap<String, i64>,
}

impl Index {
    /// Opens the index of a log, and brings it up to the log's checkpoint. `progress` is told how many entries of how many are in it.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn of(evidence: &Evidence, mut progress: impl FnMut(u64, u64)) -> Result<Self, ForensicsError> {
        let path = path_of(evidence.path());
        let failed = |source| ForensicsError::Index { path: path.clone(), source };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = match Place::new(evidence.path()) {
            // Nothing lies beside a log in a database.
            Place::Shared(_) => Connection::open_in_memory(),
            Place::File(_) if private(&path).is_ok() => Connection::open_with_flags(&path, flags),
            // Evidence that was handed over may lie where nothing can be written.
            Place::File(_) => Connection::open_in_memory(),
        };
        let mut connection = opened.map_err(failed)?;
        schema::prepare(&mut connection, &schema::identity(evidence)?).map_err(failed)?;
        let mut index = Self { connection, path: path.clone(), names: HashMap::new() };
        index.fill(evidence, &mut progress)?;
        Ok(index)
    }

    /// Takes up what the log's checkpoint is over by now.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn refresh(&mut self, evidence: &Evidence) -> Result<(), ForensicsError> {
        self.fill(evidence, &mut |_, _| {})
    }

    /// Erases the index of a log, where there is one: it holds words of what was kept.
    ///
    /// # Errors
    /// The file system's.
    pub fn erase(log: &Path) -> std::io::Result<()> {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = path_of(log).into_os_string();
            path.push(suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The entries that have all that is asked for, the latest first: at most `most` of them.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn find(&self, query: &Query, most: u64) -> Result<Vec<u64>, ForensicsError> {
        let Some((sql, values)) = self.statement(query, most) else { return Ok(Vec::new()) };
        let run = || -> rusqlite::Result<Vec<u64>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0))?;
            rows.map(|index| index.map(i64::cast_unsigned)).collect()
        };
        run().map_err(|source| self.failed(source))
    }

    /// The entries about a call, in order.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn about(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        self.list("SELECT idx FROM entry WHERE call = ?1 ORDER BY idx", short(call))
    }

    /// Entries about calls whose name begins with this: at least 8 of its 43 characters, of which the first 8 are looked at.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn called(&self, beginning: &str) -> Result<Vec<u64>, ForensicsError> {
        // Eight characters are six bytes.
        let Some(known) = beginning.get(..8).and_then(b64::decode_exact::<6>) else {
            return Ok(Vec::new());
        };
        let bound = |rest: u8| {
            let mut bytes = [rest; 8];
            bytes.iter_mut().zip(known).for_each(|(to, from)| *to = from);
            i64::from_be_bytes(bytes)
        };
        let run = || -> rusqlite::Result<Vec<u64>> {
            let sql = "SELECT idx FROM entry WHERE call BETWEEN ?1 AND ?2 ORDER BY idx";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([bound(0), bound(0xff)], |row| row.get::<_, i64>(0))?;
            rows.map(|index| index.map(i64::cast_unsigned)).collect()
        };
        run().map_err(|source| self.failed(source))
    }

    /// The decisions on calls that name this one as their cause, or show its receipt.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn led_to(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        self.list("SELECT DISTINCT idx FROM edge WHERE source = ?1 ORDER BY idx", short(call))
    }

    /// Entries at or below this one that the others are read by: starts, contexts, configurations, changes of the key.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn framing(&self, last: u64) -> Result<Vec<u64>, ForensicsError> {
        let of = |name: &str| self.names.get(name).map(i64::to_string);
        let kinds: Vec<String> =
            ["start", "context", "config", "key", "adopted", "forgotten", "trail"].into_iter().filter_map(of).collect();
        let sql = format!("SELECT idx FROM entry WHERE kind IN ({}) AND idx <= ?1 ORDER BY idx", kinds.join(","));
        self.list(&sql, i64::try_from(last).unwrap_or(i64::MAX))
    }

    fn list(&self, sql: &str, value: i64) -> Result<Vec<u64>, ForensicsError> {
        let run = || -> rusqlite::Result<Vec<u64>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([value], |row| row.get::<_, i64>(0))?;
            rows.map(|index| index.map(i64::cast_unsigned)).collect()
        };
        run().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> ForensicsError {
        ForensicsError::Index { path: self.path.clone(), source }
    }

    /// `None` where a name is asked for that no entry has.
    fn statement(&self, query: &Query, most: u64) -> Option<(String, Vec<Sql>)> {
        let Query { since, until, kinds, agent, server, tool, verdict, reason, label, .. } = query;
        let Query { destination, call, commitment, text, from, below, .. } = query;
        let (mut wheres, mut values): (Vec<String>, Vec<Sql>) = (Vec::new(), Vec::new());
        let mut and = |text: &str, value: i64| {
            wheres.push(text.to_owned());
            values.push(Sql::Integer(value));
        };
        for (column, name) in
            [("agent", agent), ("server", server), ("tool", tool), ("verdict", verdict), ("reason", reason)]
        {
            if let Some(name) = name {
                and(&format!("{column} = ?"), *self.names.get(name)?);
            }
        }
        if let Some(call) = call {
            and("call = ?", short(call));
        }
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        if let Some(since) = since {
            and("time >= ?", number(*since));
        }
        if let Some(until) = until {
            and("time < ?", number(*until));
        }
        if let Some(from) = from {
            and("idx >= ?", number(*from));
        }
        if let Some(below) = below {
            and("idx < ?", number(*below));
        }
        if let Some(commitment) = commitment {
            and("idx IN (SELECT idx FROM commitment WHERE hash = ?)", short(commitment));
        }
        for (table, name) in [("label", label), ("destination", destination)] {
            if let Some(name) = name {
                let every = if table == "label" { self.names.get("*").copied() } else { None };
                let of: Vec<i64> = self.names.get(name).copied().into_iter().chain(every).collect();
                // With one name the table is walked backwards, as long as needed.
                let list = of.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                if of.is_empty() {
                    return None;
                }
                wheres.push(format!("idx IN (SELECT idx FROM {table} WHERE name IN ({list}))"));
            }
        }
        if !kinds.is_empty() {
            let asked =
                |name: &String| kinds.iter().any(|kind| name == kind || (kind == "seen" && name.starts_with("seen:")));
            let list = self.names.iter().filter(|(name, _)| asked(name)).map(|(_, id)| id.to_string());
            let list: Vec<String> = list.collect();
            if list.is_empty() {
                return None;
            }
            wheres.push(format!("kind IN ({})", list.join(",")));
        }
        if let Some(text) = text.as_ref().filter(|text| !text.trim().is_empty()) {
            wheres.push("idx IN (SELECT rowid FROM words WHERE words MATCH ?)".to_owned());
            values.push(Sql::Text(phrase(text)));
        }
        let wheres = if wheres.is_empty() { "1".to_owned() } else { wheres.join(" AND ") };
        Some((format!("SELECT idx FROM entry WHERE {wheres} ORDER BY idx DESC LIMIT {}", number(most)), values))
    }
}

/// Each word as it stands: nothing in it is an operator.
fn phrase(text: &str) -> String {
    text.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect::<Vec<_>>().join(" ")
}

/// Enough of a digest to find it by. What is found is read from the log again, so that another of the same beginning harms nothing.
pub(crate) fn short(digest: &Digest) -> i64 {
    i64::from_be_bytes(digest.0.first_chunk().copied().unwrap_or_default())
}

/// Makes the file for its owner alone; what else is there under its name is left as it is.
fn private(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}
