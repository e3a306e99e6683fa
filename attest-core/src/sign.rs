//! What can sign: a key in memory, or one held by an agent elsewhere.

use ed25519_dalek::Signer as _;

use crate::jwk::PublicKey;

/// A holder of an Ed25519 private key.
///
/// Not called a verifier's counterpart by accident: in this field *verifier* is the RATS role (RFC 9334).
pub trait Sign {
    /// Why a signature could not be had; a key in memory never fails.
    type Error;

    /// The public half.
    fn public(&self) -> &PublicKey;

    /// The signature (RFC 8032, section 5.1.6) over `message`.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Self::Error>;

    /// Whether signing may take longer than computing it, as with a key that is held elsewhere.
    fn may_wait(&self) -> bool {
        false
    }
}

/// A private key in memory; wiped when dropped.
pub struct MemoryKey {
    secret: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl MemoryKey {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = PublicKey::of_own_key(secret.verifying_key());
        Self { secret, public }
    }
}

impl core::fmt::Debug for MemoryKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Never the secret: a debug print must not be a way to leak it.
        write!(f, "MemoryKey({})", self.public.thumbprint())
    }
}

impl Sign for MemoryKey {
    type Error = core::convert::Infallible;

    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Self::Error> {
        Ok(self.secret.sign(message).to_bytes())
    }
}
