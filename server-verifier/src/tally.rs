//! Refusals of strangers, counted instead of written one by one: they must not be able to buy our disk.

use std::collections::BTreeMap;

use attest_core::refusal::Reason;

/// Milliseconds between two entries about the refusals of one reason.
const EVERY: u64 = 10_000;

#[derive(Debug, Default)]
struct Count {
    count: u64,
    since: u64,
    written: Option<u64>,
}

/// What is due to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub reason: Reason,
    pub count: u64,
    pub since: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Reason, Count>,
}

impl Tally {
    /// One more; says what is due, which is the first at once and the others in sums.
    pub fn add(&mut self, reason: Reason, now: u64) -> Option<Due> {
        let count = self.counts.entry(reason).or_default();
        if count.count == 0 {
            count.since = now;
        }
        count.count += 1;
        let due = count.written.is_none_or(|written| now.saturating_sub(written) >= EVERY);
        due.then(|| count.take(reason, now))
    }

    /// What was not written yet.
    pub fn rest(&mut self, now: u64) -> Vec<Due> {
        let open = self.counts.iter_mut().filter(|(_, count)| count.count > 0);
        open.map(|(reason, count)| count.take(*reason, now)).collect()
    }
}

impl Count {
    fn take(&mut self, reason: Reason, now: u64) -> Due {
        let due = Due { reason, count: self.count, since: self.since };
        *self = Self { count: 0, since: 0, written: Some(now) };
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_refusals_of_strangers_make_few_entries_and_none_is_lost() {
        let mut tally = Tally::default();
        let written: Vec<Due> = (0..1000).filter_map(|n| tally.add(Reason::NoProof, n * 30)).collect();
        let rest = tally.rest(40_000);
        assert!(written.len() <= 4, "{written:?}");
        assert_eq!(written.iter().chain(&rest).map(|due| due.count).sum::<u64>(), 1000);
    }
}
