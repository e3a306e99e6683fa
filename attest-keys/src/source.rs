//! Where a key is, and one interface wherever it is.

use core::fmt;
use std::path::PathBuf;

use attest_core::jwk::PublicKey;
use attest_core::sign::Sign;

#[cfg(feature = "ssh-agent")]
use crate::agent::AgentKey;
use crate::error::{AgentError, KeyError};
use crate::secret::SecretKey;

/// What a key in an ssh-agent is written as.
const AGENT_PREFIX: &str = "ssh-agent:";

/// Where a private key is, as it stands in a configuration or on a command line.
///
/// `ssh-agent:SHA256:<fingerprint>` or `ssh-agent:<comment>` names a key in the agent at `SSH_AUTH_SOCK`; anything else is
/// a path. (A file whose name begins with `ssh-agent:` is written as `./ssh-agent:…`.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// A key file.
    File(PathBuf),
    /// A key in the ssh-agent: its fingerprint (`SHA256:…`) or its exact comment. Never empty.
    Agent(String),
}

impl KeySource {
    /// Reads the form above.
    ///
    /// # Errors
    /// [`AgentError::NoSelector`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match text.strip_prefix(AGENT_PREFIX) {
            None => Ok(Self::File(text.into())),
            Some("") => Err(AgentError::NoSelector.into()),
            Some(selector) => Ok(Self::Agent(selector.to_owned())),
        }
    }

    /// [`KeySource::parse`] for a configuration file in `folder`: a path is relative to it.
    ///
    /// # Errors
    /// [`AgentError::NoSelector`].
    pub fn within(text: &str, folder: &std::path::Path) -> Result<Self, KeyError> {
        Self::parse(text).map(|source| match source {
            Self::File(file) => Self::File(folder.join(file)),
            agent => agent,
        })
    }

    /// Gets the key: reads the file, or finds the key in the agent.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(&self) -> Result<Key, KeyError> {
        match self {
            Self::File(path) => SecretKey::read(path).map(Key::from),
            #[cfg(feature = "ssh-agent")]
            Self::Agent(selector) => Ok(AgentKey::from_environment(selector)?.into()),
            #[cfg(not(feature = "ssh-agent"))]
            Self::Agent(_) => Err(AgentError::NotBuilt.into()),
        }
    }
}

impl std::str::FromStr for KeySource {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Agent(selector) => write!(f, "{AGENT_PREFIX}{selector}"),
        }
    }
}

/// A key that can sign, wherever it is held.
#[derive(Debug)]
pub struct Key(Held);

#[derive(Debug)]
enum Held {
    Memory(SecretKey),
    #[cfg(feature = "ssh-agent")]
    Agent(AgentKey),
}

impl From<SecretKey> for Key {
    fn from(key: SecretKey) -> Self {
        Self(Held::Memory(key))
    }
}

#[cfg(feature = "ssh-agent")]
impl From<AgentKey> for Key {
    fn from(key: AgentKey) -> Self {
        Self(Held::Agent(key))
    }
}

impl Sign for Key {
    type Error = KeyError;

    fn public(&self) -> &PublicKey {
        match &self.0 {
            Held::Memory(key) => key.public(),
            #[cfg(feature = "ssh-agent")]
            Held::Agent(key) => key.public(),
        }
    }

    /// With a key in an agent this waits for the agent, and so perhaps for a person, up to a minute.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        match &self.0 {
            Held::Memory(key) => {
                let Ok(signature) = key.sign(message);
                Ok(signature)
            }
            #[cfg(feature = "ssh-agent")]
            Held::Agent(key) => Ok(key.sign(message)?),
        }
    }

    /// For an agent or a person; then an asynchronous caller must make room for others.
    fn may_wait(&self) -> bool {
        match &self.0 {
            Held::Memory(_) => false,
            #[cfg(feature = "ssh-agent")]
            Held::Agent(_) => true,
        }
    }
}
