//! The database, when entries are moved out of it. Writers take the row `state`, which is left alone here: nobody waits.

use std::path::Path;

use tokio_postgres::types::{ToSql, Type};

use super::session::{PostgresError, Session};
use super::{refused, schema};
use crate::error::OpenError;
use crate::place::Shared;
use crate::sealed::{SealError, SealedPart, Sealer};

/// Rows removed in one transaction.
const STEP: i64 = 1_024;

pub(crate) struct PostgresSealer {
    session: Session,
}

impl PostgresSealer {
    /// Connects. A log of an older version is refused: the next verifier that opens it brings it to this one.
    pub(crate) fn open(shared: &Shared) -> Result<Self, OpenError> {
        let session = Session::connect(shared, true).map_err(|source| refused(shared, source))?;
        schema::judge_newest(&session, shared)?;
        Ok(Self { session })
    }

    fn count(&self, sql: &str, given: &[(&(dyn ToSql + Sync), Type)]) -> Result<u64, PostgresError> {
        Ok(self.session.one::<i64>(sql, given)?.unwrap_or_default().cast_unsigned())
    }
}

impl Sealer for PostgresSealer {
    fn note(&mut self, part: &SealedPart) -> Result<(), SealError> {
        let (first, until) = (part.first.cast_signed(), part.until.cast_signed());
        let place = part.place.to_string_lossy();
        let place: &str = &place;
        let given: [(&(dyn ToSql + Sync), Type); 3] =
            [(&first, Type::INT8), (&until, Type::INT8), (&place, Type::TEXT)];
        let added = self.count(
            "WITH added AS (INSERT INTO sealed (first, until, place) SELECT $1, $2, $3
             WHERE $1 = (SELECT coalesce(max(until), 0) FROM sealed) ON CONFLICT DO NOTHING RETURNING 1)
             SELECT count(*) FROM added",
            &given,
        )?;
        if added == 1 { Ok(()) } else { Err(SealError::Raced) }
    }

    fn moved(&mut self, from: &Path, to: &Path) -> Result<(), SealError> {
        let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
        let (from, to): (&str, &str) = (&from, &to);
        let given: [(&(dyn ToSql + Sync), Type); 2] = [(&from, Type::TEXT), (&to, Type::TEXT)];
        self.session.rows("UPDATE sealed SET place = $2 WHERE place = $1", &given)?;
        Ok(())
    }

    fn forget(&mut self, until: u64) -> Result<(), SealError> {
        let until = until.cast_signed();
        self.session.rows("UPDATE sealed SET forgotten = true WHERE until <= $1", &[(&until, Type::INT8)])?;
        Ok(())
    }

    fn remove(&mut self, until: u64) -> Result<u64, SealError> {
        let until = until.cast_signed();
        let given: [(&(dyn ToSql + Sync), Type); 2] = [(&until, Type::INT8), (&STEP, Type::INT8)];
        Ok(self.count(
            "WITH removed AS (DELETE FROM entry WHERE idx >= 0 AND idx < least($1,
             (SELECT min(idx) FROM entry WHERE idx >= 0) + $2) RETURNING 1) SELECT count(*) FROM removed",
            &given,
        )?)
    }

    /// The server's autovacuum does.
    fn shrink(&mut self) -> Result<(), SealError> {
        Ok(())
    }
}
