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

/// An entry that was found, whether or not it could be proved.
#[derive(Debug)]
pub struct Found {
    /// Which of the logs.
    pub log: usize,
    /// Its index there.
    pub index: u64,
    /// The entry; of one that is not in the tree of its log nothing is shown.
    pub row: Result<Row, ForensicsError>,
}

/// Part of what was found.
#[derive(Debug)]
pub struct Page {
    /// The latest first.
    pub found: Vec<Found>,
    /// For each log, the index that the next page is below.
    pub next: Vec<u64>,
    /// Whether there is a next page.
    pub more: bool,
}

/// Logs that are searched together.
#[derive(Default)]
pub struct Search {
    logs: Vec<(Evidence, Index)>,
}

impl Search {
    /// Opens logs, and brings their indexes up to date. `progress` is told which log, and how many of how many entries.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn open<P: AsRef<Path>>(logs: &[P], mut progress: impl FnMut(usize, u64, u64)) -> Result<Self, ForensicsError> {
        let mut search = Self::default();
        for (n, log) in logs.iter().enumerate() {
            search.add(log.as_ref(), |done, total| progress(n, done, total))?;
        }
        Ok(search)
    }

    /// Opens one more log.
    ///
    /// # Errors
    /// [`ForensicsError`]: then it is not among those that are searched.
    pub fn add(&mut self, log: &Path, progress: impl FnMut(u64, u64)) -> Result<(), ForensicsError> {
        let evidence = Evidence::open(log)?;
        let index = Index::of(&evidence, progress)?;
        self.logs.push((evidence, index));
        Ok(())
    }

    /// Takes up what was written since, and says of which logs that failed: those stay as they were.
    pub fn refresh(&mut self) -> Vec<(usize, ForensicsError)> {
        let mut failed = Vec::new();
        for (n, (evidence, index)) in self.logs.iter_mut().enumerate() {
            let refreshed = match evidence.refresh() {
                Ok(true) => index.refresh(evidence),
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            failed.extend(refreshed.err().map(|error| (n, error)));
        }
        failed
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

    /// A part of what is asked for, over all logs, the latest first. `spans` has for each log the first index that is looked at, and the one that
    /// it ends below; `from` and `below` of the query do not count. Within a log the order is that of its entries, whatever their times say.
    ///
    /// # Errors
    /// [`ForensicsError::Index`].
    pub fn page(&self, query: &Query, spans: &[(u64, u64)], most: u64) -> Result<Page, ForensicsError> {
        let mut streams = Vec::new();
        for (n, (_, index)) in self.logs.iter().enumerate() {
            let (from, below) = spans.get(n).copied().unwrap_or((0, u64::MAX));
            let query = Query { from: Some(from), below: Some(below), ..query.clone() };
            let indexes = index.find(&query, most.saturating_add(1))?;
            let mut stream = Stream { log: n, next: below, indexes: indexes.into_iter(), head: None };
            stream.step(self);
            streams.push(stream);
        }
        let mut found = Vec::new();
        while (found.len() as u64) < most {
            // One that cannot be proved has no time: it comes at once.
            let time = |found: &Found| found.row.as_ref().map_or(u64::MAX, |row| row.time);
            let latest = streams.iter_mut().max_by_key(|stream| stream.head.as_ref().map(time));
            let Some(taken) = latest.and_then(|stream| stream.step(self)) else { break };
            found.push(taken);
        }
        let more = streams.iter().any(|stream| stream.head.is_some());
        Ok(Page { found, next: streams.iter().map(|stream| stream.next).collect(), more })
    }
}

/// What was found in one log, one entry read ahead.
struct Stream {
    log: usize,
    next: u64,
    indexes: std::vec::IntoIter<u64>,
    head: Option<Found>,
}

impl Stream {
    fn step(&mut self, search: &Search) -> Option<Found> {
        let read = |index| Some(search.logs.get(self.log)?.0.row(index));
        let ahead = self.indexes.next().and_then(|index| Some(Found { log: self.log, index, row: read(index)? }));
        let taken = std::mem::replace(&mut self.head, ahead)?;
        self.next = taken.index;
        Some(taken)
    }
}
