//! Check 12: the operator's policies, and what they ask for before a call may run. `spec/policy.md`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use attest_core::digest::Digest;
use attest_core::nonce::{Nonce, Nonces};
use attest_core::refusal::{About, Reason, Refusal, StepUp};
use attest_core::request;
use attest_core::status::Level;
use attest_core::trust::Trust;
use attest_core::verifier::{Accepted, Single};
use attest_policy::risk::{self, Assessed, Risk};
use attest_policy::{Arguments, Asked, Decision, Delegation, Facts, Met, Need, Open, Policy};
use attest_trail::Session;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::approvals::{Approvals, ApprovalsError, Requests, RequestsError, Standing, Why};
use attest_log::Place;
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

/// The calls that wait for people; opened when the first one does.
pub(crate) struct Desk {
    log: Place,
    open: OnceLock<Approvals>,
}

/// For how long people may think about a call.
const LIFE: Duration = Duration::from_secs(900);

impl Desk {
    pub(crate) fn of(log: &Place) -> Self {
        Self { log: log.clone(), open: OnceLock::new() }
    }

    fn open(&self) -> Result<&Approvals, ApprovalsError> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let opened = Approvals::open(Requests::of(&self.log), LIFE)?;
        Ok(self.open.get_or_init(|| opened))
    }

    /// Whether people may have said something since they were asked about this request last.
    pub(crate) fn has_changed(&self, request: Digest) -> bool {
        self.open.get().is_none_or(|open| open.has_changed(request))
    }

    /// A request needs no answer any more.
    pub(crate) fn end(&self, request: Digest) {
        if let Some(open) = self.open.get() {
            apart(|| open.end(request));
        }
    }
}

/// Does what may wait for a database, so that other tasks of this thread do not.
fn apart<T>(act: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(act),
        _ => act(),
    }
}

/// A call that the policies let through.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What they were asked about, in canonical form and without arguments.
    pub facts: Option<Arc<str>>,
    /// Approvals that the call uses up.
    pub approvals: Vec<Single>,
    /// The request that people approved.
    pub request: Option<Digest>,
}

/// A call that waits for people, and for nothing else.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The request they are asked about.
    pub request: Digest,
    /// How many of whom are missing, in words.
    pub waits_for: String,
}

/// A call that the policies do not let through.
pub(crate) struct Refused {
    pub refusal: Refusal,
    /// What they were asked about.
    pub facts: Option<Arc<str>>,
    pub pending: Option<Pending>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, facts: None, pending: None }
    }
}

/// Everything that a call is judged by.
pub(crate) struct Case<'a> {
    pub policy: &'a Policy,
    pub trust: &'a Trust,
    pub desk: &'a Desk,
    pub challenges: &'a Challenges,
    pub audience: &'a str,
    /// Alerts that are open on the caller's context.
    pub alerts: BTreeSet<Open>,
    /// What saw the server list its tools, where there is a trail.
    pub trail: Option<&'a Session>,
}

/// What could come of a call, before its context's labels are known: they only raise it.
pub(crate) fn level(policy: &Policy, audience: &str, trail: Option<&Session>, call: &request::Call<'_, '_>) -> Level {
    as_level(assess(policy, (audience, trail), call, &BTreeSet::new()).risk)
}

fn assess(
    policy: &Policy,
    (server, trail): (&str, Option<&Session>),
    call: &request::Call<'_, '_>,
    labels: &BTreeSet<String>,
) -> Assessed {
    let asked = asked(call);
    let arguments = call.arguments_value();
    let listed = call.tool().and_then(|tool| trail?.listed(tool));
    let (can, hints) = listed.map(|listed| (listed.can, listed.hints)).unzip();
    let hints = hints.unwrap_or_default();
    Risk::of(&policy.risk, &risk::Call { server, asked: &asked, arguments, labels, can, hints })
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

/// What the policies came to.
pub(crate) struct Verdict {
    pub passed: Result<Passed, Refusal>,
    /// The level that the call counts as.
    pub level: Level,
    /// What they were asked about.
    pub facts: Option<Arc<str>>,
    /// Whether all that is missing is that people say yes.
    pub pending: Option<Pending>,
}

/// The verdict of the policies on a call that passed every check before: `policy-denied`, `policy-error` and `step-up-required` are its refusals.
pub(crate) fn judge(case: &Case<'_>, call: &request::Call<'_, '_>, accepted: &Accepted) -> Verdict {
    let mut facts = facts(case, call, accepted);
    let level = as_level(facts.risk);
    let mut passed = Passed::default();
    let mut decision = case.policy.policies.decide(&facts);
    let refused =
        |reason, about| Refusal { caller: Some(Box::new(accepted.caller.clone())), ..Refusal::about(reason, about) };
    let (mut denied, mut pending) = (None, None);
    // Persons are asked last: what the signer can do by itself is done by then.
    if let Decision::StepUp { needs, by } = &decision
        && let Some(groups) = needs.iter().map(of_persons).collect::<Option<Vec<_>>>()
    {
        match ask(case, call, accepted, (by, &groups), facts.risk) {
            Ok(standing) if standing.refused => {
                case.desk.end(standing.request);
                denied = Some(refused(Reason::PolicyDenied, About::Policies(by.clone())));
            }
            Ok(standing) => {
                facts.met.approvals = standing.persons;
                (passed.approvals, passed.request) = (standing.singles, Some(standing.request));
                decision = case.policy.policies.decide(&facts);
                pending = pending_of(standing.request, &facts, &decision);
            }
            Err(error) => {
                tracing::error!("nobody can be asked about call {}: {error}", accepted.caller.call);
                denied = Some(match error {
                    // As of the log itself, whose database it is: it passes.
                    ApprovalsError::Requests(RequestsError::Table(_)) => {
                        let caller = Some(Box::new(accepted.caller.clone()));
                        Refusal { caller, ..Reason::LogUnavailable.into() }
                    }
                    _ => refused(Reason::PolicyError, About::Policies(by.clone())),
                });
            }
        }
    }
    // Facts that have no form are an error of the policies, and then nothing is kept.
    let text: Option<Arc<str>> = facts.to_json().ok().and_then(|json| String::from_utf8(json).ok()).map(Arc::from);
    passed.facts.clone_from(&text);
    let verdict = match (denied, decision) {
        (Some(refusal), _) => Err(refusal),
        (None, Decision::Allow) => Ok(passed),
        (None, Decision::StepUp { needs, by }) => {
            let (key, audience) = (&accepted.caller.key, case.audience);
            let nonce = case.challenges.with(|nonces| nonces.issue(audience, key, now()));
            let own: BTreeSet<&str> = needs.iter().filter(|need| of_persons(need).is_none()).map(word).collect();
            let required = if own.is_empty() { needs.iter().map(word).collect() } else { own };
            let asked = StepUp { nonce, required: required.into_iter().collect(), by };
            Err(refused(Reason::StepUpRequired, About::StepUp(Box::new(asked))))
        }
        (None, decision) => {
            if let Decision::Error(fault) = &decision {
                tracing::error!("call {} cannot be decided: {fault}", accepted.caller.call);
            }
            Err(refused(decision.reason().unwrap_or(Reason::PolicyError), About::Policies(decision.by().to_vec())))
        }
    };
    Verdict { passed: verdict, level, facts: text, pending }
}

/// What is known of a call.
fn facts<'c>(case: &Case<'_>, call: &'c request::Call<'_, '_>, accepted: &Accepted) -> Facts<'c> {
    let Case { policy, challenges, audience, alerts, trail, .. } = case;
    let labels: BTreeSet<String> = accepted.flow.labels.iter().map(str::to_owned).collect();
    let Assessed { risk, classes } = assess(policy, (audience, *trail), call, &labels);
    let attestation = accepted.evidence.attestation();
    let chain = accepted.evidence.chain();
    let ends = chain.tokens().iter().map(|token| token.expires).min().unwrap_or_default();
    Facts {
        agent: attestation.agent.clone(),
        groups: policy.groups_of(&attestation.agent),
        server: (*audience).to_owned(),
        asked: asked(call),
        classes,
        components: attestation.measurements.clone(),
        delegation: Delegation {
            depth: chain.leaf().depth,
            holder: accepted.caller.key.to_string(),
            left: ends.saturating_sub(now()),
            root: chain.tokens().first().map(|root| root.issuer.clone()).unwrap_or_default(),
        },
        labels,
        risk,
        alerts: alerts.clone(),
        time: now(),
        met: Met {
            nonce: challenges.counts(accepted.proof.nonce.as_ref(), accepted, audience),
            reattest: challenges.counts(attestation.nonce.as_ref(), accepted, audience),
            ..Met::default()
        },
        arguments: call.arguments_value().map_or(Arguments::Absent, Arguments::Given),
    }
}

/// Asks people, or looks what they said.
fn ask(
    case: &Case<'_>,
    call: &request::Call<'_, '_>,
    accepted: &Accepted,
    (by, needs): (&[String], &[(u32, String)]),
    risk: Risk,
) -> Result<Standing, ApprovalsError> {
    let reasons: Vec<&str> = by.iter().filter_map(|id| case.policy.policies.reason(id)).collect();
    let why = Why { by, reason: &reasons.join("; "), needs, risk: risk.as_str(), labels: &accepted.flow.labels };
    apart(|| case.desk.open()?.ask(case.trust, accepted, call.arguments_value(), &why, now()))
}

/// How many persons of which group, where that is what is needed.
fn of_persons(need: &Need) -> Option<(u32, String)> {
    match need {
        Need::Approval { persons, group } => Some((*persons, group.clone())),
        _ => None,
    }
}

/// What it still waits for, where that is people alone.
fn pending_of(request: Digest, facts: &Facts<'_>, decision: &Decision) -> Option<Pending> {
    let Decision::StepUp { needs, .. } = decision else { return None };
    let missing = |need: &Need| {
        let (persons, group) = of_persons(need)?;
        let there = facts.met.approvals.get(&group).copied().unwrap_or_default();
        Some(format!("{} of {persons} of {group}", persons.saturating_sub(there)))
    };
    let missing = needs.iter().map(missing).collect::<Option<Vec<_>>>()?;
    Some(Pending { request, waits_for: format!("waiting for {}", missing.join(", ")) })
}

/// The word on the wire.
fn word(need: &Need) -> &'static str {
    match need {
        Need::Nonce => "nonce",
        Need::Reattest => "reattest",
        _ => "approval",
    }
}
