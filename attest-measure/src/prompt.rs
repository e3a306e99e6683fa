//! The system prompt: `system-prompt`.

use core::fmt;
use std::path::Path;

use attest_core::digest::Digest;

use crate::Measured;
use crate::error::MeasureError;
use crate::open;

/// A prompt is text for a model's context; this is some four million tokens.
const MAX_PROMPT: u64 = 16 << 20;

/// A system prompt. It may be confidential, so a debug print shows the digest alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The text, exactly as it is in the file.
    pub text: String,
    /// SHA-256 of its UTF-8 bytes.
    pub digest: Digest,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({})", self.digest)
    }
}

/// Reads a prompt. Nothing is taken away or normalised: a byte-order mark, line ends and the last line feed all count,
/// because the model may be given them too.
///
/// # Errors
/// [`MeasureError::NotUtf8`], and those of reading a file of at most 16 MiB.
pub fn prompt(path: &Path) -> Result<Measured<Prompt>, MeasureError> {
    let (bytes, stamp) = open::read_whole(path, MAX_PROMPT)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| MeasureError::NotUtf8 { path: path.into(), offset: e.utf8_error().valid_up_to() })?;
    let digest = Digest::of(&text);
    Ok(Measured { value: Prompt { text, digest }, stamp })
}
