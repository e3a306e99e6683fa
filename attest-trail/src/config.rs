//! The table `[trail]` of `agent.toml` and `guard.toml`, and the same in the file of `attest audit`.

use std::path::{Path, PathBuf};

use attest_sinks::SinkConfig;
use serde::Deserialize;

use crate::sinks;

/// What is kept, by which rules alerts are raised, and who is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Table {
    /// A file of rules that differ from the defaults (`attest alerts rules` prints those).
    pub rules: Option<PathBuf>,
    /// A file of redaction rules that differ from the defaults.
    pub redaction: Option<PathBuf>,
    /// Whether what messages say is kept beside the log, redacted.
    pub keep: bool,
    /// Who is told of alerts besides the log.
    pub sink: Vec<SinkConfig>,
}

impl Default for Table {
    fn default() -> Self {
        Self { rules: None, redaction: None, keep: true, sink: Vec::new() }
    }
}

impl Table {
    /// Paths in it are relative to `folder`.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        Self {
            rules: self.rules.map(|file| folder.join(file)),
            redaction: self.redaction.map(|file| folder.join(file)),
            sink: self.sink.into_iter().map(|sink| sinks::within(sink, folder)).collect(),
            ..self
        }
    }
}
