//! The signer's half: from a request to the request with its proof. Random bits and the time are arguments.

use std::sync::Arc;

use crate::call_proof::CallProof;
use crate::carrier::{Carrier, Tokens, name_of};
use crate::digest::{Digest, Jti, Salt};
use crate::labels::Labels;
use crate::nonce::Nonce;
use crate::request::Call;
use crate::sign::Sign;

/// What a signer presents with each call until it renews it. Every token stands beside its hash, computed once.
#[derive(Clone)]
pub struct Credentials {
    attestation: (Digest, Arc<str>),
    leaf: Digest,
    delegation: Vec<(Digest, Arc<str>)>,
    name: Digest,
    disclosed: Vec<Arc<str>>,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // What is disclosed to a server is not for messages.
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Credentials {
    /// An attestation and a chain, root first. `None` for an empty chain.
    pub fn new(attestation: &str, delegation: &[impl AsRef<str>]) -> Option<Self> {
        let hashed = |text: &str| (Digest::of(text), Arc::from(text));
        let delegation: Vec<_> = delegation.iter().map(|text| hashed(text.as_ref())).collect();
        let leaf = delegation.last()?.0;
        let attestation = hashed(attestation);
        let name = name_of(attestation.0, delegation.iter().map(|(hash, _)| *hash));
        Some(Self { attestation, leaf, delegation, name, disclosed: Vec::new() })
    }

    /// The same, and with the tokens in full goes what measured digests of the attestation are over, for comparison rules. Each verifier of
    /// a call sees it.
    #[must_use]
    pub fn disclosing(self, disclosed: Vec<Arc<str>>) -> Self {
        Self { disclosed, ..self }
    }

    /// Names attestation and chain together ([`name_of`]): which of them a verifier has accepted in full, and so may have
    /// remembered, is kept under this.
    pub fn name(&self) -> Digest {
        self.name
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
    /// Where the call comes from.
    pub lineage: Lineage<'a>,
    /// What a refusal of this very server gave to have the call signed now.
    pub nonce: Option<&'a str>,
}

/// What the caller's context has seen, and on whose behalf it calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lineage<'a> {
    /// Labels besides those of the receipts.
    pub labels: Option<&'a Labels>,
    /// Receipts of what was seen, each with its hash.
    pub receipts: &'a [(Digest, Arc<str>)],
    /// The decision that is the call's cause.
    pub cause: Option<&'a str>,
    /// A chain for the server, root first.
    pub grant: &'a [Arc<str>],
    /// Declassifications, each with the salt of its parameters.
    pub declassifications: &'a [(Salt, Arc<str>)],
}

/// How attestation and chain stand in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The tokens themselves: every verifier takes them.
    #[default]
    Full,
    /// Their hashes: for a verifier that said that it remembers, and that has accepted them in full before. One that has
    /// forgotten them refuses with `not-cached`, and takes the same call in full.
    Short,
}

/// A signed call: one proof, one `jti`, whatever the form it is sent in.
#[derive(Debug)]
pub struct Signed<'a, 'm, 'v> {
    /// The call proof's claims.
    pub proof: CallProof,
    /// The call proof's token.
    pub token: String,
    call: &'a Call<'m, 'v>,
    credentials: &'a Credentials,
    params: Vec<u8>,
    salt: Salt,
    lineage: Lineage<'a>,
}

impl Signed<'_, '_, '_> {
    /// The canonical request, with the proof. Only writing, no signing: a second form costs a copy.
    pub fn request(&self, form: Form) -> Vec<u8> {
        let Credentials { attestation, delegation, disclosed, .. } = self.credentials;
        let tokens = match form {
            Form::Full => Tokens::Full {
                attestation: &attestation.1,
                delegation: delegation.iter().map(|(_, text)| &**text).collect(),
            },
            Form::Short => Tokens::Short {
                attestation: attestation.0,
                delegation: delegation.iter().map(|(hash, _)| *hash).collect(),
            },
        };
        let disclosed = match form {
            Form::Full => disclosed.iter().map(|text| &**text).collect(),
            Form::Short => Vec::new(),
        };
        let Lineage { receipts, cause, grant, declassifications, .. } = self.lineage;
        let carrier = Carrier {
            disclosed,
            receipts: receipts.iter().map(|(_, text)| &**text).collect(),
            cause,
            grant: grant.iter().map(|text| &**text).collect(),
            declassifications: declassifications.iter().map(|(salt, text)| (*salt, &**text)).collect(),
            ..Carrier::new(tokens, &self.token, self.salt)
        };
        self.call.with_proof(&self.params, &carrier)
    }
}

/// Why a call cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError<E> {
    /// `_meta` has more members, or longer names, than a call proof may name.
    #[error("_meta has more members, or longer names, than a call proof may name")]
    Meta,
    /// What the server gave is no nonce.
    #[error("what the server asks to have signed is no nonce of 43 characters")]
    Nonce,
    /// The key did not sign.
    #[error("the key did not sign: {0}")]
    Key(E),
}

/// Signs one call.
pub fn sign_call<'a, 'm, 'v, S: Sign>(
    call: &'a Call<'m, 'v>,
    credentials: &'a Credentials,
    particulars: Particulars<'a>,
    key: &S,
) -> Result<Signed<'a, 'm, 'v>, SigningError<S::Error>> {
    let Particulars { audience, context, id, salt, now, life, lineage, nonce } = particulars;
    let params = call.canonical_params();
    let proof = CallProof {
        audience: audience.to_owned(),
        issued_at: now,
        expires: now.saturating_add(life),
        id,
        attestation: credentials.attestation.0,
        delegation: credentials.leaf,
        method: call.method().to_owned(),
        tool: call.tool().map(str::to_owned),
        params: Digest::salted(&salt, &params),
        meta: call.bind_meta(&salt).ok_or(SigningError::Meta)?,
        context,
        labels: lineage.labels.cloned().unwrap_or_default(),
        parents: lineage.receipts.iter().map(|(hash, _)| *hash).collect(),
        cause: lineage.cause.map(Digest::of),
        nonce: nonce.map(|text| Nonce::from_b64(text).ok_or(SigningError::Nonce)).transpose()?,
    };
    let token = proof.sign(key).map_err(SigningError::Key)?;
    Ok(Signed { proof, token, call, credentials, params, salt, lineage })
}
