//! What stands in the place of a secret.

use attest_core::digest::{Digest, Salt};

/// What belongs to one placeholder and must not stand beside it in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salted {
    /// The kind of secret, as in the placeholder.
    pub kind: String,
    /// The commitment, as in the placeholder.
    pub commitment: Digest,
    /// The salt. Forgetting it erases the secret: without it the commitment fits every value alike.
    pub salt: Salt,
}

/// Whether `claimed` is what was redacted: the characters of a string, or the canonical JSON of any other value.
pub fn check(commitment: &Digest, salt: &Salt, claimed: &str) -> bool {
    Digest::salted(salt, claimed.as_bytes()) == *commitment
}
