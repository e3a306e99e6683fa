//! Moves requests between an agent and the API of its model, and shows each turn to a [`Teller`] before it goes on.
//!
//! Knows three APIs ([`Api`]) and how to read a request of theirs ([`Turn`], `spec/turn.md`), and nothing of attestation or
//! keys. What it reads it does not change: the bytes that were read are the bytes that go on, and answers stream through
//! untouched.
//!
//! What it is there to keep: no request that a tool call can come out of reaches the model before the teller has taken
//! it. So whatever cannot be read is refused, and so is a request to any path that nobody named.

mod answer;
mod api;
mod conversation;
mod relay;
mod settings;
mod turn;

pub use api::Api;
pub use relay::{Relay, Teller, Untold, limits};
pub use turn::{ReadError, Turn};
