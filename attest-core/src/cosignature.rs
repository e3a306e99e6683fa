//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness's word that it saw a log grow to this checkpoint, and when.
//! `spec/cosignature.md`.

use crate::note::{Kind, Note, NoteError, Vkey};
use crate::sign::Sign;

/// Latest time of a cosignature (C2SP: at most 2^63 − 1), in seconds since 1970.
pub const MAX_TIME: u64 = i64::MAX as u64;

/// Why a checkpoint was not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignError<E> {
    /// The name is a log's, or another key's.
    #[error("the name is not that of a witness with this key")]
    Name,
    /// Zero, or beyond [`MAX_TIME`].
    #[error("a cosignature's time is 1 to 2^63 - 1 seconds since 1970")]
    Time,
    /// The key could not sign.
    #[error(transparent)]
    Key(E),
}

/// What is signed: a header that no checkpoint begins with, the time, and the checkpoint's whole text.
fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Whether `time` can be that of a cosignature. Zero would be one that says no time (C2SP tlog-witness).
fn is_time(time: u64) -> bool {
    (1..=MAX_TIME).contains(&time)
}

/// Cosigns a checkpoint's text at `time`, in seconds since 1970, and answers the signature line with its line feed.
///
/// # Errors
/// [`CosignError`].
pub fn sign<K: Sign>(text: &str, time: u64, name: &Vkey, key: &K) -> Result<String, CosignError<K::Error>> {
    if name.kind() != Kind::Witness || name.key() != key.public() {
        return Err(CosignError::Name);
    }
    if !is_time(time) {
        return Err(CosignError::Time);
    }
    let signature = key.sign(message(text, time).as_bytes()).map_err(CosignError::Key)?;
    let mut bytes = [0; 72];
    bytes[..8].copy_from_slice(&time.to_be_bytes());
    bytes[8..].copy_from_slice(&signature);
    Ok(name.line(&bytes))
}

/// The time, in seconds since 1970, at which this witness cosigned the note's text.
///
/// # Errors
/// [`NoteError::Unsigned`] where it did not, [`NoteError::Signature`] where a line in its name is not its own.
pub fn check(note: &Note<'_>, witness: &Vkey) -> Result<u64, NoteError> {
    check_line(note, witness).map(|(time, _)| time)
}

/// [`check`], with the line as it stood.
pub(crate) fn check_line<'a>(note: &Note<'a>, witness: &Vkey) -> Result<(u64, &'a str), NoteError> {
    let (line, bytes) = note.signature_of(witness)?;
    let (time, signature) = bytes.split_first_chunk::<8>().ok_or(NoteError::Signature)?;
    let signature: &[u8; 64] = signature.try_into().map_err(|_| NoteError::Signature)?;
    let time = u64::from_be_bytes(*time);
    let good = witness.kind() == Kind::Witness
        && is_time(time)
        && witness.key().verifies(message(note.text(), time).as_bytes(), signature);
    if good { Ok((time, line)) } else { Err(NoteError::Signature) }
}
