//! The server half of attest: the verifier of RATS (RFC 9334) in front of an MCP server, or inside one.
//!
//! It knows whom to trust ([`config`]), checks each call with the pure verifier of `attest-core`, writes the verdict to its
//! log, and only then lets the call through ([`gate`]). [`serve`] is the gate as a process of its own, over stdio or HTTP;
//! [`layer`] and [`Filter`] are the gate inside a server's own process. [`args`] is the command
//! line, the same for `attest guard` and the binary `server-verifier`.

mod admission;
mod alerts;
pub mod approvals;
pub mod args;
mod attested;
pub mod config;
mod exchanges;
mod filter;
pub mod gate;
pub mod guard;
mod held;
mod judge;
pub mod layer;
pub mod methods;
mod metrics;
mod open_calls;
pub mod reload;
mod rules;
pub mod serve;
pub mod shared;
pub mod status;
mod stores;
mod tally;
mod telemetry;
mod witness;

pub use attest_core::measurement::{Component, Grade, Measurement};
#[cfg(feature = "axum")]
pub use attested::NotAttested;
pub use attested::{Attested, Calls};
pub use config::{Config, Sharing};
pub use filter::Filter;
pub use gate::Gate;
pub use layer::AttestLayer;
