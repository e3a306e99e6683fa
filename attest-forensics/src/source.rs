//! Where entries and tokens come from: a log with its index, or what of one was handed over.

use attest_core::digest::Digest;

use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::index::Index;

/// A log, as far as it is at hand.
pub trait Source {
    /// Its name.
    fn origin(&self) -> &str;

    /// The agent whose log it is, of a caller's.
    fn owner(&self) -> Option<&str>;

    /// Entries that its checkpoint is over.
    fn size(&self) -> u64;

    /// The entries about a call, in order.
    ///
    /// # Errors
    /// [`ForensicsError`].
    fn about(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError>;

    /// The decisions on calls that name this one as their cause, or show its receipt.
    ///
    /// # Errors
    /// [`ForensicsError`].
    fn led_to(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError>;

    /// An entry, proved.
    ///
    /// # Errors
    /// [`ForensicsError::NotProved`].
    fn entry(&self, index: u64) -> Result<Vec<u8>, ForensicsError>;

    /// A token by its hash.
    ///
    /// # Errors
    /// [`ForensicsError`].
    fn token(&self, hash: &Digest) -> Result<Option<String>, ForensicsError>;

    /// The token that came with an entry alone, which that names by this hash.
    ///
    /// # Errors
    /// [`ForensicsError`].
    fn own_token(&self, index: u64, hash: &Digest) -> Result<Option<String>, ForensicsError>;
}

impl Source for (Evidence, Index) {
    fn origin(&self) -> &str {
        self.0.origin()
    }

    fn owner(&self) -> Option<&str> {
        self.0.owner()
    }

    fn size(&self) -> u64 {
        self.0.size()
    }

    fn about(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        self.1.about(call)
    }

    fn led_to(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        self.1.led_to(call)
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, ForensicsError> {
        self.0.entry(index)
    }

    fn token(&self, hash: &Digest) -> Result<Option<String>, ForensicsError> {
        Ok(self.0.reader.token(&hash.0)?)
    }

    fn own_token(&self, index: u64, hash: &Digest) -> Result<Option<String>, ForensicsError> {
        Ok(self.0.reader.own_token(index)?.filter(|text| Digest::of(text) == *hash))
    }
}
