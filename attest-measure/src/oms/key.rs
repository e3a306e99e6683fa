//! The publisher's public key, pinned by an operator.

use std::path::Path;

use p256::PublicKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::der::asn1::ObjectIdentifier;
use p256::pkcs8::spki::SubjectPublicKeyInfoRef;
use p256::pkcs8::{DecodePublicKey as _, Document, EncodePublicKey as _, LineEnding};
use sha2::{Digest as _, Sha256};

use super::error::{OmsError, shortened};
use super::statement::hex;
use crate::error::MeasureError;
use crate::open;

/// `id-ecPublicKey` (RFC 5480), and the curves that `model_signing` knows.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// Room for a public key of any kind in PEM.
const MAX_KEY: u64 = 16 << 10;

/// A publisher's P-256 key.
///
/// Trust sentence: whoever can change the file that it is read from can endorse any files at all.
#[derive(Clone, Debug)]
pub struct PublisherKey {
    key: VerifyingKey,
    hint: String,
}

impl PublisherKey {
    /// From a SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`OmsError`], of those about keys.
    pub fn from_pem(text: &str) -> Result<Self, OmsError> {
        let (label, der) = Document::from_pem(text).map_err(|_| OmsError::KeyPem)?;
        if label != "PUBLIC KEY" {
            return Err(OmsError::KeyLabel(shortened(label)));
        }
        let info = SubjectPublicKeyInfoRef::try_from(der.as_bytes()).map_err(|_| OmsError::KeyPem)?;
        let curve = info.algorithm.parameters_oid();
        match (info.algorithm.oid == EC, curve) {
            (true, Ok(P256)) => {}
            (true, Ok(P384)) => return Err(OmsError::KeyKind("P-384")),
            (true, Ok(P521)) => return Err(OmsError::KeyKind("P-521")),
            (true, _) => return Err(OmsError::KeyKind("another curve")),
            (false, _) => return Err(OmsError::KeyKind("another algorithm")),
        }
        let key = PublicKey::from_public_key_der(der.as_bytes()).map_err(|_| OmsError::KeyPoint)?;
        let pem = key.to_public_key_pem(LineEnding::LF).map_err(|_| OmsError::KeyPoint)?;
        Ok(Self { key: key.into(), hint: hex(&Sha256::digest(pem)) })
    }

    /// Reads the key's file.
    ///
    /// # Errors
    /// The outer one where the file cannot be read, the inner one where it holds no such key.
    pub fn read(path: &Path) -> Result<Result<Self, OmsError>, MeasureError> {
        let (bytes, _) = open::read_whole(path, MAX_KEY)?;
        Ok(core::str::from_utf8(&bytes).map_err(|_| OmsError::KeyPem).and_then(Self::from_pem))
    }

    /// What the tool calls the key in a bundle: SHA-256 over its PEM form, in hexadecimal. Anybody can write it there.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether this is the key's signature, in DER, over these bytes.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        DerSignature::from_bytes(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}
