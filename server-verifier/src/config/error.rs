//! Why a `guard.toml` is refused.

use std::path::PathBuf;

use attest_core::jwk::KeyError;
use attest_core::measurement::Component;
use attest_core::trust::TrustError;
use attest_policy::table::TableError;

use super::{AcceptedError, FlowError, PlatformError, ReferenceError, SharingError, StatusesError, WitnessesError};
use crate::methods::MethodsError;

/// Why a configuration is refused. Nothing is started with a half-understood one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; `attest init` writes a guard.toml to start from", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML of the expected form.
    #[error("{path}: {source}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A key that is refused.
    #[error("{path}: the jwk of {entry}: {source}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: String,
        /// Why.
        source: KeyError,
    },
    /// A scope that is not `<audience>#<tool>`.
    #[error("{path}: {scope:?} is not <audience>#<tool> or <audience>#*", path = path.display())]
    Scope {
        /// The file.
        path: PathBuf,
        /// The text.
        scope: String,
    },
    /// Keys or names that contradict each other.
    #[error("{path}: {source}", path = path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What.
        source: TrustError,
    },
    /// What a reference points to: a publisher's word that does not hold, or a rule that is none.
    #[error("{path}: agents.{agent}.{component}: {source}", path = path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// The agent.
        agent: String,
        /// Of which component.
        component: Component,
        /// Why not.
        source: Box<ReferenceError>,
    },
    /// A table that says nothing that can be written down.
    #[error("{path}: [[{list}]] number {number}: {source}", path = path.display())]
    Accepted {
        /// The file.
        path: PathBuf,
        /// `accepted` or `closed`.
        list: &'static str,
        /// Which of them, from 1.
        number: usize,
        /// What.
        source: AcceptedError,
    },
    /// A machine's key.
    #[error("{path}: [[platform]]: {source}", path = path.display())]
    Platform {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PlatformError,
    },
    /// Labels, and whose word on them counts.
    #[error("{path}: {source}", path = path.display())]
    Flow {
        /// The file.
        path: PathBuf,
        /// What.
        source: FlowError,
    },
    /// Policies that are not in order.
    #[error("{path}: [policy]: {source}", path = path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What.
        source: TableError,
    },
    /// Settings of methods that make no sense.
    #[error("{path}: [methods]: {source}", path = path.display())]
    Methods {
        /// The file.
        path: PathBuf,
        /// What.
        source: MethodsError,
    },
    /// The log.
    #[error("{path}: {what}", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What.
        what: LogFault,
    },
    /// The log's key.
    #[error("{path}: log_key: {source}", path = path.display())]
    LogKey {
        /// The file.
        path: PathBuf,
        /// What.
        source: attest_keys::KeyError,
    },
    /// The witnesses.
    #[error("{path}: [witness]: {source}", path = path.display())]
    Witness {
        /// The file.
        path: PathBuf,
        /// What.
        source: WitnessesError,
    },
    /// The status lists.
    #[error("{path}: [status]: {source}", path = path.display())]
    Statuses {
        /// The file.
        path: PathBuf,
        /// What.
        source: Box<StatusesError>,
    },
    /// Documents that guards share.
    #[error("{path}: [shared]: {source}", path = path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// What.
        source: SharingError,
    },
    /// Only one half of what TLS needs.
    #[error("{path}: [http] names only one of tls_certificate and tls_key; name both, or neither", path = path.display())]
    HalfTls {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with where a log is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// A database without a folder.
    #[error("a log in a database needs a folder for what lies beside it, one for each guard; set side")]
    NoSide,
    /// A file with one.
    #[error("side is for a log in a database; what lies beside a log's file is beside it")]
    Side,
    /// A database without a key.
    #[error("a log in a database needs log_key: all guards that write it hold the same key")]
    NoKey,
    /// Stores, which no guard follows that another one writes to.
    #[error(
        "a guard does not see what others let into a store ([[flow.store]]), so a log in a database cannot be used with one; give this guard a log of its own"
    )]
    Stores,
}
