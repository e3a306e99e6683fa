//! Nonces without a table: what a verifier hands out to have something made now, and knows again by computing it. `spec/nonce.md`.
//!
//! A nonce is the time and a MAC over audience, time and call key, under a secret that never leaves the process. So it serves one
//! server, one key and one minute; it does not serve one call alone, which the call proof's `jti` sees to.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::b64;
use crate::claims::{Claims, ClaimsError};
use crate::jwk::Thumbprint;

/// Bytes of the time in a nonce.
const TIME: usize = 8;
/// Bytes of a nonce: the time, and 192 bits of the MAC.
const LENGTH: usize = 32;
/// What the MAC is over, first of all: no other use of the secret begins like this.
const CONTEXT: &[u8] = b"attest nonce 1\0";

/// A nonce on the wire: 43 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; LENGTH]);

impl Nonce {
    /// Reads the 43 characters.
    pub fn from_b64(text: &str) -> Option<Self> {
        b64::decode_exact(text).map(Self)
    }

    /// The 43 characters.
    pub fn to_b64(self) -> String {
        b64::encode(self.0)
    }

    /// A claim that holds one, where it is there.
    pub(crate) fn read(claims: &mut Claims<'_, '_>, name: &'static str) -> Result<Option<Self>, ClaimsError> {
        let read = |text: &str| Self::from_b64(text);
        match claims.optional(name) {
            None => Ok(None),
            Some(value) => value.as_str().and_then(read).map(Some).ok_or(ClaimsError::Invalid(name)),
        }
    }
}

/// Why a nonce does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// Too old, or of a time that has not come.
    #[error("the nonce is older than {} seconds", Nonces::LIFE)]
    Stale,
    /// Not one that this process handed out lately, for this audience and this key.
    #[error("the nonce was not handed out here for this key")]
    NotOurs,
}

/// The secrets under which a verifier hands out nonces: the present one, and the one before.
#[derive(Clone)]
pub struct Nonces {
    present: [u8; 32],
    before: Option<[u8; 32]>,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

impl Nonces {
    /// Seconds for which a nonce is good.
    pub const LIFE: u64 = 60;

    /// With a secret of 256 random bits.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { present: secret, before: None }
    }

    /// From here on under another secret. What was handed out under the present one still counts, until the next rotation: so there
    /// is at least [`Nonces::LIFE`] between two.
    pub fn rotate(&mut self, secret: [u8; 32]) {
        self.before = Some(core::mem::replace(&mut self.present, secret));
    }

    /// A nonce for calls to `audience` under the call key of this thumbprint, made at `now` (seconds since 1970).
    pub fn issue(&self, audience: &str, key: &Thumbprint, now: u64) -> Nonce {
        let mut nonce = [0; LENGTH];
        let (time, rest) = nonce.split_at_mut(TIME);
        time.copy_from_slice(&now.to_be_bytes());
        // HMAC takes keys of any length, so this is always there.
        let full = mac(&self.present, audience, key, now).map(|mac| mac.finalize().into_bytes());
        full.iter().for_each(|full| rest.iter_mut().zip(full).for_each(|(to, from)| *to = *from));
        Nonce(nonce)
    }

    /// Whether this is one for this audience and this key, handed out at most [`Nonces::LIFE`] seconds before `now`.
    ///
    /// # Errors
    /// [`NonceError`].
    pub fn check(&self, nonce: &Nonce, audience: &str, key: &Thumbprint, now: u64) -> Result<(), NonceError> {
        let (time, rest) = nonce.0.split_first_chunk::<TIME>().ok_or(NonceError::NotOurs)?;
        let time = u64::from_be_bytes(*time);
        // In constant time: who could tell how far a guess is right would need no secret.
        let by = |secret| mac(secret, audience, key, time).is_some_and(|mac| mac.verify_truncated_left(rest).is_ok());
        if !by(&self.present) && !self.before.as_ref().is_some_and(by) {
            return Err(NonceError::NotOurs);
        }
        if time > now || now - time >= Self::LIFE {
            return Err(NonceError::Stale);
        }
        Ok(())
    }
}

fn mac(secret: &[u8; 32], audience: &str, key: &Thumbprint, time: u64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(CONTEXT);
    mac.update(&time.to_be_bytes());
    // 43 characters, always: what follows needs no length.
    mac.update(key.as_str().as_bytes());
    mac.update(audience.as_bytes());
    Some(mac)
}
