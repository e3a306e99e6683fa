//! One log on PostgreSQL that several verifiers append to, each of them a process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, Options, Place};

use super::{Figure, appends, fsync_probe};
use crate::Outcome;
use crate::figures::quantile;

/// A verifier: opens the log and appends for `span`; says how long each append took.
///
/// # Errors
/// The log's.
pub fn write(side: &Path, url: &str, callers: usize, span: Duration) -> Outcome<Vec<Duration>> {
    let key = LogKey::new("log.example/bench", MemoryKey::from_seed(&[9; 32]))?;
    let (log, _) = Log::open(Place::new(url).with_side(side), key, Options::default())?;
    let log = Arc::new(log);
    // The first appends make connections and plans.
    appends::appended(&log, callers, span / 5)?;
    let (times, _) = appends::appended(&log, callers, span)?;
    log.close()?;
    Ok(times)
}

/// So many verifiers at once, `callers` of each.
///
/// # Errors
/// One of them failed.
pub fn turn(folder: &Path, url: &str, verifiers: usize, callers: usize) -> Outcome<Figure> {
    let fsync = fsync_probe(folder)?;
    let started = (0..verifiers).map(|n| {
        let side = folder.join(format!("side-{n}"));
        std::fs::create_dir_all(&side)?;
        let mut child = Command::new(std::env::current_exe()?);
        child.arg(&side).args(["shared-writer", url, &callers.to_string()]);
        Ok(child.stdout(Stdio::piped()).spawn()?)
    });
    let started = started.collect::<Outcome<Vec<Child>>>()?;
    let (mut times, mut rate) = (Vec::new(), 0.0);
    for child in started {
        let done = child.wait_with_output()?;
        if !done.status.success() {
            return Err("a verifier failed".into());
        }
        let own: Vec<Duration> = String::from_utf8(done.stdout)?
            .lines()
            .map(|line| Ok(Duration::from_nanos(line.parse()?)))
            .collect::<Outcome<_>>()?;
        // Each caller has one append under way at any time, so its appends fill the span.
        let busy: Duration = own.iter().sum();
        rate += own.len() as f64 / (busy.as_secs_f64() / callers as f64);
        times.extend(own);
    }
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync })
}
