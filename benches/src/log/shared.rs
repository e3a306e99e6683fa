//! One log on PostgreSQL that several verifiers append to, each of them a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, Options, Place};

use super::{Figure, appends, fsync_probe};
use crate::Outcome;
use crate::figures::quantile;

/// What a verifier says once it is ready, and is told once all are.
const READY: &str = "ready";

/// A verifier: opens the log, says so and waits for its turn; appends for `span`, and says how long each append took.
///
/// # Errors
/// The log's.
pub fn write(side: &Path, url: &str, callers: usize, span: Duration) -> Outcome<Vec<Duration>> {
    let key = LogKey::new("log.example/bench", MemoryKey::from_seed(&[9; 32]))?;
    let (log, _) = Log::open(Place::new(url).with_side(side), key, Options::default())?;
    let log = Arc::new(log);
    // The first appends make connections and plans.
    appends::appended(&log, callers, span / 5)?;
    writeln!(std::io::stdout(), "{READY}")?;
    std::io::stdin().read_line(&mut String::new())?;
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
        Ok(child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
    });
    let mut started = started.collect::<Outcome<Vec<Child>>>()?;
    // A verifier reads all replay keys when it opens the log, which is no part of an append.
    let mut spoken = Vec::new();
    for child in &mut started {
        let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if line.trim_end() != READY {
            return Err("a verifier failed".into());
        }
        spoken.push(lines);
    }
    for child in &mut started {
        writeln!(child.stdin.take().ok_or("no pipe")?)?;
    }
    let (mut times, mut rate) = (Vec::new(), 0.0);
    for (mut child, mut lines) in started.into_iter().zip(spoken) {
        let mut said = String::new();
        lines.read_to_string(&mut said)?;
        if !child.wait()?.success() {
            return Err("a verifier failed".into());
        }
        let own: Vec<Duration> =
            said.lines().map(|line| Ok(Duration::from_nanos(line.parse()?))).collect::<Outcome<_>>()?;
        // Each caller has one append under way at any time, so its appends fill the span.
        let busy: Duration = own.iter().sum();
        rate += own.len() as f64 / (busy.as_secs_f64() / callers as f64);
        times.extend(own);
    }
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync })
}
