//! The log's own key: it signs checkpoints, and receipts above this crate.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::place::Place;
use attest_core::checkpoint::Checkpoint;
use attest_core::jwk::PublicKey;
use attest_core::note::{Kind, Vkey, VkeyError};
use attest_core::sign::Sign;
use attest_keys::{Form, KeyError, KeySource, SecretKey};

/// A log's name and the key that signs in it. Clones share the key.
#[derive(Clone)]
pub struct LogKey {
    name: Vkey,
    key: Arc<dyn Sign<Error = KeyFailed> + Send + Sync>,
}

/// The key could not sign, in the words of whoever holds it; a key in memory never fails.
#[derive(Debug, thiserror::Error)]
#[error("the log's key does not sign: {0}")]
pub struct KeyFailed(String);

/// Why a log has no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// The name.
    #[error("{origin:?} cannot name a log: {source}; set log_origin")]
    Origin {
        /// The name.
        origin: String,
        /// Why not.
        source: VkeyError,
    },
    /// A shared log has no key beside it.
    #[error("the log {log} is shared: name its key, which is the same for all that write it", log = log.display())]
    Unnamed {
        /// The log.
        log: PathBuf,
    },
    /// The key.
    #[error("the key of the log {log}: {source}", log = log.display())]
    Key {
        /// The log.
        log: PathBuf,
        /// Why not.
        source: KeyError,
    },
}

impl LogKey {
    /// The key at `source`, or at `<log>.key` where there is none named. For a log that does not exist yet a key file that
    /// does not exist either is made; a log that exists and whose key is missing has lost it. The key of a log that several
    /// verifiers share is always named, and never made here: all of them hold the same one.
    ///
    /// # Errors
    /// [`LogKeyError`].
    pub fn of_log(log: impl Into<Place>, source: Option<&KeySource>, origin: &str) -> Result<Self, LogKeyError> {
        let log = log.into();
        let refused = |source| LogKeyError::Key { log: log.name(), source };
        let beside = match &log {
            Place::File(path) => Some(KeySource::File(path.with_added_extension("key"))),
            Place::Shared(_) => None,
        };
        let Some(source) = source.or(beside.as_ref()) else { return Err(LogKeyError::Unnamed { log: log.name() }) };
        let key = match (source.load(), source) {
            (Err(KeyError::Missing { .. }), KeySource::File(file)) if is_new(&log) => {
                SecretKey::generate().and_then(|key| key.write(file, Form::Pem)).map_err(refused)?;
                source.load()
            }
            (loaded, _) => loaded,
        };
        let origin_of = |source| LogKeyError::Origin { origin: origin.to_owned(), source };
        Self::new(origin, key.map_err(refused)?).map_err(origin_of)
    }

    /// `origin` names the log. A log has one name for ever, and nobody else may use it.
    ///
    /// # Errors
    /// An origin that cannot name a key.
    pub fn new<K>(origin: &str, key: K) -> Result<Self, VkeyError>
    where
        K: Sign<Error: fmt::Display> + Send + Sync + 'static,
    {
        let name = Vkey::new(origin, Kind::Log, key.public().clone())?;
        Ok(Self { name, key: Arc::new(Named(key)) })
    }

    /// What others check its signatures with.
    pub fn vkey(&self) -> &Vkey {
        &self.name
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.name.name()
    }

    pub(crate) fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<String, KeyFailed> {
        checkpoint.sign(&self.name, self)
    }
}

impl Sign for LogKey {
    type Error = KeyFailed;

    fn public(&self) -> &PublicKey {
        self.key.public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyFailed> {
        self.key.sign(message)
    }

    fn may_wait(&self) -> bool {
        self.key.may_wait()
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.name)
    }
}

/// A key with its error in words, so that keys of any kind have one type.
struct Named<K>(K);

impl<K: Sign<Error: fmt::Display>> Sign for Named<K> {
    type Error = KeyFailed;

    fn public(&self) -> &PublicKey {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyFailed> {
        self.0.sign(message).map_err(|error| KeyFailed(error.to_string()))
    }

    fn may_wait(&self) -> bool {
        self.0.may_wait()
    }
}

/// Whether there is no log yet: no file, or one whose making was cut short before its first byte.
fn is_new(log: &Place) -> bool {
    let Place::File(log) = log else { return false };
    fs::metadata(log).map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |meta| meta.len() == 0)
}
