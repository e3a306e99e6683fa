//! Chains of delegation: root first, each token narrower than its parent. `spec/chain.md`.

use crate::attestation::Attestation;
use crate::delegation::{Delegation, thumbprint_uri};
use crate::digest::Digest;
use crate::flow::Flow;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{Unverified, Verified};
use crate::labels::Labels;
use crate::limits::MAX_CHAIN;
use crate::pins::{self, Pins};
use crate::tools::split;
use crate::trust::{Root, Trust};

/// Why a chain gives no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No token, or more than [`MAX_CHAIN`].
    #[error("a chain has 1 to {MAX_CHAIN} tokens")]
    Length,
    /// The root is signed by a key that is not pinned as a delegation root, or names another issuer.
    #[error("the root of the chain is not by a delegation root that this verifier pins")]
    UnknownRoot,
    /// A signature fails, or a child is not signed by its parent's holder.
    #[error("a token of the chain is not signed by the key its parent confirms")]
    Signature,
    /// `par_hash` or `iss` of a child does not point to its parent, or a root has a parent.
    #[error("a token of the chain does not point to its parent")]
    Linkage,
    /// A depth that is not its parent's plus one, or deeper than allowed.
    #[error("the chain is deeper than one of its tokens allows")]
    Depth,
    /// A child outlives its parent or claims to be older.
    #[error("a token of the chain outlives its parent")]
    Lifetime,
    /// A child grants what its parent does not.
    #[error("a token of the chain grants what its parent does not")]
    Widened,
    /// The root grants a tool, or releases a label, that its key may not speak for.
    #[error("the root grants a tool, or releases a label, that its key may not speak for")]
    RootScope,
    /// A token whose signer's state is pinned brings no attestation of his that holds.
    #[error("a token of the chain was derived under a pin, and brings no attestation of its signer that holds")]
    Holder,
    /// A holder does not show the pinned state.
    #[error("a holder in the chain is not in the state that the chain pins")]
    Pinned,
    /// A token of the chain is held by a key that has another role at this verifier.
    #[error("a token of the chain is held by a key that this verifier pins in another role")]
    HolderRole,
}

/// A chain whose every link verified: made by [`verify`] alone.
#[derive(Clone, Debug)]
pub struct Chain {
    tokens: Vec<Verified<Delegation>>,
    leaf: Verified<Delegation>,
    /// When the first attestation of a pinned holder above the leaf is too old.
    until: u64,
}

impl Chain {
    /// The token that authorises the call.
    pub fn leaf(&self) -> &Verified<Delegation> {
        &self.leaf
    }

    /// Root first, the leaf last.
    pub fn tokens(&self) -> &[Verified<Delegation>] {
        &self.tokens
    }
}

/// Verifies a chain, root first. Expiry against the clock is not looked at here: it is checked on every call, this once.
pub fn verify(tokens: Vec<Unverified<Delegation>>, trust: &Trust) -> Result<Chain, ChainError> {
    if tokens.len() > MAX_CHAIN {
        return Err(ChainError::Length);
    }
    let mut verified: Vec<Verified<Delegation>> = Vec::with_capacity(tokens.len());
    // What the next token must be derived from: its parent and the hash of that parent's signing input.
    let mut above: Option<(Verified<Delegation>, Digest)> = None;
    for token in tokens {
        let signing_input = Digest::of(token.signing_input());
        let this = match &above {
            None => verify_root(token, trust)?,
            Some((parent, hash)) => verify_child(token, parent, *hash)?,
        };
        if trust.has_role(this.key.thumbprint()) {
            return Err(ChainError::HolderRole);
        }
        verified.push(this.clone());
        above = Some((this, signing_input));
    }
    let (leaf, _) = above.ok_or(ChainError::Length)?;
    let until = holders(&verified, trust)?;
    Ok(Chain { tokens: verified, leaf, until })
}

/// Checks the attestation of everybody who derived a token of the chain under a pin; returns when the first of them is too old.
fn holders(tokens: &[Verified<Delegation>], trust: &Trust) -> Result<u64, ChainError> {
    let mut until = u64::MAX;
    for (n, pair) in tokens.windows(2).enumerate() {
        let [parent, child] = pair else { continue };
        let above = tokens.get(..=n).unwrap_or_default();
        let Some(text) = &child.by else {
            if pinned(above.iter().map(|token| &**token)).next().is_some() {
                return Err(ChainError::Holder);
            }
            continue;
        };
        let attestation = Unverified::<Attestation>::read(text).map_err(|_| ChainError::Holder)?;
        let attestation = trust.attested(attestation).map_err(|_| ChainError::Holder)?;
        // He was in this state when he signed.
        let then = attestation.issued_at <= child.issued_at.saturating_add(trust.skew())
            && child.issued_at < attestation.expires;
        if attestation.key != parent.key || !then {
            return Err(ChainError::Holder);
        }
        until = until.min(show(&attestation, above)?);
    }
    Ok(until)
}

/// What the holder of the last of these tokens must show, and for how long an attestation stands for it.
pub(crate) fn pinned<'a>(
    tokens: impl ExactSizeIterator<Item = &'a Delegation>,
) -> impl Iterator<Item = (&'a pins::Accepted, u64)> {
    let last = tokens.len().saturating_sub(1);
    tokens.enumerate().filter_map(move |(n, token)| {
        let Pins { holder, below, max_age } = token.pins.as_ref()?;
        let asked = if n == last { holder } else { below };
        (!asked.is_empty()).then_some((asked, *max_age))
    })
}

/// Whether an attestation shows all that the holder of the last of these tokens must show; returns when it is too old.
fn show(attestation: &Attestation, tokens: &[Verified<Delegation>]) -> Result<u64, ChainError> {
    let mut until = u64::MAX;
    for (accepted, max_age) in pinned(tokens.iter().map(|token| &**token)) {
        pins::shows(attestation, accepted).map_err(|_| ChainError::Pinned)?;
        until = until.min(attestation.issued_at.saturating_add(max_age));
    }
    Ok(until)
}

fn verify_root(token: Unverified<Delegation>, trust: &Trust) -> Result<Verified<Delegation>, ChainError> {
    let Root { key, issuer, tools, labels } = trust.root(token.kid()).ok_or(ChainError::UnknownRoot)?;
    let root = token.verify(key).map_err(|_| ChainError::Signature)?;
    if root.issuer != *issuer {
        return Err(ChainError::UnknownRoot);
    }
    if root.parent.is_some() {
        return Err(ChainError::Linkage);
    }
    if root.depth != 0 {
        return Err(ChainError::Depth);
    }
    let in_scope =
        |name: &String| split(name).is_some_and(|(audience, tool)| tools.iter().any(|s| s.covers(audience, tool)));
    let released = root.flow.as_ref().map_or(Labels::None, Flow::all);
    // Nobody above signed a root, so there is nobody's state to show.
    if !root.tools.0.keys().all(in_scope) || !released.within(labels) || root.by.is_some() {
        return Err(ChainError::RootScope);
    }
    Ok(root)
}

fn verify_child(
    token: Unverified<Delegation>,
    parent: &Verified<Delegation>,
    parent_hash: Digest,
) -> Result<Verified<Delegation>, ChainError> {
    let child = token.verify(&parent.key).map_err(|_| ChainError::Signature)?;
    narrower(&child, parent, parent_hash)?;
    Ok(child)
}

/// The rules between a child and its parent, the signature apart; also what the issuing side checks before it signs.
pub fn narrower(child: &Delegation, parent: &Delegation, parent_hash: Digest) -> Result<(), ChainError> {
    if child.parent != Some(parent_hash) || child.issuer != thumbprint_uri(parent.key.thumbprint()) {
        return Err(ChainError::Linkage);
    }
    if child.depth != parent.depth + 1 || child.depth > parent.max_depth || child.max_depth > parent.max_depth {
        return Err(ChainError::Depth);
    }
    if child.expires > parent.expires || child.issued_at < parent.issued_at {
        return Err(ChainError::Lifetime);
    }
    if !child.tools.narrows(&parent.tools) {
        return Err(ChainError::Widened);
    }
    Ok(())
}

impl Chain {
    /// Whether the holder of the leaf is `key`.
    pub fn is_held_by(&self, key: &PublicKey) -> bool {
        self.leaf.key == *key
    }

    /// Whether the caller, by this attestation of his, is in the state that the chain pins; returns until when the attestations of all its
    /// holders stand for that.
    ///
    /// # Errors
    /// [`ChainError::Pinned`].
    pub fn shown_by(&self, attestation: &Attestation) -> Result<u64, ChainError> {
        Ok(self.until.min(show(attestation, &self.tokens)?))
    }

    /// Whether every token lets its holder act of its own accord.
    pub fn is_of_own_accord(&self) -> bool {
        self.flows().all(|flow| flow.of_own_accord)
    }

    /// Whether every token lets these labels be released to this tool.
    pub fn releases(&self, tool: &str, labels: &Labels) -> bool {
        self.flows().all(|flow| flow.releases(tool, labels))
    }

    /// Whether the holder of `key` passed on what the leaf's holder has, or somebody below him did.
    pub fn passes_through(&self, key: &Thumbprint) -> bool {
        let above = self.tokens.len().saturating_sub(1);
        self.tokens.iter().take(above).any(|token| token.key.thumbprint() == key)
    }

    /// What each token says about flow. A root that says nothing releases nothing.
    fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.tokens.iter().enumerate().filter_map(|(n, token)| match (&token.flow, n) {
            (Some(flow), _) => Some(flow),
            (None, 0) => Some(Flow::public()),
            (None, _) => None,
        })
    }
}
