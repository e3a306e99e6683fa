//! The replay window in memory: which keys are held, and which may have been forgotten.
//!
//! It is an image of the database's table, filled from it at opening. Only the writer changes it; any task asks it.

use std::collections::{BTreeMap, HashSet};
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

pub(crate) struct Window {
    shards: [Mutex<HashSet<ReplayId>>; SHARDS],
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
        let taken = self.with(key.id(), |held| held.contains(key.id()));
        if taken {
            Freshness::Replay
        } else if key.expires() <= self.horizon() {
            Freshness::Expired
        } else {
            Freshness::Fresh
        }
    }

    /// Takes a key; `false` when it is held.
    pub(crate) fn take(&self, key: &ReplayKey) -> bool {
        self.with(key.id(), |held| held.insert(key.id().clone()))
    }

    /// Raises the horizon first and forgets after it, so that at no moment a pruned key looks fresh.
    pub(crate) fn prune<'a>(&self, keys: impl IntoIterator<Item = &'a ReplayId>, horizon: u64) {
        self.horizon.fetch_max(horizon, Ordering::Release);
        for id in keys {
            self.with(id, |held| held.remove(id));
        }
    }

    /// Gives back keys whose entries were not written after all.
    pub(crate) fn forget(&self, keys: &[ReplayId]) {
        for id in keys {
            self.with(id, |held| held.remove(id));
        }
    }

    pub(crate) fn horizon(&self) -> u64 {
        self.horizon.load(Ordering::Acquire)
    }

    fn with<T>(&self, id: &ReplayId, act: impl FnOnce(&mut HashSet<ReplayId>) -> T) -> T {
        let slot = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64).unwrap_or(0);
        let [first, ..] = &self.shards;
        let shard = self.shards.get(slot).unwrap_or(first);
        // A set is whole after every call on it, so a poisoned lock guards nothing broken.
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
    fn a_pruned_key_is_expired_and_never_fresh_again() {
        let window = Window::new(0);
        let used = key("a", 100);
        assert_eq!(window.freshness(&used), Freshness::Fresh);
        assert!(window.take(&used));
        assert!(!window.take(&used));
        assert_eq!(window.freshness(&used), Freshness::Replay);
        window.prune([used.id()], 100);
        assert_eq!(window.freshness(&used), Freshness::Expired);
        assert_eq!(window.freshness(&key("other", 100)), Freshness::Expired);
        assert_eq!(window.freshness(&key("other", 101)), Freshness::Fresh);
        window.prune([], 50);
        assert_eq!(window.horizon(), 100, "the horizon never falls");
    }
}
