//! Entries into the index.

use std::collections::HashMap;

use attest_core::cause::Cause;
use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};
use attest_core::jws::Unverified;
use attest_core::receipt::Receipt;
use attest_kept::Kept;
use attest_log::ReadError;
use rusqlite::{Statement, Transaction, TransactionBehavior};

use super::{Index, schema, short};
use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::row::Row;
use crate::trace::How;

/// Entries of one transaction.
const STEP: u64 = 50_000;
/// Entries that are worth to load without indexes, which are made afterwards.
const BULK: u64 = 200_000;

impl Index {
    pub(super) fn fill(
        &mut self,
        evidence: &Evidence,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), ForensicsError> {
        let path = self.path.clone();
        let failed = |source| ForensicsError::Index { path: path.clone(), source };
        let end = evidence.size();
        let kept = evidence.path().with_added_extension("kept").exists();
        let kept = if kept { Some(Kept::open(evidence.path())?) } else { None };
        loop {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            // What another process put in stands there by now.
            let next: i64 = transaction.query_row("SELECT next FROM known", [], |row| row.get(0)).map_err(failed)?;
            read_names(&transaction, &mut self.names).map_err(failed)?;
            let next = next.cast_unsigned();
            // A long load begins without them.
            if end.saturating_sub(next) <= BULK {
                transaction.execute_batch(schema::INDEXES).map_err(failed)?;
            }
            if next >= end {
                return transaction.commit().map_err(failed);
            }
            let to = (next + STEP).min(end);
            let mut into = Into::new(&transaction, &mut self.names).map_err(failed)?;
            let mut wrong = None;
            evidence.reader.walk(next..to, |index, body, _| -> Result<(), ReadError> {
                if wrong.is_none() {
                    wrong = into.put(index, body, evidence, kept.as_ref()).err();
                }
                Ok(())
            })?;
            drop(into);
            if let Some(wrong) = wrong {
                return Err(match wrong {
                    Wrong::Index(source) => failed(source),
                    Wrong::Other(other) => other,
                });
            }
            transaction
                .execute("UPDATE known SET next = ?1", [i64::try_from(to).unwrap_or(i64::MAX)])
                .map_err(failed)?;
            transaction.commit().map_err(failed)?;
            progress(to, end);
        }
    }
}

fn read_names(transaction: &Transaction<'_>, names: &mut HashMap<String, i64>) -> rusqlite::Result<()> {
    let have = i64::try_from(names.len()).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached("SELECT text, id FROM name WHERE id > ?1")?;
    let mut rows = statement.query([have])?;
    while let Some(row) = rows.next()? {
        names.insert(row.get(0)?, row.get(1)?);
    }
    Ok(())
}

enum Wrong {
    Index(rusqlite::Error),
    Other(ForensicsError),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

impl From<ForensicsError> for Wrong {
    fn from(error: ForensicsError) -> Self {
        Self::Other(error)
    }
}

struct Into<'t> {
    names: &'t mut HashMap<String, i64>,
    name: Statement<'t>,
    entry: Statement<'t>,
    label: Statement<'t>,
    destination: Statement<'t>,
    commitment: Statement<'t>,
    edge: Statement<'t>,
    words: Statement<'t>,
}

impl<'t> Into<'t> {
    fn new(transaction: &'t Transaction<'_>, names: &'t mut HashMap<String, i64>) -> rusqlite::Result<Self> {
        Ok(Self {
            names,
            name: transaction.prepare("INSERT INTO name (id, text) VALUES (?1, ?2)")?,
            entry: transaction.prepare("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?,
            label: transaction.prepare("INSERT OR IGNORE INTO label VALUES (?1, ?2)")?,
            destination: transaction.prepare("INSERT OR IGNORE INTO destination VALUES (?1, ?2)")?,
            commitment: transaction.prepare("INSERT INTO commitment VALUES (?1, ?2)")?,
            edge: transaction.prepare("INSERT OR IGNORE INTO edge VALUES (?1, ?2)")?,
            words: transaction.prepare("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?,
        })
    }

    fn named(&mut self, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        let id = i64::try_from(self.names.len()).unwrap_or(i64::MAX - 1) + 1;
        self.name.execute((id, text))?;
        self.names.insert(text.to_owned(), id);
        Ok(id)
    }

    fn maybe(&mut self, text: Option<&str>) -> rusqlite::Result<Option<i64>> {
        text.map(|text| self.named(text)).transpose()
    }

    fn put(&mut self, index: u64, body: &[u8], evidence: &Evidence, kept: Option<&Kept>) -> Result<(), Wrong> {
        let written = Written::read(body).ok();
        let mut row = written.as_ref().map_or_else(|| Row::of(index, body), |written| Row::of_written(index, written));
        evidence.owned(&mut row);
        let idx = i64::try_from(index).unwrap_or(i64::MAX);
        let time = i64::try_from(row.time).unwrap_or(i64::MAX);
        let kind = self.named(row.kind)?;
        let agent = self.maybe(row.agent.as_deref())?;
        let server = self.maybe(row.server.as_deref())?;
        let tool = self.maybe(row.tool.as_deref())?;
        let verdict = self.maybe(row.verdict)?;
        let reason = self.maybe(row.reason.as_deref())?;
        let call = row.call.as_ref().map(short);
        self.entry.execute((idx, time, kind, agent, server, tool, verdict, reason, call))?;
        for label in &row.labels {
            let name = self.named(label)?;
            self.label.execute((name, idx))?;
        }
        for destination in &row.destinations {
            let name = self.named(destination)?;
            self.destination.execute((name, idx))?;
        }
        for commitment in &row.commitments {
            self.commitment.execute((short(commitment), idx))?;
            if let Some(kept) = kept
                && row.kind.starts_with("seen:")
                && let Some(text) = kept.get(commitment).map_err(ForensicsError::from)?
            {
                self.words.execute((idx, text.text))?;
            }
        }
        if let Some(written) = &written {
            for (source, _) in came_from(written, |hash| Ok(evidence.reader.token(&hash.0)?))? {
                self.edge.execute((short(&source), idx))?;
            }
        }
        Ok(())
    }
}

/// The calls that a decision says its own came of: its cause, and those whose receipts it shows.
pub(crate) fn came_from(
    written: &Written<'_>,
    token: impl Fn(&Digest) -> Result<Option<String>, ForensicsError>,
) -> Result<Vec<(Digest, How)>, ForensicsError> {
    let Written::Decision { verdict: Verdict::Allow { lineage, .. }, .. } = written else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    if let Some(text) = lineage.cause.map(|hash| token(&hash)).transpose()?.flatten()
        && let Ok(cause) = Unverified::<Cause>::read(&text)
    {
        all.push((cause.peek().call, How::Cause));
    }
    for hash in &lineage.receipts {
        if let Some(text) = token(hash)?
            && let Ok(receipt) = Unverified::<Receipt>::read(&text)
        {
            all.push((receipt.peek().call, How::Data));
        }
    }
    Ok(all)
}
