//! The signer's half: from a request to the request with its proof. Random bits and the time are arguments.

use std::sync::Arc;

use crate::call_proof::CallProof;
use crate::carrier::Carrier;
use crate::digest::{Digest, Jti, Salt};
use crate::request::ToolCall;
use crate::sign::Sign;

/// What a signer presents with each call until it renews it. Every token stands beside its hash, computed once.
#[derive(Clone, Debug)]
pub struct Credentials {
    attestation: (Digest, Arc<str>),
    leaf: Digest,
    delegation: Vec<(Digest, Arc<str>)>,
}

impl Credentials {
    /// An attestation and a chain, root first. `None` for an empty chain.
    pub fn new(attestation: &str, delegation: &[impl AsRef<str>]) -> Option<Self> {
        let hashed = |text: &str| (Digest::of(text), Arc::from(text));
        let delegation: Vec<_> = delegation.iter().map(|text| hashed(text.as_ref())).collect();
        let leaf = delegation.last()?.0;
        Some(Self { attestation: hashed(attestation), leaf, delegation })
    }

    /// The attestation with its hash.
    pub fn attestation(&self) -> &(Digest, Arc<str>) {
        &self.attestation
    }

    /// The chain with its hashes, root first.
    pub fn delegation(&self) -> &[(Digest, Arc<str>)] {
        &self.delegation
    }
}

/// What is particular to one call.
#[derive(Clone, Copy, Debug)]
pub struct Particulars<'a> {
    /// The server it is made out to.
    pub audience: &'a str,
    /// The caller's context.
    pub context: Jti,
    /// 128 fresh random bits.
    pub id: Jti,
    /// 128 fresh random bits.
    pub salt: Salt,
    /// Seconds since 1970.
    pub now: u64,
    /// Seconds for which the proof is good.
    pub life: u64,
}

/// A signed call.
#[derive(Debug)]
pub struct Signed {
    /// The canonical request, with the proof.
    pub request: Vec<u8>,
    /// The call proof's claims.
    pub proof: CallProof,
    /// The call proof's token.
    pub token: String,
}

/// Why a call cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError<E> {
    /// `_meta` has more members, or longer names, than a call proof may name.
    #[error("_meta has more members, or longer names, than a call proof may name")]
    Meta,
    /// The key did not sign.
    #[error("the key did not sign: {0}")]
    Key(E),
}

/// Signs one call.
pub fn sign_call<S: Sign>(
    call: &ToolCall<'_, '_>,
    credentials: &Credentials,
    particulars: Particulars<'_>,
    key: &S,
) -> Result<Signed, SigningError<S::Error>> {
    let Particulars { audience, context, id, salt, now, life } = particulars;
    let params = call.canonical_params();
    let proof = CallProof {
        audience: audience.to_owned(),
        issued_at: now,
        expires: now.saturating_add(life),
        id,
        attestation: credentials.attestation.0,
        delegation: credentials.leaf,
        tool: call.tool().to_owned(),
        params: Digest::salted(&salt, &params),
        meta: call.bind_meta(&salt).ok_or(SigningError::Meta)?,
        context,
    };
    let token = proof.sign(key).map_err(SigningError::Key)?;
    let carrier = Carrier {
        attestation: &credentials.attestation.1,
        delegation: credentials.delegation.iter().map(|(_, text)| &**text).collect(),
        proof: &token,
        salt,
    };
    let request = call.with_proof(&params, &carrier);
    Ok(Signed { request, proof, token })
}
