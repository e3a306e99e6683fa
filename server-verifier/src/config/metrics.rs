//! `[metrics]` in `guard.toml`: where what the guard counts can be read.

use std::net::SocketAddr;

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
