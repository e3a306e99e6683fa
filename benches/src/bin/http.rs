//! The guard over HTTP beside a plain proxy and nginx, in turns, wall time and CPU time:
//! `cargo run --release -p attest-benches --bin http [rounds] [folder] [rounds|idle|start]`.
//!
//! The other programs are taken from the folder that this one is in; nginx from `NGINX_PROGRAM` or /usr/sbin.

use std::io::Write;
use std::time::{Duration, Instant};

use attest_benches::Outcome;
use attest_benches::http::{
    Bench, Fleet, IDLE, Round, idle, nginx, of_idle, of_rounds, of_starts, raise_descriptor_limit, starts,
};
use attest_benches::stdio::Place;

/// Calls in a round by one caller, and by many.
const NARROW: u64 = 200;
const WIDE: u64 = 2_048;
/// Callers with a connection each.
const CALLERS: usize = 256;
/// Connections on which nothing happens.
const CONNECTIONS: usize = 10_000;
/// Descriptors besides those.
const SPARE: u64 = 500;
const STARTS: usize = 9;
/// After this no further round of a width is begun: on a busy machine fewer rounds, but not for ever.
const PATIENCE: Duration = Duration::from_secs(50);

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let directory = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let only = arguments.next();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let descriptors = raise_descriptor_limit()?;
    let connections = usize::try_from(descriptors.saturating_sub(SPARE))?.min(CONNECTIONS);
    let programs = std::env::current_exe()?;
    let place = Place::new(&directory, programs.parent().ok_or("no folder")?)?;
    let proxy = nginx();
    // Callers share one thread: the machine's others are for what they call.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let out = &mut std::io::stdout().lock();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let fleet = Fleet::start(&place, proxy.as_deref())?;
        let mut bench = Bench::new(&fleet, &place)?;
        if wanted("rounds") {
            for (width, calls) in [(1, NARROW), (CALLERS, WIDE)] {
                let taken = take(&mut bench, rounds, width, calls).await?;
                of_rounds(out, &fleet, &taken, width)?;
                out.flush()?;
            }
        }
        if wanted("idle") {
            let mut all = Vec::new();
            for name in IDLE.into_iter().filter(|name| fleet.has(name)) {
                all.push(idle(&mut bench, name, connections).await.map_err(|error| format!("{name}: {error}"))?);
            }
            of_idle(out, &all, connections)?;
        }
        if wanted("start") {
            of_starts(out, &starts(&mut bench, &place, STARTS).await?)?;
        }
        if proxy.is_none() {
            writeln!(out, "Without nginx: it is not at /usr/sbin/nginx, and NGINX_PROGRAM names none.")?;
        }
        Ok(())
    })
}

/// The first round warms everything up and is thrown away.
async fn take(bench: &mut Bench<'_>, rounds: usize, width: usize, calls: u64) -> Outcome<Vec<Round>> {
    let begun = Instant::now();
    bench.round(width, calls).await?;
    let mut taken = Vec::new();
    while taken.is_empty() || (taken.len() < rounds && begun.elapsed() < PATIENCE) {
        taken.push(bench.round(width, calls).await?);
    }
    Ok(taken)
}
