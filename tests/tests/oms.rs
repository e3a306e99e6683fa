//! Endorsements against OpenSSF's own tool, in both directions: what `model_signing` signs is read here, and what is signed here
//! `model_signing` accepts. `spec/endorsement.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "oms/publisher.rs"]
mod publisher;
#[path = "oms/reads.rs"]
mod reads;
#[path = "oms/verifier.rs"]
mod verifier;
#[path = "oms/writes.rs"]
mod writes;
