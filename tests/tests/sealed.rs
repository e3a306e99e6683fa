//! Old entries leave a log for a folder while a guard writes it: nothing that anybody reads or proves is different after, what
//! is changed or missing there is found, and however a sealing ends, no entry is lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "sealed/broken.rs"]
mod broken;
#[path = "sealed/common.rs"]
mod common;
#[path = "sealed/forgotten.rs"]
mod forgotten;
#[path = "sealed/killed.rs"]
mod killed;
#[path = "sealed/older.rs"]
mod older;
#[path = "sealed/running.rs"]
mod running;
