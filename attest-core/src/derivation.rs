//! The issuing side of a chain: from its last token to the claims of a child. `spec/chain.md`, rules 7 to 12; `spec/pins.md`, rule 12.
//!
//! What a verifier would refuse is refused here already, by the same functions, so that a holder learns of it before anybody calls.

use crate::attestation::Attestation;
use crate::b64;
use crate::chain::{ChainError, narrower, pinned};
use crate::delegation::{Delegation, thumbprint_uri};
use crate::digest::{Digest, Jti};
use crate::flow::Flow;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{TokenError, Unverified};
use crate::limits::MAX_CHAIN;
use crate::measurement::Component;
use crate::pins::{Pins, shows};
use crate::status::StatusRef;
use crate::tools::Tools;

/// What a token is to grant; what is absent is as the token above has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// Which tools, with which arguments.
    pub tools: Option<Tools>,
    /// Which labels may flow where.
    pub flow: Option<Flow>,
    /// Which state holders must show.
    pub pins: Option<Pins>,
}

/// The rest of a child.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Who is to hold it.
    pub holder: PublicKey,
    /// 128 fresh random bits.
    pub id: Jti,
    /// Seconds since 1970.
    pub now: u64,
    /// Seconds for which it is good; never longer than its parent.
    pub life: u64,
    /// How many more times it may be passed on; `None` for as often as its parent leaves.
    pub passes: Option<u64>,
    /// The attestation of whoever signs, to stand in it.
    pub by: Option<&'a str>,
    /// Where it is said whether it still counts.
    pub status: Option<StatusRef>,
}

/// Why no child is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerivationError {
    /// No token to derive from.
    #[error("the chain holds no token")]
    Empty,
    /// A token that cannot be read.
    #[error("token {0} of the chain: {1}")]
    Token(usize, TokenError),
    /// Somebody else's chain.
    #[error(
        "the last token of the chain is held by the key {holder}, and the key that is to sign is {signer}; only its holder can pass it on"
    )]
    Holder {
        /// Who could sign.
        holder: Thumbprint,
        /// Who would.
        signer: Thumbprint,
    },
    /// There is nothing left to pass on.
    #[error("the chain has ended; its holder needs a new one")]
    Ended,
    /// A tool that the last token does not grant, or not with these arguments.
    #[error("{}: {tool}", ChainError::Widened)]
    Widened {
        /// Which.
        tool: String,
    },
    /// Another rule between a child and its parent.
    #[error("{0}")]
    Chain(ChainError),
    /// The signer's state is pinned, and no attestation shows it.
    #[error("the chain pins the state of whoever passes it on, and there is no attestation of his to show it")]
    Unattested,
    /// What is no attestation.
    #[error("the attestation: {0}")]
    Attestation(TokenError),
    /// Of another key, or none that holds now.
    #[error("the attestation is of another key than the one that signs, or has ended")]
    OtherAttestation,
    /// It shows another state.
    #[error("the chain pins {0}, and the attestation shows another")]
    Pinned(Component),
}

/// A chain to derive from.
#[derive(Clone, Debug)]
pub struct Parent {
    tokens: Vec<Delegation>,
    last: Delegation,
    /// Of the last token's signing input.
    hash: Digest,
}

impl Parent {
    /// Reads a chain, root first. Nobody's signature is looked at: who holds a chain has it from somebody.
    ///
    /// # Errors
    /// [`DerivationError::Empty`], [`DerivationError::Token`].
    pub fn read<S: AsRef<str>>(chain: &[S]) -> Result<Self, DerivationError> {
        let mut tokens = Vec::with_capacity(chain.len());
        let mut last = None;
        for (n, text) in chain.iter().enumerate() {
            let token = Unverified::<Delegation>::read(text.as_ref()).map_err(|e| DerivationError::Token(n + 1, e))?;
            tokens.push(token.peek().clone());
            last = Some((token.peek().clone(), Digest::of(token.signing_input())));
        }
        let (last, hash) = last.ok_or(DerivationError::Empty)?;
        Ok(Self { tokens, last, hash })
    }

    /// Whether whoever derives a child has to show his state in it.
    pub fn pins_its_holder(&self) -> bool {
        pinned(self.tokens.iter()).next().is_some()
    }

    /// The claims of a child that `signer` is to sign: narrower, and with an attestation where the chain asks for one.
    ///
    /// # Errors
    /// [`DerivationError`].
    pub fn child(&self, signer: &PublicKey, granted: Granted, terms: Terms<'_>) -> Result<Delegation, DerivationError> {
        let Self { tokens, last, hash } = self;
        if last.key != *signer {
            let (holder, signer) = (last.key.thumbprint().clone(), signer.thumbprint().clone());
            return Err(DerivationError::Holder { holder, signer });
        }
        let Terms { holder, id, now, life, passes, by, status } = terms;
        // Any token of the chain ends it.
        let ends = tokens.iter().map(|token| token.expires).min().unwrap_or_default();
        if ends <= now {
            return Err(DerivationError::Ended);
        }
        if tokens.len() >= MAX_CHAIN {
            return Err(DerivationError::Chain(ChainError::Length));
        }
        let depth = last.depth.saturating_add(1);
        let child = Delegation {
            issuer: thumbprint_uri(signer.thumbprint()),
            id: b64::encode(id.0),
            issued_at: now,
            expires: now.saturating_add(life).min(ends),
            key: holder,
            depth,
            max_depth: passes.map_or(last.max_depth, |passes| depth.saturating_add(passes)),
            parent: Some(*hash),
            tools: granted.tools.unwrap_or_else(|| last.tools.clone()),
            flow: granted.flow,
            pins: granted.pins,
            by: by.map(str::to_owned),
            status,
        };
        narrower(&child, last, *hash).map_err(|error| match child.tools.beyond(&last.tools) {
            Some(tool) if error == ChainError::Widened => DerivationError::Widened { tool: tool.to_owned() },
            _ => DerivationError::Chain(error),
        })?;
        self.attested(signer, by, now)?;
        Ok(child)
    }

    /// Holds the attestation of whoever signs to what the chain pins.
    fn attested(&self, signer: &PublicKey, by: Option<&str>, now: u64) -> Result<(), DerivationError> {
        let Some(by) = by else {
            return if self.pins_its_holder() { Err(DerivationError::Unattested) } else { Ok(()) };
        };
        let attestation = Unverified::<Attestation>::read(by).map_err(DerivationError::Attestation)?;
        let attestation = attestation.peek();
        if attestation.key != *signer || attestation.expires <= now {
            return Err(DerivationError::OtherAttestation);
        }
        for (accepted, _) in pinned(self.tokens.iter()) {
            shows(attestation, accepted).map_err(DerivationError::Pinned)?;
        }
        Ok(())
    }
}
