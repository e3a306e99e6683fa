//! The log: appends beside plain SQLite and beside the peers' logs, the rate as it grows, proofs, the replay window.

pub mod appends;
pub mod grown;
pub mod peers;
pub mod real;
pub mod shared;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, Options};

use crate::Outcome;
use crate::figures::quantile;

/// What one turn of appends measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figure {
    /// Appends a second.
    pub rate: f64,
    /// Half of the appends took at most this long.
    pub p50: Duration,
    /// And all but one in a hundred this.
    pub p99: Duration,
    /// What an fsync took in the same turn.
    pub fsync: Duration,
}

/// Median time to append 4 KiB to a file and fsync it.
///
/// # Errors
/// The folder cannot be written.
pub fn fsync_probe(folder: &Path) -> Outcome<Duration> {
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        file.write_all(&[0u8; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(quantile(&mut times, 50))
}

/// A new log with a new key.
///
/// # Errors
/// It cannot be made there.
pub fn open(path: &Path) -> Outcome<Log> {
    open_named(path, "log.example/bench")
}

/// [`open`], with a name for the log.
///
/// # Errors
/// It cannot be made there.
pub fn open_named(path: &Path, origin: &str) -> Outcome<Log> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let key = LogKey::new(origin, MemoryKey::from_seed(&seed))?;
    Ok(Log::open(path, key, Options::default())?.0)
}

/// 22 bytes like the text of a 128-bit `jti`.
///
/// # Errors
/// The system gives no random bits.
pub fn random() -> Outcome<[u8; 22]> {
    let mut bytes = [0u8; 22];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
