//! Entries of the log: `spec/entry.md`. Canonical JSON of digests and names; never an argument, a result or a secret.
//!
//! [`Entry`] is what a log's owner writes, [`Written`] what anybody reads.

mod quick;
mod read;

use serde::Serialize;

use crate::alert::{Action, Alert, Severity};
use crate::b64;
use crate::call_proof::CallProof;
use crate::canon::jcs;
use crate::digest::{Digest, Jti};
use crate::limits::MAX_NAME;
use crate::note::Vkey;
use crate::receipt;
use crate::refusal::{About, Reason, Refusal, Token};
use crate::seen::Event;
use crate::verifier::Accepted;

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

impl Entry {
    /// A call is let through.
    pub fn allow(accepted: &Accepted, audience: &str, policy: &Digest, time: u64) -> Self {
        let Accepted { evidence, proof, caller, flow, .. } = accepted;
        Self::Decision(Box::new(Decision {
            agent: caller.agent.clone(),
            attestation: Some(evidence.attestation().token().to_b64()),
            audience: audience.to_owned(),
            call: caller.call.to_b64(),
            cause: proof.cause.map(Digest::to_b64),
            context: Some(b64::encode(proof.context.0)),
            decision: "allow",
            delegation: evidence.chain().tokens().iter().map(|t| t.token().to_b64()).collect(),
            declassified: flow.declassified.iter().map(|single| single.token.to_b64()).collect(),
            key: caller.key.to_string(),
            labels: flow.labels.iter().map(str::to_owned).collect(),
            method: proof.other_method().map(str::to_owned),
            params: Some(proof.params.to_b64()),
            policy: policy.to_b64(),
            receipts: proof.parents.iter().map(|receipt| receipt.to_b64()).collect(),
            time,
            tool: proof.tool.clone(),
            ..Decision::default()
        }))
    }

    /// The same, with the facts that policies were asked about.
    #[must_use]
    pub fn over_facts(mut self, facts: Option<Digest>) -> Self {
        if let Self::Decision(decision) = &mut self {
            decision.facts = facts.map(Digest::to_b64);
        }
        self
    }

    /// The same decision, of a call that persons approved: the hashes of their approvals.
    #[must_use]
    pub fn approved(mut self, approvals: impl IntoIterator<Item = Digest>) -> Self {
        if let Self::Decision(decision) = &mut self {
            decision.approved = approvals.into_iter().map(Digest::to_b64).collect();
        }
        self
    }

    /// What serves one call is used for this one.
    pub fn used(token: Digest, call: Digest, audience: &str, time: u64) -> Self {
        Self::Used { audience: audience.to_owned(), call: call.to_b64(), token: token.to_b64(), time }
    }

    /// A call is refused; `None` where its caller was not authenticated, which is only counted.
    pub fn deny(refusal: &Refusal, audience: &str, policy: &Digest, time: u64) -> Option<Self> {
        let caller = refusal.caller.as_ref()?;
        Some(Self::Decision(Box::new(Decision {
            about: refusal.about.as_ref().map(about).filter(|about| !about.is_empty()),
            agent: caller.agent.clone(),
            audience: audience.to_owned(),
            call: caller.call.to_b64(),
            decision: "deny",
            key: caller.key.to_string(),
            // What was signed, not what stood in the request: the log says nothing in the agent's name that it did not sign.
            method: caller.tool.is_none().then(|| caller.method.clone()),
            policy: policy.to_b64(),
            reason: Some(refusal.reason.code()),
            time,
            tool: caller.tool.clone(),
            ..Decision::default()
        })))
    }

    /// In the caller's log: a call was signed, with this chain (hashes, root first). `call` is the hash of its proof.
    pub fn call(proof: &CallProof, call: Digest, delegation: impl IntoIterator<Item = Digest>, time: u64) -> Self {
        Self::Call {
            attestation: proof.attestation.to_b64(),
            audience: proof.audience.clone(),
            call: call.to_b64(),
            context: b64::encode(proof.context.0),
            delegation: delegation.into_iter().map(Digest::to_b64).collect(),
            method: proof.other_method().map(str::to_owned),
            notification: false,
            params: proof.params.to_b64(),
            time,
            tool: proof.tool.clone(),
        }
    }

    /// Messages refused unread.
    pub fn refused(reason: Reason, count: u64, since: u64, audience: &str, time: u64) -> Self {
        Self::Refused { audience: audience.to_owned(), count, reason: reason.code(), since, time }
    }

    /// How a call ended.
    pub fn outcome(call: Digest, status: Status, result: Option<Digest>, audience: Option<&str>, time: u64) -> Self {
        Self::Outcome {
            audience: audience.map(str::to_owned),
            call: call.to_b64(),
            result: result.map(Digest::to_b64),
            status: status.as_str(),
            time,
        }
    }

    /// The log's key changes from `previous` to `key`.
    pub fn key(previous: &Vkey, key: &Vkey, time: u64) -> Self {
        Self::Key { key: key.to_string(), previous: previous.to_string(), time }
    }

    /// A session of a host whose servers are only watched.
    pub fn trail(session: Jti, version: &str, time: u64) -> Self {
        Self::Trail { session: b64::encode(session.0), time, version: version.to_owned() }
    }

    /// Something was seen.
    pub fn seen(event: Event, time: u64) -> Self {
        Self::Seen { event: Box::new(event), time }
    }

    /// A rule found something.
    pub fn alert(alert: &Alert, time: u64) -> Self {
        let Alert { action, call, entries, reason, rule, server, session, severity, tool } = alert;
        Self::Alert {
            action: *action,
            call: call.map(Digest::to_b64),
            entries: entries.clone(),
            reason: reason.clone(),
            rule: rule.clone(),
            server: server.clone(),
            session: b64::encode(session.0),
            severity: *severity,
            time,
            tool: tool.clone(),
        }
    }

    /// The same, of a call that nobody answers: no outcome will follow. Of the entries of other types it says nothing.
    #[must_use]
    pub fn of_notification(mut self, is_one: bool) -> Self {
        match &mut self {
            Self::Decision(decision) => decision.notification = is_one,
            Self::Call { notification, .. } => *notification = is_one,
            _ => {}
        }
        self
    }

    /// In the caller's log: what became of the receipt that had to come with an answer.
    pub fn receipt(call: Digest, audience: &str, verdict: &receipt::Verdict, time: u64) -> Self {
        let (proved, bad) = (verdict.as_ref().ok(), verdict.as_ref().err());
        Self::Receipt {
            about: bad.map(|bad| bad.defect.word()),
            audience: audience.to_owned(),
            call: call.to_b64(),
            check: bad.map_or("ok", |bad| bad.defect.reason().code()),
            index: proved.map(|proved| proved.index),
            log: proved.map(|proved| proved.log.clone()),
            receipt: receipt::kept(verdict).map(|text| Digest::of(text).to_b64()),
            size: proved.map(|proved| proved.size),
            time,
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        jcs(self)
    }
}

fn about(about: &About) -> String {
    match about {
        About::Component(component) => component.to_string(),
        About::Token(Token::Attestation) => "attestation".to_owned(),
        About::Token(Token::Delegation(n)) => format!("delegation {n}"),
        About::Token(Token::CallProof) => "call proof".to_owned(),
        About::Token(Token::Receipt(n)) => format!("receipt {n}"),
        About::Token(Token::Cause) => "cause".to_owned(),
        About::Token(Token::Facts) => "facts".to_owned(),
        About::Token(Token::Declassification(n)) => format!("declassification {n}"),
        About::Token(Token::Approval(n)) => format!("approval {n}"),
        About::Policies(ids) => named(ids.iter().map(String::as_str)),
        About::StepUp(asked) => named(asked.by.iter().map(String::as_str)),
        About::Labels(labels) => named(labels.iter()),
        About::Json(error) => error.to_string(),
        About::Undeclared => "extension".to_owned(),
    }
}

/// As many of these as a name has room for, with a blank between two.
fn named<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.fold(String::new(), |mut named, one| {
        if named.len() + 1 + one.len() <= MAX_NAME {
            named.push_str(if named.is_empty() { "" } else { " " });
            named.push_str(one);
        }
        named
    })
}
