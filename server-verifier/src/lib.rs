//! The server half of attest: the verifier of RATS (RFC 9334) in front of an MCP server.
//!
//! It knows whom to trust ([`config`]), checks each `tools/call` with the pure verifier of `attest-core`, writes the
//! verdict to its log, and only then lets the call through ([`gate`]). [`guard`] is the gate in front of a server that is
//! reached over stdio; [`args`] is its command line, the same for `attest guard` and the binary `server-verifier`.

pub mod args;
pub mod config;
pub mod gate;
pub mod guard;
mod tally;

pub use config::Config;
pub use gate::Gate;
