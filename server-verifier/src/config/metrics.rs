//! `[metrics]` and `[telemetry]` in `guard.toml`: where what the guard counts can be read, and where spans of calls go.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where counters are shown, if anywhere.
///
/// Trust sentence: whoever reaches the address reads how many calls are made, refused and for which reasons, and no name of who made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsTable {
    /// Where to listen; for example `127.0.0.1:9464`.
    pub listen: Option<SocketAddr>,
    /// Names by which scrapers know this machine. Without them only an address of this machine itself is listened on.
    pub hosts: Option<Vec<String>>,
}

/// Where a span of each call goes, if anywhere.
///
/// Trust sentence: whoever is there reads which agent calls which tool, when, and how it ended; no arguments, no results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryTable {
    /// An OTLP collector over HTTP, without `/v1/traces`; for example `http://127.0.0.1:4318`.
    pub otlp: Option<String>,
    /// A file of one line, `Name: value`, that goes with each request.
    pub header_file: Option<PathBuf>,
    /// A file of certificate authorities to believe instead of the system's.
    pub roots: Option<PathBuf>,
}

impl TelemetryTable {
    /// With paths relative to `folder`.
    pub(super) fn within(mut self, folder: &Path) -> Self {
        for path in [&mut self.header_file, &mut self.roots].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        self
    }
}
