//! What can be wrong with a key, and what to do about it.

use std::io;
use std::path::PathBuf;

use attest_core::json::JsonError;
use attest_core::jwk;

/// Why the bytes are not the key that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Neither PEM nor a JSON object.
    #[error("neither a PEM file nor a JSON Web Key")]
    Unrecognised,
    /// The PEM armour or its base64 is broken, or the file ends too soon.
    #[error("broken or truncated PEM")]
    Pem,
    /// An Ed25519 structure that is cut short, carries attributes, or is not in the one DER encoding.
    #[error("not the plain DER encoding of an Ed25519 key (RFC 8410)")]
    Der,
    /// A key of another algorithm.
    #[error("not an Ed25519 key; make one with `attest keygen` or `openssl genpkey -algorithm ed25519`")]
    NotEd25519,
    /// A key of another algorithm or curve where a publisher's belongs.
    #[error("not a P-256 private key; make one with `openssl ecparam -name prime256v1 -genkey -noout`")]
    NotP256,
    /// Something else where a TPM's attestation key belongs.
    #[error("not a P-256 public key in PEM; `attest platform init` prints the one of its TPM")]
    NotPlatform,
    /// OpenSSH's own container.
    #[error("an OpenSSH private key; add it to an agent with ssh-add and name it as `ssh-agent:<comment>`")]
    OpenSsh,
    /// A private key under a passphrase, where none was given or this build cannot use one.
    #[error("encrypted with a passphrase; give the passphrase, or decrypt the key with `openssl pkey`")]
    Encrypted,
    /// The passphrase does not open the key, or what it opens is no key.
    #[error("the passphrase does not open it")]
    Passphrase,
    /// The key derivation asks for more work or memory than a key file may.
    #[error("its key derivation asks for too much memory or work (scrypt N r p up to 2^22, PBKDF2 up to 10,000,000)")]
    Derivation,
    /// The public key inside is not the one that belongs to the private key.
    #[error(
        "its public part does not belong to its private part: the file is damaged or was put together from two keys"
    )]
    Mismatch,
    /// Not JSON, or not strict JSON: a duplicate member, for one.
    #[error("not a strict JSON object: {0}")]
    Json(JsonError),
    /// A JWK member is missing, has the wrong type or the wrong value.
    #[error("the JWK member {0:?} is missing or not what an Ed25519 signing key has (RFC 8037)")]
    JwkMember(&'static str),
    /// A JWK member that we do not know: it could restrict the key's use.
    #[error("the JWK has a member beyond kty, crv, x, d, kid, alg, use, key_ops and ext")]
    JwkUnknown,
    /// A private key where a public one belongs.
    #[error(
        "a private key where a public key is expected; give out only the public half (`attest keygen` writes both)"
    )]
    PrivateWherePublic,
    /// A public key where a private one belongs.
    #[error("a public key where a private key is expected")]
    PublicWherePrivate,
    /// The public key fails enrolment.
    #[error(transparent)]
    Public(#[from] jwk::KeyError),
}

/// Why a key cannot be had or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No file there.
    #[error("no key at {path}; make one with `attest keygen`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something is there already; keys are never overwritten.
    #[error("{path} exists and is not overwritten; choose another name or move it away")]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// A symbolic link.
    #[error("{path} is a symbolic link; name the key file itself")]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// A folder, FIFO, socket or device.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// Group or others may do something with the file.
    #[error("{path} is open to other users (mode {mode:04o}); run: chmod 600 '{path}'")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody else's file.
    #[error("{path} belongs to user {owner}; run: chown {user} '{path}' && chmod 600 '{path}'")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user id that this process runs as.
        user: u32,
    },
    /// Larger than any key.
    #[error("{path} is larger than 8 KiB; that is no key file")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot use {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// The content is not the key that was asked for.
    #[error("{path}: {error}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: FormatError,
    },
    /// The system's random source failed. Nothing was made.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The ssh-agent has no such key or will not sign.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Why a key in an ssh-agent cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// Built without the feature.
    #[error("this build has no ssh-agent support (cargo feature `ssh-agent`); use a key file")]
    NotBuilt,
    /// `SSH_AUTH_SOCK` is unset or empty.
    #[error("SSH_AUTH_SOCK is not set; start an agent: eval \"$(ssh-agent)\" && ssh-add <key>")]
    NoSocket,
    /// Nothing after `ssh-agent:`.
    #[error("`ssh-agent:` needs a fingerprint (SHA256:…) or a comment after it; `ssh-add -l` lists both")]
    NoSelector,
    /// The agent cannot be reached, hung up or did not answer in time.
    #[error("no answer from the ssh-agent at {socket}: {source}; is it still running?")]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The agent said no: it is locked, the key is gone, or its user declined.
    #[error(
        "the ssh-agent refused; it may be locked, the key removed or the use declined (`ssh-add -l` shows its keys)"
    )]
    Refused,
    /// The answer is not what the protocol says, or over its size limit.
    #[error("the ssh-agent's answer breaks its protocol")]
    Protocol,
    /// No Ed25519 key of that name.
    #[error("the ssh-agent holds no key {selector}; add it with ssh-add (`ssh-add -l` lists its keys)")]
    NoSuchKey {
        /// Fingerprint or comment.
        selector: String,
    },
    /// Several keys bear the comment.
    #[error("the ssh-agent holds {count} keys {selector}; name one by its fingerprint, ssh-agent:SHA256:…")]
    Ambiguous {
        /// The comment.
        selector: String,
        /// How many.
        count: usize,
    },
    /// The key is RSA, ECDSA, a certificate or a security key, which signs something else than the bytes it is given.
    #[error("the ssh-agent's key {selector} is not a plain Ed25519 key; make one with ssh-keygen -t ed25519")]
    NotEd25519 {
        /// Fingerprint or comment.
        selector: String,
    },
    /// The key itself fails enrolment.
    #[error("the ssh-agent's key is refused: {0}")]
    Public(jwk::KeyError),
    /// The signature does not verify under the key that was asked to sign.
    #[error("the ssh-agent gave a signature that does not verify; nothing was sent")]
    BadSignature,
}
