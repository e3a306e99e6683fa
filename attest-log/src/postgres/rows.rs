//! The database, read.

use std::cell::RefCell;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use super::session::{PostgresError, Session};
use crate::error::ReadError;
use crate::place::Shared;
use crate::record::{Hash, OpenCall};
use crate::rows::{EachEntry, EachToken, Rows};
use crate::sealed::SealedPart;
use crate::snapshot::{ReplayRow, Snapshot, TileCount};

/// Rows fetched at once: at most 16 MiB of bodies.
const PAGE: i64 = 256;
/// Shown a replay key: entry, scope, `jti`, expiry. `false` ends the walk.
type EachKey<'e> = dyn FnMut(i64, &[u8], &[u8], i64) -> bool + 'e;
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A log that is read; connects anew after a connection was lost.
pub(crate) struct Reading {
    shared: Shared,
    session: RefCell<Option<Session>>,
}

impl Reading {
    pub(super) fn new(shared: &Shared, session: Session) -> Self {
        Self { shared: shared.clone(), session: RefCell::new(Some(session)) }
    }

    fn with<T>(&self, ask: impl FnOnce(&Session) -> Result<T, ReadError>) -> Result<T, ReadError> {
        // Taken out, since whoever is shown a row may ask for another one.
        let kept = self.session.borrow_mut().take();
        let open = match kept.filter(|session| !session.is_closed()) {
            Some(open) => open,
            None => Session::connect(&self.shared, false)?,
        };
        let answer = ask(&open);
        // A session that failed may still be in a transaction, or wait for an answer.
        if answer.is_ok() {
            *self.session.borrow_mut() = Some(open);
        }
        answer
    }
}

impl Session {
    pub(super) fn rows(&self, sql: &str, given: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, PostgresError> {
        self.wait(self.client().query_typed(sql, given))
    }

    pub(super) fn one<T: for<'r> FromSql<'r>>(
        &self,
        sql: &str,
        given: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Option<T>, PostgresError> {
        Ok(self.rows(sql, given)?.first().map(|row| row.try_get(0)).transpose()?)
    }

    pub(super) fn execute(&self, sql: &str) -> Result<(), PostgresError> {
        self.wait(self.client().batch_execute(sql))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

fn number(row: &Row, at: usize) -> Result<u64, PostgresError> {
    Ok(row.try_get::<_, i64>(at)?.cast_unsigned())
}

impl Rows for Session {
    fn len(&self) -> Result<u64, ReadError> {
        let last: Option<Option<i64>> = self.one("SELECT max(idx) FROM entry", &[])?;
        Ok(last.flatten().map_or(0, |last| last.cast_unsigned().saturating_add(1)))
    }

    fn body(&self, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.one("SELECT body FROM entry WHERE idx = $1", &[(&index, Type::INT8)])?)
    }

    fn own_token(&self, index: i64) -> Result<Option<String>, ReadError> {
        let token: Option<Option<Vec<u8>>> =
            self.one("SELECT token FROM entry WHERE idx = $1", &[(&index, Type::INT8)])?;
        Ok(token.flatten().map(text))
    }

    fn walk(&self, from: i64, to: i64, each: &mut EachEntry<'_>) -> Result<(), ReadError> {
        let mut next = from;
        loop {
            let rows = self.rows(
                "SELECT idx, body, token FROM entry WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3",
                &[(&next, Type::INT8), (&to, Type::INT8), (&PAGE, Type::INT8)],
            )?;
            for row in &rows {
                let index: i64 = row.try_get(0).map_err(PostgresError::from)?;
                let body: &[u8] = row.try_get(1).map_err(PostgresError::from)?;
                let token: Option<&[u8]> = row.try_get(2).map_err(PostgresError::from)?;
                let token = token.map(|bytes| std::str::from_utf8(bytes).unwrap_or_default());
                if !each(index.cast_unsigned(), body, token) {
                    return Ok(());
                }
                next = index.saturating_add(1);
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError> {
        let found: Option<Vec<u8>> =
            self.one("SELECT text FROM token WHERE hash = $1", &[(&hash.as_slice(), Type::BYTEA)])?;
        Ok(found.map(text))
    }

    fn tokens(&self, each: &mut EachToken<'_>) -> Result<(), ReadError> {
        let mut after: Vec<u8> = Vec::new();
        loop {
            let rows = self.rows(
                "SELECT hash, text FROM token WHERE hash > $1 ORDER BY hash LIMIT $2",
                &[(&after, Type::BYTEA), (&PAGE, Type::INT8)],
            )?;
            for row in &rows {
                let hash: &[u8] = row.try_get(0).map_err(PostgresError::from)?;
                let text: &[u8] = row.try_get(1).map_err(PostgresError::from)?;
                if !each(hash, std::str::from_utf8(text).unwrap_or_default()) {
                    return Ok(());
                }
                after = hash.to_owned();
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn checkpoint(&self) -> Result<String, ReadError> {
        self.one("SELECT checkpoint FROM state WHERE id = 0", &[])?.ok_or(ReadError::Keys)
    }

    fn cosigned(&self, last: bool) -> Result<Vec<(u64, String)>, ReadError> {
        let sql = if last {
            "SELECT size, note FROM cosigned ORDER BY size DESC LIMIT 1"
        } else {
            "SELECT size, note FROM cosigned ORDER BY size"
        };
        let rows = self.rows(sql, &[])?;
        rows.iter().map(|row| Ok((number(row, 0)?, row.try_get(1).map_err(PostgresError::from)?))).collect()
    }

    fn open(&self) -> Result<Vec<OpenCall>, ReadError> {
        let rows = self.rows("SELECT hash, idx FROM open_call ORDER BY idx", &[])?;
        let call = |row: &Row| {
            let hash: &[u8] = row.try_get(0).map_err(PostgresError::from)?;
            Ok(OpenCall { hash: hash.try_into().unwrap_or_default(), index: number(row, 1)? })
        };
        rows.iter().map(call).collect()
    }

    fn keys(&self) -> Result<Vec<(i64, String)>, ReadError> {
        let rows = self.rows("SELECT since, vkey FROM log_key ORDER BY since", &[])?;
        let key = |row: &Row| Ok::<_, PostgresError>((row.try_get(0)?, row.try_get(1)?));
        Ok(rows.iter().map(key).collect::<Result<_, _>>()?)
    }

    fn tile(&self, level: u8, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        let level = i16::from(level);
        let given: [(&(dyn ToSql + Sync), Type); 2] = [(&level, Type::INT2), (&index, Type::INT8)];
        Ok(self.one("SELECT hashes FROM tile WHERE level = $1 AND idx = $2", &given)?)
    }

    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError> {
        let there: Option<i64> = self.one(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'attest_log' AND c.relname = 'sealed'",
            &[],
        )?;
        if there.is_none_or(|there| there == 0) {
            return Ok(Vec::new());
        }
        let rows = self.rows("SELECT first, until, place, forgotten FROM sealed ORDER BY first", &[])?;
        let part = |row: &Row| {
            let place: &str = row.try_get(2).map_err(PostgresError::from)?;
            let forgotten = row.try_get(3).map_err(PostgresError::from)?;
            Ok(SealedPart { first: number(row, 0)?, until: number(row, 1)?, place: place.into(), forgotten })
        };
        rows.iter().map(part).collect()
    }

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        self.execute(SNAPSHOT)?;
        let snapshot = take(self, replay)?;
        self.execute("COMMIT")?;
        Ok(snapshot)
    }
}

/// To be called in a transaction.
pub(super) fn take(session: &Session, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
    let state = session.rows("SELECT horizon, since, checkpoint FROM state WHERE id = 0", &[])?;
    let state = state.first().ok_or(ReadError::Keys)?;
    let tiles = session.rows("SELECT level::int8, count(*), max(idx) FROM tile GROUP BY level ORDER BY level", &[])?;
    let count = |row: &Row| {
        Ok::<_, PostgresError>(TileCount { level: row.try_get(0)?, count: number(row, 1)?, last: row.try_get(2)? })
    };
    session.replay_keys(&mut |index, scope, jti, expires| {
        replay(ReplayRow { index: index.cast_unsigned(), scope, jti, expires: expires.cast_unsigned() });
        true
    })?;
    let stray: Option<i64> = session.one("SELECT count(*) FROM entry WHERE idx < 0", &[])?;
    Ok(Snapshot {
        size: session.len()?,
        stray: stray.unwrap_or_default().cast_unsigned(),
        checkpoint: state.try_get(2).map_err(PostgresError::from)?,
        keys: session.keys()?.into_iter().map(|(since, key)| (since.cast_unsigned(), key)).collect(),
        cosigned: session.cosigned(false)?,
        horizon: number(state, 0)?,
        since: number(state, 1)?,
        open: session.open()?,
        tiles: tiles.iter().map(count).collect::<Result<_, _>>()?,
    })
}

impl Session {
    /// Shows the replay keys that are held.
    pub(super) fn replay_keys(&self, each: &mut EachKey<'_>) -> Result<(), PostgresError> {
        let mut after = i64::MIN;
        // Many, and small.
        let page = 64 * PAGE;
        loop {
            let rows = self.rows(
                "SELECT idx, scope, jti, expires FROM replay WHERE idx > $1 ORDER BY idx LIMIT $2",
                &[(&after, Type::INT8), (&page, Type::INT8)],
            )?;
            for row in &rows {
                after = row.try_get(0)?;
                if !each(after, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?) {
                    return Ok(());
                }
            }
            if rows.len() < page as usize {
                return Ok(());
            }
        }
    }
}

impl Rows for Reading {
    fn len(&self) -> Result<u64, ReadError> {
        self.with(Rows::len)
    }

    fn body(&self, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        self.with(|session| session.body(index))
    }

    fn own_token(&self, index: i64) -> Result<Option<String>, ReadError> {
        self.with(|session| session.own_token(index))
    }

    fn walk(&self, from: i64, to: i64, each: &mut EachEntry<'_>) -> Result<(), ReadError> {
        self.with(|session| session.walk(from, to, each))
    }

    fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError> {
        self.with(|session| session.token(hash))
    }

    fn tokens(&self, each: &mut EachToken<'_>) -> Result<(), ReadError> {
        self.with(|session| session.tokens(each))
    }

    fn checkpoint(&self) -> Result<String, ReadError> {
        self.with(Rows::checkpoint)
    }

    fn cosigned(&self, last: bool) -> Result<Vec<(u64, String)>, ReadError> {
        self.with(|session| session.cosigned(last))
    }

    fn open(&self) -> Result<Vec<OpenCall>, ReadError> {
        self.with(Rows::open)
    }

    fn keys(&self) -> Result<Vec<(i64, String)>, ReadError> {
        self.with(Rows::keys)
    }

    fn tile(&self, level: u8, index: i64) -> Result<Option<Vec<u8>>, ReadError> {
        self.with(|session| session.tile(level, index))
    }

    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError> {
        self.with(Rows::sealed)
    }

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        self.with(|session| session.snapshot(replay))
    }
}
