//! The rules over a log that is already there.

use attest_core::entry::{EntryError, Written};

use crate::{Finding, Rules, Watch};

/// What rules find in a log: each finding with the time of the entry that set it off, in milliseconds since 1970.
///
/// The entries are index and bytes, in the log's order. Only those of type `seen` count: alerts of back then change nothing.
/// One that cannot be read is handed on as an error, and the rest is gone through.
pub fn replay<B: AsRef<[u8]>>(
    rules: Rules,
    entries: impl IntoIterator<Item = (u64, B)>,
) -> impl Iterator<Item = Result<(u64, Finding), (u64, EntryError)>> {
    let mut watch = Watch::new(rules);
    entries.into_iter().flat_map(move |(index, body)| match Written::read(body.as_ref()) {
        Ok(Written::Seen { event, time }) => {
            watch.see(index, time, &event).into_iter().map(|finding| Ok((time, finding))).collect()
        }
        Ok(_) => Vec::new(),
        Err(error) => vec![Err((index, error))],
    })
}
