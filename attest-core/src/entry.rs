//! Entries of the log: `spec/entry.md`. Canonical JSON of digests and names; never an argument, a result or a secret.
//!
//! [`Entry`] is what a log's owner writes, [`Written`] what anybody reads.

mod quick;
mod read;
mod write;

use serde::Serialize;

use crate::alert::{Action, Severity};
use crate::seen::Event;

pub use read::{Called, Checked, EntryError, Lineage, Verdict, Written};

/// Longest entry in bytes: what fits one entry of a C2SP entry bundle (tlog-tiles).
pub const MAX_ENTRY: usize = 65_535;

/// How a call that was let through ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A result.
    Result,
    /// A result that says `isError`.
    ToolError,
    /// A JSON-RPC error.
    Error,
    /// A task that was cancelled before it had a result.
    Cancelled,
    /// The server or the verifier went away before there was an answer.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Result, Self::ToolError, Self::Error, Self::Cancelled, Self::Unknown];

    /// The status of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The word in the entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::ToolError => "tool-error",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// One entry. Times are in milliseconds since 1970, by the clock of whoever writes the log.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Entry {
    /// The verifier starts, with this configuration.
    Start {
        /// The verifier's audience.
        audience: String,
        /// Digest of the configuration's exact bytes.
        policy: String,
        /// Whether others may be writing this log too: then it ends no call of theirs.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        shared: bool,
        /// When.
        time: u64,
        /// Version of the software.
        version: String,
    },
    /// The verifier goes on with another configuration.
    Config {
        /// The verifier's audience.
        audience: String,
        /// Digest of the configuration.
        policy: String,
        /// When.
        time: u64,
    },
    /// A call is let through, or refused after the caller was authenticated.
    Decision(Box<Decision>),
    /// A call that was let through ended.
    Outcome {
        /// The server's audience; absent where a signer closes a call that was open when it was ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// Hash of the call proof.
        call: String,
        /// Salted digest (with the call's salt) of the canonical result without `_meta`, or of the error object; absent
        /// where there is none, or where it has no canonical form.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// `result`, `tool-error`, `error`, `cancelled` or `unknown`.
        status: &'static str,
        /// When.
        time: u64,
    },
    /// Messages refused before anybody was authenticated, counted: strangers must not buy our disk.
    Refused {
        /// The verifier's audience.
        audience: String,
        /// How many since the last such entry.
        count: u64,
        /// Their reason.
        reason: &'static str,
        /// When the first of them came.
        since: u64,
        /// When this was written.
        time: u64,
    },
    /// In the caller's log: a call was signed.
    Call {
        /// Hash of the attestation.
        attestation: String,
        /// The server it is made out to.
        audience: String,
        /// Hash of the call proof.
        call: String,
        /// The caller's context.
        context: String,
        /// Hashes of the chain, root first.
        delegation: Vec<String>,
        /// The method; absent for `tools/call`.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// There, and true, where no answer and so no outcome will follow.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        notification: bool,
        /// Salted digest of the parameters.
        params: String,
        /// When.
        time: u64,
        /// The tool; there exactly when the method is `tools/call`.
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    /// In the caller's log: what became of the receipt that had to come with the answer to a call.
    Receipt {
        /// Where it is wrong, or that it is missing; absent where it holds.
        #[serde(skip_serializing_if = "Option::is_none")]
        about: Option<&'static str>,
        /// The server's audience.
        audience: String,
        /// Hash of the call proof.
        call: String,
        /// `ok`, or the reason that the answer was, or would have been, withheld for.
        check: &'static str,
        /// Index of the decision in the verifier's log.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
        /// Name of the verifier's log.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<String>,
        /// Hash of the text that is kept beside this entry: receipt and proof.
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<String>,
        /// Size of the tree in which the decision was shown to be.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// When.
        time: u64,
    },
    /// In the caller's log: a signer starts, and with it a new context.
    Context {
        /// The agent.
        agent: String,
        /// The context.
        context: String,
        /// When.
        time: u64,
        /// Version of the software.
        version: String,
    },
    /// In the log of a host whose servers are only watched: a session starts. `spec/seen.md`.
    Trail {
        /// The session.
        session: String,
        /// When.
        time: u64,
        /// Version of the software.
        version: String,
    },
    /// Something passed between host and server. `spec/seen.md`.
    Seen {
        /// What.
        event: Box<Event>,
        /// When.
        time: u64,
    },
    /// A rule found something in what was seen. `spec/alert.md`.
    Alert {
        /// What is to be done.
        action: Action,
        /// The call it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<String>,
        /// The entries it rests on.
        entries: Vec<u64>,
        /// One line.
        reason: String,
        /// The rule.
        rule: String,
        /// The server.
        server: String,
        /// The session.
        session: String,
        /// How bad it is.
        severity: Severity,
        /// When.
        time: u64,
        /// The tool it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    /// The log's key changes: the present one signs this entry's checkpoint, and none after it.
    Key {
        /// The next key, a vkey.
        key: String,
        /// The present one.
        previous: String,
        /// When.
        time: u64,
    },
    /// A person accepted a state of an agent, as the configuration says: who, and why.
    Accepted {
        /// The agent.
        agent: String,
        /// The verifier's audience.
        audience: String,
        /// Who accepted it.
        by: String,
        /// Of which component.
        component: &'static str,
        /// What was accepted.
        digest: String,
        /// Why.
        reason: String,
        /// When it was accepted.
        since: u64,
        /// When this was written.
        time: u64,
    },
    /// A person looked at an alert that was open, as the configuration says: who, and what came of it.
    Closed {
        /// Index of the alert.
        alert: u64,
        /// The verifier's audience.
        audience: String,
        /// Who closed it.
        by: String,
        /// Why.
        reason: String,
        /// When it was closed.
        since: u64,
        /// When this was written.
        time: u64,
    },
    /// What serves one call is used, before that call is let through.
    Used {
        /// The verifier's audience.
        audience: String,
        /// Hash of the call proof.
        call: String,
        /// Hash of the token, which stands beside the entry.
        token: String,
        /// When.
        time: u64,
    },
    /// The log was taken over by hand, although it may not be all that was published.
    Adopted {
        /// How many entries there were.
        size: u64,
        /// When. Calls signed before are refused from here on.
        time: u64,
    },
    /// The log's owner let go of what came with entries before `before` alone: call proofs, approvals, receipts.
    Forgotten {
        /// The first entry whose token is kept.
        before: u64,
        /// When.
        time: u64,
    },
}

/// The verdict on one call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Decision {
    /// Where the reason applies: a component, or a token of the proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The agent.
    pub agent: String,
    /// Hash of the attestation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<String>,
    /// Hashes of the approvals that the call used up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<String>,
    /// The verifier's audience.
    pub audience: String,
    /// Hash of the call proof.
    pub call: String,
    /// Hash of the decision on whose behalf the call is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The caller's context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// Hashes of the declassifications that the call used up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub declassified: Vec<String>,
    /// Hashes of the chain, root first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delegation: Vec<String>,
    /// Hash of the facts that policies were asked about, which the store has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// Thumbprint of the call key.
    pub key: String,
    /// The labels of everything that the caller's context had seen; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The method; absent for `tools/call`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// There, and true, where no answer and so no outcome will follow.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub notification: bool,
    /// Salted digest of the parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
    /// Digest of the configuration it was judged by.
    pub policy: String,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Hashes of the receipts that the call showed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<String>,
    /// When.
    pub time: u64,
    /// The tool; there exactly when the method is `tools/call`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}
