//! A log as it grows: rate, proofs, replay window.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use attest_log::{Log, Reader, Record, ReplayKey, Token};

use super::appends::{BODY, TOKEN};
use super::{open, random};
use crate::Outcome;
use crate::figures::quantile;

/// Calls a second that the clock given to the log is made to show: replay keys are held for as long as they would be at
/// that load.
const PER_SECOND: u64 = 20_000;
/// Seconds for which a key must be held: a proof's life of a minute, and skew.
const LIFE: u64 = 90;
/// Appends under way.
const CALLERS: usize = 64;
/// Appends over which the rate at a size is taken.
const WINDOW: u64 = 200_000;

/// What was found at a size.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Entries.
    pub size: u64,
    /// Appends a second over the entries before it.
    pub rate: f64,
    /// Plain SQLite's rate in turns with it, for the disk's mood.
    pub plain: f64,
    /// Look-up in the replay window.
    pub look_up: Duration,
    /// Keys in the window.
    pub held: u64,
}

/// Appends until the log has `most` entries; tells of each size in `sizes` as it passes.
///
/// # Errors
/// The log's.
pub fn grow(folder: &Path, sizes: &[u64], mut tell: impl FnMut(At) -> Outcome<()>) -> Outcome<()> {
    let log = std::sync::Arc::new(open(&folder.join("grown.db"))?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut size = 0;
    for wanted in sizes {
        let near = wanted.saturating_sub(WINDOW.min(wanted / 2)).max(size);
        runtime.block_on(append(&log, size, near))?;
        // In turns with plain SQLite, which shows what the disk does at this very moment.
        let (mut ours, mut plain) = (Duration::ZERO, Vec::new());
        let (mut from, step) = (near, (wanted - near).div_ceil(4).max(1));
        while from < *wanted {
            let to = (from + step).min(*wanted);
            let begun = Instant::now();
            runtime.block_on(append(&log, from, to))?;
            ours += begun.elapsed();
            let place = tempfile::tempdir_in(folder)?;
            plain.push(super::appends::plain(place.path(), CALLERS, Duration::from_millis(400))?.rate);
            from = to;
        }
        size = *wanted;
        let look_up = look_up(&log, size)?;
        tell(At {
            size,
            rate: (wanted - near) as f64 / ours.as_secs_f64(),
            plain: quantile(&mut plain, 50),
            look_up,
            held: size.min(PER_SECOND * (LIFE + attest_log::PRUNE_MARGIN)),
        })?;
    }
    log.close()?;
    Ok(())
}

async fn append(log: &std::sync::Arc<Log>, from: u64, to: u64) -> Outcome<()> {
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(from));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (log, next) = (log.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= to {
                    return Ok::<_, String>(());
                }
                let now = 1_000_000_000 + n / PER_SECOND;
                let jti = random().map_err(|e| e.to_string())?;
                let record = Record {
                    body: vec![b'x'; BODY],
                    token: Some(Token::hashed([0; 32], "t".repeat(TOKEN))),
                    replay: Some(ReplayKey::new(b"key", &jti, now + LIFE).map_err(|e| e.to_string())?),
                    prove: true,
                    ..Record::default()
                };
                log.append(record, now).await.map_err(|e| e.to_string())?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Median over batches of one question to the window.
fn look_up(log: &Log, size: u64) -> Outcome<Duration> {
    let now = 1_000_000_000 + size / PER_SECOND;
    let mut times = Vec::new();
    for _ in 0..50 {
        let keys =
            (0..1_000).map(|_| Ok(ReplayKey::new(b"key", &random()?, now + LIFE)?)).collect::<Outcome<Vec<_>>>()?;
        let begun = Instant::now();
        let seen = keys.iter().filter(|key| log.seen(black_box(key))).count();
        times.push(begun.elapsed() / 1_000);
        if seen > 0 {
            return Err("a key that nobody used was seen".into());
        }
    }
    Ok(quantile(&mut times, 50))
}

/// Time of one inclusion proof over a grown log, of entries all over it: by a reader that stays open, its median and 99th
/// percentile. Every proof is checked, outside the time.
///
/// # Errors
/// The log's.
pub fn proofs(folder: &Path, count: u64) -> Outcome<(Duration, Duration)> {
    let reader = Reader::open(folder.join("grown.db"))?;
    let size = reader.len()?;
    let root = reader.root(size)?;
    let mut times = Vec::new();
    for n in 0..count {
        // Far from each other, and the same on each run.
        let index = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size;
        let begun = Instant::now();
        let path = reader.inclusion(index, size)?;
        times.push(begun.elapsed());
        let entry = reader.entry(index)?.ok_or("an entry is missing")?;
        attest_core::merkle::check_inclusion(&attest_core::merkle::leaf(&entry), index, size, &path, &root)?;
    }
    Ok((quantile(&mut times, 50), quantile(&mut times, 99)))
}
