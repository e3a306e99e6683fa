//! Whole processes over stdio, as an MCP host starts them.

mod conversation;
mod place;
mod probe;

pub use conversation::Conversation;
pub use place::{Arrangement, Place, Signing, plain};
pub use probe::fsync;
