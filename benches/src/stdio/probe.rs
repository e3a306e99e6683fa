//! What the disk is like at the moment.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::figures::quantile;

const TRIES: usize = 21;

/// Median time to append 4 KiB to a file in `folder` and make it durable.
pub fn fsync(folder: &Path) -> Outcome<Duration> {
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let begun = Instant::now();
        file.write_all(&[0u8; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(quantile(&mut times, 50))
}
