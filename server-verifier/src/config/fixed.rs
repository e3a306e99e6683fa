//! What of `guard.toml` cannot change while a guard runs: it would be another log, or another server.

use toml::{Table, Value};

/// The settings that stay.
const NAMES: [&str; 14] = [
    "audience",
    "http",
    "log",
    "log_key",
    "log_origin",
    "max_answer_bytes",
    "max_request_bytes",
    "metrics",
    "open_calls",
    "receipts",
    "side",
    "telemetry",
    "trail",
    "witness",
];

/// Their values, as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fixed(Vec<(&'static str, Option<Value>)>);

impl Fixed {
    /// Those of a text that was read as a configuration before.
    pub(super) fn of(text: &str) -> Self {
        let table: Table = toml::from_str(text).unwrap_or_default();
        Self(NAMES.into_iter().map(|name| (name, table.get(name).cloned())).collect())
    }

    /// The names of those that are others in `new`.
    pub(crate) fn changed(&self, new: &Self) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&new.0);
        pairs.filter(|(old, new)| old != new).map(|(old, _)| old.0).collect()
    }
}
