//! Keys at rest: Ed25519 private keys in files or in an ssh-agent, public keys in files.
//!
//! | what | form on disk |
//! |---|---|
//! | private key | PKCS#8 version 1 PEM (RFC 8410), which OpenSSL, Node and Python read; or JWK (RFC 8037) |
//! | private key under a passphrase | PKCS#8 `ENCRYPTED PRIVATE KEY`, scrypt and AES-256-CBC (feature `encrypted`) |
//! | public key | SubjectPublicKeyInfo PEM (RFC 8410); or JWK |
//! | a publisher's P-256 private key, for bundles over models alone | PKCS#8 or SEC 1 PEM, as OpenSSL writes them |
//! | a TPM's attestation key, its public half alone | SubjectPublicKeyInfo PEM |
//! | key in an agent | none: `ssh-agent:SHA256:…` or `ssh-agent:<comment>` (feature `ssh-agent`) |
//!
//! Whoever can read a private key file can sign as its holder, and no later check can tell the difference. So a file that
//! anybody else may read is refused, not warned about. Whoever can write a public key file can put a key of their own
//! in the place of the one that was enrolled; its thumbprint then differs.
//!
//! Secrets are read into buffers of a fixed size that are wiped after use: a growing vector leaves its earlier, smaller
//! copies behind in freed memory.

#[cfg(feature = "ssh-agent")]
pub mod agent;
mod buffer;
mod der;
#[cfg(feature = "encrypted")]
mod encrypted;
mod error;
mod file;
mod jwk;
mod p256_key;
mod pem;
mod platform;
mod public;
mod secret;
mod source;

pub use error::{AgentError, FormatError, KeyError};
pub use file::{PRIVATE_MODE, PUBLIC_MODE, create as create_file};
pub use p256_key::P256Key;
pub use platform::{platform_pem, read_platform_key};
pub use public::{parse_public, public_jwk, public_pem, read_public, write_public};
pub use secret::SecretKey;
pub use source::{Key, KeySource};

/// How a key is written to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// PEM: PKCS#8 version 1 for a private key, SubjectPublicKeyInfo for a public one.
    #[default]
    Pem,
    /// A JSON Web Key (RFC 8037), one line.
    Jwk,
}
