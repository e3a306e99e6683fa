//! What wrap and guard add to a call over stdio, wall time, in turns:
//! `cargo run --release -p attest-benches --bin stdio [rounds] [calls per round] [directory]`.
//!
//! `attest`, `mcp-relay-bare` and `echo-server` are taken from the folder that this program is in.

use std::io::Write;
use std::time::Duration;

use attest_benches::Outcome;
use attest_benches::figures::{Spread, quantile};
use attest_benches::stdio::{Arrangement, Conversation, Place, Signing, fsync, plain};

/// Calls under way at a time where throughput is measured.
const WIDTH: usize = 64;
/// Rounds of that, and calls in each.
const WIDE_ROUNDS: usize = 7;
const WIDE_CALLS: u64 = 4_000;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(25), |text| text.parse())?;
    let calls: u64 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let directory = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let programs = std::env::current_exe()?;
    let place = Place::new(&directory, programs.parent().ok_or("no folder")?)?;
    let mut bench = Bench {
        signing: Signing::new(&place)?,
        lines: Arrangement::ALL.iter().map(|a| Conversation::open(place.command(*a))).collect::<Outcome<_>>()?,
        place: &place,
        next: 1,
    };
    let mut taken = Vec::new();
    // The first round warms everything up and is thrown away.
    for round in 0..=rounds {
        let one = bench.round(calls)?;
        if round > 0 {
            taken.push(one);
        }
    }
    let mut out = std::io::stdout().lock();
    report(&mut out, &taken, calls)?;
    let wide = (0..WIDE_ROUNDS).map(|_| bench.wide()).collect::<Outcome<Vec<_>>>()?;
    report_wide(&mut out, &wide)
}

struct Bench<'a> {
    place: &'a Place,
    signing: Signing,
    lines: Vec<Conversation>,
    /// The next id; none is used twice.
    next: u64,
}

/// What one round measured: per arrangement, the time of each call.
struct Round {
    fsync: Duration,
    times: Vec<Vec<Duration>>,
}

/// What one round of pipelined calls measured: per arrangement, calls per second.
struct Wide {
    fsync: Duration,
    rates: Vec<f64>,
}

impl Bench<'_> {
    fn calls(&mut self, arrangement: Arrangement, count: u64) -> Outcome<Vec<(u64, Vec<u8>)>> {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        match arrangement {
            Arrangement::Guard => self.signing.lines(self.place, ids),
            _ => Ok(plain(ids)),
        }
    }

    fn round(&mut self, count: u64) -> Outcome<Round> {
        let (fsync, mut times) = (fsync(self.place.folder())?, Vec::new());
        for (n, arrangement) in Arrangement::ALL.into_iter().enumerate() {
            let calls = self.calls(arrangement, count)?;
            let line = self.lines.get_mut(n).ok_or("no such line")?;
            times.push(line.sequential(&calls)?);
        }
        Ok(Round { fsync, times })
    }

    fn wide(&mut self) -> Outcome<Wide> {
        let (fsync, mut rates) = (fsync(self.place.folder())?, Vec::new());
        for (n, arrangement) in Arrangement::ALL.into_iter().enumerate() {
            let calls = self.calls(arrangement, WIDE_CALLS)?;
            let line = self.lines.get_mut(n).ok_or("no such line")?;
            rates.push(WIDE_CALLS as f64 / line.pipelined(&calls, WIDTH)?.as_secs_f64());
        }
        Ok(Wide { fsync, rates })
    }
}

fn probes(fsyncs: impl Iterator<Item = Duration>) -> String {
    let spread = Spread::of(fsyncs.map(|f| f.as_secs_f64() * 1e3));
    format!("fsync probe {:.2} ms (from {:.2} to {:.2})", spread.middle, spread.low, spread.high)
}

fn report(out: &mut impl Write, rounds: &[Round], calls: u64) -> Outcome<()> {
    writeln!(
        out,
        "One call at a time: {} rounds of {calls} calls per arrangement, in turns; {}. Microseconds.\n",
        rounds.len(),
        probes(rounds.iter().map(|r| r.fsync))
    )?;
    writeln!(
        out,
        "{:<16} {:>9} {:>9}   {:>11} {:>11}   p50 of a round, from … to",
        "", "p50", "p99", "added p50", "added p99"
    )?;
    let of = |n: usize, percent| {
        let mut all: Vec<f64> = rounds.iter().filter_map(|r| r.times.get(n)).flatten().map(micros).collect();
        quantile(&mut all, percent)
    };
    for (n, arrangement) in Arrangement::ALL.into_iter().enumerate() {
        let each = rounds.iter().filter_map(|r| r.times.get(n));
        let spread = Spread::of(each.map(|t| quantile(&mut t.iter().map(micros).collect::<Vec<_>>(), 50)));
        writeln!(
            out,
            "{:<16} {:>9.0} {:>9.0}   {:>11.0} {:>11.0}   {:.0} … {:.0}",
            arrangement.name(),
            of(n, 50),
            of(n, 99),
            of(n, 50) - of(0, 50),
            of(n, 99) - of(0, 99),
            spread.low,
            spread.high
        )?;
    }
    writeln!(out)?;
    Ok(())
}

fn micros(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn report_wide(out: &mut impl Write, rounds: &[Wide]) -> Outcome<()> {
    writeln!(
        out,
        "{WIDTH} calls under way: {} rounds of {WIDE_CALLS} calls per arrangement, in turns; {}. Calls per second.\n",
        rounds.len(),
        probes(rounds.iter().map(|r| r.fsync))
    )?;
    writeln!(out, "{:<16} {:>9} {:>9} {:>9}", "", "best", "median", "worst")?;
    for (n, arrangement) in Arrangement::ALL.into_iter().enumerate() {
        let rate = Spread::of(rounds.iter().filter_map(|r| r.rates.get(n)).copied());
        writeln!(out, "{:<16} {:>9.0} {:>9.0} {:>9.0}", arrangement.name(), rate.high, rate.middle, rate.low)?;
    }
    Ok(())
}
