//! What a client sends that is no message.

use attest_core::json::{self, JsonError, Value};
use bytes::Bytes;

/// Why a client's line, or its HTTP request, is not a message. It never reaches the server: two readers could see two
/// different things in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// More bytes than the limit before the line feed, or in the body. They were skipped, not kept.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes, line ending not counted.
        limit: usize,
    },
    /// A carriage return that is not part of the line ending. Readers in universal-newline mode (Python's text streams)
    /// end the line there.
    #[error("a carriage return inside the line")]
    BareCr,
    /// Not strict JSON.
    #[error("{0}")]
    Json(JsonError),
    /// Strict JSON, but an array (a batch) or a scalar.
    #[error("not a JSON object")]
    NotAnObject,
    /// A header that repeats part of the message (`Mcp-Method`, `Mcp-Name`, `Mcp-Param-…`) and says something else.
    #[error("a header says something else than the body")]
    HeaderMismatch,
    /// A body in a content coding, such as gzip: it would have to be decoded to be read.
    #[error("a body with a Content-Encoding")]
    Encoded,
    /// A body that is not said to be JSON in UTF-8, once: a server may decode it into another message.
    #[error("a body that is not application/json in UTF-8")]
    ContentType,
    /// No well-formed HTTP request: its framing could be read in two ways.
    #[error("not a well-formed HTTP request")]
    Http,
}

impl Defect {
    /// The error a JSON-RPC 2.0 peer answers with (its section 5.1), as a line without ending. Without an `id` that could
    /// be trusted, it is null.
    pub fn reply(&self, id: Option<&Value<'_>>) -> Bytes {
        let (code, message) = match self {
            Self::TooLong { .. } => (-32700, "Parse error: message too long"),
            Self::BareCr => (-32700, "Parse error: carriage return inside the line"),
            Self::Json(_) => (-32700, "Parse error: not strict JSON"),
            Self::Encoded => (-32700, "Parse error: a body with a Content-Encoding; send it plain"),
            Self::ContentType => (-32700, "Parse error: the body must be application/json, in UTF-8"),
            Self::Http => (-32700, "Parse error: not a well-formed HTTP request"),
            Self::NotAnObject => (-32600, "Invalid request: not one JSON object"),
            // MCP 2026-07-28, "Server Validation" of its Streamable HTTP.
            Self::HeaderMismatch => (-32020, "Header mismatch: a header says something else than the body"),
        };
        let mut out = br#"{"jsonrpc":"2.0","id":"#.to_vec();
        json::write_canonical(id.unwrap_or(&Value::Null), &mut out);
        out.extend_from_slice(format!(r#","error":{{"code":{code},"message":"{message}"}}}}"#).as_bytes());
        out.into()
    }
}
