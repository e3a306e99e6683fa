//! Check 12: the operator's policies, and what they ask for before a call may run. `spec/policy.md`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use attest_core::nonce::{Nonce, Nonces};
use attest_core::refusal::{About, Reason, Refusal, StepUp};
use attest_core::request;
use attest_core::status::Level;
use attest_core::verifier::Accepted;
use attest_policy::risk::{self, Assessed, Hints, Risk};
use attest_policy::{Arguments, Asked, Decision, Delegation, Facts, Met, Need, Open};

use crate::config::Policy;
use attest_log::clock::now;

/// Nonces that this process hands out.
pub(crate) struct Challenges(Mutex<(Nonces, u64)>);

/// Seconds after which nonces are made under another secret.
const ROTATED: u64 = 600;

impl Challenges {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self(Mutex::new((Nonces::new(secret()?), now()))))
    }

    fn with<T>(&self, act: impl FnOnce(&Nonces) -> T) -> T {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (nonces, since) = &mut *held;
        // Without new random bits the old secret goes on: what is handed out under it is no worse.
        if now().saturating_sub(*since) > ROTATED
            && let Ok(secret) = secret()
        {
            nonces.rotate(secret);
            *since = now();
        }
        act(nonces)
    }

    fn counts(&self, nonce: Option<&Nonce>, accepted: &Accepted, audience: &str) -> bool {
        nonce
            .is_some_and(|nonce| self.with(|nonces| nonces.check(nonce, audience, &accepted.caller.key, now())).is_ok())
    }
}

fn secret() -> Result<[u8; 32], getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(secret)
}

/// Everything that a call is judged by.
pub(crate) struct Case<'a> {
    pub policy: &'a Policy,
    pub challenges: &'a Challenges,
    pub audience: &'a str,
    /// Alerts that are open on the caller's context.
    pub alerts: BTreeSet<Open>,
}

/// What could come of a call, before its context's labels are known: they only raise it.
pub(crate) fn level(policy: &Policy, audience: &str, call: &request::Call<'_, '_>) -> Level {
    as_level(assess(policy, audience, call, &BTreeSet::new()).risk)
}

fn assess(policy: &Policy, audience: &str, call: &request::Call<'_, '_>, labels: &BTreeSet<String>) -> Assessed {
    let asked = asked(call);
    let arguments = call.arguments_value();
    let call = risk::Call { server: audience, asked: &asked, arguments, labels, can: None, hints: Hints::default() };
    Risk::of(&policy.risk, &call)
}

fn asked(call: &request::Call<'_, '_>) -> Asked {
    match call.tool() {
        Some(tool) => Asked::Tool(tool.to_owned()),
        None => Asked::Method(call.method().to_owned()),
    }
}

pub(crate) fn as_level(risk: Risk) -> Level {
    match risk {
        Risk::Low => Level::Low,
        Risk::Medium => Level::Medium,
        Risk::High => Level::High,
        Risk::Critical => Level::Critical,
    }
}

/// The verdict of the policies on a call that passed every check before, and the level that it counts as.
///
/// # Errors
/// `policy-denied`, `policy-error` and `step-up-required`, with what is asked for.
pub(crate) fn judge(
    case: Case<'_>,
    call: &request::Call<'_, '_>,
    accepted: &Accepted,
) -> (Result<(), Refusal>, Option<Level>, Option<String>) {
    let Case { policy, challenges, audience, alerts } = case;
    let labels: BTreeSet<String> = accepted.flow.labels.iter().map(str::to_owned).collect();
    let Assessed { risk, classes } = assess(policy, audience, call, &labels);
    let attestation = accepted.evidence.attestation();
    let chain = accepted.evidence.chain();
    let root = chain.tokens().first();
    let ends = chain.tokens().iter().map(|token| token.expires).min().unwrap_or_default();
    let met = Met {
        nonce: challenges.counts(accepted.proof.nonce.as_ref(), accepted, audience),
        reattest: challenges.counts(attestation.nonce.as_ref(), accepted, audience),
        ..Met::default()
    };
    let facts = Facts {
        agent: attestation.agent.clone(),
        groups: policy.groups_of(&attestation.agent),
        server: audience.to_owned(),
        asked: asked(call),
        classes,
        components: attestation.measurements.clone(),
        delegation: Delegation {
            depth: chain.leaf().depth,
            holder: accepted.caller.key.to_string(),
            left: ends.saturating_sub(now()),
            root: root.map(|root| root.issuer.clone()).unwrap_or_default(),
        },
        labels,
        risk,
        alerts,
        time: now(),
        met,
        arguments: call.arguments_value().map_or(Arguments::Absent, Arguments::Given),
    };
    let decision = policy.policies.decide(&facts);
    let level = Some(as_level(risk));
    let refused =
        |reason, about| Refusal { caller: Some(Box::new(accepted.caller.clone())), ..Refusal::about(reason, about) };
    // Facts that have no form are an error of the policies, and then nothing is kept.
    let text = facts.to_json().ok().and_then(|json| String::from_utf8(json).ok());
    let verdict = match decision {
        Decision::Allow => Ok(()),
        Decision::StepUp { needs, by } => {
            let nonce = challenges.with(|nonces| nonces.issue(audience, &accepted.caller.key, now()));
            let required: BTreeSet<&str> = needs.iter().map(word).collect();
            let required = required.into_iter().collect();
            Err(refused(Reason::StepUpRequired, About::StepUp(Box::new(StepUp { nonce, required, by }))))
        }
        Decision::Deny { by } => Err(refused(Reason::PolicyDenied, About::Policies(by))),
        Decision::Error(fault) => {
            tracing::error!("call {} cannot be decided: {fault}", accepted.caller.call);
            Err(refused(Reason::PolicyError, About::Policies(Vec::new())))
        }
        _ => Err(refused(Reason::PolicyError, About::Policies(Vec::new()))),
    };
    (verdict, level, text)
}

/// The word on the wire.
fn word(need: &Need) -> &'static str {
    match need {
        Need::Nonce => "nonce",
        Need::Reattest => "reattest",
        _ => "approval",
    }
}
