//! The client half of attest: the attester of RATS (RFC 9334), one process per agent, beside it and not in it.
//!
//! The [`daemon`] alone measures, holds the key, the context and the caller's log, and is the only writer of our `_meta`
//! keys. Every `attest wrap` of that agent ([`serve`]) is its client over a Unix socket ([`wire`]), so that all servers of the
//! agent share one context. The model, and the host that runs it, can write none of our keys.

pub mod args;
pub mod attesting;
pub mod audit;
pub mod config;
pub mod daemon;
mod error;
mod folders;
pub mod given;
mod grant;
pub mod grant_file;
mod judge;
pub mod launch;
mod line;
pub mod lineage;
mod link;
pub mod model_relay;
mod open_calls;
pub mod run;
pub mod serve;
mod server;
pub mod service;
mod starting;
pub mod state;
pub mod subgrant;
mod teller;
#[cfg(feature = "tpm")]
pub mod tpm;
mod view;
mod watcher;
pub mod wire;
mod wrap;

pub use config::Config;
pub use service::Signer;
