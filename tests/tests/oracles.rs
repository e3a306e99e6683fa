//! Trees and notes against the code of others: `tlog_tiles`, `ct-merkle`, `sigstore-merkle`, `signed_note`. Where they disagree with
//! us, the test says in what, and so notices when that changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "oracles/notes.rs"]
mod notes;
#[path = "oracles/others.rs"]
mod others;
#[path = "oracles/tiles.rs"]
mod tiles;
#[path = "oracles/trees.rs"]
mod trees;
