//! A private key in memory.

use core::convert::Infallible;
use core::fmt;
use std::path::Path;

use attest_core::jwk::PublicKey;
use attest_core::sign::Sign;
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::error::{FormatError, KeyError};
use crate::pem::Label;
use crate::{Form, buffer, der, file, jwk, pem};

/// An Ed25519 private key. Wiped when dropped; a debug print shows the thumbprint alone.
pub struct SecretKey {
    // On the heap, so that moving the key does not strew copies over the stack.
    key: Box<SigningKey>,
    public: PublicKey,
}

impl SecretKey {
    /// A new key from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(KeyError::Random)?;
        Self::from_seed(&seed).map_err(|_| KeyError::Random(getrandom::Error::UNEXPECTED))
    }

    /// From the 32-byte seed of RFC 8032, section 5.1.5.
    ///
    /// # Errors
    /// None in practice: a public key derived from a seed passes enrolment. The check is made all the same.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, FormatError> {
        let key = Box::new(SigningKey::from_bytes(seed));
        let public = PublicKey::from_bytes(key.as_ref().verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }

    /// From the text of a key file: PKCS#8 PEM, version 1 or 2, or a private JWK.
    ///
    /// # Errors
    /// [`FormatError`]: among others, a public part that does not belong to the private one.
    pub fn parse(text: &[u8]) -> Result<Self, FormatError> {
        match text.trim_ascii_start().first() {
            Some(b'{') => jwk::private(text, |seed, x| Self::matching(seed, Some(x))),
            Some(b'-') => pem::open(text, |label, bytes| match label {
                Label::Private => {
                    let (seed, public) = der::private(bytes)?;
                    Self::matching(seed, public)
                }
                Label::Encrypted => Err(FormatError::Encrypted),
                Label::Public => Err(FormatError::PublicWherePrivate),
            }),
            _ => Err(FormatError::Unrecognised),
        }
    }

    /// Reads a key file: regular, mode 0600 or narrower, owned by this user or root, at most 8 KiB.
    ///
    /// # Errors
    /// [`KeyError`]; each says what to do about it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_file(path, Self::parse)
    }

    /// Creates a key file of mode 0600, synced to disk with its folder. Never overwrites.
    ///
    /// # Errors
    /// [`KeyError::Exists`], [`KeyError::Io`].
    pub fn write(&self, path: &Path, form: Form) -> Result<(), KeyError> {
        let written = match form {
            Form::Pem => self.with_pem(|text| file::create(path, text.as_bytes(), file::PRIVATE_MODE)),
            Form::Jwk => jwk::with_private(self.key.as_bytes(), self.public.as_bytes(), |text| {
                file::create(path, text.as_bytes(), file::PRIVATE_MODE)
            }),
        };
        written.map_err(|error| KeyError::Format { path: path.into(), error })?
    }

    /// The seed and, where the file names one, the public key that must belong to it.
    pub(crate) fn matching(seed: &[u8; 32], public: Option<&[u8; 32]>) -> Result<Self, FormatError> {
        let key = Self::from_seed(seed)?;
        if public.is_some_and(|claimed| claimed != key.public.as_bytes()) {
            return Err(FormatError::Mismatch);
        }
        Ok(key)
    }

    /// As [`SecretKey::read`], for a private key in another form: `parse` gets the bytes of a file that passed the same
    /// checks. They are wiped afterwards.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(path: &Path, parse: impl FnOnce(&[u8]) -> Result<Self, FormatError>) -> Result<Self, KeyError> {
        let text: buffer::SecretBuffer = file::read(path, file::Secrecy::Private)?;
        parse(text.as_slice()).map_err(|error| KeyError::Format { path: path.into(), error })
    }

    /// Hands the DER of PKCS#8 version 1 (RFC 8410: 16 fixed bytes, then the seed) to `then` and wipes it afterwards: for
    /// sealing the key in another form.
    pub fn with_der<T>(&self, then: impl FnOnce(&[u8; der::PRIVATE_LEN]) -> T) -> T {
        let mut bytes = Zeroizing::new([0; der::PRIVATE_LEN]);
        der::write_private(self.key.as_bytes(), &mut bytes);
        then(&bytes)
    }

    fn with_pem<T>(&self, then: impl FnOnce(&str) -> T) -> Result<T, FormatError> {
        self.with_der(|bytes| pem::seal(Label::Private, bytes, then))
    }
}

impl Sign for SecretKey {
    type Error = Infallible;

    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Infallible> {
        Ok(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public.thumbprint())
    }
}
