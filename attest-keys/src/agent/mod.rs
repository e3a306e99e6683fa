//! Keys held by an ssh-agent: the private key never enters this process.
//!
//! An agent's `ssh-ed25519` signature is the plain Ed25519 signature over the bytes it is given, so a JWS signing input
//! is signed as it is. Each signature is checked under the key that was asked for before anybody sees it: an agent that is
//! broken, or that somebody else answers for, yields an error and never a token that fails somewhere else.
//!
//! Whoever can reach the agent's socket can have it sign anything for as long as the key is loaded; `ssh-add -c` asks a
//! person each time, `ssh-add -t` forgets the key.

mod wire;

use core::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::digest::Digest;
use attest_core::jwk::PublicKey;
use attest_core::sign::Sign;
use base64ct::{Base64Unpadded, Encoding as _};

use crate::error::AgentError;
use wire::{Answer, Identity};

/// How long one read or write may take. A person may be asked to confirm the use of a key, so this is long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An Ed25519 key in an ssh-agent.
pub struct AgentKey {
    socket: PathBuf,
    public: PublicKey,
}

impl AgentKey {
    /// Finds a key in the agent at `SSH_AUTH_SOCK`.
    ///
    /// # Errors
    /// [`AgentError::NoSocket`] and those of [`AgentKey::find`].
    pub fn from_environment(selector: &str) -> Result<Self, AgentError> {
        match std::env::var_os("SSH_AUTH_SOCK") {
            Some(socket) if !socket.is_empty() => Self::find(Path::new(&socket), selector),
            _ => Err(AgentError::NoSocket),
        }
    }

    /// Finds the one key that `selector` means: its fingerprint as `ssh-add -l` prints it (`SHA256:…`), or its comment,
    /// exactly. A comment that several keys bear is refused.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn find(socket: &Path, selector: &str) -> Result<Self, AgentError> {
        let answer = ask(socket, &wire::list())?;
        let Answer::Identities(identities) = wire::answer(&answer)? else {
            return Err(AgentError::Protocol);
        };
        let found: Vec<&Identity<'_>> = identities.iter().filter(|i| i.is(selector)).collect();
        let identity = match found.as_slice() {
            [one] => one,
            [] => {
                return Err(AgentError::NoSuchKey { selector: selector.into() });
            }
            several => {
                return Err(AgentError::Ambiguous { selector: selector.into(), count: several.len() });
            }
        };
        let bytes = wire::ed25519(identity.blob).ok_or_else(|| AgentError::NotEd25519 { selector: selector.into() })?;
        let public = PublicKey::from_bytes(bytes).map_err(AgentError::Public)?;
        Ok(Self { socket: socket.into(), public })
    }
}

impl Sign for AgentKey {
    type Error = AgentError;

    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], AgentError> {
        // A connection of its own for each signature: an agent that was restarted at the same path is found again,
        // and two threads never wait for each other's person.
        let answer = ask(&self.socket, &wire::sign(self.public.as_bytes(), message)?)?;
        let Answer::Signature(signature) = wire::answer(&answer)? else {
            return Err(AgentError::Protocol);
        };
        if !self.public.verifies(message, signature) {
            return Err(AgentError::BadSignature);
        }
        Ok(*signature)
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentKey({} at {})", self.public.thumbprint(), self.socket.display())
    }
}

impl Identity<'_> {
    fn is(&self, selector: &str) -> bool {
        match selector.strip_prefix("SHA256:") {
            // Some tools print the padding that OpenSSH leaves out.
            Some(print) => {
                let mut wanted = [0; 32];
                let wanted = Base64Unpadded::decode(print.trim_end_matches('='), &mut wanted);
                wanted.is_ok_and(|digest| digest == Digest::of(self.blob).0)
            }
            None => self.comment == selector.as_bytes(),
        }
    }
}

fn ask(socket: &Path, request: &[u8]) -> Result<Vec<u8>, AgentError> {
    let unreachable = |source: io::Error| AgentError::Unreachable { socket: socket.into(), source };
    let stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(unreachable)?;
    wire::exchange(&stream, request).map_err(unreachable)?.ok_or(AgentError::Protocol)
}
