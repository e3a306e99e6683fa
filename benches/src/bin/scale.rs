//! The figures of `spec/scale.md`: `cargo run --profile dist -p attest-benches --bin scale [fixed ms] [ms each]`, the two being what a batch of the
//! shared log takes, as `log … shared` measured it.

use std::io::Write as _;

use attest_benches::Outcome;
use attest_benches::log::real;
use attest_benches::scale::{cosigning, handover, shards, turns};

/// Real calls that are written, to see how large they are.
const CALLS: usize = 10_000;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let fixed: f64 = arguments.next().map_or(Ok(0.74), |text| text.parse())?;
    let each: f64 = arguments.next().map_or(Ok(0.045), |text| text.parse())?;
    let mut out = std::io::stdout().lock();

    writeln!(out, "one shared log: a batch of n takes {fixed} + n * {each} ms, and is alone with the head of the log")?;
    writeln!(out, "{:>9} {:>10} {:>10} {:>10} {:>10}", "verifiers", "appends/s", "p50, ms", "p99, ms", "behind, s")?;
    for verifiers in [1, 2, 10, 100, 1_000] {
        for rate in [1_000.0, 4_000.0, 8_000.0, 16_000.0] {
            let seen = turns(verifiers, rate, fixed, each, 7);
            writeln!(out, "{verifiers:>9} {rate:>10} {:>10.1} {:>10.1} {:>10.2}", seen.p50, seen.p99, seen.behind)?;
        }
    }

    writeln!(out, "\nsharded logs: 100,000 keys on their homes by rendezvous hashing")?;
    writeln!(
        out,
        "{:>6} {:>12} {:>14} {:>13} {:>10}",
        "shards", "even: max/mean", "1/n: max/mean", "busiest key", "moved"
    )?;
    for count in [2, 8, 32, 128] {
        let seen = shards(100_000, count);
        writeln!(
            out,
            "{count:>6} {:>14.2} {:>14.2} {:>11.1} % {:>8.1} %",
            seen.even,
            seen.skewed,
            100.0 * seen.busiest_key,
            100.0 * seen.moved
        )?;
    }

    writeln!(
        out,
        "\none shard more, 8 to 9, under 333 calls/s of 2,000 keys, each proof sent twice within its life of 300 s"
    )?;
    for (what, waits) in [("no rule", false), ("new homes take only what was signed since", true)] {
        let seen = handover(waits, 300, 7);
        writeln!(
            out,
            "{what}: {} of {} replays accepted; {} of {} honest calls refused",
            seen.accepted, seen.replays, seen.refused, seen.honest
        )?;
    }

    let took = cosigning(200_000, 200)?;
    writeln!(out, "\na cosignature costs a witness {:.0} us of CPU", took.as_secs_f64() * 1e6)?;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log.db");
    real::write(&path, CALLS)?;
    let size = std::fs::metadata(&path)?.len()
        + std::fs::metadata(folder.path().join("log.db-wal")).map_or(0, |wal| wal.len());
    writeln!(
        out,
        "a call with its outcome takes {:.0} bytes of a log's file, tokens included",
        size as f64 / CALLS as f64
    )?;
    Ok(())
}
