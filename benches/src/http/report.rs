//! Tables.

use std::io::Write;
use std::time::Duration;

use super::caller::Turn;
use super::fleet::{ALONE, Fleet, PLAIN, PLAIN_PING};
use super::idle::Idle;
use super::process::Memory;
use super::rounds::Round;
use super::start::Start;
use crate::Outcome;
use crate::figures::{Spread, quantile};

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn p(turn: &Turn, percent: usize) -> f64 {
    quantile(&mut turn.times.iter().copied().map(micros).collect::<Vec<_>>(), percent)
}

fn cpu(turn: &Turn) -> f64 {
    micros(turn.cpu) / turn.times.len().max(1) as f64
}

/// Rounds with `width` callers. Every figure is a median over the rounds.
pub fn of_rounds(out: &mut impl Write, fleet: &Fleet, rounds: &[Round], width: usize) -> Outcome<()> {
    let fsync = Spread::of(rounds.iter().map(|round| micros(round.fsync) / 1e3));
    let check = Spread::of(rounds.iter().map(|round| micros(round.check)));
    writeln!(
        out,
        "{width} caller(s), {} rounds in turns; fsync probe {:.2} ms (from {:.2} to {:.2}); \
         one signature check {:.1} µs (from {:.1} to {:.1}).",
        rounds.len(),
        fsync.middle,
        fsync.low,
        fsync.high,
        check.middle,
        check.low,
        check.high
    )?;
    writeln!(
        out,
        "Microseconds. \"limit\": p50 over 1.5 times the plain proxy's p50 and one check, round by round.\n"
    )?;
    writeln!(
        out,
        "{:<24} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>7}   p50 of a round, from … to",
        "", "p50", "p99", "added p50", "calls/s", "CPU/call", "x plain", "limit"
    )?;
    let at = |name: &str| fleet.targets.iter().position(|target| target.name == name);
    let alone = at(ALONE).ok_or("no endpoint")?;
    for (n, target) in fleet.targets.iter().enumerate() {
        // Beside a proxy that carries the same.
        let plain = at(if target.name.ends_with("ping") { PLAIN_PING } else { PLAIN }).ok_or("no proxy")?;
        let over = |f: &dyn Fn(&Round, &Turn, &Turn) -> f64, beside: usize| {
            let pairs = rounds.iter().filter_map(|round| Some((round, round.turns.get(n)?, round.turns.get(beside)?)));
            Spread::of(pairs.map(|(round, own, other)| f(round, own, other)))
        };
        let p50 = over(&|_, own, _| p(own, 50), n);
        writeln!(
            out,
            "{:<24} {:>8.0} {:>8.0} {:>9.0} {:>9.0} {:>9.1} {:>9.2} {:>7.2}   {:.0} … {:.0}",
            target.name,
            p50.middle,
            over(&|_, own, _| p(own, 99), n).middle,
            over(&|_, own, alone| p(own, 50) - p(alone, 50), alone).middle,
            over(&|_, own, _| own.times.len() as f64 / own.taken.as_secs_f64(), n).middle,
            over(&|_, own, _| cpu(own), n).middle,
            over(&|_, own, plain| p(own, 50) / p(plain, 50), plain).middle,
            over(&|round, own, plain| p(own, 50) / (1.5 * p(plain, 50) + micros(round.check)), plain).middle,
            p50.low,
            p50.high
        )?;
    }
    writeln!(out)?;
    Ok(())
}

/// What many idle connections cost.
pub fn of_idle(out: &mut impl Write, all: &[Idle], count: usize) -> Outcome<()> {
    writeln!(out, "{count} idle connections. MiB resident; KiB for each connection; p50 of a call in µs.\n")?;
    writeln!(
        out,
        "{:<24} {:>8} {:>8} {:>10} {:>8}   {:>9} {:>9}   {:>10} {:>10}",
        "", "before", "open", "asked once", "closed", "KiB open", "KiB asked", "p50 before", "p50 idle"
    )?;
    for it in all {
        let [before, open, asked] = it.memory;
        let each = |memory: Memory| memory.resident.saturating_sub(before.resident) as f64 / count as f64;
        let [call_before, call_idle] = it.call;
        writeln!(
            out,
            "{:<24} {:>8.1} {:>8.1} {:>10.1} {:>8.1}   {:>9.2} {:>9.2}   {:>10.0} {:>10.0}",
            it.name,
            mib(before.resident),
            mib(open.resident),
            mib(asked.resident),
            mib(it.after.resident),
            each(open),
            each(asked),
            micros(call_before),
            micros(call_idle)
        )?;
    }
    writeln!(out)?;
    Ok(())
}

/// How long starting takes, and what is held after it.
pub fn of_starts(out: &mut impl Write, all: &[Start]) -> Outcome<()> {
    writeln!(out, "From start to the first call's answer, ms; then MiB resident (of that not shared with files).\n")?;
    for start in all {
        let first = Spread::of(start.first.iter().map(|time| micros(*time) / 1e3));
        write!(out, "{:<40} {:>6.1} ({:.1} … {:.1})", start.name, first.middle, first.low, first.high)?;
        for (name, memory) in &start.memory {
            write!(out, "  {name} {:.1} ({:.1})", mib(memory.resident), mib(memory.private))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
