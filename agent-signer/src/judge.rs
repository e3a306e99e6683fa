//! The operator's policies on the caller's side, so that servers without a guard are covered too. `docs/policy.md`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::attestation::Attestation;
use attest_core::delegation::Delegation;
use attest_core::digest::Digest;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::measurement::Measurement;
use attest_core::refusal::{About, Reason, Refusal};
use attest_core::request::Call;
use attest_core::signing::Credentials;
use attest_log::Hash;
use attest_log::clock::now;
use attest_policy::risk::{self, Assessed, Risk};
use attest_policy::{Arguments, Asked, Decision, Facts, Met, Need, Open, Policy};
use attest_trail::{Account, Session};
use attest_watch::{Finding, rules};

/// Policies over the calls of one signer.
pub(crate) struct Judge {
    policy: Policy,
    agent: String,
    alerts: Arc<Alerts>,
    /// What the last credentials say.
    known: Mutex<Option<(Digest, Arc<Known>)>>,
}

/// The alerts of a signer's run, which is one context: nobody closes them before it ends.
#[derive(Default)]
pub(crate) struct Alerts(Mutex<BTreeSet<Open>>);

/// What credentials say.
struct Known {
    components: Vec<Measurement>,
    depth: u64,
    ends: u64,
    holder: String,
    root: String,
}

/// A call on its way.
pub(crate) struct Case<'c, 'm, 'v> {
    pub call: &'c Call<'m, 'v>,
    pub audience: &'c str,
    pub credentials: &'c Credentials,
    pub labels: &'c Labels,
    /// What saw the server list its tools.
    pub trail: Option<&'c Session>,
    /// Whether a guard is known to be in front of the server.
    pub guarded: bool,
}

/// What was done for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    First,
    /// The agent was measured for it.
    Measured,
}

/// What a call needs before it may leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Measuring,
}

impl Judge {
    pub fn new(policy: Policy, agent: &str) -> Self {
        Self { policy, agent: agent.to_owned(), alerts: Arc::default(), known: Mutex::default() }
    }

    /// Keeps the alerts of the trail.
    pub fn account(&self) -> Arc<dyn Account> {
        self.alerts.clone()
    }

    /// The verdict on a call. What is asked for besides is for the guard in front of the server to ask; where there is none the agent can be
    /// measured for the call, every proof is a new one, and nobody can approve.
    pub fn judge(&self, case: &Case<'_, '_, '_>, step: Step) -> Result<Asks, Refusal> {
        let fresh = Met { nonce: true, ..Met::default() };
        let decision = match step {
            Step::First => self.decide(case, fresh),
            Step::Measured => self.decide(case, Met { reattest: true, ..fresh }),
        };
        match &decision {
            Some(Decision::StepUp { .. }) if case.guarded => Ok(Asks::Nothing),
            Some(Decision::StepUp { needs, .. }) if needs.contains(&Need::Reattest) => Ok(Asks::Measuring),
            _ => self.settled(case, decision).map(|()| Asks::Nothing),
        }
    }

    fn settled(&self, case: &Case<'_, '_, '_>, decision: Option<Decision>) -> Result<(), Refusal> {
        let Case { call, audience, .. } = case;
        let called = call.tool().unwrap_or(call.method()).escape_debug();
        let reason = match &decision {
            Some(Decision::Allow) => return Ok(()),
            Some(Decision::StepUp { needs, by }) => {
                let needs = needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                tracing::warn!(
                    "{audience}#{called} is not signed: {} asks for {needs}, and without a guard in front of the server nobody can be asked",
                    by.join(", ")
                );
                // Not to be had, so there is no use in coming back with it.
                Reason::PolicyDenied
            }
            Some(decision) => {
                let why =
                    if let Decision::Error(fault) = decision { fault.to_string() } else { decision.by().join(", ") };
                let why = if why.is_empty() { "no policy permits it".to_owned() } else { why };
                tracing::warn!("{audience}#{called} is not signed ({}): {why}", decision.word());
                decision.reason().unwrap_or(Reason::PolicyError)
            }
            None => Reason::PolicyError,
        };
        let by = decision.iter().flat_map(|decision| decision.by().iter().cloned()).collect();
        Err(Refusal::about(reason, About::Policies(by)))
    }

    /// What the policies come to; without credentials that can be read, nothing.
    fn decide(&self, case: &Case<'_, '_, '_>, met: Met) -> Option<Decision> {
        let Case { call, audience, credentials, labels, trail, .. } = case;
        let known = self.known(credentials)?;
        let labels: BTreeSet<String> = labels.iter().map(str::to_owned).collect();
        let asked = match call.tool() {
            Some(tool) => Asked::Tool(tool.to_owned()),
            None => Asked::Method(call.method().to_owned()),
        };
        let arguments = call.arguments_value();
        let listed = call.tool().zip(*trail).and_then(|(tool, trail)| trail.listed(tool));
        let (can, hints) = listed.map(|listed| (listed.can, listed.hints)).unzip();
        let hints = hints.unwrap_or_default();
        let of = risk::Call { server: audience, asked: &asked, arguments, labels: &labels, can, hints };
        let Assessed { risk, classes } = Risk::of(&self.policy.risk, &of);
        let time = now();
        Some(self.policy.policies.decide(&Facts {
            agent: self.agent.clone(),
            groups: self.policy.groups_of(&self.agent),
            server: (*audience).to_owned(),
            asked,
            classes,
            components: known.components.clone(),
            delegation: attest_policy::Delegation {
                depth: known.depth,
                holder: known.holder.clone(),
                left: known.ends.saturating_sub(time),
                root: known.root.clone(),
            },
            labels,
            risk,
            alerts: locked(&self.alerts.0).clone(),
            time,
            met,
            arguments: arguments.map_or(Arguments::Absent, Arguments::Given),
        }))
    }

    fn known(&self, credentials: &Credentials) -> Option<Arc<Known>> {
        let mut held = locked(&self.known);
        if let Some((_, known)) = held.as_ref().filter(|(name, _)| *name == credentials.name()) {
            return Some(known.clone());
        }
        let known = Arc::new(Known::of(credentials)?);
        *held = Some((credentials.name(), known.clone()));
        Some(known)
    }
}

impl Known {
    fn of(credentials: &Credentials) -> Option<Self> {
        let attestation = Unverified::<Attestation>::read(&credentials.attestation().1).ok()?;
        let chain = credentials.delegation().iter().map(|(_, text)| Unverified::<Delegation>::read(text).ok());
        let chain: Vec<_> = chain.collect::<Option<_>>()?;
        let (root, leaf) = (chain.first()?.peek(), chain.last()?.peek());
        Some(Self {
            components: attestation.peek().measurements.clone(),
            depth: leaf.depth,
            ends: chain.iter().map(|token| token.peek().expires).min()?,
            holder: leaf.key.thumbprint().to_string(),
            root: root.issuer.clone(),
        })
    }
}

impl Account for Alerts {
    fn raised(&self, alert: &Finding) -> Option<Hash> {
        if !rules::is_of_refusals(&alert.rule) {
            locked(&self.0).insert(Open { rule: alert.rule.clone(), severity: alert.severity });
        }
        // Gone with the context, so the log holds nothing open.
        None
    }

    fn written(&self, _: &Hash, _: u64) {}
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
