//! Where in a file its tensors are.

use std::fs::File;
use std::io::{self, Seek as _};

use super::TensorError;
use super::{gguf, safetensors};
use crate::error::MeasureError;
use crate::tree::Found;

/// A tensor's place.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
    /// Offset in the file of its first byte.
    pub(crate) start: u64,
    /// Offset in the file of the first byte behind it.
    pub(crate) end: u64,
}

/// The places of all tensors of a file: in ascending order, none overlapping another, all of them between header and end.
#[derive(Debug)]
pub(crate) struct Layout {
    /// How many bytes come before the tensors' data.
    pub(crate) header: u64,
    pub(crate) parts: Vec<Part>,
}

/// Why a header could not be read: the file's fault, or the system's.
pub(crate) enum Failed {
    Io(io::Error),
    File(TensorError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TensorError> for Failed {
    fn from(error: TensorError) -> Self {
        Self::File(error)
    }
}

impl Layout {
    /// Reads the header of an opened file and goes back to its start; `None` where the file is of no form with tensors. The bytes
    /// are read once more when they are hashed; that the file was the same both times, its stamp says when that is done.
    pub(crate) fn read(file: &mut File, found: &Found) -> Result<Option<Self>, MeasureError> {
        let io = |source| MeasureError::Io { path: found.path.clone(), source };
        // Behind a link the name counts, not the path: a cache keeps its files under their digests.
        let own = found.path.file_name().and_then(|name| name.to_str());
        let name = if found.name.is_empty() { own.unwrap_or_default() } else { &found.name };
        let size = found.stamp.size;
        let read = match name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).as_deref() {
            Some("safetensors") => safetensors::layout(file, size),
            Some("gguf") => gguf::layout(file, size),
            _ => return Ok(None),
        };
        let layout = read.map_err(|failed| match failed {
            Failed::Io(source) => io(source),
            Failed::File(error) => MeasureError::Tensors { path: found.path.clone(), error },
        })?;
        file.rewind().map_err(io)?;
        Ok(Some(layout))
    }
}
