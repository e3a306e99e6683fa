//! Keys and signatures about which implementations of Ed25519 disagree.

use attest_core::sign::Sign;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

use super::token::{Seed, key};

/// The group's order L, little-endian (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The eight points of small order in their canonical spelling.
pub fn small_order() -> [[u8; 32]; 8] {
    EIGHT_TORSION.map(|point| point.compress().to_bytes())
}

/// A good key plus a point of order eight.
pub fn mixed_order(seed: Seed) -> [u8; 32] {
    let point = CompressedEdwardsY(*key(seed).public().as_bytes()).decompress().unwrap();
    (point + EIGHT_TORSION[1]).compress().to_bytes()
}

/// The spelling `y + p` of the smallest `y` that is a point and not of small order. (None of the nineteen such spellings is of
/// a point of the prime-order group, so there is no key with nothing but its spelling wrong.)
pub fn second_spelling() -> [u8; 32] {
    let good = |bytes: &[u8; 32]| {
        let point = CompressedEdwardsY(*bytes).decompress();
        point.is_some_and(|p| !p.is_small_order())
    };
    (2..19u8)
        .map(|y| {
            // p = 2^255 − 19, little-endian.
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + y;
            bytes[31] = 0x7f;
            bytes
        })
        .find(good)
        .unwrap()
}

/// The spelling `1 + p` of the identity.
pub fn identity_again() -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xee;
    bytes[31] = 0x7f;
    bytes
}

/// A `y` that is no point of the curve.
pub fn off_curve() -> [u8; 32] {
    (2..=u8::MAX)
        .map(|y| {
            let mut bytes = [0; 32];
            bytes[0] = y;
            bytes
        })
        .find(|bytes| CompressedEdwardsY(*bytes).decompress().is_none())
        .unwrap()
}

/// Signature hook: a good signature with `s + L` for `s`.
pub fn unreduced_s(by: Seed, input: &[u8]) -> Vec<u8> {
    let mut signature = key(by).sign(input).unwrap().to_vec();
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    signature
}

/// Signature hook: `R` is the identity and `s = k·a`. The equation holds, so that a check which does not look at the order
/// of `R` accepts it; only the key's holder can make it.
pub fn small_order_r(by: Seed, input: &[u8]) -> Vec<u8> {
    let secret = ed25519_dalek::SigningKey::from_bytes(&[by; 32]);
    let r = small_order()[0];
    let hash =
        Sha512::new().chain_update(r).chain_update(secret.verifying_key().as_bytes()).chain_update(input).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&hash.into());
    let signature = [r, (k * secret.to_scalar()).to_bytes()].concat();
    let parsed = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    let lenient = ed25519_dalek::Verifier::verify(&secret.verifying_key(), input, &parsed);
    assert!(lenient.is_ok(), "the signature must hold for a lenient check");
    signature
}
