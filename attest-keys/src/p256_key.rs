//! A publisher's P-256 key, with which bundles over models are signed. No token of ours is: those take Ed25519.

use core::fmt;
use std::path::Path;

use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};

use crate::error::{FormatError, KeyError};
use crate::file;

/// A P-256 private key. Wiped when dropped; a debug print shows nothing of it.
pub struct P256Key(Box<SigningKey>);

impl P256Key {
    /// Reads a key file under the same checks as [`SecretKey::read`](crate::SecretKey::read).
    ///
    /// # Errors
    /// [`KeyError`]; each says what to do about it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = file::read(path, file::Secrecy::Private)?;
        Self::parse(text.as_slice()).map_err(|error| KeyError::Format { path: path.into(), error })
    }

    /// From PEM: `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC 1), the latter also behind the block of parameters that
    /// OpenSSL writes before it.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn parse(text: &[u8]) -> Result<Self, FormatError> {
        const PARAMETERS: &str = "-----END EC PARAMETERS-----";
        let text = core::str::from_utf8(text).map_err(|_| FormatError::Unrecognised)?;
        let text = text.split_once(PARAMETERS).map_or(text, |(_, key)| key.trim_start());
        let label = pem_rfc7468::decode_label(text.as_bytes()).map_err(|_| FormatError::Pem)?;
        let key = match label {
            "PRIVATE KEY" => SecretKey::from_pkcs8_pem(text).map_err(|_| FormatError::NotP256),
            "EC PRIVATE KEY" => SecretKey::from_sec1_pem(text).map_err(|_| FormatError::NotP256),
            "ENCRYPTED PRIVATE KEY" => Err(FormatError::Encrypted),
            "PUBLIC KEY" => Err(FormatError::PublicWherePrivate),
            "OPENSSH PRIVATE KEY" => Err(FormatError::OpenSsh),
            _ => Err(FormatError::NotP256),
        }?;
        Ok(Self(Box::new(key.into())))
    }

    /// ECDSA with SHA-256 over these bytes, in DER; the same bytes give the same signature (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }

    /// The public key, as SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// None in practice: a public key always has this form.
    pub fn public_pem(&self) -> Result<String, FormatError> {
        self.0.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| FormatError::Der)
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256Key(…)")
    }
}
