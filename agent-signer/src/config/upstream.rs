//! `[upstream.NAME]` in `agent.toml`: a remote server of the agent, by the name that its guard goes by.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use mcp_relay::http::{HostName, Limits, Upstream, UpstreamError};
use serde::Deserialize;

/// A remote server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Its MCP endpoint.
    pub url: Option<String>,
    /// File of certificate authorities to believe about it, instead of the system's.
    roots: Option<PathBuf>,
    /// Header fields of every request to it, such as `Authorization`.
    #[serde(default)]
    headers: BTreeMap<String, HeaderText>,
    max_request_bytes: Option<usize>,
    max_answer_bytes: Option<usize>,
    #[serde(default)]
    limits: Limits,
}

/// The value of a header field, or where it stands.
#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderText {
    Plain(String),
    Env { env: String },
    File { file: PathBuf },
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // May be a secret.
            Self::Plain(_) => f.write_str("…"),
            Self::Env { env } => write!(f, "${env}"),
            Self::File { file } => write!(f, "{}", file.display()),
        }
    }
}

/// Why a remote server cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// An environment variable that is not set, or not UTF-8.
    #[error("the header {header} is to come from the environment variable {name}, which is not set")]
    Env {
        /// The header.
        header: String,
        /// The variable.
        name: String,
    },
    /// A file that cannot be read.
    #[error("the header {header} is to come from {path}: {source}", path = path.display())]
    File {
        /// The header.
        header: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The address, a header, or TLS.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl Remote {
    /// Paths in it are relative to `folder`.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.roots = self.roots.map(|roots| folder.join(roots));
        for value in self.headers.values_mut() {
            if let HeaderText::File { file } = value {
                *file = folder.join(&*file);
            }
        }
        self
    }

    /// Sizes and times of the way there.
    pub fn limits(&self) -> Limits {
        Limits {
            request: self.max_request_bytes.unwrap_or(self.limits.request),
            answer: self.max_answer_bytes.unwrap_or(self.limits.answer),
            ..self.limits
        }
    }

    /// The way to the server at `url`, with the configured header fields.
    pub fn connect(&self, url: &str) -> Result<Upstream, RemoteError> {
        let mut upstream = Upstream::new(url, HostName::Servers, self.roots.as_deref())?;
        for (header, text) in &self.headers {
            let value = match text {
                HeaderText::Plain(value) => value.clone(),
                HeaderText::Env { env } => {
                    std::env::var(env).map_err(|_| RemoteError::Env { header: header.clone(), name: env.clone() })?
                }
                HeaderText::File { file } => std::fs::read_to_string(file).map_err(|source| RemoteError::File {
                    header: header.clone(),
                    path: file.clone(),
                    source,
                })?,
            };
            upstream = upstream.with_header(header, value.trim())?;
        }
        Ok(upstream)
    }
}
