//! Why bytes are not strict JSON.

use core::fmt;

/// What is wrong, without free text, so that it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The grammar of RFC 8259 is broken, or the bytes end too soon.
    Syntax,
    /// Bytes follow the value.
    TrailingBytes,
    /// The text starts with a byte-order mark.
    ByteOrderMark,
    /// A string is not UTF-8.
    NotUtf8,
    /// An escape names one half of a surrogate pair.
    LoneSurrogate,
    /// An object has the same member twice.
    DuplicateMember,
    /// A number is infinite or an integer that a double cannot hold exactly.
    NumberRange,
    /// Nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
}

/// What is wrong and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Offset in bytes from the start of the text.
    pub offset: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            JsonErrorKind::Syntax => "not JSON",
            JsonErrorKind::TrailingBytes => "bytes after the JSON value",
            JsonErrorKind::ByteOrderMark => "starts with a byte-order mark",
            JsonErrorKind::NotUtf8 => "not UTF-8",
            JsonErrorKind::LoneSurrogate => "half of a surrogate pair",
            JsonErrorKind::DuplicateMember => "the same member twice in one object",
            JsonErrorKind::NumberRange => "a number that a double cannot hold exactly",
            JsonErrorKind::TooDeep => "nested too deeply",
        };
        write!(f, "{what} (at byte {})", self.offset)
    }
}

impl core::error::Error for JsonError {}
