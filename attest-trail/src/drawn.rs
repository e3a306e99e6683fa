//! Random values made of one seed: so no message waits for the system's, or fails for want of them.

use attest_core::digest::{Digest, Salt};

/// A seed, and how many values were drawn.
pub(crate) struct Drawn {
    seed: [u8; 32],
    count: u64,
}

impl Drawn {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { seed, count: 0 })
    }

    /// 256 bits.
    pub(crate) fn name(&mut self) -> Digest {
        self.count += 1;
        Digest::of([&self.seed[..], &self.count.to_be_bytes()].concat())
    }

    /// 128 bits.
    pub(crate) fn salt(&mut self) -> Salt {
        let Digest(bits) = self.name();
        let mut salt = Salt([0; 16]);
        salt.0.iter_mut().zip(bits).for_each(|(to, from)| *to = from);
        salt
    }
}
