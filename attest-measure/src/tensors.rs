//! The tensors inside a model's files: `model-tensors`.
//!
//! A digest of a whole file says that something in it changed, not what. Of files whose form is known, safetensors and GGUF, the
//! tensors are hashed one by one, in the pass over the bytes that makes the file's own digest. The form is that of the name's end;
//! every other file (PyTorch's archives, tokenizers, settings) is opaque here and stands in `model-weights` alone.

mod error;
mod gguf;
mod index;
mod layout;
mod pass;
mod safetensors;

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use serde::{Serialize, Serializer};

pub use error::TensorError;
pub(crate) use index::check as check_indexes;
pub(crate) use layout::Layout;
pub(crate) use pass::Pass;

/// Commas and brackets in JSON that lists tensors: a value in memory takes much more than the two bytes that one may have in the text, so
/// its length alone is no bound. A tensor has some seven.
pub(crate) const MAX_PARTS: usize = 4_000_000;

/// Whether reading this JSON could take more memory than any model needs.
pub(crate) fn too_many_parts(text: &[u8]) -> bool {
    text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MAX_PARTS
}

/// JSON of a model's file, with bounded memory.
fn strict(text: &[u8]) -> Result<Value<'_>, TensorError> {
    if too_many_parts(text) {
        return Err(TensorError::TooManyParts { limit: MAX_PARTS });
    }
    json::parse(text).map_err(TensorError::Json)
}

/// A tensor as it stands in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// The type of its elements, as its file's form calls it: `F16`, `Q4_K`.
    pub dtype: String,
    /// Its dimensions in the order of the file: outermost first in safetensors, innermost first in GGUF.
    pub shape: Vec<u64>,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// A file with at least one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTensors {
    /// The file's name, the one it has in the file manifest.
    pub file: String,
    /// SHA-256 of every byte before the tensors' data: sizes, names, and what else the file says of itself.
    pub header: Digest,
    /// Its tensors, in ascending order of the names' UTF-8 bytes.
    pub tensors: Vec<Tensor>,
}

/// The tensors of a set of files, in ascending order of the file names' UTF-8 bytes.
///
/// The digest is SHA-256 over the JCS form of
/// `[{"file":"…","header":"…","tensors":[{"digest":"…","dtype":"F16","name":"…","shape":[…]},…]},…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorManifest {
    /// The files that have tensors.
    pub files: Vec<FileTensors>,
    /// Over all of the above.
    pub digest: Digest,
}

#[derive(Serialize)]
struct FileLine<'a> {
    file: &'a str,
    header: String,
    tensors: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    digest: String,
    dtype: &'a str,
    name: &'a str,
    shape: &'a [u64],
}

impl TensorManifest {
    /// The manifest of these files; files without tensors are left out.
    pub(crate) fn of(mut files: Vec<FileTensors>) -> Self {
        files.retain(|file| !file.tensors.is_empty());
        files.sort_by(|a, b| a.file.as_bytes().cmp(b.file.as_bytes()));
        for file in &mut files {
            file.tensors.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        }
        let digest = Digest::of(jcs(&lines(&files)));
        Self { files, digest }
    }

    /// The bytes that the digest is over.
    pub fn canonical(&self) -> Vec<u8> {
        jcs(self)
    }

    /// How many tensors there are.
    pub fn count(&self) -> usize {
        self.files.iter().map(|file| file.tensors.len()).sum()
    }
}

/// The array that the digest is over.
fn lines(files: &[FileTensors]) -> Vec<FileLine<'_>> {
    files.iter().map(FileLine::of).collect()
}

impl Serialize for TensorManifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lines(&self.files).serialize(serializer)
    }
}

impl<'a> FileLine<'a> {
    fn of(FileTensors { file, header, tensors }: &'a FileTensors) -> Self {
        Self { file, header: header.to_b64(), tensors: tensors.iter().map(Line::of).collect() }
    }
}

impl<'a> Line<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        Self { digest: tensor.digest.to_b64(), dtype: &tensor.dtype, name: &tensor.name, shape: &tensor.shape }
    }
}
