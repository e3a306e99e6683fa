//! Whether what a call rests on was taken back: asked on every call, of the attestation and of every token of the chain.

use std::sync::{Arc, PoisonError};

use super::{Evidence, Verifier};
use crate::chain::Chain;
use crate::refusal::{About, Refusal, Token};
use crate::status::{Level, StatusRef, Statuses};

impl Verifier {
    /// The lists that are held from here on. They are verified already, and none of them is older than the one it replaces
    /// ([`Statuses::take`]).
    pub fn hold(&self, statuses: Arc<Statuses>) {
        *self.statuses.write().unwrap_or_else(PoisonError::into_inner) = statuses;
    }

    /// The lists that are held.
    pub fn statuses(&self) -> Arc<Statuses> {
        self.statuses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether none of these tokens was taken back, at `now` (seconds since 1970), for a call of this level. A part of
    /// [`Verifier::check_at`]; also for whoever waited since.
    ///
    /// # Errors
    /// [`revoked`](crate::refusal::Reason::Revoked), [`status-unknown`](crate::refusal::Reason::StatusUnknown), about the token.
    pub fn check_status(&self, evidence: &Evidence, level: Level, now: u64) -> Result<(), Refusal> {
        self.status_of(evidence.attestation().status.as_ref(), Token::Attestation, level, now)?;
        self.status_of_chain(evidence.chain(), level, now)
    }

    pub(super) fn status_of_chain(&self, chain: &Chain, level: Level, now: u64) -> Result<(), Refusal> {
        let mut tokens = chain.tokens().iter().enumerate();
        tokens.try_for_each(|(n, token)| self.status_of(token.status.as_ref(), Token::Delegation(n), level, now))
    }

    pub(super) fn status_of(
        &self,
        place: Option<&StatusRef>,
        token: Token,
        level: Level,
        now: u64,
    ) -> Result<(), Refusal> {
        let Some(place) = place else { return Ok(()) };
        let checked = self.statuses().check(place, now, level, &self.trust);
        checked.map_err(|reason| Refusal::about(reason, About::Token(token)))
    }
}
