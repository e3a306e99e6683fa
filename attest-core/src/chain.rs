//! Chains of delegation: root first, each token narrower than its parent. `spec/chain.md`.

use crate::delegation::{Delegation, thumbprint_uri};
use crate::digest::Digest;
use crate::jwk::PublicKey;
use crate::jws::{Unverified, Verified};
use crate::limits::MAX_CHAIN;
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
    /// The root grants a tool that its key may not speak for.
    #[error("the root grants a tool that its key may not speak for")]
    RootScope,
    /// A token of the chain is held by a key that has another role at this verifier.
    #[error("a token of the chain is held by a key that this verifier pins in another role")]
    HolderRole,
}

/// A chain whose every link verified: made by [`verify`] alone.
#[derive(Clone, Debug)]
pub struct Chain {
    tokens: Vec<Verified<Delegation>>,
    leaf: Verified<Delegation>,
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
    Ok(Chain { tokens: verified, leaf })
}

fn verify_root(token: Unverified<Delegation>, trust: &Trust) -> Result<Verified<Delegation>, ChainError> {
    let Root { key, issuer, tools } = trust.root(token.kid()).ok_or(ChainError::UnknownRoot)?;
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
    if !root.tools.0.keys().all(in_scope) {
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
}
