//! PEM armour (RFC 7468, strict form), read into and written from fixed buffers.

use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

use crate::error::FormatError;

/// Room for any key structure we read: an encrypted Ed25519 key takes some 200 bytes.
const MAX_DER: usize = 1024;
/// Room for the armoured form of [`MAX_DER`] bytes.
const MAX_PEM: usize = 2048;

/// What the armour says is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Private,
    Encrypted,
    Public,
}

impl Label {
    const fn name(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE KEY",
            Self::Encrypted => "ENCRYPTED PRIVATE KEY",
            Self::Public => "PUBLIC KEY",
        }
    }
}

/// Takes the armour off and hands the bytes to `then`; they are wiped afterwards.
pub(crate) fn open<T>(
    text: &[u8],
    then: impl FnOnce(Label, &[u8]) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let label = match pem_rfc7468::decode_label(text).map_err(|_| FormatError::Pem)? {
        "PRIVATE KEY" => Label::Private,
        "ENCRYPTED PRIVATE KEY" => Label::Encrypted,
        "PUBLIC KEY" => Label::Public,
        "OPENSSH PRIVATE KEY" => return Err(FormatError::OpenSsh),
        // "RSA PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE": older forms, none of which can hold an Ed25519 key.
        _ => return Err(FormatError::NotEd25519),
    };
    let mut buffer = Zeroizing::new([0u8; MAX_DER]);
    let der = match pem_rfc7468::decode(text, buffer.as_mut_slice()) {
        Ok((_, der)) => der,
        // Longer than any Ed25519 key: an RSA key, most likely.
        Err(pem_rfc7468::Error::Length) => return Err(FormatError::NotEd25519),
        Err(_) => return Err(FormatError::Pem),
    };
    then(label, der)
}

/// Puts the armour on and hands the text, which ends in a line feed, to `then`; it is wiped afterwards.
pub(crate) fn seal<T>(label: Label, der: &[u8], then: impl FnOnce(&str) -> T) -> Result<T, FormatError> {
    let mut buffer = Zeroizing::new([0u8; MAX_PEM]);
    let text = pem_rfc7468::encode(label.name(), LineEnding::LF, der, buffer.as_mut_slice());
    text.map(then).map_err(|_| FormatError::Pem)
}
