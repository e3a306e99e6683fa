//! Passing a grant on: a narrower token below a chain, made by whoever holds it. `spec/chain.md`.
//!
//! What no verifier would accept is refused here already. Times and random values come from the caller.

use crate::attestation::Attestation;
use crate::chain::{ChainError, narrower};
use crate::delegation::{Delegation, thumbprint_uri};
use crate::digest::Digest;
use crate::flow::Flow;
use crate::json::Value;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{TokenError, Unverified};
use crate::measurement::Component;
use crate::pins::{Pins, shows};
use crate::sign::Sign;
use crate::status::StatusRef;
use crate::tools::{Tools, ToolsError};

/// What is granted; what is absent is as the parent has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// Tools.
    pub tools: Option<Tools>,
    /// Labels, and of whose accord.
    pub flow: Option<Flow>,
    /// State.
    pub pins: Option<Pins>,
}

/// Why a value says no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantedError {
    /// No object, or one with other members.
    #[error("a grant has tools, flow and state, and nothing else")]
    Form,
    /// The tools.
    #[error("tools: {0}")]
    Tools(#[from] ToolsError),
    /// The flow.
    #[error(
        "flow has origin = \"self\" or no origin, and release with labels by tool: [flow.release] \"mail#send\" = [\"finance\"]"
    )]
    Flow,
    /// The pins.
    #[error(
        "state has max_age in seconds, and holder or below with digests by component: [state.holder] system-prompt = [\"…\"]"
    )]
    State,
}

impl Granted {
    /// Reads `{"flow":…,"state":…,"tools":…}`, each as in a token and each optional.
    ///
    /// # Errors
    /// [`GrantedError`].
    pub fn read(value: &Value<'_>) -> Result<Self, GrantedError> {
        let object = value.as_object().ok_or(GrantedError::Form)?;
        if object.iter().any(|(name, _)| !["flow", "state", "tools"].contains(&name)) {
            return Err(GrantedError::Form);
        }
        let part = |name: &str| object.get(name);
        Ok(Self {
            tools: part("tools").map(Tools::read).transpose()?,
            flow: part("flow").map(Flow::of).transpose().map_err(|_| GrantedError::Flow)?.flatten(),
            pins: part("state").map(Pins::of).transpose().map_err(|_| GrantedError::State)?.flatten(),
        })
    }
}

/// What is particular to the new token.
#[derive(Clone, Debug)]
pub struct Passing<'a> {
    /// Its holder.
    pub to: PublicKey,
    /// What it grants.
    pub granted: Granted,
    /// 128 fresh random bits, as base64url.
    pub id: String,
    /// Seconds since 1970.
    pub now: u64,
    /// Seconds for which it is good; it ends with its parent at the latest.
    pub life: u64,
    /// How many more times it may be passed on; as often as the parent, where nothing is said.
    pub passes: Option<u64>,
    /// The attestation of whoever passes it on, where the chain pins his state.
    pub by: Option<&'a str>,
    /// Where it is said whether it still counts.
    pub status: Option<StatusRef>,
}

/// Why a grant cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassingError<E> {
    /// A chain without a token.
    #[error("the parent's chain holds no token")]
    NoParent,
    /// A token that cannot be read.
    #[error("a token of the chain, or the attestation: {0}")]
    Token(#[from] TokenError),
    /// Somebody else holds the chain.
    #[error(
        "the last token of the chain is held by the key {0}, and the key that is to sign is {1}; only its holder can pass it on"
    )]
    Holder(Thumbprint, Thumbprint),
    /// It is not provably narrower.
    #[error("refused to sign: {0}")]
    Wider(#[from] ChainError),
    /// The chain pins the state of whoever passes it on, and none is shown.
    #[error("the chain pins the state of whoever passes it on, and no attestation shows it")]
    Unattested,
    /// An attestation of another key.
    #[error("the attestation is of another key than the one that signs")]
    Attestation,
    /// Another state than the chain pins.
    #[error("refused to sign: the chain pins {0}, and the attestation shows another")]
    Pinned(Component),
    /// The key did not sign.
    #[error("the key did not sign: {0}")]
    Key(E),
}

/// The token below `chain` (root first), signed by the key that holds it.
///
/// # Errors
/// [`PassingError`].
pub fn pass_on<K: Sign>(
    chain: &[impl AsRef<str>],
    passing: Passing<'_>,
    key: &K,
) -> Result<String, PassingError<K::Error>> {
    let parent = chain.last().ok_or(PassingError::NoParent)?;
    let parent = Unverified::<Delegation>::read(parent.as_ref())?;
    let hash = Digest::of(parent.signing_input());
    let parent = parent.peek();
    let signer = key.public();
    if parent.key != *signer {
        let (holder, signer) = (parent.key.thumbprint().clone(), signer.thumbprint().clone());
        return Err(PassingError::Holder(holder, signer));
    }
    let Passing { to, granted, id, now, life, passes, by, status } = passing;
    let child = Delegation {
        issuer: thumbprint_uri(signer.thumbprint()),
        id,
        issued_at: now,
        expires: now.saturating_add(life).min(parent.expires),
        key: to,
        depth: parent.depth + 1,
        max_depth: passes.map_or(parent.max_depth, |n| parent.depth.saturating_add(1).saturating_add(n)),
        parent: Some(hash),
        tools: granted.tools.unwrap_or_else(|| parent.tools.clone()),
        flow: granted.flow,
        pins: granted.pins,
        by: by.map(str::to_owned),
        status,
    };
    narrower(&child, parent, hash)?;
    shown(chain, signer, by)?;
    child.sign(key).map_err(PassingError::Key)
}

/// Whether the chain pins the state of whoever passes it on.
///
/// # Errors
/// A token that cannot be read.
pub fn pins_its_holder(chain: &[impl AsRef<str>]) -> Result<bool, TokenError> {
    Ok(!pinned(chain)?.is_empty())
}

fn pinned(chain: &[impl AsRef<str>]) -> Result<Vec<crate::pins::Accepted>, TokenError> {
    let last = chain.len().saturating_sub(1);
    let mut all = Vec::new();
    for (n, text) in chain.iter().enumerate() {
        if let Some(pins) = Unverified::<Delegation>::read(text.as_ref())?.peek().pins.clone() {
            all.push(if n == last { pins.holder } else { pins.below });
        }
    }
    all.retain(|asked| !asked.is_empty());
    Ok(all)
}

/// Where the chain pins the state of whoever signs, its attestation has to stand in the child, and to show that state.
fn shown<E>(chain: &[impl AsRef<str>], signer: &PublicKey, by: Option<&str>) -> Result<(), PassingError<E>> {
    let asked = pinned(chain)?;
    let Some(by) = by else {
        return if asked.is_empty() { Ok(()) } else { Err(PassingError::Unattested) };
    };
    let attestation = Unverified::<Attestation>::read(by)?;
    if attestation.peek().key != *signer {
        return Err(PassingError::Attestation);
    }
    for pinned in &asked {
        shows(attestation.peek(), pinned).map_err(PassingError::Pinned)?;
    }
    Ok(())
}
