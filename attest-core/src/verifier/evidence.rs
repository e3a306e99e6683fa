//! From tokens that somebody presented to evidence that verified, in two steps that cannot be skipped.

use std::sync::Arc;

use crate::attestation::Attestation;
use crate::carrier::Carrier;
use crate::chain::{self, Chain};
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::jws::{Unverified, Verified};
use crate::refusal::{Reason, Refusal, Token};
use crate::trust::Trust;

/// An attestation and a chain of delegation, both verified, the chain held by the attested key.
#[derive(Debug)]
pub struct Evidence {
    attestation: Verified<Attestation>,
    chain: Chain,
    texts: Texts,
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

    /// The tokens' exact characters with their hashes, the attestation first, then the chain from the root: for the log.
    pub fn tokens(&self) -> impl Iterator<Item = (Digest, &Arc<str>)> {
        let hashes = core::iter::once(self.attestation.token()).chain(self.chain.tokens().iter().map(Verified::token));
        hashes.zip(&self.texts)
    }
}

/// The attestation's characters, then the chain's from the root.
type Texts = Vec<Arc<str>>;

/// Tokens as they were presented: known from before, or read and not verified.
pub(super) enum Presented {
    Known(Arc<Evidence>),
    New {
        attestation: Unverified<Attestation>,
        delegation: Vec<Unverified<Delegation>>,
        leaf: Digest,
        texts: Texts,
    },
}

impl Presented {
    /// Reads every token; verifies none.
    pub(super) fn read(carrier: &Carrier<'_>) -> Result<Self, Refusal> {
        let attestation =
            Unverified::read(carrier.attestation).map_err(|e| Refusal::of_token(e, Token::Attestation))?;
        let delegation = carrier
            .delegation
            .iter()
            .enumerate()
            .map(|(n, text)| Unverified::read(text).map_err(|e| Refusal::of_token(e, Token::Delegation(n))))
            .collect::<Result<Vec<_>, _>>()?;
        let leaf = carrier.delegation.last().copied().ok_or(Reason::BadCarrier)?;
        let texts = core::iter::once(carrier.attestation).chain(carrier.delegation.iter().copied());
        Ok(Self::New {
            attestation,
            delegation,
            leaf: Digest::of(leaf),
            texts: texts.map(Arc::from).collect(),
        })
    }

    pub(super) fn attestation(&self) -> &Attestation {
        match self {
            Self::Known(evidence) => &evidence.attestation,
            Self::New { attestation, .. } => attestation.peek(),
        }
    }

    pub(super) fn delegations(&self) -> Box<dyn Iterator<Item = &Delegation> + '_> {
        match self {
            Self::Known(evidence) => Box::new(evidence.chain.tokens().iter().map(|t| &**t)),
            Self::New { delegation, .. } => Box::new(delegation.iter().map(Unverified::peek)),
        }
    }

    /// Check 4: the attestation's signature, by a pinned attester that may speak for this issuer and agent.
    pub(super) fn attest(self, trust: &Trust) -> Result<Attested, Refusal> {
        match self {
            Self::Known(evidence) => Ok(Attested::Known(evidence)),
            Self::New {
                attestation,
                delegation,
                leaf,
                texts,
            } => {
                let attester = trust.attester(attestation.kid()).ok_or(Reason::UnknownAttester)?;
                let attestation = attestation
                    .verify(&attester.key)
                    .map_err(|_| Reason::AttestationSignature)?;
                if attestation.issuer != attester.issuer || !attester.agents.contains(&attestation.agent) {
                    return Err(Reason::UnknownAttester.into());
                }
                if trust.has_role(attestation.key.thumbprint()) {
                    return Err(Reason::KeyRole.into());
                }
                Ok(Attested::New {
                    attestation,
                    delegation,
                    leaf,
                    texts,
                })
            }
        }
    }
}

/// The attestation verified, the chain not necessarily.
pub(super) enum Attested {
    Known(Arc<Evidence>),
    New {
        attestation: Verified<Attestation>,
        delegation: Vec<Unverified<Delegation>>,
        leaf: Digest,
        texts: Texts,
    },
}

impl Attested {
    pub(super) fn attestation(&self) -> &Verified<Attestation> {
        match self {
            Self::Known(evidence) => &evidence.attestation,
            Self::New { attestation, .. } => attestation,
        }
    }

    /// Hash of the leaf's token.
    pub(super) fn leaf(&self) -> Digest {
        match self {
            Self::Known(evidence) => evidence.chain.leaf().token(),
            Self::New { leaf, .. } => *leaf,
        }
    }

    /// Whether this is the first time.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// Check 9: the chain, and that the attested key holds its leaf.
    pub(super) fn delegate(self, trust: &Trust) -> Result<Arc<Evidence>, Refusal> {
        match self {
            Self::Known(evidence) => Ok(evidence),
            Self::New {
                attestation,
                delegation,
                texts,
                ..
            } => {
                let chain = chain::verify(delegation, trust)?;
                if !chain.is_held_by(&attestation.key) {
                    return Err(Reason::HolderMismatch.into());
                }
                Ok(Arc::new(Evidence {
                    attestation,
                    chain,
                    texts,
                }))
            }
        }
    }
}
