//! The HTTP relay between real sockets: a client that writes its bytes itself, and a server whose answers the test writes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod framing;
mod http2;
mod leaving;
mod limits;
mod names;
#[path = "../support/remote.rs"]
mod remote;
mod resume;
mod room;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod waiting;
mod whole;
mod world;
