//! Which sinks there are.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::alert::Severity;

/// A secret is a line; a longer file is another file.
const MAX_SECRET: u64 = 8 << 10;

/// Why a sink cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinksError {
    /// Not TOML, or a member that is not known.
    #[error("sinks: {0}")]
    Toml(String),
    /// Not an absolute URL.
    #[error("url = {0:?}: write an http:// or https:// URL without user info")]
    Url(String),
    /// A file that cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret that others can read.
    #[error("{path}: others may read this secret; chmod 600 it", path = path.display())]
    Wide {
        /// The file.
        path: PathBuf,
    },
    /// A file that holds no secret of the expected form.
    #[error("{path}: holds no {expected}", path = path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// A header that HTTP does not allow.
    #[error("the header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
}

/// All sinks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// One each.
    #[serde(default)]
    pub sink: Vec<SinkConfig>,
}

impl Config {
    /// Reads TOML, one `[[sink]]` each:
    ///
    /// ```toml
    /// [[sink]]
    /// to = "stderr"
    /// [[sink]]
    /// to = "webhook"
    /// least = "medium"                 # alerts below are not sent there
    /// url = "https://alerts.example.org/attest"
    /// secret_file = "/etc/attest/webhook.secret"   # one line, whsec_…
    /// [[sink]]
    /// to = "syslog"
    /// unix = "/dev/log"                # or udp = "host:514", or tcp = "host:601"
    /// [[sink]]
    /// to = "otlp"
    /// url = "http://127.0.0.1:4318/v1/logs"
    /// header_file = "/etc/attest/otlp.header"      # one line, `Name: value`
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, SinksError> {
        toml::from_str(text).map_err(|error| SinksError::Toml(error.to_string()))
    }
}

/// One sink.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "to", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum SinkConfig {
    /// One line through `tracing`.
    Stderr {
        /// Alerts below are not sent.
        #[serde(default)]
        least: Severity,
    },
    /// A POST signed as Standard Webhooks says.
    Webhook {
        /// Alerts below are not sent.
        #[serde(default)]
        least: Severity,
        /// Where to.
        url: String,
        /// A file of one line, `whsec_` and base64. Whoever reads it can forge alerts at the receiver.
        secret_file: PathBuf,
        /// A file of certificate authorities to believe instead of the system's.
        #[serde(default)]
        roots: Option<PathBuf>,
    },
    /// RFC 5424.
    Syslog {
        /// Alerts below are not sent.
        #[serde(default)]
        least: Severity,
        /// Where to.
        #[serde(flatten)]
        address: SyslogAddress,
    },
    /// OTLP logs over HTTP, in JSON.
    Otlp {
        /// Alerts below are not sent.
        #[serde(default)]
        least: Severity,
        /// Where to, with its path, which is `/v1/logs` for collectors.
        url: String,
        /// A file of one line, `Name: value`, that goes with each request.
        #[serde(default)]
        header_file: Option<PathBuf>,
        /// A file of certificate authorities to believe instead of the system's.
        #[serde(default)]
        roots: Option<PathBuf>,
    },
}

/// Where a syslog daemon listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogAddress {
    /// A Unix datagram socket, such as `/dev/log`.
    Unix(PathBuf),
    /// UDP (RFC 5426), `host:port`.
    Udp(String),
    /// TCP with octet counting (RFC 6587, section 3.4.1), `host:port`. In the clear: for this machine or a trusted network.
    Tcp(String),
}

/// The one line of a secret's file, which others must not be able to read.
pub(crate) fn secret(path: &Path) -> Result<String, SinksError> {
    let wrong = |source| SinksError::File { path: path.into(), source };
    let file = File::open(path).map_err(wrong)?;
    if file.metadata().map_err(wrong)?.mode() & 0o077 != 0 {
        return Err(SinksError::Wide { path: path.into() });
    }
    let mut text = String::new();
    file.take(MAX_SECRET).read_to_string(&mut text).map_err(wrong)?;
    Ok(text.trim().to_owned())
}
