//! `[witness]` in `guard.toml`: who is to see that this log only grows, how often, and whether calls wait for that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::log_policy::{LogPolicy, PolicyError};
use serde::Deserialize;

/// Longest time that can be configured, in seconds: a day.
const LONGEST: u64 = 86_400;

/// The witnesses of a guard's log.
#[derive(Clone, Debug)]
pub struct Witnesses {
    /// Who they are, and how many are enough.
    pub policy: LogPolicy,
    /// Certificate authorities to believe about them, instead of the system's.
    pub roots: Option<PathBuf>,
    /// How often they are asked at most, while the log grows.
    pub every: Duration,
    /// How old the newest cosigned checkpoint may be.
    pub within: Duration,
    /// Whether calls are refused when it is older.
    pub required: bool,
}

/// Why `[witness]` is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessesError {
    /// The policy cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The policy.
    #[error("{path}: {source}", path = path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What.
        source: PolicyError,
    },
    /// No cosignature would ever be needed.
    #[error("{path} says `quorum none`, so no witness would be asked; leave [witness] out", path = path.display())]
    NoQuorum {
        /// The file.
        path: PathBuf,
    },
    /// Times that make no sense.
    #[error("every_seconds and within_seconds are 1 to {LONGEST}, and within_seconds is not the smaller one")]
    Times,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    policy: PathBuf,
    roots: Option<PathBuf>,
    #[serde(default = "ten")]
    every_seconds: u64,
    #[serde(default = "sixty")]
    within_seconds: u64,
    #[serde(default)]
    required: bool,
}

fn ten() -> u64 {
    10
}

fn sixty() -> u64 {
    60
}

impl Section {
    /// With paths relative to `folder`, and the policy read.
    pub(super) fn within(self, folder: &Path) -> Result<Witnesses, WitnessesError> {
        let times = 1..=LONGEST;
        if !times.contains(&self.every_seconds) || !(self.every_seconds..=LONGEST).contains(&self.within_seconds) {
            return Err(WitnessesError::Times);
        }
        let path = folder.join(self.policy);
        let text = std::fs::read(&path).map_err(|source| WitnessesError::Read { path: path.clone(), source })?;
        let policy = LogPolicy::parse(&text).map_err(|source| WitnessesError::Policy { path: path.clone(), source })?;
        if policy.is_none() {
            return Err(WitnessesError::NoQuorum { path });
        }
        Ok(Witnesses {
            policy,
            roots: self.roots.map(|roots| folder.join(roots)),
            every: Duration::from_secs(self.every_seconds),
            within: Duration::from_secs(self.within_seconds),
            required: self.required,
        })
    }
}
