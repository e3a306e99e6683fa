//! Verifiers that share one log: each batch is alone with the head of it, so they take turns.

use std::collections::VecDeque;

use crate::figures::quantile;

/// Most appends in a batch, as the log has it.
const BATCH: usize = 512;
/// Milliseconds that are simulated.
const SPAN: f64 = 20_000.0;

/// What callers see.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// Appends that were answered, per second.
    pub rate: f64,
    /// Appends that still waited at the end, in seconds of what comes.
    pub behind: f64,
}

#[derive(Default)]
struct Verifier {
    waiting: VecDeque<f64>,
    in_line: bool,
}

/// `verifiers` that get `rate` appends per second together, at random moments (a Poisson process), each batch of n taking
/// `fixed` + n * `each` milliseconds. Whoever has something to write stands in line, and takes along what came while it stood there.
pub fn turns(verifiers: usize, rate: f64, fixed: f64, each: f64, seed: u64) -> Turns {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all: Vec<Verifier> = (0..verifiers).map(|_| Verifier::default()).collect();
    let mut line: VecDeque<usize> = VecDeque::new();
    let mut times = Vec::new();
    let (mut next, mut free) = (0.0f64, 0.0f64);
    let mut arrived = 0u64;
    loop {
        // The head of the line is served as soon as the log is free; what arrives before that joins queues.
        let due = if line.is_empty() { f64::INFINITY } else { free };
        if next.min(due) > SPAN {
            break;
        }
        if next <= due {
            let at = random.usize(..verifiers);
            let Some(verifier) = all.get_mut(at) else { break };
            verifier.waiting.push_back(next);
            arrived += 1;
            if !verifier.in_line {
                verifier.in_line = true;
                line.push_back(at);
                free = free.max(next);
            }
            next -= (1.0 - random.f64()).ln() * 1_000.0 / rate;
            continue;
        }
        let Some(at) = line.pop_front() else { break };
        let Some(verifier) = all.get_mut(at) else { break };
        let count = verifier.waiting.len().min(BATCH);
        free += fixed + each * count as f64;
        times.extend(verifier.waiting.drain(..count).map(|since| free - since));
        verifier.in_line = !verifier.waiting.is_empty();
        if verifier.in_line {
            line.push_back(at);
        }
    }
    let answered = times.len() as f64;
    Turns {
        p50: quantile(&mut times, 50),
        p99: quantile(&mut times, 99),
        rate: answered * 1_000.0 / SPAN,
        behind: (arrived as f64 - answered) / rate,
    }
}
