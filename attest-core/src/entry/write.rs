//! Entries out of what they are about.

use super::{Decision, Entry, Status};
use crate::alert::Alert;
use crate::b64;
use crate::call_proof::CallProof;
use crate::canon::jcs;
use crate::digest::{Digest, Jti};
use crate::note::Vkey;
use crate::receipt;
use crate::refusal::{Reason, Refusal};
use crate::seen::Event;
use crate::verifier::Accepted;

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
            about: refusal.about.as_ref().map(ToString::to_string).filter(|about| !about.is_empty()),
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
