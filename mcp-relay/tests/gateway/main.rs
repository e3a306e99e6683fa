//! A gateway over plain HTTP, in front of a real stdio server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod legacy;
mod limits;
mod modern;
mod world;
