//! Why a signer cannot start.

use std::path::PathBuf;

use attest_keys::KeyError;
use attest_log::{AppendError, LogKeyError};
use attest_measure::MeasureError;

use crate::config::ConfigError;
use crate::subgrant::SubgrantFailure;

/// Why a signer cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// One key is to be both.
    #[error(
        "two of key, attester_key and log_key are the same key; a key has one role: make another with `attest keygen`"
    )]
    OneKey,
    /// A server's log is said to be signed by a key of this agent.
    #[error("a key of this agent is pinned as that of the log of {audience:?}; a key has one role")]
    OwnLogKey {
        /// The server.
        audience: String,
    },
    /// What is to go down with the calls to a server cannot be made.
    #[error("{path}: [[server]] {audience:?}: the grant cannot be made: {source}", path = path.display())]
    Subgrant {
        /// The configuration.
        path: PathBuf,
        /// The server.
        audience: String,
        /// Why not.
        source: SubgrantFailure,
    },
    /// The state cannot be measured.
    #[error("cannot measure the agent: {0}")]
    Measure(#[from] MeasureError),
    /// The delegation cannot be read.
    #[error("{path}: {what}", path = path.display())]
    Delegation {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] attest_log::OpenError),
    /// The log has no key.
    #[error(transparent)]
    LogKey(#[from] LogKeyError),
    /// The log takes no entry.
    #[error("cannot write the caller's log: {0}")]
    Append(#[from] AppendError),
    /// The trail.
    #[error(transparent)]
    Trail(#[from] attest_trail::OpenError),
    /// The trail takes no entry.
    #[error(transparent)]
    Unwritten(#[from] attest_trail::Unwritten),
    /// The machine's TPM gives no quote.
    #[cfg(feature = "tpm")]
    #[error(transparent)]
    Tpm(#[from] crate::tpm::TpmError),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(#[from] getrandom::Error),
}
