//! What an append carries, and its limits.

use std::fmt;
use std::sync::Arc;

use attest_core::merkle;
use attest_core::note::Vkey;
use sha2::{Digest, Sha256};

use crate::error::{AppendError, Part};

/// SHA-256.
pub type Hash = merkle::Hash;

/// Largest entry in bytes: a tlog-tiles entry bundle gives each entry a 16-bit length.
pub const MAX_BODY: usize = 65_535;
/// Largest token in bytes.
pub const MAX_TOKEN: usize = 262_144;
/// Most tokens beside one entry.
pub const MAX_TOKENS: usize = 64;
/// Longest scope, and longest `jti`, of a replay key in bytes.
pub const MAX_REPLAY_PART: usize = 255;

/// One append: an entry and what is committed with it, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The entry, at most [`MAX_BODY`] bytes, stored and handed back exactly.
    pub body: Vec<u8>,
    /// Tokens that the body names by hash and that come again: each is stored once, found by its hash.
    pub tokens: Vec<Token>,
    /// The token that comes with this entry alone, a call's proof: it is stored beside the entry, and nothing is looked up.
    pub token: Option<Token>,
    /// Taken with the entry. When it is taken already, nothing of this record is stored.
    pub replay: Option<ReplayKey>,
    /// What is still to be closed, a call whose outcome is to come or an alert: listed by [`crate::Recovery`] until a record closes it.
    pub opens: Option<Hash>,
    /// What this record closes: the call that it is the outcome of, or an alert.
    pub closes: Option<Hash>,
    /// Whether the answer is to bring the proof that the entry is in the tree.
    pub prove: bool,
    /// The key that the body names as the log's next: this commit's checkpoint is the last that the present key signs, and
    /// the log closes with it.
    pub next_key: Option<Box<Vkey>>,
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The entry's index.
    pub index: u64,
    /// Where [`Record::prove`] asked for it.
    pub inclusion: Option<Inclusion>,
}

/// Proof that an entry is in the tree of a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The hashes, from the leaf's sibling up (RFC 6962, section 2.1.1).
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: Arc<str>,
}

impl Record {
    /// An entry with nothing beside it.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// The size limits, checked in the caller's task so that the writer never meets an oversized record.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        within(Part::Body, self.body.len(), MAX_BODY)?;
        within(Part::Tokens, self.tokens.len(), MAX_TOKENS)?;
        self.tokens.iter().chain(&self.token).try_for_each(|t| within(Part::Token, t.text.len(), MAX_TOKEN))
    }
}

fn within(part: Part, size: usize, limit: usize) -> Result<(), AppendError> {
    if size > limit { Err(AppendError::TooLarge { part, size, limit }) } else { Ok(()) }
}

/// A compact token and its hash. A clone shares the text, so keep one for a token that comes again.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    hash: Hash,
    text: Arc<str>,
}

impl Token {
    /// A token whose hash the caller knows already, so that it is not computed again for every entry.
    ///
    /// `hash` must be the SHA-256 of `text`: a wrong one would be stored, and found by every verification of the log.
    pub fn hashed(hash: Hash, text: impl Into<Arc<str>>) -> Self {
        Self { hash, text: text.into() }
    }

    /// Hashes the exact text: a token under a wrong hash would be evidence for something else.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { hash: Sha256::digest(text.as_bytes()).into(), text }
    }

    /// SHA-256 over the text's bytes.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Shows the hash's first bytes only: tokens do not belong into a process's own logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.hash;
        write!(f, "Token({a:02x}{b:02x}{c:02x}{d:02x}…, {} bytes)", self.text.len())
    }
}

/// A name that may be used once: a token's `jti` in the scope of the key that signed it, until the token expires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKey {
    id: ReplayId,
    expires: u64,
}

impl ReplayKey {
    /// `scope` is the signing key (its thumbprint, text or raw, but always the same of the two), `jti` the token's
    /// identifier, `expires` its end in Unix seconds.
    ///
    /// # Errors
    /// A part that is empty or longer than [`MAX_REPLAY_PART`], or a time beyond what the database can hold.
    pub fn new(scope: &[u8], jti: &[u8], expires: u64) -> Result<Self, ReplayKeyError> {
        if jti.is_empty() || jti.len() > MAX_REPLAY_PART {
            return Err(ReplayKeyError::Jti { size: jti.len() });
        }
        if i64::try_from(expires).is_err() {
            return Err(ReplayKeyError::Expires);
        }
        let length = u8::try_from(scope.len()).ok().filter(|n| *n > 0);
        let length = length.ok_or(ReplayKeyError::Scope { size: scope.len() })?;
        let mut id = Vec::with_capacity(1 + scope.len() + jti.len());
        id.push(length);
        id.extend_from_slice(scope);
        id.extend_from_slice(jti);
        Ok(Self { id: ReplayId(id.into()), expires })
    }

    /// End of the token's life in Unix seconds.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    pub(crate) fn id(&self) -> &ReplayId {
        &self.id
    }
}

/// Scope and `jti` in one allocation, so that a look-up hashes one slice: scope length (one byte), scope, `jti`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReplayId(pub(crate) Arc<[u8]>);

impl ReplayId {
    /// The two parts as the database holds them.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let Some((length, rest)) = self.0.split_first() else {
            return (&[], &[]);
        };
        rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]))
    }

    /// SHA-256, in two halves.
    pub(crate) fn hash(&self) -> [[u8; 16]; 2] {
        let hash: Hash = Sha256::digest(&self.0).into();
        let (halves, _) = hash.as_chunks();
        [halves.first().copied().unwrap_or_default(), halves.last().copied().unwrap_or_default()]
    }
}

/// Why something is no replay key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayKeyError {
    /// Scope empty or too long.
    #[error("the scope of a replay key has {size} bytes; it must have 1 to {MAX_REPLAY_PART}")]
    Scope {
        /// Bytes given.
        size: usize,
    },
    /// `jti` empty or too long.
    #[error("the jti of a replay key has {size} bytes; it must have 1 to {MAX_REPLAY_PART}")]
    Jti {
        /// Bytes given.
        size: usize,
    },
    /// Expiry beyond 2^63 seconds.
    #[error("the expiry of a replay key is beyond 2^63 seconds")]
    Expires,
}

/// A call, or an alert, that was opened and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// What [`Record::opens`] said.
    pub hash: Hash,
    /// Index of the entry that opened it.
    pub index: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_and_jti_cannot_be_shifted_into_each_other() {
        let a = ReplayKey::new(b"ab", b"c", 1).unwrap();
        let b = ReplayKey::new(b"a", b"bc", 1).unwrap();
        assert_ne!(a.id(), b.id());
        assert_eq!(a.id().parts(), (&b"ab"[..], &b"c"[..]));
        assert_eq!(b.id().parts(), (&b"a"[..], &b"bc"[..]));
    }

    #[test]
    fn a_replay_key_has_both_parts_within_255_bytes() {
        let long = [7u8; 256];
        assert_eq!(ReplayKey::new(b"", b"x", 1), Err(ReplayKeyError::Scope { size: 0 }));
        assert_eq!(ReplayKey::new(&long, b"x", 1), Err(ReplayKeyError::Scope { size: 256 }));
        assert_eq!(ReplayKey::new(b"x", b"", 1), Err(ReplayKeyError::Jti { size: 0 }));
        assert_eq!(ReplayKey::new(b"x", &long, 1), Err(ReplayKeyError::Jti { size: 256 }));
        assert_eq!(ReplayKey::new(b"x", b"x", u64::MAX), Err(ReplayKeyError::Expires));
        let longest = ReplayKey::new(&long[1..], &long[1..], 1).unwrap();
        assert_eq!(longest.id().parts(), (&long[1..], &long[1..]));
    }

    #[test]
    fn debug_output_does_not_show_a_token() {
        let shown = format!("{:?}", Token::new("eyJ.secret.sig"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
