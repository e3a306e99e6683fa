//! Logs passed on to other programs: the same entries, in forms that those read.
//!
//! What comes out is no evidence, and cannot be made a log again: it is for tables, searches and alarms elsewhere. But nothing comes out that the
//! log's checkpoint is not over: the tree is computed anew on the way, and a log that is not what its checkpoint says ends in an error.
//!
//! Each form takes entries one by one and holds as much as it needs for the next, never a whole log.

mod lines;
mod ocsf;
#[cfg(feature = "parquet")]
mod table;

use std::io;
use std::ops::Range;

use attest_core::merkle::{Growing, leaf};

use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::row::Row;

pub use lines::Lines;
pub use ocsf::Ocsf;
#[cfg(feature = "parquet")]
pub use table::Table;

/// An entry on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'p> {
    /// The log's name.
    pub log: &'p str,
    /// The entry, flat.
    pub row: &'p Row,
    /// Its bytes.
    pub body: &'p [u8],
    /// The token that came with it alone, as it stands.
    pub token: Option<&'p str>,
}

/// A form that entries are passed on in.
pub trait Form {
    /// Writes an entry; `false` where it has no place in this form.
    ///
    /// # Errors
    /// As whatever is written to.
    fn entry(&mut self, entry: Passed<'_>) -> io::Result<bool>;

    /// An entry that is not asked for, which others may refer to.
    fn passed_over(&mut self, _: Passed<'_>) {}

    /// Writes what comes after the last entry.
    ///
    /// # Errors
    /// As whatever is written to.
    fn end(&mut self) -> io::Result<()>;
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Written.
    pub written: u64,
    /// Of the time that was asked for, without a place in the form.
    pub left_out: u64,
}

/// How often progress is told.
const STEP: u64 = 1_000;

/// Passes on the entries of a log that are of this time, in milliseconds since 1970; `progress` is told how many of how many were read.
///
/// # Errors
/// [`ForensicsError::NotWhole`] where the log is not what its checkpoint is over: what was written until then is not to be used.
pub fn pass_on(
    evidence: &Evidence,
    time: &Range<u64>,
    form: &mut dyn Form,
    mut progress: impl FnMut(u64, u64),
) -> Result<Count, ForensicsError> {
    let not_whole = || ForensicsError::NotWhole { log: evidence.path().to_owned() };
    let size = evidence.size();
    let mut tree = Growing::new();
    let mut count = Count::default();
    for entry in evidence.reader.entries(0..size) {
        let entry = entry?;
        if entry.index != tree.size() {
            return Err(not_whole());
        }
        tree.push(leaf(&entry.body));
        let mut row = Row::of(entry.index, &entry.body);
        evidence.owned(&mut row);
        let passed = Passed { log: evidence.origin(), row: &row, body: &entry.body, token: entry.token.as_deref() };
        if time.contains(&row.time) {
            match form.entry(passed).map_err(ForensicsError::Write)? {
                true => count.written += 1,
                false => count.left_out += 1,
            }
        } else {
            form.passed_over(passed);
        }
        if tree.size().is_multiple_of(STEP) {
            progress(tree.size(), size);
        }
    }
    if (tree.size(), tree.root()) != (size, *evidence.root()) {
        return Err(not_whole());
    }
    Ok(count)
}

/// Passes on entries of a log as they stand in it, for whoever holds them against the tree himself.
///
/// # Errors
/// [`ForensicsError`]: as the log, or as whatever is written to.
pub fn pass_on_part(evidence: &Evidence, part: &Range<u64>, form: &mut dyn Form) -> Result<(), ForensicsError> {
    for entry in evidence.reader.entries(part.clone()) {
        let entry = entry?;
        let mut row = Row::of(entry.index, &entry.body);
        evidence.owned(&mut row);
        let token = entry.token.as_deref();
        let passed = Passed { log: evidence.origin(), row: &row, body: &entry.body, token };
        form.entry(passed).map_err(ForensicsError::Write)?;
    }
    form.end().map_err(ForensicsError::Write)
}
