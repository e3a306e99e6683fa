//! Documents that verifiers of one audience share through a place that they do not trust. `spec/shared-document.md`.
//!
//! What is stored is one text: a token, a line feed, and the document's bytes, which the token names by their digest.

use serde::Serialize;

use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{self, Statement, TokenError, Unverified, Verified};
use crate::sign::Sign;

/// Longest name of a document, in bytes.
pub const MAX_DOCUMENT_NAME: usize = 64;

/// Which bytes a document of an audience is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDocument {
    /// The server whose verifiers read it.
    pub audience: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its name: [`is_document_name`].
    pub name: String,
    /// Grows with each change: one that is no higher than that of the document in force takes its place nowhere.
    pub version: u64,
}

/// Why a text is not the document that it should be. Nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedDocumentError {
    /// No first line, or no token in it.
    #[error("it has no signature: {0}")]
    Token(TokenError),
    /// Not by the pinned key.
    #[error("it is not signed by the key {0} that is pinned for documents")]
    Signature(Thumbprint),
    /// Of another server.
    #[error("it is for the audience {0:?}")]
    Audience(String),
    /// Another document.
    #[error("it is the document {0:?}")]
    Name(String),
    /// Bytes that were not signed.
    #[error("its bytes are not those that were signed")]
    Digest,
}

impl SharedDocumentError {
    /// The code of this in `spec/shared-document.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(_) => "bad-token",
            Self::Signature(_) => "bad-signature",
            Self::Audience(_) => "other-audience",
            Self::Name(_) => "other-name",
            Self::Digest => "other-bytes",
        }
    }
}

/// Whether a document can be named so: 1 to 64 of `A`–`Z`, `a`–`z`, `0`–`9`, `.`, `_` and `-`, and none of the last three in front.
pub fn is_document_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= MAX_DOCUMENT_NAME && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

#[derive(Serialize)]
struct Wire<'a> {
    aud: &'a str,
    digest: Digest,
    name: &'a str,
    version: u64,
}

impl SharedDocument {
    /// Of these bytes.
    pub fn of(audience: &str, name: &str, version: u64, bytes: &[u8]) -> Self {
        Self { audience: audience.to_owned(), digest: Digest::of(bytes), name: name.to_owned(), version }
    }

    /// Signs it into a token.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        let Self { audience, digest, name, version } = self;
        jws::sign(Self::TYP, &jcs(&Wire { aud: audience, digest: *digest, name, version: *version }), key)
    }

    /// The statement and the bytes of a stored text, if it is this document of this audience, signed by this key.
    ///
    /// # Errors
    /// [`SharedDocumentError`].
    pub fn open<'t>(
        stored: &'t [u8],
        audience: &str,
        name: &str,
        key: &PublicKey,
    ) -> Result<(Verified<Self>, &'t [u8]), SharedDocumentError> {
        let no_token = || SharedDocumentError::Token(TokenError::Encoding);
        let mut parts = stored.splitn(2, |byte| *byte == b'\n');
        let (Some(token), Some(bytes)) = (parts.next(), parts.next()) else { return Err(no_token()) };
        let token = core::str::from_utf8(token).map_err(|_| no_token())?;
        let token = Unverified::<Self>::read(token).map_err(SharedDocumentError::Token)?;
        let said = token.verify(key).map_err(|_| SharedDocumentError::Signature(key.thumbprint().clone()))?;
        if said.audience != audience {
            return Err(SharedDocumentError::Audience(said.audience.clone()));
        }
        if said.name != name {
            return Err(SharedDocumentError::Name(said.name.clone()));
        }
        if said.digest != Digest::of(bytes) {
            return Err(SharedDocumentError::Digest);
        }
        Ok((said, bytes))
    }
}

impl Statement for SharedDocument {
    const TYP: &'static str = "mcp-shared-document+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let read = Self {
            audience: claims.name("aud")?,
            digest: claims.digest("digest")?,
            name: claims.name("name")?,
            version: claims.number("version")?,
        };
        claims.finish()?;
        if is_document_name(&read.name) { Ok(read) } else { Err(ClaimsError::Invalid("name")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::MemoryKey;

    #[test]
    fn a_document_is_what_was_signed_for_this_audience_under_this_name_by_this_key() {
        let (key, other) = (MemoryKey::from_seed(&[1; 32]), MemoryKey::from_seed(&[2; 32]));
        let token = SharedDocument::of("files", "refs.toml", 7, b"a\nb").sign(&key).unwrap();
        let stored = |bytes: &str| format!("{token}\n{bytes}").into_bytes();
        let open = |stored: &[u8], audience, name, key: &MemoryKey| {
            SharedDocument::open(stored, audience, name, key.public())
                .map(|(said, bytes)| (said.version, bytes.to_vec()))
                .map_err(|error| error.code())
        };
        let whole = stored("a\nb");
        assert_eq!(open(&whole, "files", "refs.toml", &key), Ok((7, b"a\nb".to_vec())));
        assert_eq!(open(&whole, "mail", "refs.toml", &key), Err("other-audience"));
        assert_eq!(open(&whole, "files", "list.jwt", &key), Err("other-name"));
        assert_eq!(open(&whole, "files", "refs.toml", &other), Err("bad-signature"));
        assert_eq!(open(&stored("a\nc"), "files", "refs.toml", &key), Err("other-bytes"));
        for unsigned in ["", "a\nb", "\n", "a.b.c\nx", &token] {
            assert_eq!(open(unsigned.as_bytes(), "files", "refs.toml", &key), Err("bad-token"));
        }
        // Claims of a form of their own.
        let named = SharedDocument { name: "../x".to_owned(), ..SharedDocument::of("files", "x", 1, b"") };
        let stored = format!("{}\n", named.sign(&key).unwrap());
        assert_eq!(open(stored.as_bytes(), "files", "../x", &key), Err("bad-token"));
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["refs.toml", "A", "0-_.", &"a".repeat(64)] {
            assert!(is_document_name(name), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "ä", "a\n", &"a".repeat(65)] {
            assert!(!is_document_name(name), "{name}");
        }
    }
}
