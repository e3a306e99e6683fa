//! The call verifier: bytes and the time in, a verdict out. `spec/verification.md`.
//!
//! The checks are made in the order of [`Check`]; the first that fails is the verdict. What verified once is remembered and
//! found again by its exact bytes, so that a steady call costs one signature check; expiry, reference values and replay are
//! looked at on every call all the same.

mod cache;
mod evidence;
mod flow;
mod parts;
mod rules;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::call_proof::CallProof;
use crate::carrier::{Carrier, Tokens};
use crate::comparison::Disclosed;
use crate::digest::{Jti, Salt};
use crate::jwk::Thumbprint;
use crate::jws::{Unverified, Verified};
use crate::refusal::{About, Caller, Check, Reason, Refusal, Token};
use crate::request::Call;
use crate::status::{Level, Statuses};
use crate::trust::{MAX_SKEW, Trust};

pub use evidence::Evidence;
pub use flow::{Lineage, Single};

use cache::Cache;
use evidence::Presented;
use flow::Brought;

/// What names a call once: the key that signed it and the `jti` it chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    /// The call key.
    pub key: Thumbprint,
    /// The proof's `jti`.
    pub id: Jti,
    /// Seconds since 1970 until which the proof could be accepted under any configuration.
    pub until: u64,
}

/// A call that passed every check up to the log. Nothing is forwarded before its entry is durable.
#[derive(Debug)]
pub struct Accepted {
    /// What the call rests on.
    pub evidence: Arc<Evidence>,
    /// Who makes the call.
    pub caller: Caller,
    /// The call proof.
    pub proof: Verified<CallProof>,
    /// The call proof's exact characters, for the log.
    pub proof_text: Box<str>,
    /// What the call's commitments are salted with; kept with side data only.
    pub salt: Salt,
    /// What must be new to the log.
    pub call_id: CallId,
    /// What the caller has seen, and on whose behalf it calls.
    pub flow: Lineage,
    /// The canonical request to forward: the very bytes that were verified.
    pub forward: Vec<u8>,
}

/// Sees each check as it passes; for people who want to know how far a call came.
pub trait Trace {
    /// `check` passed.
    fn passed(&mut self, check: Check);
}

impl Trace for () {
    fn passed(&mut self, _: Check) {}
}

impl Trace for Vec<Check> {
    fn passed(&mut self, check: Check) {
        self.push(check);
    }
}

/// Checks calls against one trust configuration. A changed configuration is a new verifier, with nothing remembered.
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    cache: Mutex<Cache>,
    statuses: RwLock<Arc<Statuses>>,
}

impl Verifier {
    /// A verifier that trusts what `trust` says.
    pub fn new(trust: Trust) -> Self {
        Self { trust, cache: Mutex::new(Cache::default()), statuses: RwLock::default() }
    }

    /// What this verifier trusts.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Checks one call at `now` (seconds since 1970). `seen` says whether the log holds the call, or a declassification, already; it is
    /// asked after the call is authenticated, and again by the log itself when the entry is written.
    /// Of how much harm the call can do
    /// nothing is known, so it counts as the most ([`Verifier::check_at`]).
    pub fn check(
        &self,
        call: &Call<'_, '_>,
        now: u64,
        seen: impl Fn(&CallId) -> bool,
        trace: &mut impl Trace,
    ) -> Result<Accepted, Refusal> {
        self.check_at(Level::Critical, call, now, seen, trace)
    }

    /// [`Verifier::check`] for a call of this level.
    pub fn check_at(
        &self,
        level: Level,
        call: &Call<'_, '_>,
        now: u64,
        seen: impl Fn(&CallId) -> bool,
        trace: &mut impl Trace,
    ) -> Result<Accepted, Refusal> {
        let unproved = || match call.is_undeclared() {
            true => Refusal::about(Reason::NoProof, About::Undeclared),
            false => Reason::NoProof.into(),
        };
        let carrier = Carrier::read(call.proof().ok_or_else(unproved)?)?;
        trace.passed(Check::Size);
        let presented = match (self.remembered(&carrier.tokens), &carrier.tokens) {
            (Some(evidence), _) => Presented::Known(evidence),
            (None, Tokens::Full { attestation, delegation }) => Presented::read(attestation, delegation)?,
            // Before anything else is looked at: the caller sends the same call again, in full.
            (None, Tokens::Short { .. }) => return Err(Reason::NotCached.into()),
        };
        let proof = Unverified::<CallProof>::read(carrier.proof).map_err(|e| Refusal::of_token(e, Token::CallProof))?;
        let disclosed = Disclosed::of(&carrier.disclosed, presented.attestation()).ok_or(Reason::BadCarrier)?;
        let brought = Brought::read(&carrier)?;
        trace.passed(Check::Read);
        let clock = rules::Clock { now, skew: self.trust.skew() };
        rules::times(&presented, proof.peek(), &brought, &clock)?;
        trace.passed(Check::Times);
        let attested = presented.attest(&self.trust)?;
        trace.passed(Check::Attestation);
        let proof_text: Box<str> = proof.text().into();
        let call_key = attested.attestation().key.clone();
        let proof = proof.verify(&call_key).map_err(|_| Reason::CallSignature)?;
        trace.passed(Check::CallProof);

        // From here on the caller is known, and every refusal names it.
        let caller = Caller {
            agent: attested.attestation().agent.clone(),
            key: call_key.thumbprint().clone(),
            call: proof.token(),
            method: proof.method.clone(),
            tool: proof.tool.clone(),
        };
        let named = |refusal: Refusal| Refusal { caller: Some(Box::new(caller.clone())), ..refusal };
        let canonical_params =
            rules::bindings(&proof, &attested, call, (&carrier, &brought), self.trust.audience()).map_err(named)?;
        trace.passed(Check::Bindings);
        // Whatever the skew is now: a configuration that allows more must not make an old call new again.
        let until = proof.expires.saturating_add(MAX_SKEW);
        let call_id = CallId { key: caller.key.clone(), id: proof.id, until };
        if seen(&call_id) {
            return Err(named(Reason::Replay.into()));
        }
        trace.passed(Check::Replay);
        let within_rules = match (&carrier.tokens, attested.within_rules()) {
            // A shorthand stands for the call in full, with what was disclosed then. A call in full is judged by what it brings, so that
            // its verdict does not hang on what is remembered.
            (Tokens::Short { .. }, Some(remembered)) => remembered.to_vec(),
            _ => disclosed.within_rules(attested.attestation(), &self.trust),
        };
        rules::state(attested.attestation(), &within_rules, &self.trust).map_err(named)?;
        let fresh = attested.is_fresh();
        // A matter of the token and the configuration alone, and of an ECDSA signature.
        if fresh {
            rules::platform(attested.attestation(), &self.trust).map_err(named)?;
        }
        trace.passed(Check::State);
        let evidence = attested.delegate(&self.trust, within_rules).map_err(named)?;
        if now >= evidence.pinned_until().saturating_add(self.trust.skew()) {
            return Err(named(Reason::HolderStale.into()));
        }
        trace.passed(Check::Chain);
        self.check_status(&evidence, level, now).map_err(named)?;
        trace.passed(Check::Status);
        rules::constraints(&evidence, call, self.trust.audience()).map_err(named)?;
        trace.passed(Check::Constraints);
        let asked = flow::Asked {
            carrier: &carrier,
            proof: &proof,
            params: &canonical_params,
            chain: evidence.chain(),
            caller: &caller,
            trust: &self.trust,
        };
        let flow = flow::check(brought, &asked, || self.cache()).map_err(named)?;
        if flow.declassified.iter().any(|single| seen(&single.id)) {
            return Err(named(Reason::DeclassificationUsed.into()));
        }
        trace.passed(Check::Flow);
        if fresh {
            self.remember(&evidence);
        }
        let forward = call.verified(&canonical_params, &proof.meta);
        Ok(Accepted { evidence, caller, proof, proof_text, salt: carrier.salt, call_id, flow, forward })
    }

    fn remembered(&self, tokens: &Tokens<'_>) -> Option<Arc<Evidence>> {
        self.cache().get(tokens)
    }

    fn remember(&self, evidence: &Arc<Evidence>) {
        self.cache().insert(evidence);
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A thread that panicked with the lock held leaves a cache of verified things all the same.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
