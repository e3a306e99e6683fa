//! Checks of an attestation or a chain on its own, without a call: what a person asks about a token in a file.

use super::{Trace, Verifier, evidence, rules};
use crate::attestation::Attestation;
use crate::chain::{self, Chain};
use crate::jws::{Unverified, Verified};
use crate::refusal::{Check, Refusal, Token};
use crate::status::Level;

impl Verifier {
    /// Reading, times, attester and reference values of one attestation. Nothing is disclosed beside a token on its own, so comparison
    /// rules accept nothing.
    pub fn check_attestation(
        &self,
        text: &str,
        now: u64,
        trace: &mut impl Trace,
    ) -> Result<Verified<Attestation>, Refusal> {
        let token = Unverified::<Attestation>::read(text).map_err(|e| Refusal::of_token(e, Token::Attestation))?;
        trace.passed(Check::Read);
        rules::Clock { now, skew: self.trust.skew() }.attestation(token.peek())?;
        trace.passed(Check::Times);
        let attestation = self.trust.attested(token)?;
        trace.passed(Check::Attestation);
        rules::state(&attestation, &[], &self.trust)?;
        rules::platform(&attestation, &self.trust)?;
        trace.passed(Check::State);
        self.status_of(attestation.status.as_ref(), Token::Attestation, Level::Critical, now)?;
        trace.passed(Check::Status);
        Ok(attestation)
    }

    /// Reading, times and links of one chain, root first.
    pub fn check_chain(&self, texts: &[&str], now: u64, trace: &mut impl Trace) -> Result<Chain, Refusal> {
        let tokens = evidence::read_chain(texts.iter().copied())?;
        trace.passed(Check::Read);
        let clock = rules::Clock { now, skew: self.trust.skew() };
        tokens.iter().enumerate().try_for_each(|(n, token)| clock.delegation(n, token.peek()))?;
        trace.passed(Check::Times);
        let chain = chain::verify(tokens, &self.trust)?;
        trace.passed(Check::Chain);
        self.status_of_chain(&chain, Level::Critical, now)?;
        trace.passed(Check::Status);
        Ok(chain)
    }
}
