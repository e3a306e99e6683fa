//! What comes of a call: let it run, ask for more, or refuse it.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::refusal::Reason;

use crate::arguments::Unreadable;
use crate::facts::FactsError;

/// What a call needs before it may run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// A call proof over a nonce that this verifier gave out.
    Nonce,
    /// An attestation that was made for this call.
    Reattest,
    /// The word of persons.
    Approval {
        /// Of how many different ones.
        persons: u32,
        /// In which group.
        group: String,
    },
}

impl core::fmt::Display for Need {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nonce => f.write_str("nonce"),
            Self::Reattest => f.write_str("reattest"),
            Self::Approval { persons, group } => write!(f, "approval by {persons} of {group}"),
        }
    }
}

/// What of it there is. Only a verifier that checked it may say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// The call proof is over a fresh nonce.
    pub nonce: bool,
    /// The attestation was made for this call.
    pub reattest: bool,
    /// How many different persons of a group approved this very call.
    pub approvals: BTreeMap<String, u32>,
}

impl Met {
    /// Whether `need` is met.
    pub fn has(&self, need: &Need) -> bool {
        match need {
            Need::Nonce => self.nonce,
            Need::Reattest => self.reattest,
            Need::Approval { persons, group } => self.approvals.get(group).is_some_and(|there| there >= persons),
        }
    }
}

/// What comes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It may run.
    Allow,
    /// It may run once all of this is there.
    StepUp {
        /// What is not there yet.
        needs: BTreeSet<Need>,
        /// The policies that ask for it, in ascending order.
        by: Vec<String>,
    },
    /// It may not run.
    Deny {
        /// The policies that forbid it, in ascending order; none where no policy permits it.
        by: Vec<String>,
    },
    /// It cannot be decided, so it may not run.
    Error(Fault),
}

impl Decision {
    /// `allow`, `step-up`, `deny` or `error`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::StepUp { .. } => "step-up",
            Self::Deny { .. } => "deny",
            Self::Error(_) => "error",
        }
    }

    /// Why a verifier refuses; `None` for an [`Allow`](Self::Allow).
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow => None,
            Self::StepUp { .. } => Some(Reason::StepUpRequired),
            Self::Deny { .. } => Some(Reason::PolicyDenied),
            Self::Error(_) => Some(Reason::PolicyError),
        }
    }

    /// The policies that it rests on; none for an [`Allow`](Self::Allow) and where no policy permits the call.
    pub fn by(&self) -> &[String] {
        match self {
            Self::StepUp { by, .. } | Self::Deny { by } | Self::Error(Fault::Policies(by)) => by,
            Self::Allow | Self::Error(_) => &[],
        }
    }
}

/// Why a call cannot be decided. Holds no argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The facts are not what facts are.
    #[error("{0}")]
    Facts(#[from] FactsError),
    /// A policy reads an argument that cannot be given to it as what it is.
    #[error("the policies read the argument {pointer:?}, and {why}")]
    Argument {
        /// Where it stands: the pointer in the policy.
        pointer: String,
        /// What is the matter with it.
        why: Unreadable,
    },
    /// A policy reads arguments, and these facts are from a log, which keeps none.
    #[error("the policies read arguments, and none were kept with these facts")]
    ArgumentsNotKept,
    /// These policies came to an error.
    #[error("evaluation failed: {}", .0.join(", "))]
    Policies(Vec<String>),
    /// The call could not be put to the policies.
    #[error("the call could not be put to the policies")]
    Request,
}
