//! What a call rests on: an attestation and a chain, verified once for all calls that name the two.

use std::sync::Arc;

use super::{Fault, SKEW_MS};
use crate::attestation::Attestation;
use crate::chain::{self, ChainError, narrower};
use crate::checkpoint::LogKeys;
use crate::delegation::Delegation;
use crate::digest::Digest;
use crate::jwk::PublicKey;
use crate::jws::Unverified;
use crate::limits::{MAX_ATTESTATION_LIFE, MAX_CHAIN, MAX_DELEGATION_LIFE};
use crate::refusal::{Reason, Refusal, Token};
use crate::tools::{Tools, qualified};
use crate::trust::Trust;

/// Where bases are had: somebody who keeps them, and makes each once.
pub trait Bases {
    /// The basis of this attestation and this chain, root first.
    ///
    /// # Errors
    /// What is wrong with it.
    fn basis(&mut self, attestation: &Digest, delegation: &[Digest]) -> Result<Arc<Basis>, Fault>;

    /// Holds the store to have a token that an entry names besides those of its basis.
    ///
    /// # Errors
    /// That it is not there.
    fn beside(&mut self, _hash: &Digest, _which: Token) -> Result<(), Fault> {
        Ok(())
    }

    /// The pinned keys of a verifier's log, by its name, for the receipts that a caller keeps.
    fn log_keys(&mut self, _origin: &str) -> Option<&LogKeys> {
        None
    }
}

/// An attestation and a chain held by the attested key. All signatures whose keys are known were checked: with pinned keys
/// all of them; without, those of the attestation and of the chain's root are taken as they are.
#[derive(Debug)]
pub struct Basis {
    /// The agent.
    pub agent: String,
    /// Its call key.
    pub key: PublicKey,
    /// Thumbprint of the call key.
    pub key_name: Digest,
    /// Hash of the leaf.
    pub leaf: Digest,
    /// What the leaf grants.
    pub tools: Tools,
    /// Begin and end of each token, in milliseconds since 1970; the attestation's, then the chain's.
    lives: Vec<(u64, u64)>,
    /// When the attestation of somebody whose state the chain pins is too old, in milliseconds since 1970.
    until: u64,
    /// Signatures that were checked.
    pub checked: u64,
    /// Signatures whose keys are not known.
    pub unchecked: u64,
}

impl Basis {
    /// Reads and checks the tokens. `pinned` says whose attestations and roots count; without it those two signatures are
    /// not checked.
    ///
    /// # Errors
    /// [`Fault::Evidence`], with the reason for which a verifier would refuse these tokens.
    pub fn read(attestation: &str, delegation: &[&str], pinned: Option<&Trust>) -> Result<Self, Fault> {
        let refused = |reason| Fault::Evidence(reason);
        let of_token = |error, token| Fault::Evidence(Refusal::of_token(error, token).reason);
        let of_chain = |error: ChainError| Fault::Evidence(Refusal::from(error).reason);
        let attested: Unverified<Attestation> =
            Unverified::read(attestation).map_err(|e| of_token(e, Token::Attestation))?;
        let mut tokens: Vec<Unverified<Delegation>> = Vec::with_capacity(delegation.len());
        for (n, text) in delegation.iter().enumerate() {
            tokens.push(Unverified::read(text).map_err(|e| of_token(e, Token::Delegation(n)))?);
        }
        let leaf = Digest::of(delegation.last().copied().ok_or(Fault::Evidence(Reason::BadCarrier))?);
        let mut lives = vec![life(attested.peek().issued_at, attested.peek().expires, MAX_ATTESTATION_LIFE)?];
        for token in &tokens {
            lives.push(life(token.peek().issued_at, token.peek().expires, MAX_DELEGATION_LIFE)?);
        }
        let signatures = 1 + tokens.len() as u64;
        let mut until = u64::MAX;
        let (attestation, leaf_token, checked) = match pinned {
            Some(trust) => {
                let verified = trust.attested(attested).map_err(refused)?;
                let chain = chain::verify(tokens, trust).map_err(of_chain)?;
                until = chain.shown_by(&verified).map_err(of_chain)?.saturating_mul(1_000);
                ((*verified).clone(), (**chain.leaf()).clone(), signatures)
            }
            None => {
                let leaf = unpinned(tokens).map_err(of_chain)?;
                (attested.peek().clone(), leaf, signatures - 2)
            }
        };
        if leaf_token.key != attestation.key {
            return Err(refused(Reason::HolderMismatch));
        }
        let key_name = Digest::from_b64(attestation.key.thumbprint().as_str()).ok_or(refused(Reason::TokenClaims))?;
        Ok(Self {
            agent: attestation.agent,
            key: attestation.key,
            key_name,
            leaf,
            tools: leaf_token.tools,
            lives,
            until,
            checked,
            unchecked: signatures - checked,
        })
    }

    /// The token that was not in its time at `time`, in milliseconds since 1970.
    pub(super) fn out_of_time(&self, time: u64) -> Option<Token> {
        let late = self.lives.iter().position(|(from, to)| !in_time(*from, *to, time))?;
        Some(late.checked_sub(1).map_or(Token::Attestation, Token::Delegation))
    }

    /// Whether the state that the chain pins was shown too long before `time`, in milliseconds since 1970.
    pub(super) fn is_stale(&self, time: u64) -> bool {
        time >= self.until.saturating_add(SKEW_MS)
    }

    /// Whether the leaf grants this tool, or for another method any tool, of this server.
    pub(super) fn grants(&self, audience: &str, tool: Option<&str>) -> bool {
        match tool {
            Some(tool) => self.tools.0.contains_key(&qualified(audience, tool)),
            None => self.tools.any_of(audience),
        }
    }
}

/// A chain whose root nobody pins: every link but the root's own signature.
fn unpinned(tokens: Vec<Unverified<Delegation>>) -> Result<Delegation, ChainError> {
    if tokens.len() > MAX_CHAIN {
        return Err(ChainError::Length);
    }
    let mut above: Option<(Delegation, Digest)> = None;
    for token in tokens {
        let hash = Digest::of(token.signing_input());
        let this = match &above {
            None => {
                let root = token.peek().clone();
                match root {
                    Delegation { parent: Some(_), .. } => return Err(ChainError::Linkage),
                    Delegation { depth: 1.., .. } => return Err(ChainError::Depth),
                    root => root,
                }
            }
            Some((parent, parent_hash)) => {
                let child = token.verify(&parent.key).map_err(|_| ChainError::Signature)?;
                narrower(&child, parent, *parent_hash)?;
                (*child).clone()
            }
        };
        above = Some((this, hash));
    }
    above.map(|(leaf, _)| leaf).ok_or(ChainError::Length)
}

/// A token's life in milliseconds, if it is no longer than its kind may have.
pub(super) fn life(issued_at: u64, expires: u64, longest: u64) -> Result<(u64, u64), Fault> {
    if expires <= issued_at || expires - issued_at > longest {
        return Err(Fault::Evidence(Reason::LifeTooLong));
    }
    Ok((issued_at.saturating_mul(1_000), expires.saturating_mul(1_000)))
}

pub(super) fn in_time(from: u64, to: u64, time: u64) -> bool {
    from <= time.saturating_add(SKEW_MS) && time < to.saturating_add(SKEW_MS)
}
