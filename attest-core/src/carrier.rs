//! What travels in `params._meta` under [`crate::names::PROOF`]: `spec/carrier.md`.

use crate::b64;
use crate::digest::{Digest, Salt};
use crate::json::{Value, write_string};
use crate::limits::{MAX_CHAIN, MAX_DISCLOSED, MAX_DISCLOSURES, MAX_PROOF};

/// The tokens of one call, as somebody sent them.
#[derive(Clone, PartialEq, Eq)]
pub struct Carrier<'a> {
    /// Attestation and chain.
    pub tokens: Tokens<'a>,
    /// The call proof.
    pub proof: &'a str,
    /// What the commitments of the call proof are salted with.
    pub salt: Salt,
    /// Bytes that measured digests of the attestation are over, for comparison rules; empty beside shorthands. May be confidential.
    pub disclosed: Vec<&'a str>,
}

impl core::fmt::Debug for Carrier<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A prompt must not reach a message by way of somebody's `{:?}`.
        let Self { tokens, proof, salt, disclosed } = self;
        let texts = disclosed.len();
        f.debug_struct("Carrier")
            .field("tokens", tokens)
            .field("proof", proof)
            .field("salt", salt)
            .field("disclosed", &texts)
            .finish()
    }
}

/// An attestation and exactly one chain of delegation, root first: the tokens themselves, or what a verifier finds them
/// by that remembers them. All of one kind: a carrier that mixes them is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tokens<'a> {
    /// The exact characters.
    Full {
        /// The attestation.
        attestation: &'a str,
        /// The chain, root first, the leaf last.
        delegation: Vec<&'a str>,
    },
    /// The hash of each token's exact characters.
    Short {
        /// Of the attestation.
        attestation: Digest,
        /// Of the chain, root first, the leaf last.
        delegation: Vec<Digest>,
    },
}

/// What a shorthand begins with. No token does: `:` is not in base64url.
const SHORTHAND: &str = "sha256:";

/// Why the member is not a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierError {
    /// Not an object of exactly `att`, `del` (at least one token), `prf` and `salt`, and perhaps `dis` beside tokens, each of its type;
    /// or tokens beside shorthands.
    #[error(
        "not an object of exactly att, del, prf and salt, each of its type, att and del all tokens or all shorthands, with dis beside tokens or without"
    )]
    Shape,
    /// More than [`MAX_CHAIN`] tokens of delegation, [`MAX_PROOF`] bytes of tokens, or [`MAX_DISCLOSED`] bytes of what is disclosed.
    #[error("more than {MAX_CHAIN} delegation tokens, {MAX_PROOF} bytes of tokens or {MAX_DISCLOSED} bytes disclosed")]
    TooLarge,
}

/// The name of an attestation and a chain together, from the hashes of their tokens: the hash of these hashes, one behind
/// the other. Each has the same length, so no two lists run together into the same bytes.
pub fn name_of(attestation: Digest, delegation: impl IntoIterator<Item = Digest>) -> Digest {
    let mut bytes = Vec::with_capacity(32 * (MAX_CHAIN + 1));
    bytes.extend_from_slice(&attestation.0);
    delegation.into_iter().for_each(|digest| bytes.extend_from_slice(&digest.0));
    Digest::of(bytes)
}

impl<'a> Tokens<'a> {
    fn read(attestation: &'a str, delegation: Vec<&'a str>) -> Result<Self, CarrierError> {
        let digest =
            |text: &str| text.strip_prefix(SHORTHAND).map(|rest| Digest::from_b64(rest).ok_or(CarrierError::Shape));
        match digest(attestation) {
            Some(attestation) => {
                let delegation = delegation.into_iter().map(|text| digest(text).unwrap_or(Err(CarrierError::Shape)));
                Ok(Self::Short { attestation: attestation?, delegation: delegation.collect::<Result<_, _>>()? })
            }
            None if delegation.iter().any(|text| text.starts_with(SHORTHAND)) => Err(CarrierError::Shape),
            None => Ok(Self::Full { attestation, delegation }),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Full { attestation, delegation } => write_tokens(attestation, delegation.iter().copied(), out),
            Self::Short { attestation, delegation } => {
                let short = |digest: &Digest| [SHORTHAND, &digest.to_b64()].concat();
                write_tokens(&short(attestation), delegation.iter().map(short), out);
            }
        }
    }
}

fn write_tokens(attestation: &str, delegation: impl Iterator<Item = impl AsRef<str>>, out: &mut Vec<u8>) {
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    put(&[r#"{"att":""#, attestation, r#"","del":["#]);
    for (i, token) in delegation.enumerate() {
        put(&[if i == 0 { "\"" } else { ",\"" }, token.as_ref(), "\""]);
    }
}

/// The member `dis`.
fn disclosed<'a>(value: &'a Value<'_>) -> Result<Vec<&'a str>, CarrierError> {
    let texts = value.as_array().filter(|texts| (1..=MAX_DISCLOSURES).contains(&texts.len()));
    let texts = texts.ok_or(CarrierError::Shape)?;
    texts.iter().map(|text| text.as_str().ok_or(CarrierError::Shape)).collect()
}

impl<'a> Carrier<'a> {
    /// Reads the member.
    pub fn read(value: &'a Value<'_>) -> Result<Self, CarrierError> {
        let object = value.as_object().ok_or(CarrierError::Shape)?;
        let disclosed = object.get("dis").map(disclosed).transpose()?.unwrap_or_default();
        if object.len() != 4 + usize::from(!disclosed.is_empty()) {
            return Err(CarrierError::Shape);
        }
        let text = |name| object.get(name).and_then(Value::as_str).ok_or(CarrierError::Shape);
        let delegation = object.get("del").and_then(Value::as_array).ok_or(CarrierError::Shape)?;
        if delegation.is_empty() {
            return Err(CarrierError::Shape);
        }
        if delegation.len() > MAX_CHAIN {
            return Err(CarrierError::TooLarge);
        }
        let delegation =
            delegation.iter().map(|t| t.as_str().ok_or(CarrierError::Shape)).collect::<Result<Vec<_>, _>>()?;
        let (attestation, proof) = (text("att")?, text("prf")?);
        let size = attestation.len() + proof.len() + delegation.iter().map(|t| t.len()).sum::<usize>();
        let salt = b64::decode_exact(text("salt")?).map(Salt).ok_or(CarrierError::Shape)?;
        let tokens = Tokens::read(attestation, delegation)?;
        if matches!(tokens, Tokens::Short { .. }) && !disclosed.is_empty() {
            return Err(CarrierError::Shape);
        }
        let shown = disclosed.iter().map(|text| text.len()).sum::<usize>();
        if size > MAX_PROOF || shown > MAX_DISCLOSED {
            return Err(CarrierError::TooLarge);
        }
        Ok(Self { tokens, proof, salt, disclosed })
    }

    /// Appends the canonical form. Tokens, shorthands and salt are base64url, dots and colons, so nothing of them needs an escape.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.tokens.write(out);
        for (i, text) in self.disclosed.iter().enumerate() {
            out.extend_from_slice(if i == 0 { b"],\"dis\":[" } else { b"," });
            write_string(text, out);
        }
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&[r#"],"prf":""#, self.proof, r#"","salt":""#, &b64::encode(self.salt.0), r#""}"#]);
    }
}
