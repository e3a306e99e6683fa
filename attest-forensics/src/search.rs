//! A search over many logs at once.

use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::index::Index;
use crate::query::Query;
use crate::row::Row;
use crate::source::Source;
use attest_core::digest::Digest;
use std::collections::BTreeSet;
use std::path::Path;

/// An entry that was found, read from its log again and proved.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which of the logs, in the order in which they were given.
    pub log: usize,
    /// The entry.
    pub row: Row,
}

/// Logs that are searched together.
pub struct Search {
    logs: Vec<(Evidence, Index)>,
}

impl Search {
    /// Opens logs, and brings their indexes up to date. `progress` is told which log, and how many of how many entries.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn open<P: AsRef<Path>>(logs: &[P], mut progress: impl FnMut(usize, u64, u64)) -> Result<Self, ForensicsError> {
        let logs = logs.iter().enumerate().map(|(n, log)| {
            let evidence = Evidence::open(log.as_ref())?;
            let index = Index::of(&evidence, |done, total| progress(n, done, total))?;
            Ok((evidence, index))
        });
        Ok(Self { logs: logs.collect::<Result<_, ForensicsError>>()? })
    }

    /// The logs, in order.
    pub fn logs(&self) -> impl Iterator<Item = &Evidence> {
        self.logs.iter().map(|(evidence, _)| evidence)
    }

    /// Each log, to be traced.
    pub fn sources(&self) -> Vec<&dyn Source> {
        self.logs.iter().map(|log| log as &dyn Source).collect()
    }

    /// Each log with its index.
    pub fn all(&self) -> impl Iterator<Item = &(Evidence, Index)> {
        self.logs.iter()
    }

    /// The calls whose names begin with this, of all logs, ascending: one, if it is long enough.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn calls(&self, beginning: &str) -> Result<Vec<Digest>, ForensicsError> {
        let mut calls = BTreeSet::new();
        for (evidence, index) in &self.logs {
            for found in index.called(beginning)? {
                calls.extend(evidence.row(found)?.call.filter(|call| call.to_b64().starts_with(beginning)));
            }
        }
        Ok(calls.into_iter().collect())
    }

    /// What is asked for, of all logs, the latest first, at most `most`. `below` of a query is for one log alone.
    ///
    /// # Errors
    /// [`ForensicsError`]: also where an entry that was found is not in the tree of its log.
    pub fn find(&self, query: &Query, most: u64) -> Result<Vec<Hit>, ForensicsError> {
        let mut hits = Vec::new();
        for (n, (evidence, index)) in self.logs.iter().enumerate() {
            for found in index.find(query, most)? {
                hits.push(Hit { log: n, row: evidence.row(found)? });
            }
        }
        hits.sort_by(|a, b| b.row.time.cmp(&a.row.time).then(b.log.cmp(&a.log)).then(b.row.index.cmp(&a.row.index)));
        hits.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(hits)
    }
}
