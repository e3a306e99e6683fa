use super::MAX_SKEW;
use crate::digest::Digest;
use crate::jwk::Thumbprint;

/// Why a set of keys is no trust configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// One key stands in two roles or twice in one.
    #[error("the key {0} stands in the configuration twice: a key has one role and one entry")]
    KeyTwice(Thumbprint),
    /// A person of whom nobody could say what he approved.
    #[error("the approver {0:?} needs a name, groups with names, and at least one key")]
    Approver(String),
    /// One person in two entries.
    #[error("the approver {0:?} stands in the configuration twice: a person has one entry, with all keys in it")]
    ApproverTwice(String),
    /// Reference values for an agent that no attester may speak for.
    #[error("no attester lists the agent {0:?} that has reference values")]
    NoAttester(String),
    /// Clocks that differ by more than this are broken.
    #[error("clocks may differ by at most {MAX_SKEW} seconds: set the clock right instead")]
    Skew,
    /// One platform's key in two entries.
    #[error("the platform's key {0} stands in the configuration twice: a key has one role and one entry")]
    PlatformTwice(Digest),
    /// A platform for an agent of which no hardware is required, so that nobody would look at it.
    #[error(
        "a platform lists the agent {0:?}, and nothing asks for it; write hardware = true among the agent's references, or take the agent out"
    )]
    HardwareNotRequired(String),
    /// Two keys for one status list.
    #[error("the status list {0:?} stands in the configuration twice")]
    StatusTwice(String),
    /// A list that no token could name.
    #[error("the status list {0:?} has no name of 1 to 256 bytes without control characters")]
    StatusName(String),
    /// Hardware that no platform can show.
    #[error("hardware is required of the agent {0:?}, and no platform lists it; add the key of its machine's TPM")]
    NoPlatform(String),
    /// Hardware of an agent that has no reference values: it is not let in anyhow, and somebody forgot a line.
    #[error("hardware is required of the agent {0:?}, and it has no reference values")]
    HardwareOfNobody(String),
    /// Two logs of one name.
    #[error("the log {0:?} stands in the configuration twice; write all its keys in one entry")]
    LogTwice(String),
    /// An agent that keeps its lineage and has no reference values: it is not let in anyhow, and somebody forgot a line.
    #[error("the agent {0:?} is said to keep its lineage, and has no reference values")]
    LineageOfNobody(String),
    /// An audience that cannot stand before the `#` of a tool's name.
    #[error("the audience {0:?} is not a name of 1 to 256 bytes without `#` and control characters")]
    Audience(String),
}
