//! Private keys under a passphrase: PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958, section 3).
//!
//! Written with scrypt (N = 2^14, r = 8, p = 1) and AES-256-CBC: OpenSSL 3 refuses a larger N by its memory limit. A
//! stolen file costs an attacker some 16 MiB and 50 ms for each guess, so the passphrase has to be a good one.

use std::path::Path;

use pkcs8::der::asn1::{OctetString, OctetStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::{EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::error::{FormatError, KeyError};
use crate::pem::Label;
use crate::secret::SecretKey;
use crate::{der, file, pem};

/// Room for the plain structure and the cipher's padding.
const MAX_PLAIN: usize = 128;
/// Bound on N·r·p, which is memory and work both; ours is 2^17.
const MAX_SCRYPT: u64 = 1 << 22;
const MAX_PBKDF2: u32 = 10_000_000;

impl SecretKey {
    /// As [`SecretKey::parse`], opening an encrypted PEM with `passphrase`; a key that is not encrypted is read as it is.
    ///
    /// # Errors
    /// [`FormatError::Passphrase`], [`FormatError::Derivation`] and those of [`SecretKey::parse`].
    pub fn parse_with(text: &[u8], passphrase: &[u8]) -> Result<Self, FormatError> {
        match Self::parse(text) {
            Err(FormatError::Encrypted) => pem::open(text, |_, bytes| decrypt(bytes, passphrase)),
            other => other,
        }
    }

    /// As [`SecretKey::read`], with a passphrase.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read_with(path: &Path, passphrase: &[u8]) -> Result<Self, KeyError> {
        Self::from_file(path, |text| Self::parse_with(text, passphrase))
    }

    /// Creates an encrypted key file; otherwise as [`SecretKey::write`].
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn write_encrypted(&self, path: &Path, passphrase: &[u8]) -> Result<(), KeyError> {
        let sealed = self
            .with_der(|plain| encrypt(plain, passphrase))
            .and_then(|bytes| pem::seal(Label::Encrypted, &bytes, str::to_owned));
        let text = sealed.map_err(|error| KeyError::Format { path: path.into(), error })?;
        file::create(path, text.as_bytes(), file::PRIVATE_MODE)
    }
}

fn encrypt(plain: &[u8; der::PRIVATE_LEN], passphrase: &[u8]) -> Result<Vec<u8>, FormatError> {
    let parameters = Parameters::generate_scrypt(&mut getrandom::SysRng).map_err(|_| FormatError::Passphrase)?;
    let mut buffer = Zeroizing::new([0; MAX_PLAIN]);
    buffer.get_mut(..plain.len()).ok_or(FormatError::Der)?.copy_from_slice(plain);
    let sealed = parameters
        .encrypt_in_place(passphrase, buffer.as_mut_slice(), plain.len())
        .map_err(|_| FormatError::Passphrase)?;
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetString::new(sealed).map_err(|_| FormatError::Der)?,
    };
    info.to_der().map_err(|_| FormatError::Der)
}

fn decrypt(bytes: &[u8], passphrase: &[u8]) -> Result<SecretKey, FormatError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(bytes).map_err(|_| FormatError::Der)?;
    let sealed: &OctetStringRef = info.encrypted_data;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(FormatError::Der);
    };
    affordable(&parameters.kdf)?;
    let mut buffer = Zeroizing::new([0; MAX_PLAIN]);
    let room = buffer.get_mut(..sealed.as_bytes().len()).ok_or(FormatError::NotEd25519)?;
    room.copy_from_slice(sealed.as_bytes());
    let plain = parameters.decrypt_in_place(passphrase, room).map_err(|_| FormatError::Passphrase)?;
    // CBC has no integrity: a wrong passphrase passes the padding check once in 256 times, and what comes out is no key.
    let (seed, public) = der::private(plain).map_err(|_| FormatError::Passphrase)?;
    SecretKey::matching(seed, public)
}

/// The file says how much work it takes; a broken one could ask for a terabyte.
fn affordable(kdf: &Kdf) -> Result<(), FormatError> {
    let fine = match kdf {
        Kdf::Scrypt(p) => {
            let cost = [u64::from(p.block_size), u64::from(p.parallelization)];
            cost.iter().try_fold(p.cost_parameter, |a, b| a.checked_mul(*b)).is_some_and(|c| c <= MAX_SCRYPT)
        }
        Kdf::Pbkdf2(p) => p.iteration_count <= MAX_PBKDF2,
        _ => false,
    };
    if fine { Ok(()) } else { Err(FormatError::Derivation) }
}
