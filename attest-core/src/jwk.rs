//! Ed25519 public keys: JWK (RFC 8037) and thumbprint (RFC 7638).

use core::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::b64;
use crate::digest::Digest;
use crate::json::Value;

/// Why a public key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an object of exactly `crv`, `kty` and `x`, or of another kind of key.
    #[error("not an Ed25519 public JWK: exactly the members crv (\"Ed25519\"), kty (\"OKP\") and x are allowed")]
    Shape,
    /// `x` is not the one spelling of 32 bytes.
    #[error("x is not 32 bytes in unpadded base64url")]
    Encoding,
    /// Not a point, or a point in a second spelling.
    #[error("not a point of the curve in its one encoding")]
    NotCanonical,
    /// Of small order: signatures under it prove nothing.
    #[error("a key of small order: anybody can make signatures for it")]
    Weak,
    /// Has a part outside the prime-order group.
    #[error("a key outside the prime-order group: implementations disagree about its signatures")]
    Torsion,
}

/// An Ed25519 public key that passed enrolment: canonical, not weak, torsion-free.
#[derive(Clone)]
pub struct PublicKey {
    point: VerifyingKey,
    thumbprint: Thumbprint,
}

/// The RFC 7638 thumbprint of a key, SHA-256, 43 characters: its `kid`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(Arc<str>);

impl Thumbprint {
    /// The 43 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a thumbprint somebody wrote; only its form is checked.
    pub fn parse(text: &str) -> Option<Self> {
        Digest::from_b64(text).map(|_| Self(text.into()))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl PublicKey {
    /// The checks of enrolment, some 32 µs: done once per key, not per signature.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotCanonical)?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        let edwards = point.to_edwards();
        // `from_bytes` accepts a y above the field's prime; its one spelling is what compression gives back.
        if edwards.compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if !edwards.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(Self::of_own_key(point))
    }

    /// A key that we derived from a seed ourselves, and that needs no enrolment.
    pub(crate) fn of_own_key(point: VerifyingKey) -> Self {
        let x = b64::encode(point.as_bytes());
        // RFC 8037, appendix A.3: the required members in lexicographic order, no white space.
        let thumbprint = Digest::of(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self { point, thumbprint: Thumbprint(thumbprint.to_b64().into()) }
    }

    /// Reads a JWK as it stands in a `cnf` or in a configuration.
    pub fn from_jwk(value: &Value<'_>) -> Result<Self, KeyError> {
        let object = value.as_object().ok_or(KeyError::Shape)?;
        let text = |name| object.get(name).and_then(Value::as_str);
        let (Some("Ed25519"), Some("OKP"), Some(x), 3) = (text("crv"), text("kty"), text("x"), object.len()) else {
            return Err(KeyError::Shape);
        };
        Self::from_x(x)
    }

    /// From the `x` of a JWK.
    pub fn from_x(x: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&b64::decode_exact(x).ok_or(KeyError::Encoding)?)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// The `x` of the JWK.
    pub fn x(&self) -> String {
        b64::encode(self.as_bytes())
    }

    /// The RFC 7638 thumbprint.
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// Whether `signature` is this key's over `message`: strict (RFC 8032 with the cofactorless equation, small-order
    /// points refused), because evidence must not verify for one implementation and fail for another.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.point.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint)
    }
}
