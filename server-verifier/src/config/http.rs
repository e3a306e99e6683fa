//! `[http]` in `guard.toml`: where to listen, what stands behind, and how much of everything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mcp_relay::http::Limits;
use serde::Deserialize;

/// The guard as an HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// The URL of the MCP endpoint behind.
    pub upstream: Option<String>,
    /// Certificate authorities to believe about the endpoint behind, instead of the system's.
    pub upstream_roots: Option<PathBuf>,
    /// Names by which callers may know this server; `None` where it is not said.
    pub hosts: Option<Vec<String>>,
    /// Certificate chain to show to clients, leaf first.
    pub tls_certificate: Option<PathBuf>,
    /// Its key. Who can read it can stand in for this server.
    pub tls_key: Option<PathBuf>,
    /// Most sessions of a server behind that speaks stdio: each is a process.
    pub sessions: Option<usize>,
    /// Sizes and times.
    pub limits: Limits,
}

impl Http {
    /// With paths relative to `folder`, and the sizes of bodies.
    pub(super) fn within(mut self, folder: &Path, request: usize, answer: usize) -> Self {
        for path in [&mut self.upstream_roots, &mut self.tls_certificate, &mut self.tls_key].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        for host in self.hosts.iter_mut().flatten() {
            host.make_ascii_lowercase();
        }
        self.limits = Limits { request, answer, ..self.limits };
        self
    }

    /// Certificate chain and key, where both are named.
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        self.tls_certificate.as_deref().zip(self.tls_key.as_deref())
    }
}
