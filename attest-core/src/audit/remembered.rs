//! What an audit remembers of the entries that it has gone over: no more than later ones can be held against.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;

use super::Fault;
use super::fact::Proof;
use crate::digest::{Digest, Jti};
use crate::limits::MAX_CALL_LIFE;
use crate::trust::MAX_SKEW;

/// Seconds after which a `jti` that was used can no longer be told from a new one, at the most: nothing is kept for longer.
const WINDOW: u64 = MAX_CALL_LIFE + 2 * MAX_SKEW + 2 * super::SKEW;

/// The `jti`s of the window, each with its call key, its end and the entry it was used at; in two generations, of which the
/// older is forgotten when the younger is a window old.
#[derive(Default)]
pub(super) struct Used {
    keys: HashMap<Digest, u32>,
    young: HashMap<(u32, [u8; 16]), (u64, u64)>,
    old: HashMap<(u32, [u8; 16]), (u64, u64)>,
    begun: u64,
}

impl Used {
    /// Takes one; the entry that used it before, where it did.
    pub(super) fn take(&mut self, index: u64, now: u64, proof: &Proof) -> Option<u64> {
        if now >= self.begun.saturating_add(WINDOW) {
            self.old = mem::take(&mut self.young);
            self.begun = now;
        }
        let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let key = (*self.keys.entry(proof.key).or_insert(next), proof.id.0);
        let before = self.young.insert(key, (proof.until, index)).or_else(|| self.old.get(&key).copied());
        before.filter(|(until, _)| now < *until).map(|(_, index)| index)
    }
}

/// What was used, each with the call that it serves, until that call's decision comes. In two generations, as [`Used`]: a decision
/// follows within the life of its call proof, and a call that failed in between has none.
#[derive(Default)]
pub(super) struct Serving {
    young: HashSet<(Digest, Digest)>,
    old: HashSet<(Digest, Digest)>,
    begun: u64,
}

impl Serving {
    pub(super) fn add(&mut self, call: Digest, token: Digest, now: u64) {
        if now >= self.begun.saturating_add(WINDOW) {
            self.old = mem::take(&mut self.young);
            self.begun = now;
        }
        self.young.insert((call, token));
    }

    /// Takes it away: it serves one decision.
    pub(super) fn take(&mut self, call: Digest, token: Digest) -> bool {
        self.young.remove(&(call, token)) || self.old.remove(&(call, token))
    }
}

/// The calls of a caller's log that ended lately: the entry about a receipt follows the outcome, with some of other calls in
/// between.
#[derive(Default)]
pub(super) struct Ended {
    calls: HashMap<Digest, u32>,
    order: VecDeque<Digest>,
}

impl Ended {
    /// More than can be in flight at one signer.
    const REMEMBERED: usize = 65_536;

    pub(super) fn add(&mut self, call: Digest, audience: u32) {
        if self.order.len() == Self::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
        self.calls.insert(call, audience);
        self.order.push_back(call);
    }

    pub(super) fn take(&mut self, call: &Digest) -> Option<u32> {
        self.calls.remove(call)
    }
}

/// The calls that were seen and have no answer yet, each of its session. One that was never answered stays: that it was is what
/// an answer is held against.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) sessions: HashSet<[u8; 16]>,
    open: HashMap<(Digest, [u8; 16]), u64>,
}

impl Seen {
    pub(super) fn take(
        &mut self,
        index: u64,
        session: &Jti,
        opens: Option<Digest>,
        ends: Option<Digest>,
    ) -> Result<(), Fault> {
        if let Some(call) = opens
            && let Some(first) = self.open.insert((call, session.0), index)
        {
            return Err(Fault::SeenTwice { first });
        }
        match ends {
            Some(call) if self.open.remove(&(call, session.0)).is_none() => Err(Fault::AnswerForNoCall),
            _ => Ok(()),
        }
    }
}
