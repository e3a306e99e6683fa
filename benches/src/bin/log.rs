//! The log's figures: `cargo run --release -p attest-benches --bin log [folder] [append|grow|verify] [entries]`, and
//! `log [folder] shared URL` for a database of PostgreSQL.
//!
//! An fsync takes 0.15 ms or 4 ms on the same disk from one minute to the next. So what is compared runs in turns, and the
//! probe of the turn is printed with each figure. Figures of different runs do not compare. `verify` starts the `attest` beside
//! this program.

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use attest_benches::figures::{Spread, quantile};
use attest_benches::log::{Figure, appends, fsync_probe, grown, peers, real, shared};
use attest_benches::{Outcome, clock};
use ed25519_dalek::{Signer as _, SigningKey};

/// Turns of which the median is shown.
const TURNS: usize = 5;
const SPAN: Duration = Duration::from_millis(1_500);

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| std::env::temp_dir().to_string_lossy().into_owned());
    let what = arguments.next().unwrap_or_default();
    if let "shared" | "shared-writer" = what.as_str() {
        return shared(Path::new(&folder), &what, &arguments.collect::<Vec<_>>());
    }
    let entries: Option<u64> = arguments.next().map(|text| text.parse()).transpose()?;
    let place = tempfile::tempdir_in(folder)?;
    if what.is_empty() || what == "append" {
        append(place.path())?;
    }
    if what.is_empty() || what == "grow" {
        grow(place.path(), entries.unwrap_or(10_000_000))?;
    }
    if what.is_empty() || what == "verify" {
        verify(place.path(), usize::try_from(entries.unwrap_or(100_000))?)?;
    }
    Ok(())
}

/// One log on PostgreSQL, with one verifier and with two, each a process of its own.
fn shared(folder: &Path, what: &str, words: &[String]) -> Outcome<()> {
    let word = |n: usize| words.get(n).map(String::as_str).ok_or("log [folder] shared URL");
    let mut out = std::io::stdout().lock();
    if what == "shared-writer" {
        let times = shared::write(folder, word(0)?, word(1)?.parse()?, SPAN)?;
        for time in times {
            writeln!(out, "{}", time.as_nanos())?;
        }
        return Ok(());
    }
    let place = tempfile::tempdir_in(folder)?;
    writeln!(out, "one log on PostgreSQL; median of {TURNS} turns")?;
    writeln!(out, "verifiers  callers of each  appends/s   lowest–highest        p50        p99  fsync probe")?;
    for verifiers in [1, 2] {
        for callers in [1usize, 16, 64, 128] {
            let turns = (0..TURNS).map(|_| shared::turn(place.path(), word(0)?, verifiers, callers));
            let turns = turns.collect::<Outcome<Vec<Figure>>>()?;
            writeln!(out, "{verifiers:>9}  {callers:>15} {}", columns(&turns))?;
            out.flush()?;
        }
    }
    Ok(())
}

/// What turns of appends came to: rate with its spread, times, and the probe.
fn columns(turns: &[Figure]) -> String {
    let rate = Spread::of(turns.iter().map(|f| f.rate));
    let median = |of: fn(&Figure) -> Duration| quantile(&mut turns.iter().map(of).collect::<Vec<_>>(), 50);
    let (p50, p99, fsync) = (median(|f| f.p50), median(|f| f.p99), median(|f| f.fsync));
    format!("{:>10.0}  {:>7.0}–{:<7.0}  {p50:>9.2?}  {p99:>9.2?}  {fsync:>11.2?}", rate.middle, rate.low, rate.high)
}

fn append(place: &Path) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "durable appends; median of {TURNS} turns")?;
    writeln!(out, "callers  what           appends/s   lowest–highest        p50        p99  fsync probe")?;
    for callers in [1usize, 16, 64] {
        let mut turns: [Vec<Figure>; 2] = Default::default();
        for turn in 0..=TURNS {
            let folder = tempfile::tempdir_in(place)?;
            let figures = [appends::plain(folder.path(), callers, SPAN)?, appends::ours(folder.path(), callers, SPAN)?];
            // The first turn warms up and is thrown away.
            if turn > 0 {
                turns.iter_mut().zip(figures).for_each(|(turns, figure)| turns.push(figure));
            }
        }
        for (name, turns) in ["plain SQLite", "attest-log"].iter().zip(&turns) {
            writeln!(out, "{callers:>7}  {name:<13} {}", columns(turns))?;
        }
        let [plain, ours] = &turns;
        let ratio = Spread::of(ours.iter().zip(plain).map(|(ours, plain)| 100.0 * ours.rate / plain.rate));
        writeln!(out, "         ratio        {:>9.0} %  {:>6.0}–{:.0} %", ratio.middle, ratio.low, ratio.high)?;
    }
    let folder = tempfile::tempdir_in(place)?;
    let signet = peers::signet(folder.path(), 20_000)?;
    let at = |n: usize| signet.get(n - 1).copied().unwrap_or_default();
    writeln!(
        out,
        "one caller, no fsync: Signet 0.11 audit::append {:.0}/s in the first thousand, {:.0}/s in the tenth, {:.0}/s in the twentieth",
        at(1),
        at(10),
        at(20)
    )?;
    match peers::agt(20_000)? {
        Some(rate) => writeln!(out, "one caller, in memory: AGT MerkleAuditChain.add_entry {rate:.0}/s over 20,000")?,
        None => writeln!(out, "AGT: left out, ATTEST_PEERS_PYTHON names no Python that has it")?,
    }
    Ok(())
}

fn grow(place: &Path, most: u64) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let sizes: Vec<u64> =
        [10_000, 100_000, 1_000_000, 3_000_000, 10_000_000].into_iter().filter(|n| *n < most).collect();
    writeln!(out, "as the log grows, 64 callers; plain SQLite in turns, always new")?;
    writeln!(out, "   entries   appends/s   plain SQLite   ratio   replay look-up   keys held")?;
    grown::grow(place, &[&sizes[..], &[most]].concat(), |at| {
        let ratio = 100.0 * at.rate / at.plain;
        writeln!(
            out,
            "{:>10}  {:>10.0}  {:>13.0}  {ratio:>4.0} %  {:>15.2?}  {:>10}",
            at.size, at.rate, at.plain, at.look_up, at.held
        )?;
        Ok(out.flush()?)
    })?;
    let (p50, p99) = grown::proofs(place, 2_000)?;
    writeln!(out, "one inclusion proof at {most} entries: p50 {p50:.1?}, p99 {p99:.1?}")?;
    Ok(())
}

fn verify(place: &Path, calls: usize) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let log = place.join("real.db");
    let vkey = real::write(&log, calls)?;
    let attest = std::env::current_exe()?.with_file_name("attest");
    writeln!(out, "{calls} real calls, two entries each; fsync probe {:.2?}", fsync_probe(place)?)?;
    for threads in [1usize, 2] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let begun = Instant::now();
            let status = Command::new(&attest)
                .args(["log", "verify"])
                .arg(&log)
                .args(["--key", &vkey, "--threads", &threads.to_string()])
                .output()?;
            if !status.status.success() {
                return Err(String::from_utf8_lossy(&[status.stdout, status.stderr].concat()).into());
            }
            ours.push(calls as f64 / begun.elapsed().as_secs_f64());
            bare.push(bare_checks(calls, threads)?);
        }
        let ratio = Spread::of(ours.iter().zip(&bare).map(|(ours, bare)| 100.0 * ours / bare));
        let (ours, bare) = (Spread::of(ours), Spread::of(bare));
        writeln!(
            out,
            "{threads} thread(s): attest log verify {:.0} calls/s, bare verify_strict over as many bytes {:.0}/s, ratio {:.0} %",
            ours.middle, bare.middle, ratio.middle
        )?;
    }
    let folder = tempfile::tempdir_in(place)?;
    peers::signet(folder.path(), 5_000)?;
    let begun = clock::cpu();
    let rate = peers::signet_verify(folder.path())?;
    writeln!(out, "Signet 0.11: {rate:.0} records/s over 5,000 ({:.2?} of CPU)", clock::cpu() - begun)?;
    Ok(())
}

/// Signature checks a second with nothing around them, over as many bytes as a call proof signs.
fn bare_checks(count: usize, threads: usize) -> Outcome<f64> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = vec![b'x'; 820];
    let signature = key.sign(&message);
    let public = key.verifying_key();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..count / threads {
                    let good = black_box(&public).verify_strict(black_box(&message), black_box(&signature)).is_ok();
                    black_box(good);
                }
            });
        }
    });
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
