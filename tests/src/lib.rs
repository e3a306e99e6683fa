//! What crosses crates: vectors, real servers and clients, crashes, attacks.

pub mod binaries;
pub mod certificates;
pub mod client;
pub mod forge;
pub mod http;
pub mod http_raw;
pub mod listening;
pub mod page;
pub mod postgres;
pub mod real;
pub mod s3;
pub mod vectors;
pub mod world;
