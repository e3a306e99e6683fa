//! Programs on rmcp that attest is tried against: what a plain MCP server and a plain MCP client of another make do, with
//! no attest in them. Only tests use this crate, so rmcp never becomes a part of what attest ships through it.

pub mod assistant;
pub mod client;
pub mod converse;
pub mod runs;
pub mod serve;
pub mod server;
