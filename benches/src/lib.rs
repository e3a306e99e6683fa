//! What the benchmarks share. How to run them, and what they gave: README.md beside this crate's manifest.

pub mod calls;
pub mod clock;
pub mod figures;
pub mod http;
pub mod log;
pub mod parties;
pub mod peer;
pub mod policies;
pub mod scale;
pub mod stdio;
pub mod tenuo;

/// How everything here ends that can fail.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
