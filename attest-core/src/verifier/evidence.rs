//! From tokens that somebody presented to evidence that verified, in two steps that cannot be skipped.

use std::sync::Arc;

use crate::attestation::Attestation;
use crate::carrier::name_of;
use crate::chain::{self, Chain};
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::jws::{Unverified, Verified};
use crate::measurement::Component;
use crate::refusal::{Reason, Refusal, Token};
use crate::trust::Trust;

/// An attestation and a chain of delegation, both verified, the chain held by the attested key.
#[derive(Debug)]
pub struct Evidence {
    attestation: Verified<Attestation>,
    chain: Chain,
    texts: Texts,
    /// The components that a comparison rule accepted by what was disclosed. The texts themselves are not kept.
    within_rules: Vec<Component>,
    /// Until when the attestations of those whose state the chain pins stand for them.
    until: u64,
}

impl Evidence {
    /// The attestation.
    pub fn attestation(&self) -> &Verified<Attestation> {
        &self.attestation
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Until when the attestations of those whose state the chain pins stand for them; seconds since 1970.
    pub fn pinned_until(&self) -> u64 {
        self.until
    }

    /// Whether these are the very tokens, character by character.
    pub(super) fn is_of(&self, attestation: &str, delegation: &[&str]) -> bool {
        let presented = core::iter::once(attestation).chain(delegation.iter().copied());
        self.texts.len() == delegation.len() + 1 && self.texts.iter().map(|text| &**text).eq(presented)
    }

    /// The characters of the attestation and of the leaf.
    pub(super) fn ends(&self) -> (&str, &str) {
        (self.texts.first().map_or("", |text| text), self.texts.last().map_or("", |text| text))
    }

    /// What a shorthand for these tokens is found by: [`name_of`] the attestation and the chain.
    pub fn name(&self) -> Digest {
        name_of(self.attestation.token(), self.chain.tokens().iter().map(Verified::token))
    }

    /// The tokens' exact characters with their hashes, the attestation first, then the chain from the root: for the log.
    pub fn tokens(&self) -> impl Iterator<Item = (Digest, &Arc<str>)> {
        let hashes = core::iter::once(self.attestation.token()).chain(self.chain.tokens().iter().map(Verified::token));
        hashes.zip(&self.texts)
    }
}

/// The attestation's characters, then the chain's from the root.
type Texts = Vec<Arc<str>>;

/// Tokens that were not seen before, the attestation verified or not, the chain not.
pub(super) struct Fresh<A> {
    attestation: A,
    delegation: Vec<Unverified<Delegation>>,
    leaf: Digest,
    texts: Texts,
}

/// Tokens as they were presented: known from before, or read and not verified.
pub(super) enum Presented {
    Known(Arc<Evidence>),
    New(Box<Fresh<Unverified<Attestation>>>),
}

impl Presented {
    /// Reads every token; verifies none.
    pub(super) fn read(attestation: &str, delegation: &[&str]) -> Result<Self, Refusal> {
        let texts = core::iter::once(attestation).chain(delegation.iter().copied()).map(Arc::from).collect();
        let attestation = Unverified::read(attestation).map_err(|e| Refusal::of_token(e, Token::Attestation))?;
        let leaf = Digest::of(delegation.last().copied().ok_or(Reason::BadCarrier)?);
        let delegation = read_chain(delegation.iter().copied())?;
        Ok(Self::New(Box::new(Fresh { attestation, delegation, leaf, texts })))
    }

    pub(super) fn attestation(&self) -> &Attestation {
        match self {
            Self::Known(evidence) => &evidence.attestation,
            Self::New(fresh) => fresh.attestation.peek(),
        }
    }

    /// Shows `see` each token of the chain with its place, the root being 0; stops at the first failure.
    pub(super) fn each_delegation<E>(&self, mut see: impl FnMut(usize, &Delegation) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Known(evidence) => evidence.chain.tokens().iter().enumerate().try_for_each(|(n, t)| see(n, t)),
            Self::New(fresh) => fresh.delegation.iter().enumerate().try_for_each(|(n, t)| see(n, t.peek())),
        }
    }

    /// Check 4: the attestation's signature, by a pinned attester that may speak for this issuer and agent.
    pub(super) fn attest(self, trust: &Trust) -> Result<Attested, Refusal> {
        let fresh = match self {
            Self::Known(evidence) => return Ok(Attested::Known(evidence)),
            Self::New(fresh) => *fresh,
        };
        let attestation = trust.attested(fresh.attestation)?;
        let Fresh { delegation, leaf, texts, .. } = fresh;
        Ok(Attested::New(Box::new(Fresh { attestation, delegation, leaf, texts })))
    }
}

/// Every token of a chain, read and not verified.
pub(super) fn read_chain<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Unverified<Delegation>>, Refusal> {
    let tokens = texts.into_iter().enumerate();
    tokens.map(|(n, text)| Unverified::read(text).map_err(|e| Refusal::of_token(e, Token::Delegation(n)))).collect()
}

/// The attestation verified, the chain not necessarily.
pub(super) enum Attested {
    Known(Arc<Evidence>),
    New(Box<Fresh<Verified<Attestation>>>),
}

impl Attested {
    pub(super) fn attestation(&self) -> &Verified<Attestation> {
        match self {
            Self::Known(evidence) => &evidence.attestation,
            Self::New(fresh) => &fresh.attestation,
        }
    }

    /// Hash of the leaf's token.
    pub(super) fn leaf(&self) -> Digest {
        match self {
            Self::Known(evidence) => evidence.chain.leaf().token(),
            Self::New(fresh) => fresh.leaf,
        }
    }

    /// The components that a rule accepted when these tokens came first; `None` where they come first now.
    pub(super) fn within_rules(&self) -> Option<&[Component]> {
        match self {
            Self::Known(evidence) => Some(&evidence.within_rules),
            Self::New(_) => None,
        }
    }

    /// Whether this is the first time.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self, Self::New(_))
    }

    /// Check 9: the chain, and that the attested key holds its leaf.
    pub(super) fn delegate(self, trust: &Trust, within_rules: Vec<Component>) -> Result<Arc<Evidence>, Refusal> {
        let Fresh { attestation, delegation, texts, .. } = match self {
            Self::Known(evidence) => return Ok(evidence),
            Self::New(fresh) => *fresh,
        };
        let chain = chain::verify(delegation, trust)?;
        if !chain.is_held_by(&attestation.key) {
            return Err(Reason::HolderMismatch.into());
        }
        let until = chain.shown_by(&attestation)?;
        Ok(Arc::new(Evidence { attestation, chain, texts, within_rules, until }))
    }
}
