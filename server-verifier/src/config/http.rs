//! `[http]` in `guard.toml`: where to listen, what stands behind, and how much of everything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_relay::http::Limits;
use serde::Deserialize;

/// The table as it is written. What is absent has the default of [`Limits`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    listen: Option<SocketAddr>,
    upstream: Option<String>,
    upstream_roots: Option<PathBuf>,
    hosts: Option<Vec<String>>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    max_connections: Option<usize>,
    max_sessions: Option<usize>,
    max_head_bytes: Option<usize>,
    max_headers: Option<usize>,
    head_seconds: Option<u64>,
    body_seconds: Option<u64>,
    answer_seconds: Option<u64>,
    keep_alive_seconds: Option<u64>,
    resume_seconds: Option<u64>,
    grace_seconds: Option<u64>,
}

/// The guard as an HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// The URL of the MCP endpoint behind.
    pub upstream: Option<String>,
    /// Certificate authorities to believe about the endpoint behind, instead of the system's.
    pub upstream_roots: Option<PathBuf>,
    /// Names by which callers may know this server, in lower case; `None` where it is not said.
    pub hosts: Option<Vec<String>>,
    /// Certificate chain and key to show to clients. Who can read the key can stand in for this server.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Most sessions of a server behind that speaks stdio: each is a process.
    pub sessions: Option<usize>,
    /// Sizes and times.
    pub limits: Limits,
}

impl HttpTable {
    /// `None` where TLS is half configured.
    pub fn read(self, folder: &Path, request: usize, answer: usize) -> Option<Http> {
        let seconds = |set: Option<u64>, default: Duration| set.map_or(default, Duration::from_secs);
        let defaults = Limits::default();
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
            (None, None) => None,
            _ => return None,
        };
        Some(Http {
            listen: self.listen,
            upstream: self.upstream,
            upstream_roots: self.upstream_roots.map(|roots| folder.join(roots)),
            hosts: self.hosts.map(|hosts| hosts.iter().map(|host| host.to_ascii_lowercase()).collect()),
            tls,
            sessions: self.max_sessions,
            limits: Limits {
                request,
                answer,
                head: self.max_head_bytes.unwrap_or(defaults.head),
                headers: self.max_headers.unwrap_or(defaults.headers),
                connections: self.max_connections.unwrap_or(defaults.connections),
                head_time: seconds(self.head_seconds, defaults.head_time),
                body_time: seconds(self.body_seconds, defaults.body_time),
                answer_time: seconds(self.answer_seconds, defaults.answer_time),
                keep_alive: seconds(self.keep_alive_seconds, defaults.keep_alive),
                resume_time: seconds(self.resume_seconds, defaults.resume_time),
                grace: seconds(self.grace_seconds, defaults.grace),
            },
        })
    }
}
