//! Client lines that are no message.

use attest_core::json::JsonError;
use bytes::Bytes;

/// Why a client's line is not a message. Such a line never reaches the server: two readers could see two different
/// things in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// More bytes than the limit before the line feed. They were skipped, not kept.
    #[error("the line is longer than {limit} bytes")]
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
}

impl Defect {
    /// The error a JSON-RPC 2.0 peer answers with (its section 5.1), as a line without ending. The `id` is null, since a
    /// line that is no message has none that could be trusted.
    pub fn reply(&self) -> Bytes {
        Bytes::from_static(match self {
            Self::TooLong { .. } => {
                br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error: line too long"}}"#
            }
            Self::BareCr => {
                br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error: carriage return inside the line"}}"#
            }
            Self::Json(_) => {
                br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error: not strict JSON"}}"#
            }
            Self::NotAnObject => {
                br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: not one JSON object"}}"#
            }
        })
    }
}
