//! What a call's tokens say, and by whose signature.

use attest_core::attestation::Attestation;
use attest_core::call_proof::CallProof;
use attest_core::delegation::Delegation;
use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};
use attest_core::jwk::PublicKey;
use attest_core::jws::{Statement, Unverified};
use attest_core::trust::Trust;
use serde::Serialize;

use super::Traced;
use crate::error::ForensicsError;
use crate::source::Source;

/// Whose signature a token bears, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "check", content = "key")]
pub enum Signature {
    /// It holds, under a key that the configuration pins or that a token above names.
    Holds(String),
    /// It does not.
    Wrong(String),
    /// Nobody at hand pins this key.
    Unknown(String),
}

/// An attestation.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Hash of the token.
    pub token: Digest,
    /// Who attests.
    pub issuer: String,
    /// The agent.
    pub agent: String,
    /// Thumbprint of its call key.
    pub key: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Component, digest and how that was had.
    pub components: Vec<(String, Digest, String)>,
    /// Of the attester.
    pub signature: Signature,
}

/// One token of a chain.
#[derive(Clone, Debug, Serialize)]
pub struct Hop {
    /// Hash of the token.
    pub token: Digest,
    /// The token itself.
    pub text: String,
    /// Who issued it.
    pub issuer: String,
    /// Thumbprint of its holder's key.
    pub holder: String,
    /// Seconds since 1970.
    pub expires: u64,
    /// Of whoever passed it on.
    pub signature: Signature,
}

/// A call proof.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Hash of the token.
    pub token: Digest,
    /// The server that it is made out to.
    pub audience: String,
    /// Whether the call is made of its caller's own accord.
    pub own_accord: bool,
    /// Of the caller.
    pub signature: Signature,
}

/// Adds what an entry of the call names, as far as it is not known yet.
pub(crate) fn add(
    traced: &mut Traced,
    written: &Written<'_>,
    index: u64,
    source: &dyn Source,
    trust: Option<&Trust>,
) -> Result<(), ForensicsError> {
    let (attestation, delegation, call) = match written {
        Written::Decision { verdict: Verdict::Allow { attestation, delegation, .. }, call, .. }
        | Written::Call { attestation, delegation, call, .. } => (attestation, delegation, call),
        _ => return Ok(()),
    };
    let text = |hash: &Digest| source.token(hash);
    let mut key = None;
    if let Some(token) = text(attestation)?.and_then(|text| Unverified::<Attestation>::read(&text).ok()) {
        key = Some(token.peek().key.clone());
        if traced.state.is_none() {
            let pinned = trust.and_then(|trust| trust.attester(token.kid())).map(|attester| attester.key.clone());
            traced.state = Some(state(*attestation, token, pinned.as_ref()));
        }
    }
    if traced.chain.is_empty() {
        let mut above: Option<PublicKey> = None;
        for hash in delegation {
            let Some(text) = text(hash)? else { break };
            let Ok(token) = Unverified::<Delegation>::read(&text) else { break };
            let root = || trust.and_then(|trust| trust.root(token.kid())).map(|root| root.key.clone());
            let signer = above.take().or_else(root);
            let said = token.peek();
            above = Some(said.key.clone());
            traced.chain.push(Hop {
                token: *hash,
                text: text.clone(),
                issuer: said.issuer.clone(),
                holder: said.key.thumbprint().to_string(),
                expires: said.expires,
                signature: signature(token, signer.as_ref()),
            });
        }
    }
    if traced.proof.is_none()
        && let Some(text) = source.own_token(index, call)?
        && let Ok(token) = Unverified::<CallProof>::read(&text)
    {
        let (audience, own_accord) = (token.peek().audience.clone(), token.peek().cause.is_none());
        traced.proof = Some(Proof { token: *call, audience, own_accord, signature: signature(token, key.as_ref()) });
    }
    Ok(())
}

fn state(hash: Digest, token: Unverified<Attestation>, pinned: Option<&PublicKey>) -> State {
    let said = token.peek();
    let components = said.measurements.iter();
    let components = components.map(|m| (m.component.to_string(), m.digest, m.grade.to_string())).collect();
    State {
        token: hash,
        issuer: said.issuer.clone(),
        agent: said.agent.clone(),
        key: said.key.thumbprint().to_string(),
        issued_at: said.issued_at,
        components,
        signature: signature(token, pinned),
    }
}

fn signature<T: Statement>(token: Unverified<T>, key: Option<&PublicKey>) -> Signature {
    let kid = token.kid().to_string();
    match key {
        None => Signature::Unknown(kid),
        Some(key) => match token.verify(key) {
            Ok(_) => Signature::Holds(kid),
            Err(_) => Signature::Wrong(kid),
        },
    }
}
