//! Why an `agent.toml` is refused.

use std::path::PathBuf;

use attest_core::checkpoint::LogKeysError;
use attest_core::measurement::Component;
use attest_keys::KeyError;
use attest_policy::table::TableError;

use super::SubgrantError;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; `attest init` writes an agent.toml to start from", path = path.display())]
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
    /// A key source that cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KeyError>,
    },
    /// A status list without a name, or a place that no number in JSON names.
    #[error("{path}: [status]: uri is a text of 1 to 256 bytes in one line, and idx a whole number below 2^53", path = path.display())]
    Status {
        /// The file.
        path: PathBuf,
    },
    /// Policies.
    #[error("{path}: [policy]: {source}", path = path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TableError,
    },
    /// A hold, where nobody is asked.
    #[error("{path}: [policy] hold is for guard.toml: a signer has no people to wait for", path = path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// Nothing to measure: an attestation of nothing proves nothing.
    #[error("{path}: [measure] names nothing that is there from the start; name at least one of weights, model, system_prompt, config, harness, signer that turns does not name", path = path.display())]
    NothingMeasured {
        /// The file.
        path: PathBuf,
    },
    /// Tools are seen by the trail alone.
    #[error("{path}: [measure] tools needs a [trail]: it is what sees the tools pass", path = path.display())]
    ToolsUnseen {
        /// The file.
        path: PathBuf,
    },
    /// Tensors without files to find them in.
    #[error("{path}: [measure] tensors = true measures what is in the files of weights, and there are none; name weights, or leave tensors out", path = path.display())]
    TensorsOfNothing {
        /// The file.
        path: PathBuf,
    },
    /// Something to be disclosed that is not measured.
    #[error("{path}: [measure] disclose names {component}, which is not measured, or is named twice; a server is shown only what a digest is over", path = path.display())]
    Undisclosed {
        /// The file.
        path: PathBuf,
        /// What.
        component: Component,
    },
    /// A TPM, for a program that knows none.
    #[error("{path}: [platform] needs an attest that was built with --features tpm; this one was not", path = path.display())]
    BuiltWithoutTpm {
        /// The file.
        path: PathBuf,
    },
    /// The keys of a server's log.
    #[error("{path}: [[server]] {audience:?}: log_keys: {source}; `attest log key` prints them where the log is", path = path.display())]
    LogKeys {
        /// The file.
        path: PathBuf,
        /// The server.
        audience: String,
        /// Why not.
        source: LogKeysError,
    },
    /// Not labels.
    #[error("{path}: [[server]] {audience:?}: labels: a label is 1 to 64 characters of a-z, 0-9, `.`, `_`, `:`, `/` and `-`, or \"*\" for every label", path = path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// The server.
        audience: String,
    },
    /// What goes down with the calls to a server.
    #[error("{path}: [[server]] {audience:?}: {source}", path = path.display())]
    Subgrant {
        /// The file.
        path: PathBuf,
        /// The server.
        audience: String,
        /// Why not.
        source: SubgrantError,
    },
    /// A server that is none, or there twice.
    #[error("{path}: [[server]] {audience:?} is no audience, or is there twice", path = path.display())]
    Server {
        /// The file.
        path: PathBuf,
        /// The server.
        audience: String,
    },
    /// A number out of range.
    #[error("{path}: {field} must be from 1 to {longest}", path = path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// Which field.
        field: &'static str,
        /// Its largest value.
        longest: u64,
    },
}
