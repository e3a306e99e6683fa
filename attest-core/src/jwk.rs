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

/// Whether y, the bytes without the sign in their top bit, lies below 2^255 - 19 (RFC 8032, section 5.1.3).
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

impl PublicKey {
    /// The checks of enrolment, some 32 µs: done once per key, not per signature.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotCanonical)?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        // `from_bytes` accepts a y above the field's prime, and a sign at x = 0, which is of small order.
        if !is_reduced(bytes) {
            return Err(KeyError::NotCanonical);
        }
        if !point.to_edwards().is_torsion_free() {
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

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;

    use super::*;

    /// What curve25519-dalek says: compression gives back the one spelling, and its own check of the group.
    fn as_the_library_says(bytes: &[u8; 32]) -> Result<(), KeyError> {
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotCanonical)?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        if point.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if point.to_edwards().is_torsion_free() { Ok(()) } else { Err(KeyError::Torsion) }
    }

    fn ours(bytes: &[u8; 32]) -> Result<(), KeyError> {
        PublicKey::from_bytes(bytes).map(|_| ())
    }

    proptest! {
        #[test]
        fn a_key_with_any_part_outside_the_prime_order_group_is_refused(seed: [u8; 32], torsion in 0_usize..8) {
            let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_edwards();
            let mixed = (key + EIGHT_TORSION[torsion]).compress().to_bytes();
            let expected = if torsion == 0 { Ok(()) } else { Err(KeyError::Torsion) };
            prop_assert_eq!(ours(&mixed), expected);
            prop_assert_eq!(as_the_library_says(&mixed), expected);
            prop_assert_eq!(ours(&EIGHT_TORSION[torsion].compress().to_bytes()), Err(KeyError::Weak));
        }

        #[test]
        fn of_any_bytes_we_say_what_the_library_says(bytes: [u8; 32]) {
            prop_assert_eq!(ours(&bytes), as_the_library_says(&bytes));
        }
    }

    #[test]
    fn a_y_above_the_prime_is_no_second_spelling() {
        for low in 0xed..=0xff_u8 {
            for sign in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (low, sign);
                assert_eq!(ours(&bytes), as_the_library_says(&bytes));
                assert!(ours(&bytes).is_err());
                // The last y that there is, and no other, may be one.
                bytes[0] = 0xec;
                assert_eq!(ours(&bytes), as_the_library_says(&bytes));
            }
        }
    }
}
