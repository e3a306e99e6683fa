//! Signed notes (C2SP signed-note): text, and the lines of those who signed it. `spec/note.md`.
//!
//! Own code, because the crate `signed_note` checks with `verify` and brings a second dalek; it is the oracle in our tests.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::jwk::{KeyError, PublicKey};
use crate::sign::Sign;

/// Longest note that is read, in bytes: C2SP asks for room for 16 signatures, of which others' may have 5 kB each.
pub const MAX_NOTE: usize = 131_072;
/// Most signature lines.
pub const MAX_SIGNATURES: usize = 64;
/// Longest key name in bytes.
pub const MAX_KEY_NAME: usize = 256;

/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// What a key signs, and so how its id is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The note's text: a log's own signature.
    Log = 0x01,
    /// The time and the text (C2SP tlog-cosignature): a witness.
    Witness = 0x04,
}

/// Why something is no key of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VkeyError {
    /// Not `<name>+<8 hex digits>+<base64>`.
    #[error("not of the form <name>+<id>+<key>, as `attest log key` prints it")]
    Form,
    /// Empty, too long, or with blanks, control characters or a plus.
    #[error("a key name is 1 to {MAX_KEY_NAME} bytes without blanks, control characters and plus")]
    Name,
    /// Neither a log's nor a witness's Ed25519 key.
    #[error("not an Ed25519 key of a log (type 01) or of a witness (type 04)")]
    Kind,
    /// The id is not that of name and key: a typing error, or two halves of different keys.
    #[error("the id does not belong to this name and key")]
    Id,
    /// The key itself.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a note is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Over a limit, no UTF-8, control characters, no empty line before the signatures, or a bad signature line.
    #[error("not a signed note")]
    Form,
    /// No line by this key.
    #[error("not signed by this key")]
    Unsigned,
    /// A line in this key's name that it did not make, or two lines.
    #[error("the signature in this key's name does not verify")]
    Signature,
}

impl NoteError {
    /// The code of this in `spec/note.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "bad-note",
            Self::Unsigned => "not-signed",
            Self::Signature => "bad-signature",
        }
    }
}

/// A key by which notes are checked (*vkey*), pinned by whoever checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: [u8; 4],
    kind: Kind,
    key: PublicKey,
}

/// Whether `name` can name a key.
pub fn is_key_name(name: &str) -> bool {
    (1..=MAX_KEY_NAME).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

impl Vkey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`VkeyError::Name`].
    pub fn new(name: &str, kind: Kind, key: PublicKey) -> Result<Self, VkeyError> {
        if !is_key_name(name) {
            return Err(VkeyError::Name);
        }
        let mut hash = Sha256::new();
        hash.update(name);
        hash.update([b'\n', kind as u8]);
        hash.update(key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], kind, key })
    }

    /// Reads `<name>+<id>+<key>`.
    ///
    /// # Errors
    /// [`VkeyError`].
    pub fn parse(text: &str) -> Result<Self, VkeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Form);
        };
        let key = STANDARD.decode(key).map_err(|_| VkeyError::Form)?;
        let (kind, key) = match key.split_first() {
            Some((0x01, key)) => (Kind::Log, key),
            Some((0x04, key)) => (Kind::Witness, key),
            _ => return Err(VkeyError::Kind),
        };
        let key = PublicKey::from_bytes(key.try_into().map_err(|_| VkeyError::Kind)?)?;
        let vkey = Self::new(name, kind, key)?;
        // In one spelling only: lower case.
        if id != vkey.id_hex() { Err(VkeyError::Id) } else { Ok(vkey) }
    }

    fn id_hex(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// A signature line, with its line feed, around the bytes that the kind asks for.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(4 + signature.len());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(signature);
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [self.kind as u8; 33];
        key[1..].copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id_hex(), STANDARD.encode(key))
    }
}

/// A note, read and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line<'a> {
    /// The line as it stood, with its line feed.
    whole: &'a str,
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Reads a note: text with its last line feed, an empty line, signature lines.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn parse(note: &'a [u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Form);
        }
        let note = core::str::from_utf8(note).map_err(|_| NoteError::Form)?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Form);
        }
        // The last empty line parts the two: the text may have empty lines of its own.
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (note.get(..=at), note.get(at + 2..));
        let (Some(text), Some(lines)) = (text, lines) else { return Err(NoteError::Form) };
        Ok(Self { text, lines: signature_lines(lines)? })
    }

    /// The text with its last line feed. To be looked at, not believed, before [`Note::verify`].
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The names under the text, as they stand there: nobody has checked a signature.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.lines.iter().map(|line| line.name)
    }

    /// Whether this key, a log's, signed the text.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Signature`].
    pub fn verify(&self, key: &Vkey) -> Result<(), NoteError> {
        let (_, signature) = self.signature_of(key)?;
        let signature: &[u8; 64] = signature.try_into().map_err(|_| NoteError::Signature)?;
        if key.kind == Kind::Log && key.key.verifies(self.text.as_bytes(), signature) {
            Ok(())
        } else {
            Err(NoteError::Signature)
        }
    }

    /// A text, and signature lines that came without it: a witness's answer.
    pub(crate) fn of_parts(text: &'a str, lines: &'a str) -> Result<Self, NoteError> {
        // Control characters are in no name and in no base64.
        if lines.len() > MAX_NOTE {
            return Err(NoteError::Form);
        }
        Ok(Self { text, lines: signature_lines(lines)? })
    }

    /// The one line in this key's name, and the bytes behind its id.
    pub(crate) fn signature_of(&self, key: &Vkey) -> Result<(&'a str, &[u8]), NoteError> {
        let mut lines = self.lines.iter().filter(|line| line.name == key.name && line.id == key.id);
        let line = lines.next().ok_or(NoteError::Unsigned)?;
        // A second line in the name of a key that is known is not ignored: one of the two is not its own.
        if lines.any(|other| other.signature != line.signature) {
            return Err(NoteError::Signature);
        }
        Ok((line.whole, &line.signature))
    }
}

/// Reads the lines behind the empty one, or the answer of a witness, which is such lines alone.
fn signature_lines(text: &str) -> Result<Vec<Line<'_>>, NoteError> {
    let mut lines = Vec::new();
    for whole in text.split_inclusive('\n') {
        let line = whole.strip_suffix('\n').and_then(|line| line.strip_prefix(DASH)).ok_or(NoteError::Form)?;
        let (name, signature) = line.split_once(' ').ok_or(NoteError::Form)?;
        let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Form)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if !is_key_name(name) || signature.is_empty() || lines.len() == MAX_SIGNATURES {
            return Err(NoteError::Form);
        }
        lines.push(Line { whole, name, id: *id, signature: signature.to_vec() });
    }
    if lines.is_empty() { Err(NoteError::Form) } else { Ok(lines) }
}

/// Signs `text`, which ends in a line feed, as the log that `key` names.
///
/// # Errors
/// The signing key's.
pub fn sign<K: Sign>(text: &str, name: &Vkey, key: &K) -> Result<String, K::Error> {
    let line = name.line(&key.sign(text.as_bytes())?);
    Ok(format!("{text}\n{line}"))
}
