//! Public keys in files: what an operator enrols.

use std::path::Path;

use attest_core::jwk::PublicKey;

use crate::error::{FormatError, KeyError};
use crate::pem::Label;
use crate::{Form, der, file, jwk, pem};

/// From the text of a public key file: SubjectPublicKeyInfo PEM or a public JWK, with the checks of enrolment (canonical
/// encoding, not of small order, torsion-free). A private key is refused: where a public key is configured it has
/// travelled further than it should.
///
/// # Errors
/// [`FormatError`].
pub fn parse_public(text: &[u8]) -> Result<PublicKey, FormatError> {
    let bytes = match text.trim_ascii_start().first() {
        Some(b'{') => jwk::public(text)?,
        Some(b'-') => pem::open(text, |label, bytes| match label {
            Label::Public => der::public(bytes).copied(),
            Label::Private | Label::Encrypted => Err(FormatError::PrivateWherePublic),
        })?,
        _ => return Err(FormatError::Unrecognised),
    };
    Ok(PublicKey::from_bytes(&bytes)?)
}

/// Reads a public key file: regular, not a symbolic link, at most 8 KiB; anybody may read it.
///
/// # Errors
/// [`KeyError`].
pub fn read_public(path: &Path) -> Result<PublicKey, KeyError> {
    let text = file::read(path, file::Secrecy::Public)?;
    parse_public(text.as_slice()).map_err(|error| KeyError::Format { path: path.into(), error })
}

/// Creates a public key file of mode 0644. Never overwrites.
///
/// # Errors
/// [`KeyError::Exists`], [`KeyError::Io`].
pub fn write_public(path: &Path, key: &PublicKey, form: Form) -> Result<(), KeyError> {
    let text = match form {
        Form::Pem => public_pem(key).map_err(|error| KeyError::Format { path: path.into(), error })?,
        Form::Jwk => public_jwk(key),
    };
    file::create(path, text.as_bytes(), file::PUBLIC_MODE)
}

/// The key as PEM, ending in a line feed.
///
/// # Errors
/// None in practice: the buffer holds any key.
pub fn public_pem(key: &PublicKey) -> Result<String, FormatError> {
    pem::seal(Label::Public, &der::write_public(key.as_bytes()), str::to_owned)
}

/// The key as a JWK of exactly `crv`, `kty` and `x`, one line.
pub fn public_jwk(key: &PublicKey) -> String {
    jwk::write_public(&key.x())
}
