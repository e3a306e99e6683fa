//! A log that leaves a database, or comes into one.

use tokio_postgres::types::{ToSql, Type};

use super::session::Session;
use super::{instance, refused, rows, schema};
use crate::error::{OpenError, ReadError};
use crate::moving::{EntryRow, KeyRow, MoveError, Source, Target};
use crate::place::Shared;
use crate::record::Hash;
use crate::rows::Rows;
use crate::sealed::SealedPart;
use crate::snapshot::{ReplayRow, Snapshot};
use crate::tree::Tile;

/// A database that a log is moved away from. Its row `state` is held: whoever would append waits, and then sees that the log went.
pub(crate) struct Leaving {
    shared: Shared,
    session: Session,
    /// It was marked by a move that was cut off.
    again: bool,
}

impl Leaving {
    pub(crate) fn open(shared: &Shared, to: &str) -> Result<Self, MoveError> {
        let failed = |source| refused(shared, source);
        let session = Session::connect(shared, true).map_err(failed)?;
        let again = match schema::judge_newest(&session, shared) {
            Ok(()) => false,
            Err(OpenError::Moved { to: there, .. }) if there == to => true,
            Err(error) => return Err(error.into()),
        };
        let count = instance::alive(&session).map_err(failed)?;
        if count > 0 {
            return Err(MoveError::InUse { path: shared.name(), count });
        }
        session.execute("BEGIN; SELECT FROM state WHERE id = 0 FOR UPDATE").map_err(failed)?;
        Ok(Self { shared: shared.clone(), session, again })
    }
}

impl Source for Leaving {
    fn rows(&self) -> &dyn Rows {
        &self.session
    }

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        rows::take(&self.session, replay)
    }

    fn retire(&mut self, to: &str) -> Result<(), OpenError> {
        let marked = schema::retire(&self.session, to).and_then(|()| self.session.execute("COMMIT"));
        marked.map_err(|source| refused(&self.shared, source))
    }

    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError> {
        self.session.sealed()
    }

    fn is_retired(&self) -> bool {
        self.again
    }
}

/// Removes the log that is there.
pub(crate) fn forget(shared: &Shared) -> Result<(), OpenError> {
    let gone =
        Session::connect(shared, true).and_then(|session| session.execute("DROP SCHEMA IF EXISTS attest_log CASCADE"));
    gone.map_err(|source| refused(shared, source))
}

/// A database without a log that one comes into, in one transaction.
pub(crate) struct Arriving {
    shared: Shared,
    session: Session,
}

type Given<'a> = [(&'a (dyn ToSql + Sync), Type)];

impl Arriving {
    pub(crate) fn open(shared: &Shared) -> Result<Self, MoveError> {
        let failed = |source| refused(shared, source);
        let session = Session::connect(shared, true).map_err(failed)?;
        session.execute("BEGIN").map_err(failed)?;
        if !schema::make_tables(&session, shared)? {
            let left = matches!(schema::judge(&session, shared), Err(OpenError::Moved { .. }));
            return Err(MoveError::NotEmpty { path: shared.name(), left });
        }
        Ok(Self { shared: shared.clone(), session })
    }

    fn add(&self, sql: &str, given: &Given<'_>) -> Result<(), OpenError> {
        self.session.rows(sql, given).map(drop).map_err(|source| refused(&self.shared, source))
    }
}

impl Target for Arriving {
    fn entries(&mut self, rows: &[EntryRow]) -> Result<(), OpenError> {
        let indexes: Vec<i64> = rows.iter().map(|(index, ..)| index.cast_signed()).collect();
        let bodies: Vec<&[u8]> = rows.iter().map(|(_, body, _)| body.as_slice()).collect();
        let tokens: Vec<Option<&[u8]>> =
            rows.iter().map(|(_, _, token)| token.as_ref().map(|token| token.as_bytes())).collect();
        self.add(
            "INSERT INTO entry (idx, body, token) SELECT unnest($1::int8[]), unnest($2::bytea[]), unnest($3::bytea[])",
            &[(&indexes, Type::INT8_ARRAY), (&bodies, Type::BYTEA_ARRAY), (&tokens, Type::BYTEA_ARRAY)],
        )
    }

    fn tokens(&mut self, rows: &[(Hash, String)]) -> Result<(), OpenError> {
        let hashes: Vec<&[u8]> = rows.iter().map(|(hash, _)| hash.as_slice()).collect();
        let texts: Vec<&[u8]> = rows.iter().map(|(_, text)| text.as_bytes()).collect();
        self.add(
            "INSERT INTO token (hash, text) SELECT unnest($1::bytea[]), unnest($2::bytea[])",
            &[(&hashes, Type::BYTEA_ARRAY), (&texts, Type::BYTEA_ARRAY)],
        )
    }

    fn tiles(&mut self, rows: &[Tile]) -> Result<(), OpenError> {
        let levels: Vec<i16> = rows.iter().map(|tile| i16::from(tile.level)).collect();
        let indexes: Vec<i64> = rows.iter().map(|tile| tile.index.cast_signed()).collect();
        let hashes: Vec<&[u8]> = rows.iter().map(|tile| tile.hashes.as_slice()).collect();
        self.add(
            "INSERT INTO tile (level, idx, hashes) SELECT unnest($1::int2[]), unnest($2::int8[]), unnest($3::bytea[])",
            &[(&levels, Type::INT2_ARRAY), (&indexes, Type::INT8_ARRAY), (&hashes, Type::BYTEA_ARRAY)],
        )
    }

    /// Hashed by the server: what is copied unchecked may be no key.
    fn replay(&mut self, rows: &[KeyRow]) -> Result<(), OpenError> {
        let indexes: Vec<i64> = rows.iter().map(|(index, ..)| index.cast_signed()).collect();
        let scopes: Vec<&[u8]> = rows.iter().map(|(_, scope, ..)| scope.as_slice()).collect();
        let jtis: Vec<&[u8]> = rows.iter().map(|(_, _, jti, _)| jti.as_slice()).collect();
        let ends: Vec<i64> = rows.iter().map(|(.., expires)| expires.cast_signed()).collect();
        self.add(
            "INSERT INTO replay (idx, scope, jti, expires, hash, hash_rest)
             SELECT idx, scope, jti, expires, left(hash, 32)::uuid, right(hash, 32)::uuid
             FROM (SELECT *, encode(sha256(set_byte('\\x00', 0, length(scope)) || scope || jti), 'hex') AS hash
                 FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::int8[]) AS given (idx, scope, jti, expires)) AS hashed",
            &[
                (&indexes, Type::INT8_ARRAY),
                (&scopes, Type::BYTEA_ARRAY),
                (&jtis, Type::BYTEA_ARRAY),
                (&ends, Type::INT8_ARRAY),
            ],
        )
    }

    fn sealed(&mut self, parts: &[SealedPart]) -> Result<(), OpenError> {
        for part in parts {
            let (first, until) = (part.first.cast_signed(), part.until.cast_signed());
            let place = part.place.to_string_lossy().into_owned();
            self.add(
                "INSERT INTO sealed (first, until, place, forgotten) VALUES ($1, $2, $3, $4)",
                &[(&first, Type::INT8), (&until, Type::INT8), (&place, Type::TEXT), (&part.forgotten, Type::BOOL)],
            )?;
        }
        Ok(())
    }

    fn state(&mut self, snapshot: &Snapshot) -> Result<(), OpenError> {
        let (size, horizon, since) =
            (snapshot.size.cast_signed(), snapshot.horizon.cast_signed(), snapshot.since.cast_signed());
        self.add(
            "INSERT INTO state (id, size, horizon, since, checkpoint) VALUES (0, $1, $2, $3, $4)",
            &[(&size, Type::INT8), (&horizon, Type::INT8), (&since, Type::INT8), (&snapshot.checkpoint, Type::TEXT)],
        )?;
        for (since, key) in &snapshot.keys {
            let since = since.cast_signed();
            self.add("INSERT INTO log_key (since, vkey) VALUES ($1, $2)", &[(&since, Type::INT8), (key, Type::TEXT)])?;
        }
        for (size, note) in &snapshot.cosigned {
            let size = size.cast_signed();
            self.add("INSERT INTO cosigned (size, note) VALUES ($1, $2)", &[(&size, Type::INT8), (note, Type::TEXT)])?;
        }
        // Nobody's: whoever opens the log first closes them.
        for call in &snapshot.open {
            let index = call.index.cast_signed();
            self.add(
                "INSERT INTO open_call (hash, idx, instance) VALUES ($1, $2, 0)",
                &[(&call.hash.as_slice(), Type::BYTEA), (&index, Type::INT8)],
            )?;
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), OpenError> {
        self.session.execute("COMMIT").map_err(|source| refused(&self.shared, source))
    }

    /// The transaction ends with its connection.
    fn abandon(self: Box<Self>) {}
}
