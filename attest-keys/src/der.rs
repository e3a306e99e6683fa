//! The three DER structures of an Ed25519 key (RFC 8410), compared byte by byte.
//!
//! DER has one encoding for each, so a template is the whole parser: no length to misread, and the secret is borrowed from
//! the caller's buffer, never copied into a parser's tree.

use crate::error::FormatError;

/// `OneAsymmetricKey` version 1 (RFC 5958 calls it v1(0)): algorithm and the seed in an OCTET STRING in an OCTET STRING.
const PRIVATE_V1: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// The same in version 2, with the public key after the seed. OpenSSL 3, Node and Python do not read it: never written.
const PRIVATE_V2: [u8; 16] =
    [0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// `[1] IMPLICIT BIT STRING` of 32 bytes, no unused bits.
const PUBLIC_FIELD: [u8; 3] = [0x81, 0x21, 0x00];
/// `SubjectPublicKeyInfo`: algorithm and a BIT STRING of 32 bytes.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The object identifier 1.3.101.112, with its tag and length.
const OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];

/// Length of the version 1 structure.
pub(crate) const PRIVATE_LEN: usize = 48;
/// Length of a `SubjectPublicKeyInfo`.
pub(crate) const PUBLIC_LEN: usize = 44;

/// The seed, and the public key where the structure carries one.
pub(crate) fn private(der: &[u8]) -> Result<(&[u8; 32], Option<&[u8; 32]>), FormatError> {
    if let Some(seed) = der.strip_prefix(&PRIVATE_V1) {
        return Ok((seed.try_into().map_err(|_| FormatError::Der)?, None));
    }
    if let Some(rest) = der.strip_prefix(&PRIVATE_V2) {
        let (seed, rest) = rest.split_first_chunk().ok_or(FormatError::Der)?;
        let public = rest.strip_prefix(&PUBLIC_FIELD).ok_or(FormatError::Der)?;
        return Ok((seed, Some(public.try_into().map_err(|_| FormatError::Der)?)));
    }
    Err(other(der))
}

/// The 32 bytes of a public key.
pub(crate) fn public(der: &[u8]) -> Result<&[u8; 32], FormatError> {
    match der.strip_prefix(&SPKI) {
        Some(key) => key.try_into().map_err(|_| FormatError::Der),
        None => Err(other(der)),
    }
}

/// Version 1, written into the caller's (wiped) array.
pub(crate) fn write_private(seed: &[u8; 32], out: &mut [u8; PRIVATE_LEN]) {
    let (head, tail) = out.split_at_mut(PRIVATE_V1.len());
    head.copy_from_slice(&PRIVATE_V1);
    tail.copy_from_slice(seed);
}

pub(crate) fn write_public(key: &[u8; 32]) -> [u8; PUBLIC_LEN] {
    let mut out = [0; PUBLIC_LEN];
    let (head, tail) = out.split_at_mut(SPKI.len());
    head.copy_from_slice(&SPKI);
    tail.copy_from_slice(key);
    out
}

/// For the message only: an algorithm identifier stands within the first bytes of both structures.
fn other(der: &[u8]) -> FormatError {
    let start = der.get(..24).unwrap_or(der);
    if start.windows(OID.len()).any(|w| w == OID) { FormatError::Der } else { FormatError::NotEd25519 }
}
