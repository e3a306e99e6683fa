//! The beginning of a batch: the log is taken, and what others wrote is caught up with.

use std::collections::HashSet;

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle::{self, Hash};
use tokio_postgres::Row;

use super::batch::LEAVES;
use super::session::PostgresError;
use super::store::{Live, PostgresStore};
use crate::error::StopReason;
use crate::load;
use crate::record::ReplayKey;
use crate::rows::Rows as _;
use crate::sealed;
use crate::store::Found;
use crate::stored::{Stored, Tiles};
use crate::tree::{self, Edge};

/// Said in each transaction too: who changes the session's setting must not change what a commit means.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on";

/// What the database said, its row `state` now held.
pub(super) struct Said {
    head: Row,
    leaves: Vec<Row>,
    used: Vec<Row>,
    open: HashSet<Hash>,
    key: Row,
}

impl Live {
    /// Begins a transaction, takes the head row, and asks everything else under it, in one round trip: each statement sees
    /// what was committed before it began, and the first one begins once the row is ours.
    pub(super) fn begin(&self, size: u64, calls: &[Hash]) -> Result<Said, PostgresError> {
        let (client, statements) = (self.session.client(), &self.statements);
        let calls: Vec<&[u8]> = calls.iter().map(<[u8; 32]>::as_slice).collect();
        let size = size.cast_signed();
        let answers = async {
            tokio::try_join!(
                biased;
                client.batch_execute(BEGIN),
                client.query_one(&statements.head, &[]),
                async { client.query(&statements.leaves, &[&size]).await },
                async { client.query(&statements.used, &[&size]).await },
                async {
                    if calls.is_empty() { Ok(Vec::new()) } else { client.query(&statements.open, &[&calls]).await }
                },
                client.query_one(&statements.key, &[]),
            )
        };
        let ((), head, leaves, used, open, key) = self.session.wait(answers)?;
        Ok(Said { head, leaves, used, open: hashes(&open)?, key })
    }

    /// Which of these calls are open, asked in the transaction that [`Live::begin`] began.
    pub(super) fn open_among(&self, calls: &[Hash]) -> Result<HashSet<Hash>, PostgresError> {
        let calls: Vec<&[u8]> = calls.iter().map(<[u8; 32]>::as_slice).collect();
        hashes(&self.session.wait(self.session.client().query(&self.statements.open, &[&calls]))?)
    }
}

impl PostgresStore {
    /// Brings the edge to where the log is, and checks that the log goes on from there.
    pub(super) fn follow(&mut self, edge: &mut Edge, said: Said) -> Result<Found, Problem> {
        let key: &str = said.key.try_get(0).map_err(PostgresError::from)?;
        if self.keys.all().last().is_none_or(|(last, _)| last.to_string() != key) {
            return Err(StopReason::Retired.into());
        }
        let size = said.head.try_get::<_, i64>(0).map_err(PostgresError::from)?;
        let size = u64::try_from(size).map_err(|_| StopReason::Moved)?;
        let horizon = said.head.try_get::<_, i64>(1).map_err(PostgresError::from)?;
        let note: &str = said.head.try_get(2).map_err(PostgresError::from)?;
        let gap = size.checked_sub(edge.size()).ok_or(StopReason::Forked)?;
        let all_there = said.leaves.len() as u64 == gap;
        if gap > LEAVES as u64 || (!all_there && self.is_sealed(edge.size())?) {
            *edge = self.overtaken(edge, size)?;
        } else if !all_there {
            return Err(StopReason::Inconsistent.into());
        } else {
            // Whoever filled a tile has written it.
            let mut written = Vec::new();
            for leaf in &said.leaves {
                edge.push(hashed(leaf)?, &mut written);
            }
        }
        // An entry that nobody signed comes with the old note, and must not be signed along with what follows it.
        if gap > 0 || note != self.note {
            let root = tree::root(edge, size).map_err(|_| StopReason::Inconsistent)?;
            let expected = Checkpoint { origin: self.keys.origin().to_owned(), size, root };
            if self.keys.open(note.as_bytes()).ok() != Some(expected) {
                return Err(StopReason::Forked.into());
            }
            note.clone_into(&mut self.note);
        }
        let mut taken = Vec::with_capacity(said.used.len());
        for row in &said.used {
            taken.push(used(row)?.ok_or(StopReason::Inconsistent)?);
        }
        Ok(Found { horizon: u64::try_from(horizon).unwrap_or(u64::MAX), used: taken, open: said.open })
    }

    /// Whether an entry was sealed, and so may be no row any more.
    fn is_sealed(&self, index: u64) -> Result<bool, Problem> {
        let Some(live) = &self.live else { return Err(PostgresError::Slow.into()) };
        match live.session.sealed() {
            Ok(parts) => Ok(sealed::end_of(&parts).is_some_and(|end| index < end)),
            Err(crate::ReadError::Postgres(error)) => Err(error.into()),
            Err(_) => Err(StopReason::Inconsistent.into()),
        }
    }

    /// The edge of a log that went far on without this verifier, from its tiles, if it is the same log.
    fn overtaken(&self, edge: &Edge, size: u64) -> Result<Edge, Problem> {
        let Some(live) = &self.live else { return Err(PostgresError::Slow.into()) };
        let wrong = |error| match error {
            crate::ReadError::Postgres(error) => Problem::Database(error),
            _ => StopReason::Inconsistent.into(),
        };
        let ours = tree::root(edge, edge.size()).map_err(|_| StopReason::Inconsistent)?;
        let tiles = Tiles::default();
        let theirs = match tree::root(&Stored::new(&live.session, &tiles, size), edge.size()) {
            Ok(root) => root,
            Err(tree::Unproved::Node(error)) => return Err(wrong(error)),
            Err(tree::Unproved::Outside) => return Err(StopReason::Inconsistent.into()),
        };
        if ours != theirs {
            return Err(StopReason::Forked.into());
        }
        load::edge(&live.session, size, self.keep).map_err(wrong)
    }
}

/// The leaf of an entry that was sent whole, or as its hash.
fn hashed(row: &Row) -> Result<Hash, Problem> {
    if let Some(body) = row.try_get(0).map_err(PostgresError::from)? {
        return Ok(merkle::leaf(body));
    }
    let hash: Option<&[u8]> = row.try_get(1).map_err(PostgresError::from)?;
    Ok(hash.and_then(|hash| hash.try_into().ok()).ok_or(StopReason::Inconsistent)?)
}

fn hashes(rows: &[Row]) -> Result<HashSet<Hash>, PostgresError> {
    let mut hashes = HashSet::with_capacity(rows.len());
    for row in rows {
        hashes.extend(Hash::try_from(row.try_get::<_, &[u8]>(0)?));
    }
    Ok(hashes)
}

/// A replay key with the entry that took it; `None` where it is none.
fn used(row: &Row) -> Result<Option<(u64, ReplayKey)>, PostgresError> {
    let (index, expires): (i64, i64) = (row.try_get(0)?, row.try_get(3)?);
    let (Ok(index), Ok(expires)) = (u64::try_from(index), u64::try_from(expires)) else { return Ok(None) };
    Ok(ReplayKey::new(row.try_get(1)?, row.try_get(2)?, expires).ok().map(|key| (index, key)))
}

/// Why a batch cannot begin.
pub(super) enum Problem {
    Database(PostgresError),
    Stop(StopReason),
}

impl From<PostgresError> for Problem {
    fn from(error: PostgresError) -> Self {
        Self::Database(error)
    }
}

impl From<StopReason> for Problem {
    fn from(reason: StopReason) -> Self {
        Self::Stop(reason)
    }
}
