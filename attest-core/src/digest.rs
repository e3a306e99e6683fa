//! SHA-256 digests and their spelling.

use core::fmt;
use sha2::{Digest as _, Sha256};

use crate::b64;

/// A SHA-256 digest. Written as base64url, unpadded: 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest of `salt` followed by `bytes`: a commitment that cannot be guessed at without the salt.
    pub fn salted(salt: &Salt, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(salt.0);
        hash.update(bytes);
        Self(hash.finalize().into())
    }

    /// Reads the 43 characters.
    pub fn from_b64(text: &str) -> Option<Self> {
        b64::decode_exact(text).map(Self)
    }

    /// The 43 characters.
    pub fn to_b64(self) -> String {
        b64::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_b64())
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// 128 random bits that blind a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

/// 128 random bits that name a token once (`jti`). Written as base64url: 22 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Jti(pub [u8; 16]);
