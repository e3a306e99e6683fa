//! What crosses crates: vectors, real servers and clients, crashes, attacks.

pub mod binaries;
pub mod vectors;
