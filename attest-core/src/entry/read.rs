//! The strict reading of an entry: a total function from bytes to what they say, or to what is wrong with them.

mod members;

use std::borrow::Cow;

use super::{MAX_ENTRY, Status, quick};
use crate::alert::Alert;
use crate::digest::{Digest, Jti};
use crate::json::{self, JsonError};
use crate::labels::Labels;
use crate::measurement::Component;
use crate::note::Vkey;
use crate::receipt::Defect;
use crate::refusal::Reason;
use crate::seen::Event;

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`].
    #[error("it is longer than {MAX_ENTRY} bytes")]
    TooLong,
    /// Not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(JsonError),
    /// Not an object.
    #[error("it is no object")]
    NotAnObject,
    /// Not in canonical form.
    #[error("it is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A member that every entry of its type has.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member that is not what it should be.
    #[error("`{0}` is not what it should be")]
    Invalid(&'static str),
    /// A member that entries of this type, or decisions with this verdict, do not have.
    #[error("entries of this type have no member `{}`", .0.escape_debug())]
    Unknown(Box<str>),
}

impl EntryError {
    /// The member, where one is at fault.
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::Missing(member) | Self::Invalid(member) => Some(member),
            Self::Unknown(member) => Some(member),
            _ => None,
        }
    }
}

/// What was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    /// A tool, by `tools/call`.
    Tool(Cow<'a, str>),
    /// Another method.
    Method(Cow<'a, str>),
}

/// What a decision says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It was let through.
    Allow {
        /// Hash of the attestation.
        attestation: Digest,
        /// The caller's context.
        context: Jti,
        /// Hashes of the chain, root first; at least one.
        delegation: Vec<Digest>,
        /// What its caller had seen.
        lineage: Box<Lineage>,
        /// Whether no outcome will follow.
        notification: bool,
        /// Salted digest of the parameters.
        params: Digest,
    },
    /// It was refused.
    Deny {
        /// Where the reason applies.
        about: Option<Cow<'a, str>>,
        /// Why.
        reason: Reason,
    },
}

/// What the caller of a call that was let through had seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// Hashes of the approvals that it used up.
    pub approved: Vec<Digest>,
    /// Hash of the decision on whose behalf it was made.
    pub cause: Option<Digest>,
    /// Hashes of the declassifications that it used up.
    pub declassified: Vec<Digest>,
    /// The labels of all of it.
    pub labels: Labels,
    /// Hashes of the receipts that it showed.
    pub receipts: Vec<Digest>,
}

/// What a caller found in a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked<'a> {
    /// It holds.
    Good {
        /// Index of the decision in the verifier's log.
        index: u64,
        /// Name of the verifier's log.
        log: Cow<'a, str>,
        /// Size of the tree that the decision was shown to be in.
        size: u64,
    },
    /// It does not, or there is none.
    Bad {
        /// Why.
        defect: Defect,
    },
}

/// An entry as somebody wrote it. The members are those of [`super::Entry`], each of its form; what they say was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written<'a> {
    /// A verifier starts.
    Start {
        /// Its audience.
        audience: Cow<'a, str>,
        /// Digest of its configuration.
        policy: Digest,
        /// Whether others may be writing this log too.
        shared: bool,
        /// When, in milliseconds since 1970; so too below.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// A verifier goes on with another configuration.
    Config {
        /// Its audience.
        audience: Cow<'a, str>,
        /// Digest of the configuration.
        policy: Digest,
        /// When.
        time: u64,
    },
    /// A call is let through or refused.
    Decision {
        /// Hash of the facts that policies were asked about.
        facts: Option<Digest>,
        /// The agent.
        agent: Cow<'a, str>,
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What was called.
        called: Called<'a>,
        /// Thumbprint of the call key.
        key: Digest,
        /// Digest of the configuration.
        policy: Digest,
        /// When.
        time: u64,
        /// Which of the two, and what it rests on.
        verdict: Verdict<'a>,
    },
    /// A call ended.
    Outcome {
        /// The server's audience, where it is known.
        audience: Option<Cow<'a, str>>,
        /// Hash of the call proof.
        call: Digest,
        /// Commitment to the result.
        result: Option<Digest>,
        /// How it ended.
        status: Status,
        /// When.
        time: u64,
    },
    /// Refusals that were counted.
    Refused {
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// How many; at least one.
        count: u64,
        /// Why.
        reason: Reason,
        /// When the first of them came.
        since: u64,
        /// When.
        time: u64,
    },
    /// A signer starts.
    Context {
        /// The agent.
        agent: Cow<'a, str>,
        /// Its new context.
        context: Jti,
        /// When.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// A call was signed.
    Call {
        /// Hash of the attestation.
        attestation: Digest,
        /// The server it is made out to.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What is called.
        called: Called<'a>,
        /// The caller's context.
        context: Jti,
        /// Hashes of the chain, root first; at least one.
        delegation: Vec<Digest>,
        /// Whether no outcome will follow.
        notification: bool,
        /// Salted digest of the parameters.
        params: Digest,
        /// When.
        time: u64,
    },
    /// What became of the receipt that had to come with the answer to a call.
    Receipt {
        /// The server's audience.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What it proved, or where it is wrong.
        checked: Checked<'a>,
        /// Hash of receipt and proof, which stand beside the entry; absent where the answer had none.
        kept: Option<Digest>,
        /// When.
        time: u64,
    },
    /// A session of a host whose servers are only watched.
    Trail {
        /// The session.
        session: Jti,
        /// When.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// Something passed between host and server.
    Seen {
        /// What.
        event: Box<Event>,
        /// When.
        time: u64,
    },
    /// A rule found something.
    Alert {
        /// What.
        alert: Box<Alert>,
        /// When.
        time: u64,
    },
    /// The log's key changes.
    Key {
        /// The next.
        key: Box<Vkey>,
        /// The one until here.
        previous: Box<Vkey>,
        /// When.
        time: u64,
    },
    /// A person accepted a state.
    Accepted {
        /// The agent.
        agent: Cow<'a, str>,
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Who.
        by: Cow<'a, str>,
        /// Of which component.
        component: Component,
        /// What.
        digest: Digest,
        /// Why.
        reason: Cow<'a, str>,
        /// When it was accepted.
        since: u64,
        /// When.
        time: u64,
    },
    /// A person looked at an alert that was open.
    Closed {
        /// Index of the alert.
        alert: u64,
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Who.
        by: Cow<'a, str>,
        /// Why.
        reason: Cow<'a, str>,
        /// When it was closed.
        since: u64,
        /// When.
        time: u64,
    },
    /// What serves one call was used, before that call was let through.
    Used {
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// Hash of the token that was used, which stands beside the entry.
        token: Digest,
        /// When.
        time: u64,
    },
    /// The log was taken over by hand.
    Adopted {
        /// How many entries there were.
        size: u64,
        /// When.
        time: u64,
    },
    /// The tokens that came with entries before `before` alone were let go.
    Forgotten {
        /// The first entry whose token is kept.
        before: u64,
        /// When.
        time: u64,
    },
}

impl<'a> Written<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError`], the first in the order of its variants.
    pub fn read(body: &'a [u8]) -> Result<Self, EntryError> {
        // What nearly every entry looks like, in one pass. It decides nothing where it does not accept.
        match quick::read(body) {
            Some(written) => Ok(written),
            None => Self::read_in_full(body),
        }
    }

    /// [`Written::read`] without the short cut.
    pub(super) fn read_in_full(body: &[u8]) -> Result<Self, EntryError> {
        if body.len() > MAX_ENTRY {
            return Err(EntryError::TooLong);
        }
        let value = json::parse(body).map_err(EntryError::Json)?;
        let object = value.as_object().ok_or(EntryError::NotAnObject)?;
        if value.to_canonical() != body {
            return Err(EntryError::NotCanonical);
        }
        members::read(object)
    }

    /// When it was written, in milliseconds since 1970.
    pub fn time(&self) -> u64 {
        match self {
            Self::Start { time, .. }
            | Self::Config { time, .. }
            | Self::Decision { time, .. }
            | Self::Outcome { time, .. }
            | Self::Refused { time, .. }
            | Self::Context { time, .. }
            | Self::Call { time, .. }
            | Self::Receipt { time, .. }
            | Self::Trail { time, .. }
            | Self::Seen { time, .. }
            | Self::Alert { time, .. }
            | Self::Key { time, .. }
            | Self::Accepted { time, .. }
            | Self::Closed { time, .. }
            | Self::Used { time, .. }
            | Self::Adopted { time, .. }
            | Self::Forgotten { time, .. } => *time,
        }
    }

    /// The hash of what stands beside it alone: the call proof, or receipt and proof.
    pub fn own_token(&self) -> Option<Digest> {
        match self {
            Self::Decision { call, verdict: Verdict::Allow { .. }, .. } | Self::Call { call, .. } => Some(*call),
            Self::Receipt { kept, .. } => *kept,
            Self::Used { token, .. } => Some(*token),
            _ => None,
        }
    }

    /// The hashes of the tokens that it shares with others.
    pub fn tokens(&self) -> impl Iterator<Item = Digest> + '_ {
        let (attestation, delegation) = match self {
            Self::Decision { verdict: Verdict::Allow { attestation, delegation, .. }, .. }
            | Self::Call { attestation, delegation, .. } => (Some(*attestation), delegation.as_slice()),
            _ => (None, &[][..]),
        };
        let lineage = match self {
            Self::Decision { verdict: Verdict::Allow { lineage, .. }, .. } => Some(lineage),
            _ => None,
        };
        let facts = match self {
            Self::Decision { facts, .. } => *facts,
            _ => None,
        };
        let seen = lineage.into_iter().flat_map(|lineage| lineage.receipts.iter().copied().chain(lineage.cause));
        attestation.into_iter().chain(delegation.iter().copied()).chain(seen).chain(facts)
    }
}
