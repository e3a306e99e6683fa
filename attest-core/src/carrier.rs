//! What travels in `params._meta` under [`crate::names::PROOF`]: `spec/carrier.md`.

use crate::b64;
use crate::digest::{Digest, Salt};
use crate::json::{Value, write_string};
use crate::limits::{MAX_CHAIN, MAX_DECLASSIFICATIONS, MAX_DISCLOSED, MAX_DISCLOSURES, MAX_PROOF, MAX_SHOWN};

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
    /// Receipts of what the caller's context has seen, at most [`MAX_SHOWN`].
    pub receipts: Vec<&'a str>,
    /// The decision on whose behalf the call is made.
    pub cause: Option<&'a str>,
    /// A chain that the caller passes on to the server, root first; its leaf is the server's.
    pub grant: Vec<&'a str>,
    /// Declassifications, each with the salt of its parameters; at most [`MAX_DECLASSIFICATIONS`].
    pub declassifications: Vec<(Salt, &'a str)>,
}

impl core::fmt::Debug for Carrier<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A prompt must not reach a message by way of somebody's `{:?}`.
        let Self { tokens, proof, salt, disclosed, receipts, cause, grant, declassifications } = self;
        let texts = disclosed.len();
        f.debug_struct("Carrier")
            .field("tokens", tokens)
            .field("proof", proof)
            .field("salt", salt)
            .field("disclosed", &texts)
            .field("receipts", receipts)
            .field("cause", cause)
            .field("grant", grant)
            .field("declassifications", declassifications)
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
    /// Not an object of exactly `att`, `del` (at least one token), `prf` and `salt`, and perhaps `cause`, `dcl`, `grt`, `rcp`, and `dis`
    /// beside tokens, each of its type; or tokens beside shorthands.
    #[error(
        "not an object of exactly att, del, prf and salt, each of its type, att and del all tokens or all shorthands, with cause, dcl, grt, rcp, and dis beside tokens, or without"
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

    /// `{"att":"…",`
    fn write_attestation(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"att\":\"");
        match self {
            Self::Full { attestation, .. } => out.extend_from_slice(attestation.as_bytes()),
            Self::Short { attestation, .. } => write_short(attestation, out),
        }
        out.extend_from_slice(b"\",");
    }

    /// `"del":["…"],`
    fn write_delegation(&self, out: &mut Vec<u8>) {
        let between = |i: usize| -> &[u8] { if i == 0 { b"\"" } else { b"\",\"" } };
        out.extend_from_slice(b"\"del\":[");
        match self {
            Self::Full { delegation, .. } => delegation.iter().enumerate().for_each(|(i, token)| {
                out.extend_from_slice(between(i));
                out.extend_from_slice(token.as_bytes());
            }),
            Self::Short { delegation, .. } => delegation.iter().enumerate().for_each(|(i, digest)| {
                out.extend_from_slice(between(i));
                write_short(digest, out);
            }),
        }
        out.extend_from_slice(b"\"],");
    }
}

fn write_short(digest: &Digest, out: &mut Vec<u8>) {
    out.extend_from_slice(SHORTHAND.as_bytes());
    out.extend_from_slice(digest.to_b64().as_bytes());
}

/// A member that is a list of at least one text and at most `most`; empty where it is absent.
fn texts<'a>(value: Option<&'a Value<'_>>, most: usize) -> Result<Vec<&'a str>, CarrierError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let texts = value.as_array().filter(|texts| (1..=most).contains(&texts.len()));
    let texts = texts.ok_or(CarrierError::Shape)?;
    texts.iter().map(|text| text.as_str().ok_or(CarrierError::Shape)).collect()
}

/// The member `dcl`.
fn declassifications<'a>(value: Option<&'a Value<'_>>) -> Result<Vec<(Salt, &'a str)>, CarrierError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let listed = value.as_array().filter(|listed| (1..=MAX_DECLASSIFICATIONS).contains(&listed.len()));
    let one = |value: &'a Value<'_>| {
        let object = value.as_object().filter(|object| object.len() == 2)?;
        let salt = b64::decode_exact(object.get("salt")?.as_str()?).map(Salt)?;
        Some((salt, object.get("token")?.as_str()?))
    };
    listed.and_then(|listed| listed.iter().map(one).collect()).ok_or(CarrierError::Shape)
}

fn write_texts(name: &str, texts: &[&str], out: &mut Vec<u8>) {
    for (i, text) in texts.iter().enumerate() {
        out.extend_from_slice(if i == 0 { name.as_bytes() } else { b"," });
        write_string(text, out);
    }
    out.extend_from_slice(if texts.is_empty() { b"" } else { b"]," });
}

impl<'a> Carrier<'a> {
    /// Of one call that brings nothing beside its tokens.
    pub fn new(tokens: Tokens<'a>, proof: &'a str, salt: Salt) -> Self {
        let (disclosed, receipts, grant, declassifications) = Default::default();
        Self { tokens, proof, salt, disclosed, receipts, cause: None, grant, declassifications }
    }

    /// Reads the member.
    pub fn read(value: &'a Value<'_>) -> Result<Self, CarrierError> {
        let object = value.as_object().ok_or(CarrierError::Shape)?;
        let disclosed = texts(object.get("dis"), MAX_DISCLOSURES)?;
        let receipts = texts(object.get("rcp"), MAX_SHOWN)?;
        let grant = texts(object.get("grt"), MAX_CHAIN)?;
        let declassifications = declassifications(object.get("dcl"))?;
        let cause = object.get("cause").map(|cause| cause.as_str().ok_or(CarrierError::Shape)).transpose()?;
        let there = [!disclosed.is_empty(), !receipts.is_empty(), !grant.is_empty(), !declassifications.is_empty()];
        if object.len() != 4 + usize::from(cause.is_some()) + there.iter().filter(|there| **there).count() {
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
        let beside =
            receipts.iter().chain(&grant).chain(&cause).copied().chain(declassifications.iter().map(|(_, t)| *t));
        let size = [attestation, proof].into_iter().chain(delegation.iter().copied()).chain(beside);
        let size = size.map(str::len).sum::<usize>();
        let salt = b64::decode_exact(text("salt")?).map(Salt).ok_or(CarrierError::Shape)?;
        let tokens = Tokens::read(attestation, delegation)?;
        if matches!(tokens, Tokens::Short { .. }) && !disclosed.is_empty() {
            return Err(CarrierError::Shape);
        }
        let shown = disclosed.iter().map(|text| text.len()).sum::<usize>();
        if size > MAX_PROOF || shown > MAX_DISCLOSED {
            return Err(CarrierError::TooLarge);
        }
        Ok(Self { tokens, proof, salt, disclosed, receipts, cause, grant, declassifications })
    }

    /// Appends the canonical form. Tokens, shorthands and salts are base64url, dots and colons, so nothing of them needs an escape.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.tokens.write_attestation(out);
        if let Some(cause) = self.cause {
            out.extend_from_slice(b"\"cause\":");
            write_string(cause, out);
            out.push(b',');
        }
        for (i, (salt, token)) in self.declassifications.iter().enumerate() {
            out.extend_from_slice(if i == 0 { b"\"dcl\":[" } else { b"," });
            out.extend_from_slice(b"{\"salt\":\"");
            out.extend_from_slice(b64::encode(salt.0).as_bytes());
            out.extend_from_slice(b"\",\"token\":");
            write_string(token, out);
            out.push(b'}');
        }
        out.extend_from_slice(if self.declassifications.is_empty() { b"" } else { b"]," });
        self.tokens.write_delegation(out);
        write_texts("\"dis\":[", &self.disclosed, out);
        write_texts("\"grt\":[", &self.grant, out);
        out.extend_from_slice(b"\"prf\":");
        write_string(self.proof, out);
        out.push(b',');
        write_texts("\"rcp\":[", &self.receipts, out);
        out.extend_from_slice(b"\"salt\":\"");
        out.extend_from_slice(b64::encode(self.salt.0).as_bytes());
        out.extend_from_slice(b"\"}");
    }
}
