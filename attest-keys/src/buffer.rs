//! A fixed buffer for secrets.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// Largest key file, in bytes. An Ed25519 PEM has 119, an encrypted one some 350.
pub(crate) const MAX_FILE: usize = 8 * 1024;

/// Up to [`MAX_FILE`] bytes on the heap, wiped when dropped. It never grows, and so never leaves a copy behind.
pub(crate) struct SecretBuffer {
    bytes: Box<Zeroizing<[u8; MAX_FILE]>>,
    len: usize,
}

impl SecretBuffer {
    /// Reads to the end. `None` if there is more than fits.
    pub(crate) fn read(mut from: impl Read) -> io::Result<Option<Self>> {
        let mut buffer = Self { bytes: Box::new(Zeroizing::new([0; MAX_FILE])), len: 0 };
        loop {
            let room = buffer.bytes.get_mut(buffer.len..).unwrap_or_default();
            if room.is_empty() {
                // A file of exactly MAX_FILE bytes counts as too large; no key comes near it.
                return Ok(None);
            }
            match from.read(room) {
                Ok(0) => return Ok(Some(buffer)),
                Ok(n) => buffer.len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
