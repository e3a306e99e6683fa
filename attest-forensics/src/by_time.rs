//! Entries of several logs in the order of their times.

use attest_core::entry::Written;
use attest_log::{Entries, Entry, ReadError};

/// Entries of several logs by their times, each with the place of its log among them. Within a log the order is that of its entries, whatever
/// their times say; one that cannot be read has no time, and comes at once.
pub struct ByTime<'l> {
    streams: Vec<Entries<'l>>,
    /// One entry of each log, read ahead, with its time.
    ahead: Vec<Option<(u64, Entry)>>,
}

impl<'l> ByTime<'l> {
    /// Of these entries of each log.
    pub fn new(logs: impl IntoIterator<Item = Entries<'l>>) -> Self {
        let streams: Vec<_> = logs.into_iter().collect();
        let ahead = streams.iter().map(|_| None).collect();
        Self { streams, ahead }
    }

    fn step(&mut self) -> Result<Option<(usize, Entry)>, ReadError> {
        for (stream, ahead) in self.streams.iter_mut().zip(&mut self.ahead) {
            if ahead.is_none()
                && let Some(entry) = stream.next().transpose()?
            {
                *ahead = Some((Written::read(&entry.body).map_or(0, |written| written.time()), entry));
            }
        }
        let times = self.ahead.iter().enumerate().filter_map(|(n, ahead)| Some((ahead.as_ref()?.0, n)));
        let Some((_, first)) = times.min() else { return Ok(None) };
        Ok(self.ahead.get_mut(first).and_then(Option::take).map(|(_, entry)| (first, entry)))
    }
}

impl Iterator for ByTime<'_> {
    type Item = Result<(usize, Entry), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
