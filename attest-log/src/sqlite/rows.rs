//! The file, read.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::ReadError;
use crate::record::{Hash, OpenCall};
use crate::rows::{EachEntry, EachToken, Rows};
use crate::sealed::SealedPart;
use crate::snapshot::{ReplayRow, Snapshot, TileCount};

impl Rows for Connection {
    fn len(&self) -> Result<u64, ReadError> {
        let mut statement = self.prepare_cached("SELECT max(idx) FROM entry")?;
        let last: Option<i64> = statement.query_row([], |row| row.get(0))?;
        Ok(last.map_or(0, |last| last.cast_unsigned().saturating_add(1)))
    }

    fn body(&self, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        let mut statement = self.prepare_cached("SELECT body FROM entry WHERE idx = ?1")?;
        Ok(statement.query_row([index], |row| row.get(0)).optional()?)
    }

    fn own_token(&self, index: i64) -> Result<Option<String>, ReadError> {
        let mut statement = self.prepare_cached("SELECT token FROM entry WHERE idx = ?1")?;
        Ok(statement.query_row([index], |row| row.get(0)).optional()?.flatten())
    }

    fn walk(&self, from: i64, to: i64, each: &mut EachEntry<'_>) -> Result<(), ReadError> {
        let mut statement =
            self.prepare_cached("SELECT idx, body, token FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
        let mut rows = statement.query([from, to])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_blob().unwrap_or_default();
            let token = match row.get_ref(2)? {
                ValueRef::Null => None,
                text => Some(text.as_str().unwrap_or_default()),
            };
            if !each(number(row, 0)?, body, token) {
                break;
            }
        }
        Ok(())
    }

    fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError> {
        let mut statement = self.prepare_cached("SELECT text FROM token WHERE hash = ?1")?;
        Ok(statement.query_row([hash.as_slice()], |row| row.get(0)).optional()?)
    }

    fn tokens(&self, each: &mut EachToken<'_>) -> Result<(), ReadError> {
        let mut statement = self.prepare_cached("SELECT hash, text FROM token")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let hash = row.get_ref(0)?.as_blob().unwrap_or_default();
            if !each(hash, row.get_ref(1)?.as_str().unwrap_or_default()) {
                break;
            }
        }
        Ok(())
    }

    fn checkpoint(&self) -> Result<String, ReadError> {
        let mut statement = self.prepare_cached("SELECT checkpoint FROM state WHERE id = 0")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    fn cosigned(&self, last: bool) -> Result<Vec<(u64, String)>, ReadError> {
        let mut statement = self.prepare_cached(if last {
            "SELECT size, note FROM cosigned ORDER BY size DESC LIMIT 1"
        } else {
            "SELECT size, note FROM cosigned ORDER BY size"
        })?;
        let rows = statement.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn open(&self) -> Result<Vec<OpenCall>, ReadError> {
        let mut statement = self.prepare_cached("SELECT hash, idx FROM open_call ORDER BY idx")?;
        let rows = statement.query_map([], |row| Ok(OpenCall { hash: row.get(0)?, index: number(row, 1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn keys(&self) -> Result<Vec<(i64, String)>, ReadError> {
        let mut statement = self.prepare_cached("SELECT since, vkey FROM log_key ORDER BY since")?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get_ref(1)?.as_str().unwrap_or_default().to_owned())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn tile(&self, level: u8, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        let mut statement = self.prepare_cached("SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2")?;
        Ok(statement.query_row((level, index), |row| row.get(0)).optional()?)
    }

    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError> {
        let mut there = self.prepare_cached("SELECT count(*) FROM sqlite_schema WHERE name = 'sealed'")?;
        if there.query_row([], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(Vec::new());
        }
        let mut statement = self.prepare_cached("SELECT first, until, place, forgotten FROM sealed ORDER BY first")?;
        let rows = statement.query_map([], |row| {
            let place = row.get_ref(2)?.as_str().unwrap_or_default().into();
            Ok(SealedPart { first: number(row, 0)?, until: number(row, 1)?, place, forgotten: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        let transaction = self.unchecked_transaction()?;
        let snapshot = snapshot(&transaction, replay)?;
        transaction.finish()?;
        Ok(snapshot)
    }
}

fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(i64::cast_unsigned)
}

/// To be called in a transaction, or where nobody writes.
pub(super) fn snapshot(connection: &Connection, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
    let last: Option<i64> = connection.query_row("SELECT max(idx) FROM entry", [], |row| row.get(0))?;
    let (horizon, since, checkpoint) =
        connection.query_row("SELECT horizon, since, checkpoint FROM state WHERE id = 0", [], |row| {
            Ok((number(row, 0)?, number(row, 1)?, row.get(2)?))
        })?;
    let mut statement = connection.prepare("SELECT since, vkey FROM log_key ORDER BY since")?;
    let keys = statement.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare("SELECT hash, idx FROM open_call ORDER BY idx")?;
    let open = statement.query_map([], |row| {
        let hash = row.get_ref(0)?.as_blob().unwrap_or_default().try_into().unwrap_or_default();
        Ok(OpenCall { hash, index: number(row, 1)? })
    })?;
    let open = open.collect::<Result<_, _>>()?;
    let mut statement =
        connection.prepare("SELECT level, count(*), max(idx) FROM tile GROUP BY level ORDER BY level")?;
    let tiles = statement
        .query_map([], |row| Ok(TileCount { level: row.get(0)?, count: number(row, 1)?, last: row.get(2)? }))?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare("SELECT idx, scope, jti, expires FROM replay ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        replay(ReplayRow {
            index: number(row, 0)?,
            scope: row.get_ref(1)?.as_blob().unwrap_or_default(),
            jti: row.get_ref(2)?.as_blob().unwrap_or_default(),
            expires: number(row, 3)?,
        });
    }
    Ok(Snapshot {
        size: last.and_then(|last| u64::try_from(last).ok()).map_or(0, |last| last.saturating_add(1)),
        stray: connection.query_row("SELECT count(*) FROM entry WHERE idx < 0", [], |row| number(row, 0))?,
        checkpoint,
        keys,
        cosigned: connection.cosigned(false)?,
        horizon,
        since,
        open,
        tiles,
    })
}
