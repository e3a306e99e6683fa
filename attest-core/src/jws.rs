//! Compact JWS (RFC 7515), one algorithm, one header, one spelling: `spec/jws.md`.
//!
//! The header is exactly `{"alg":"Ed25519","kid":"<thumbprint>","typ":"<typ>"}` in canonical form (RFC 9864 for the
//! algorithm's name). Nothing else is a token of ours: no `jwk`, `jku`, `x5u`, `crit`; a token never brings its own trust.

use core::ops::Deref;

use crate::b64;
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::json;
use crate::jwk::{PublicKey, Thumbprint};
use crate::limits::MAX_TOKEN;
use crate::sign::Sign;

/// Why a text is not a token of the expected type. Nothing here says anything about its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`Statement::LONGEST`].
    #[error("the token is longer than its kind may be ({MAX_TOKEN} bytes, but for status lists)")]
    TooLong,
    /// Not three parts of strict base64url, or the signature is not 64 bytes.
    #[error("not three parts of unpadded base64url with a 64-byte signature")]
    Encoding,
    /// Not the one header that this type of token has.
    #[error("the header is not exactly {{alg: \"Ed25519\", kid, typ}} in canonical form with the expected typ")]
    Header,
    /// The payload is not strict JSON.
    #[error("the payload is not strict JSON: {0}")]
    Json(json::JsonError),
    /// The payload is not in canonical form.
    #[error("the payload is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A claim is missing, unknown or not what it should be.
    #[error("{0}")]
    Claims(ClaimsError),
}

/// A statement that travels as a token.
pub trait Statement: Sized {
    /// The `typ` of its header.
    const TYP: &'static str;
    /// Most characters of its token.
    const LONGEST: usize = MAX_TOKEN;

    /// Reads the payload; must call [`Claims::finish`] unless unknown claims are to be ignored.
    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError>;

    /// Whether the canonical form of this statement is certainly `payload`. Only a short cut: `false` decides nothing.
    fn is_written_as(&self, _payload: &[u8]) -> bool {
        false
    }
}

/// A statement somebody sent. Its signature has not been looked at, so nothing may be decided on it.
#[derive(Debug)]
pub struct Unverified<T> {
    statement: T,
    kid: Thumbprint,
    /// Length of the signing input within `text`.
    signed: usize,
    signature: [u8; 64],
    text: Box<str>,
}

/// A statement whose signature verified, made by [`Unverified::verify`] alone; parsed once, from the very bytes that
/// were verified.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    statement: T,
    token: Digest,
}

/// The signature is not the key's, or the header names another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by the expected key")]
pub struct BadSignature;

const HEADER_START: &str = r#"{"alg":"Ed25519","kid":""#;
const HEADER_MIDDLE: &str = r#"","typ":""#;
const HEADER_END: &str = r#""}"#;

fn header(kid: &Thumbprint, typ: &str) -> String {
    [HEADER_START, kid.as_str(), HEADER_MIDDLE, typ, HEADER_END].concat()
}

fn kid_of_header<'a>(header: &'a [u8], typ: &str) -> Option<&'a str> {
    let header = str::from_utf8(header).ok()?;
    let rest = header.strip_prefix(HEADER_START)?;
    let (kid, rest) = rest.split_at_checked(43)?;
    let rest = rest.strip_prefix(HEADER_MIDDLE)?.strip_prefix(typ)?;
    (rest == HEADER_END).then_some(kid)
}

impl<T: Statement> Unverified<T> {
    /// Reads a token without trusting it.
    pub fn read(text: &str) -> Result<Self, TokenError> {
        if text.len() > T::LONGEST {
            return Err(TokenError::TooLong);
        }
        let (input, signature) = text.rsplit_once('.').ok_or(TokenError::Encoding)?;
        let (head, payload) = input.split_once('.').ok_or(TokenError::Encoding)?;
        let signature = b64::decode_exact(signature).ok_or(TokenError::Encoding)?;
        let head = b64::decode(head).ok_or(TokenError::Encoding)?;
        let payload = b64::decode(payload).ok_or(TokenError::Encoding)?;
        let kid = kid_of_header(&head, T::TYP).and_then(Thumbprint::parse).ok_or(TokenError::Header)?;
        let value = json::parse(&payload).map_err(TokenError::Json)?;
        let read = Claims::of(&value).and_then(|mut claims| T::read(&mut claims));
        // A statement that writes itself as exactly these bytes is in canonical form; no need to write the value as well.
        let same = read.as_ref().is_ok_and(|statement| statement.is_written_as(&payload));
        if !same && value.to_canonical() != payload {
            return Err(TokenError::NotCanonical);
        }
        let statement = read.map_err(TokenError::Claims)?;
        Ok(Self { statement, kid, signed: input.len(), signature, text: text.into() })
    }

    /// Which key is said to have signed.
    pub fn kid(&self) -> &Thumbprint {
        &self.kid
    }

    /// The claims, for display and for checks that can only refuse.
    pub fn peek(&self) -> &T {
        &self.statement
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the signature is over (RFC 7515, section 5.1); a child's `par_hash` is its hash.
    pub fn signing_input(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signed).unwrap_or_default()
    }

    /// The statement, if `key` signed it and its header says so.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<T>, BadSignature> {
        if self.kid != *key.thumbprint() || !key.verifies(self.signing_input(), &self.signature) {
            return Err(BadSignature);
        }
        Ok(Verified { token: Digest::of(self.text.as_bytes()), statement: self.statement })
    }
}

impl<T> Verified<T> {
    /// SHA-256 over the token's exact characters: how other objects refer to it.
    pub fn token(&self) -> Digest {
        self.token
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.statement
    }
}

/// Signs canonical payload bytes into a token of the given type.
pub fn sign<S: Sign>(typ: &str, payload: &[u8], key: &S) -> Result<String, S::Error> {
    let mut text = String::with_capacity(payload.len() * 4 / 3 + 256);
    b64::encode_into(header(key.public().thumbprint(), typ), &mut text);
    text.push('.');
    b64::encode_into(payload, &mut text);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    b64::encode_into(signature, &mut text);
    Ok(text)
}
