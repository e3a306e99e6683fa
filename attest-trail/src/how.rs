//! How a server is reached, and by whom.

use attest_core::canon::jcs;
use attest_core::digest::{Digest, Salt};
use attest_core::seen::{Server, What};
use serde::{Deserialize, Serialize};

use crate::observer::{Draft, Kept};

/// What starts or reaches a server. Kept beside the log once secrets are taken out; the log has a commitment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct How {
    /// The command and its arguments; empty for a remote server.
    pub command: Vec<String>,
    /// The URL of a remote server.
    pub url: Option<String>,
    /// User id of the process that reaches it.
    pub user: u32,
    /// Its process id.
    pub process: u32,
}

impl How {
    /// A server that this process starts with these words.
    pub fn command<S: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        let command = words.into_iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
        Self { command, ..Self::by_us() }
    }

    /// A server at this URL.
    pub fn url(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::by_us() }
    }

    fn by_us() -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self { command: Vec::new(), url: None, user, process: std::process::id() }
    }

    pub(crate) fn host(&self) -> Option<String> {
        self.url.as_deref().and_then(|url| url.parse::<http::Uri>().ok()?.host().map(str::to_owned))
    }

    pub(crate) fn draft(&self, salt: Salt) -> Draft {
        let text = jcs(self);
        let commitment = Digest::salted(&salt, &text);
        let server = Server { how: Some(commitment), host: self.host(), ..Server::default() };
        Draft { what: What::Server(server), kept: Some(Kept { commitment, salt, text }) }
    }
}
