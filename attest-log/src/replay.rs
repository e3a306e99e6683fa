//! The replay window in memory: which keys are held, and which may have been forgotten.
//!
//! It is an image of the database's table, filled from it at opening. Only the writer changes it; any task asks it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::record::{ReplayId, ReplayKey};

/// Seconds a replay key is kept past its expiry, for clocks that are set back a little. The expiry that callers give already
/// holds the largest skew under which the token could be accepted.
pub const PRUNE_MARGIN: u64 = 120;

/// Locks are held for one look-up or insert; several keep the gate's threads from meeting.
const SHARDS: usize = 16;

/// What the window knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Never seen.
    Fresh,
    /// Taken, or being taken by an append that is not committed yet.
    Replay,
    /// Expired at or before the horizon: it may have been taken and pruned.
    Expired,
}

/// Which entry took a key, and until when: an id may be used again once it ended, so it alone does not say whose it is.
type Holder = (u64, u64);

pub(crate) struct Window {
    shards: [Mutex<HashMap<ReplayId, Holder>>; SHARDS],
    hasher: RandomState,
    horizon: AtomicU64,
}

impl Window {
    pub(crate) fn new(horizon: u64) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, hasher: RandomState::new(), horizon: AtomicU64::new(horizon) }
    }

    pub(crate) fn freshness(&self, key: &ReplayKey) -> Freshness {
        // Acquire pairs with the release in `raise`: who no longer finds a pruned key does find the horizon above it.
        let taken = self.with(key.id(), |held| held.contains_key(key.id()));
        if taken {
            Freshness::Replay
        } else if key.expires() <= self.horizon() {
            Freshness::Expired
        } else {
            Freshness::Fresh
        }
    }

    /// Takes a key for an entry; `false` when it is held.
    pub(crate) fn take(&self, entry: u64, key: &ReplayKey) -> bool {
        self.with(key.id(), |held| match held.entry(key.id().clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert((entry, key.expires()));
                true
            }
        })
    }

    /// A key that an entry of another verifier has: who held it here has lost it there.
    pub(crate) fn learn(&self, entry: u64, key: &ReplayKey) {
        self.with(key.id(), |held| held.insert(key.id().clone(), (entry, key.expires())));
    }

    /// Raises the horizon first and forgets after it, so that at no moment a pruned key looks fresh.
    pub(crate) fn prune(&self, ended: &[Ended], horizon: u64) {
        self.horizon.fetch_max(horizon, Ordering::Release);
        self.forget(ended);
    }

    /// Gives back keys that ended, or whose entries were not written after all, each where that entry still holds it.
    pub(crate) fn forget(&self, keys: &[Ended]) {
        for (entry, expires, id) in keys {
            self.with(id, |held| {
                if held.get(id) == Some(&(*entry, *expires)) {
                    held.remove(id);
                }
            });
        }
    }

    pub(crate) fn horizon(&self) -> u64 {
        self.horizon.load(Ordering::Acquire)
    }

    fn with<T>(&self, id: &ReplayId, act: impl FnOnce(&mut HashMap<ReplayId, Holder>) -> T) -> T {
        let slot = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64).unwrap_or(0);
        let [first, ..] = &self.shards;
        let shard = self.shards.get(slot).unwrap_or(first);
        // A map is whole after every call on it, so a poisoned lock guards nothing broken.
        act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A key that ended: the entry that took it, when it ended, and which.
pub(crate) type Ended = (u64, u64, ReplayId);

/// The held keys by expiry, each with the entry that took it; the writer's alone.
#[derive(Default)]
pub(crate) struct Expiries(BTreeMap<u64, Vec<(u64, ReplayId)>>);

impl Expiries {
    pub(crate) fn add(&mut self, entry: u64, key: &ReplayKey) {
        self.0.entry(key.expires()).or_default().push((entry, key.id().clone()));
    }

    /// Takes out at most `limit` keys that ended more than the margin before `now`, earliest first, and says the
    /// highest expiry among them. Those of the same second that remain are refused by the horizon all the same.
    pub(crate) fn take_ended(&mut self, now: u64, limit: usize, into: &mut Vec<Ended>) -> Option<u64> {
        let mut horizon = None;
        while into.len() < limit {
            let Some(mut second) = self.0.first_entry() else { break };
            if second.key().saturating_add(PRUNE_MARGIN) >= now {
                break;
            }
            let expires = *second.key();
            horizon = Some(expires);
            let ids = second.get_mut();
            let keep = ids.len().saturating_sub(limit - into.len());
            into.extend(ids.drain(keep..).map(|(entry, id)| (entry, expires, id)));
            if ids.is_empty() {
                second.remove();
            }
        }
        horizon
    }

    /// Takes out all that ended before `horizon`: whoever raised it to there took every earlier one out of the table.
    pub(crate) fn take_below(&mut self, horizon: u64) -> Vec<Ended> {
        if self.0.first_key_value().is_none_or(|(expires, _)| *expires >= horizon) {
            return Vec::new();
        }
        let kept = self.0.split_off(&horizon);
        let ended = std::mem::replace(&mut self.0, kept).into_iter();
        ended.flat_map(|(expires, keys)| keys.into_iter().map(move |(entry, id)| (entry, expires, id))).collect()
    }

    /// Puts back what was taken out and is still held.
    pub(crate) fn put_back(&mut self, ended: &mut Vec<Ended>) {
        for (entry, expires, id) in ended.drain(..) {
            self.0.entry(expires).or_default().push((entry, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(jti: &str, expires: u64) -> ReplayKey {
        ReplayKey::new(b"key", jti.as_bytes(), expires).unwrap()
    }

    #[test]
    fn keys_leave_in_order_of_expiry_and_only_past_the_margin() {
        let mut expiries = Expiries::default();
        for (jti, at) in [("c", 300), ("a", 100), ("b1", 200), ("b2", 200)] {
            expiries.add(0, &key(jti, at));
        }
        let mut out = Vec::new();
        assert_eq!(expiries.take_ended(100 + PRUNE_MARGIN, 10, &mut out), None);
        assert_eq!(expiries.take_ended(300 + PRUNE_MARGIN, 2, &mut out), Some(200));
        assert_eq!(out.len(), 2, "the limit holds within one second's keys");
        out.clear();
        assert_eq!(expiries.take_ended(300 + PRUNE_MARGIN, 10, &mut out), Some(200));
        assert_eq!(out.len(), 1);
        out.clear();
        assert_eq!(expiries.take_ended(301 + PRUNE_MARGIN, 10, &mut out), Some(300));
        assert_eq!(expiries.take_ended(u64::MAX, 10, &mut Vec::new()), None);
    }

    #[test]
    fn all_before_the_horizon_leave_and_those_of_its_second_stay() {
        let mut expiries = Expiries::default();
        for (jti, at) in [("c", 300), ("a", 100), ("b", 200)] {
            expiries.add(at, &key(jti, at));
        }
        assert_eq!(expiries.take_below(100), []);
        let ended = expiries.take_below(201);
        assert_eq!(
            ended.iter().map(|(entry, expires, _)| (*entry, *expires)).collect::<Vec<_>>(),
            [(100, 100), (200, 200)]
        );
        assert_eq!(expiries.take_below(300), []);
        assert_eq!(expiries.take_below(301).len(), 1);
    }

    #[test]
    fn an_id_is_given_back_by_the_entry_that_holds_it_alone() {
        let window = Window::new(0);
        let (first, again) = (key("a", 100), key("a", 900));
        let of = |entry, key: &ReplayKey| (entry, key.expires(), key.id().clone());
        assert!(window.take(7, &first));
        window.forget(&[of(8, &first)]);
        assert_eq!(window.freshness(&first), Freshness::Replay, "another entry's");
        window.forget(&[of(7, &first)]);
        // The same index, after a batch that was not written.
        assert!(window.take(7, &again));
        window.prune(&[of(7, &first)], 100);
        assert_eq!(window.freshness(&again), Freshness::Replay, "another life's");
        window.learn(9, &key("a", 950));
        window.prune(&[of(7, &again)], 900);
        assert_eq!(window.freshness(&key("a", 950)), Freshness::Replay, "another verifier's");
    }

    #[test]
    fn a_pruned_key_is_expired_and_never_fresh_again() {
        let window = Window::new(0);
        let used = key("a", 100);
        assert_eq!(window.freshness(&used), Freshness::Fresh);
        assert!(window.take(3, &used));
        assert!(!window.take(4, &used));
        assert_eq!(window.freshness(&used), Freshness::Replay);
        window.prune(&[(3, 100, used.id().clone())], 100);
        assert_eq!(window.freshness(&used), Freshness::Expired);
        assert_eq!(window.freshness(&key("other", 100)), Freshness::Expired);
        assert_eq!(window.freshness(&key("other", 101)), Freshness::Fresh);
        window.prune(&[], 50);
        assert_eq!(window.horizon(), 100, "the horizon never falls");
    }
}
