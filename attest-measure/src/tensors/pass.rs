//! One pass over a file's bytes, tensor by tensor.

use attest_core::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::layout::Layout;
use super::{FileTensors, Tensor};

/// Is handed every chunk of a file in its order.
pub(crate) struct Pass {
    layout: Layout,
    /// Offset of the next byte.
    at: u64,
    header: Sha256,
    /// Of the tensor that the next byte is in or before.
    current: Sha256,
    /// Of the tensors before that one.
    digests: Vec<Digest>,
}

impl Pass {
    pub(crate) fn new(layout: Layout) -> Self {
        let digests = Vec::with_capacity(layout.parts.len());
        Self { layout, at: 0, header: Sha256::new(), current: Sha256::new(), digests }
    }

    /// The next bytes of the file.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.close();
            let (until, hash) = match self.layout.parts.get(self.digests.len()) {
                _ if self.at < self.layout.header => (self.layout.header, Some(&mut self.header)),
                // Between two tensors of a GGUF file there are bytes that only align the next one.
                Some(part) if self.at < part.start => (part.start, None),
                Some(part) => (part.end, Some(&mut self.current)),
                None => (u64::MAX, None),
            };
            let room = usize::try_from(until - self.at).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(hash) = hash {
                hash.update(now);
            }
            self.at += now.len() as u64;
            bytes = later;
        }
    }

    /// Closes every tensor that ends here; one without bytes ends where it begins.
    fn close(&mut self) {
        while self.layout.parts.get(self.digests.len()).is_some_and(|part| part.end <= self.at) {
            self.digests.push(Digest(self.current.finalize_reset().into()));
        }
    }

    /// The tensors of the file, if all of them were seen to their end. The file's name is the caller's to give.
    pub(crate) fn finish(mut self) -> Option<FileTensors> {
        self.close();
        if self.digests.len() != self.layout.parts.len() || self.at < self.layout.header {
            return None;
        }
        let tensor = |(part, digest): (super::layout::Part, Digest)| Tensor {
            name: part.name,
            dtype: part.dtype,
            shape: part.shape,
            digest,
        };
        Some(FileTensors {
            file: String::new(),
            header: Digest(self.header.finalize().into()),
            tensors: self.layout.parts.into_iter().zip(self.digests).map(tensor).collect(),
        })
    }
}
