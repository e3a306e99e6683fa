//! Why a file's tensors cannot be told apart.

use attest_core::json::JsonError;

/// What is wrong with a model's file. Names come from the file: they are printed escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// A header that is longer than its file, or than the form allows.
    #[error(
        "its header is said to have {length} bytes, and at most {limit} can be there; the file is cut off or no safetensors file"
    )]
    HeaderLength {
        /// What the file says.
        length: u64,
        /// What could be there.
        limit: u64,
    },
    /// A header that has no single meaning.
    #[error("its header is not strict JSON: {0}")]
    Json(JsonError),
    /// JSON of more parts than the tensors of any model have.
    #[error("its JSON has more than {limit} parts")]
    TooManyParts {
        /// How many are allowed.
        limit: usize,
    },
    /// A header, or an index, that is JSON and not of its form.
    #[error("{about:?} in it is not what it should be")]
    Form {
        /// The member, or the tensor.
        about: String,
    },
    /// A type of elements that nobody here knows the size of.
    #[error("the tensor {tensor:?} is of the type {dtype:?}, which is not known here; measure without tensors")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: String,
    },
    /// Tensors that overlap, leave a hole, or do not begin where the header ends.
    #[error("the tensor {tensor:?} does not begin where the one before it ends")]
    Offset {
        /// The tensor.
        tensor: String,
    },
    /// Shape and type that do not come to the bytes of the tensor.
    #[error("a tensor's shape and type do not come to its bytes")]
    Size,
    /// Tensors that end before or after the file does.
    #[error(
        "its tensors end at byte {end}, the file at byte {size}; it is cut off, or holds bytes that belong to no tensor"
    )]
    End {
        /// Where the tensors end.
        end: u64,
        /// Where the file does.
        size: u64,
    },
    /// A header, or tensors, that go on beyond the file's end.
    #[error("it says that it goes on beyond its end; it is cut off, or one of its lengths is wrong")]
    CutOff,
    /// Not a GGUF file that can be read here.
    #[error("its GGUF header is refused: {detail}")]
    Gguf {
        /// The parser's words, escaped and cut to a line.
        detail: String,
    },
    /// An index that names a file which is not there, or has no tensors.
    #[error("the index names the file {file:?}, which is not among the measured files or has no tensors")]
    IndexFile {
        /// The file, as the index names it.
        file: String,
    },
    /// An index that names a tensor which is not in its file.
    #[error("the index says that the tensor {tensor:?} is in {file:?}, and it is not")]
    IndexTensor {
        /// The tensor.
        tensor: String,
        /// The file.
        file: String,
    },
    /// A tensor of an indexed file that the index does not name.
    #[error("the tensor {tensor:?} is in {file:?}, and the index does not say so")]
    NotIndexed {
        /// The tensor.
        tensor: String,
        /// The file.
        file: String,
    },
}
