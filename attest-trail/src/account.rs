//! Who keeps account of the alerts that are open in a log: `spec/alert.md`, rules 4 to 8.

use attest_log::Hash;
use attest_watch::Finding;

/// What a recorder tells of each alert that it writes.
pub trait Account: Send + Sync {
    /// An alert is about to be written. What its entry opens in the log; `None` where it opens nothing.
    fn raised(&self, alert: &Finding) -> Option<Hash>;

    /// What it opened stands at this index.
    fn written(&self, opened: &Hash, index: u64);
}
