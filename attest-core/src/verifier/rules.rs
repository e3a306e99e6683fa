//! The checks that need no signature.

use super::Evidence;
use super::evidence::{Attested, Presented};
use super::flow::Brought;
use crate::attestation::Attestation;
use crate::call_proof::CallProof;
use crate::carrier::Carrier;
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::limits::{MAX_ATTESTATION_LIFE, MAX_CALL_LIFE, MAX_DELEGATION_LIFE};
use crate::measurement::Component;
use crate::refusal::{About, Reason, Refusal, Token};
use crate::request::Call;
use crate::tools::{permits, qualified};
use crate::trust::Trust;

/// Check 3: every token is in its time, within the skew, and lives no longer than its kind may.
pub(super) fn times(presented: &Presented, proof: &CallProof, brought: &Brought, clock: &Clock) -> Result<(), Refusal> {
    clock.attestation(presented.attestation())?;
    presented.each_delegation(|n, token| clock.delegation(n, token))?;
    clock.check(Token::CallProof, proof.issued_at, proof.expires, MAX_CALL_LIFE)?;
    brought.times(clock)
}

/// The time, and by how much it may be wrong.
pub(super) struct Clock {
    pub now: u64,
    pub skew: u64,
}

impl Clock {
    pub(super) fn attestation(&self, token: &Attestation) -> Result<(), Refusal> {
        self.check(Token::Attestation, token.issued_at, token.expires, MAX_ATTESTATION_LIFE)
    }

    pub(super) fn delegation(&self, n: usize, token: &Delegation) -> Result<(), Refusal> {
        self.check(Token::Delegation(n), token.issued_at, token.expires, MAX_DELEGATION_LIFE)
    }

    pub(super) fn check(&self, token: Token, issued_at: u64, expires: u64, longest: u64) -> Result<(), Refusal> {
        let reason = if expires.saturating_add(self.skew) <= self.now {
            Reason::Expired
        } else if issued_at > self.now.saturating_add(self.skew) {
            Reason::NotYetValid
        } else if expires <= issued_at || expires - issued_at > longest {
            Reason::LifeTooLong
        } else {
            return Ok(());
        };
        Err(Refusal::about(reason, About::Token(token)))
    }
}

/// Check 6: the call proof is over this attestation, this leaf and this very request. Returns the canonical parameters.
pub(super) fn bindings(
    proof: &CallProof,
    attested: &Attested,
    call: &Call<'_, '_>,
    (carrier, brought): (&Carrier<'_>, &Brought),
    audience: &str,
) -> Result<Vec<u8>, Refusal> {
    let require = |holds: bool, reason: Reason| if holds { Ok(()) } else { Err(reason) };
    require(proof.audience == audience, Reason::WrongAudience)?;
    require(proof.attestation == attested.attestation().token(), Reason::WrongAttestation)?;
    require(proof.delegation == attested.leaf(), Reason::WrongDelegation)?;
    require(proof.method == call.method(), Reason::MethodMismatch)?;
    require(proof.tool.as_deref() == call.tool(), Reason::ToolMismatch)?;
    let params = call.canonical_params();
    require(proof.params == Digest::salted(&carrier.salt, &params), Reason::ParamsMismatch)?;
    require(call.meta_matches(&proof.meta, &carrier.salt), Reason::MetaMismatch)?;
    require(brought.binds(proof), Reason::ProvenanceMismatch)?;
    Ok(params)
}

/// Check 8: every component that the agent shows is one that is accepted, and every one that is required is shown.
/// `within_rules` are the components of which something was disclosed that a comparison rule accepts.
pub(super) fn state(attestation: &Attestation, within_rules: &[Component], trust: &Trust) -> Result<(), Refusal> {
    let references = trust.references(&attestation.agent).ok_or(Reason::NoReference)?;
    let about = |reason, component| Refusal::about(reason, About::Component(component));
    for component in references.keys() {
        attestation.measurement(*component).ok_or(about(Reason::ComponentMissing, *component))?;
    }
    for measured in &attestation.measurements {
        let reference = references.get(&measured.component).ok_or(about(Reason::NoReference, measured.component))?;
        let within_rule = within_rules.contains(&measured.component);
        reference.accept(measured, within_rule).map_err(|reason| about(reason, measured.component))?;
    }
    Ok(())
}

/// Check 8, for an agent of which hardware is required: a pinned key's quote, over these claims, of an accepted start.
pub(super) fn platform(attestation: &Attestation, trust: &Trust) -> Result<(), Refusal> {
    if !trust.requires_hardware(&attestation.agent) {
        return Ok(());
    }
    let platform = attestation.platform.as_ref().ok_or(Reason::PlatformMissing)?;
    let pinned = trust.platform(platform.key()).filter(|pinned| pinned.agents.contains(&attestation.agent));
    let pinned = pinned.ok_or(Reason::UnknownPlatform)?;
    let require = |holds: bool, reason: Reason| if holds { Ok(()) } else { Err(Refusal::from(reason)) };
    require(platform.is_by(&pinned.key), Reason::PlatformSignature)?;
    require(platform.quote().over == attestation.quoted(), Reason::PlatformBinding)?;
    require(pinned.accepts(platform.quote()), Reason::PlatformState)
}

/// Check 10: the leaf grants this tool of this server with these arguments; of another method, any tool of this server.
pub(super) fn constraints(evidence: &Evidence, call: &Call<'_, '_>, audience: &str) -> Result<(), Refusal> {
    let granted = &evidence.chain().leaf().tools;
    let Some(tool) = call.tool() else {
        return if granted.any_of(audience) { Ok(()) } else { Err(Reason::MethodNotGranted.into()) };
    };
    let constraints = granted.0.get(&qualified(audience, tool)).ok_or(Reason::ToolNotGranted)?;
    if !permits(constraints, call.arguments()) {
        return Err(Reason::ArgumentsNotGranted.into());
    }
    Ok(())
}
