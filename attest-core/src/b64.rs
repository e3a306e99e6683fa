//! base64url without padding, strict: each byte string has exactly one spelling.
//!
//! A lenient decoder (padding, stray last bits, white space) gives one token many spellings and so many hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The base64url spelling of `bytes` (RFC 4648, section 5), unpadded.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the spelling of `bytes` to `out`.
pub fn encode_into(bytes: impl AsRef<[u8]>, out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// The bytes, if `text` is their one spelling.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    // This engine refuses padding and non-zero trailing bits.
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Exactly `N` bytes, `N` being at most 64.
pub fn decode_exact<const N: usize>(text: impl AsRef<[u8]>) -> Option<[u8; N]> {
    let text = text.as_ref();
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    // The engine asks for room for a whole last group of three.
    let mut room = [0; 66];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
    room.get(..written)?.try_into().ok()
}
