//! The public half of a TPM's attestation key, in a file. The private half never leaves the TPM.

use std::path::Path;

use attest_core::platform::PlatformKey;
use p256::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};

use crate::error::{FormatError, KeyError};
use crate::file;

/// Reads a SubjectPublicKeyInfo of P-256 in PEM, as `attest platform init` and OpenSSL write it.
///
/// # Errors
/// [`KeyError`]; each says what to do about it.
pub fn read_platform_key(path: &Path) -> Result<PlatformKey, KeyError> {
    let text = file::read(path, file::Secrecy::Public)?;
    let key = core::str::from_utf8(text.as_slice()).ok().and_then(parse);
    key.ok_or_else(|| KeyError::Format { path: path.into(), error: FormatError::NotPlatform })
}

fn parse(text: &str) -> Option<PlatformKey> {
    let point = PublicKey::from_public_key_pem(text).ok()?.to_sec1_point(false);
    let (x, y) = (point.x()?, point.y()?);
    PlatformKey::new(x.as_ref(), y.as_ref())
}

/// The key as SubjectPublicKeyInfo in PEM, ending in a line feed.
///
/// # Errors
/// None in practice: a public key always has this form.
pub fn platform_pem(key: &PlatformKey) -> Result<String, FormatError> {
    let key = PublicKey::from_sec1_bytes(&key.to_sec1()).map_err(|_| FormatError::Der)?;
    key.to_public_key_pem(LineEnding::LF).map_err(|_| FormatError::Der)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout`.
    const OPENSSL: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

    #[test]
    fn what_openssl_writes_is_read_and_written_the_same() {
        let key = parse(OPENSSL).unwrap();
        assert_eq!(platform_pem(&key).unwrap(), OPENSSL);
    }

    #[test]
    fn a_file_that_holds_another_kind_of_key_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ak.pem");
        std::fs::write(&path, OPENSSL.replace("MFkw", "MFkx")).unwrap();
        let refused = read_platform_key(&path).unwrap_err().to_string();
        assert!(refused.contains("ak.pem") && refused.contains("attest platform init"), "{refused}");
    }
}
