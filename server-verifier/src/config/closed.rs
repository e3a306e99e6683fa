//! `[[closed]]`: which alerts a person looked at, who it was and what came of it. The guard writes it into its log.

use attest_core::entry::Entry;
use serde::Deserialize;

use super::accepted::{AcceptedError, moment, names};

/// An alert that somebody closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Index of its entry.
    pub alert: u64,
    /// Who closed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub time: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClosedTable {
    alert: u64,
    by: String,
    reason: String,
    time: toml::value::Datetime,
}

impl TryFrom<ClosedTable> for Closing {
    type Error = AcceptedError;

    fn try_from(table: ClosedTable) -> Result<Self, AcceptedError> {
        let ClosedTable { alert, by, reason, time } = table;
        let closing = Self { alert, by, reason, time: moment(&time)? };
        closing.check()?;
        Ok(closing)
    }
}

impl Closing {
    /// Whether an entry can say it.
    ///
    /// # Errors
    /// [`AcceptedError::Name`].
    pub fn check(&self) -> Result<(), AcceptedError> {
        names([("by", &self.by), ("reason", &self.reason)])
    }

    /// The entry of a log.
    pub(crate) fn entry(&self, audience: &str, time: u64) -> Entry {
        Entry::Closed {
            alert: self.alert,
            audience: audience.to_owned(),
            by: self.by.clone(),
            reason: self.reason.clone(),
            since: self.time,
            time,
        }
    }
}
