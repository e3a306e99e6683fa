//! Logs of one audience, each with the calls of its own keys: which is whose, and what moves when there is one more.

use std::collections::HashSet;

use attest_core::digest::Digest;

/// How keys fall on shards.
#[derive(Clone, Copy, Debug)]
pub struct Shards {
    /// The busiest shard's calls over the mean, where every key calls as often as any other.
    pub even: f64,
    /// The same where the n-th busiest key makes 1/n of the calls of the busiest.
    pub skewed: f64,
    /// The part of the calls of the busiest key alone.
    pub busiest_key: f64,
    /// The part of the keys that another shard is home to once there is one more.
    pub moved: f64,
}

/// The shard of a key: the one with the highest hash over both (rendezvous hashing).
fn home(key: usize, shards: usize) -> usize {
    let weight = |shard: &usize| Digest::of(format!("{shard}/{key}")).0;
    (0..shards).max_by_key(weight).unwrap_or(0)
}

/// `keys` on `shards`.
pub fn shards(keys: usize, shards: usize) -> Shards {
    let homes: Vec<usize> = (0..keys).map(|key| home(key, shards)).collect();
    let moved = homes.iter().enumerate().filter(|(key, at)| home(*key, shards + 1) != **at).count();
    let load = |calls: &dyn Fn(usize) -> f64| {
        let mut loads = vec![0.0; shards];
        for (key, at) in homes.iter().enumerate() {
            if let Some(load) = loads.get_mut(*at) {
                *load += calls(key);
            }
        }
        let sum: f64 = loads.iter().sum();
        loads.iter().copied().fold(0.0, f64::max) * shards as f64 / sum
    };
    let skew = |key: usize| 1.0 / (key as f64 + 1.0);
    Shards {
        even: load(&|_| 1.0),
        skewed: load(&skew),
        busiest_key: 1.0 / (0..keys).map(skew).sum::<f64>(),
        moved: moved as f64 / keys as f64,
    }
}

/// What became of proofs that were sent again around the moment at which a shard was added.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    /// Sent a second time.
    pub replays: usize,
    /// Of these, accepted a second time.
    pub accepted: usize,
    /// Honest calls that were refused, and have to be signed anew.
    pub refused: usize,
    /// Honest calls.
    pub honest: usize,
}

/// Calls of many keys over 20 minutes, with one shard more after ten of them; each proof is sent again at a random moment of its
/// life. `waits` says that a home accepts of keys that are new to it only what was signed after the change.
pub fn handover(waits: bool, life: u64, seed: u64) -> Handover {
    const KEYS: usize = 2_000;
    const SPAN: u64 = 1_200;
    const CHANGE: u64 = 600;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sent: Vec<(u64, bool, usize, u64, usize)> = Vec::new();
    for call in 0..200_000 {
        let (key, signed) = (random.usize(..KEYS), random.u64(..SPAN));
        let at = signed + random.u64(..2);
        sent.push((at, true, key, signed, call));
        sent.push((at + random.u64(..life), false, key, signed, call));
    }
    sent.sort_unstable();
    let mut used: Vec<HashSet<usize>> = vec![HashSet::new(); 9];
    let mut told = Handover { replays: 0, accepted: 0, refused: 0, honest: 0 };
    let mut ran = HashSet::new();
    for (at, _, key, signed, call) in sent {
        let here = home(key, if at < CHANGE { 8 } else { 9 });
        let is_new = at >= CHANGE && home(key, 8) != here;
        let replay = ran.contains(&call);
        let fresh = used.get_mut(here).is_some_and(|used| !used.contains(&call));
        let accepted = fresh && !(waits && is_new && signed < CHANGE);
        if accepted {
            used.get_mut(here).map(|used| used.insert(call));
        }
        if replay {
            told.replays += 1;
            told.accepted += usize::from(accepted);
        } else {
            told.honest += 1;
            told.refused += usize::from(!accepted);
            if accepted {
                ran.insert(call);
            }
        }
    }
    told
}
