//! Which requests are held, so that they can be cancelled and are not too many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_relay::Id;
use tokio::sync::watch;

/// Most requests that are held at one time.
const MOST: usize = 64;
/// Most of one agent, so that one cannot take the place of all others.
const MOST_OF_AGENT: usize = 16;

/// Whose the ids of requests are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// One connection, or one exchange without a session.
    Connection(u64),
    /// A session over HTTP: a cancellation comes as an exchange of its own.
    Session(Box<[u8]>),
}

pub(super) type Key = (Owner, Id);

/// Where a held request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waits,
    /// Its caller took it back.
    Cancelled,
    /// The gate takes nothing more.
    Closed,
    /// It was let through, and goes on to the server.
    Goes,
}

struct Kept {
    agent: String,
    phase: watch::Sender<Phase>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, Kept>,
    closed: bool,
}

/// The requests that are held.
#[derive(Clone, Default)]
pub(crate) struct Holds(Arc<Mutex<State>>);

/// Why a wait is over without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The caller took the request back, and expects no answer.
    Cancelled,
    /// Nobody waits for the answer, or nobody will give one.
    Left,
}

/// What a cancellation came to.
pub(crate) enum Cancelled {
    /// Nothing of this id is held.
    Nothing,
    /// It is held no more, and never reaches the server.
    Held,
    /// It was let through and is on its way.
    OnItsWay(Going),
}

/// A request that is on its way.
pub(crate) struct Going(watch::Receiver<Phase>);

impl Going {
    /// Resolves when it is gone.
    pub async fn gone(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

/// A request's place among those that are held; given back when this is dropped.
pub(super) struct Hold {
    all: Holds,
    key: Key,
    phase: watch::Receiver<Phase>,
}

impl Holds {
    /// A place; `None` where there is none.
    pub(super) fn begin(&self, key: Key, agent: &str) -> Option<Hold> {
        let mut state = self.locked();
        let of_agent = state.kept.values().filter(|kept| kept.agent == agent).count();
        if state.closed || state.kept.len() >= MOST || of_agent >= MOST_OF_AGENT {
            return None;
        }
        // A client that gives one id to two requests could not say which it takes back.
        let Entry::Vacant(place) = state.kept.entry(key.clone()) else { return None };
        let (sender, phase) = watch::channel(Phase::Waits);
        place.insert(Kept { agent: agent.to_owned(), phase: sender });
        Some(Hold { all: self.clone(), key, phase })
    }

    /// The caller takes a request back.
    pub fn cancel(&self, owner: &Owner, id: Id) -> Cancelled {
        let state = self.locked();
        let Some(kept) = state.kept.get(&(owner.clone(), id)) else { return Cancelled::Nothing };
        if *kept.phase.borrow() == Phase::Goes {
            return Cancelled::OnItsWay(Going(kept.phase.subscribe()));
        }
        kept.phase.send_replace(Phase::Cancelled);
        Cancelled::Held
    }

    /// Nothing is held any more: the process is to end, and must not wait for people.
    pub fn close(&self) {
        let mut state = self.locked();
        state.closed = true;
        for kept in state.kept.values() {
            kept.phase.send_if_modified(|phase| phase.turn(Phase::Closed));
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    /// Becomes `next`, unless it came to something before.
    fn turn(&mut self, next: Self) -> bool {
        let waits = *self == Self::Waits;
        if waits {
            *self = next;
        }
        waits
    }
}

impl Hold {
    /// Resolves when the wait is over without a verdict.
    pub async fn over(&self) -> Over {
        let mut phase = self.phase.clone();
        // The sender is in the table as long as this lives.
        let phase = phase.wait_for(|phase| *phase != Phase::Waits).await.map(|phase| *phase);
        if matches!(phase, Ok(Phase::Cancelled)) { Over::Cancelled } else { Over::Left }
    }

    /// The request goes on, from here on for good; unless the wait was over before.
    pub fn goes_on(&self) -> Result<(), Over> {
        let state = self.all.locked();
        let kept = state.kept.get(&self.key).ok_or(Over::Left)?;
        if kept.phase.send_if_modified(|phase| phase.turn(Phase::Goes)) {
            return Ok(());
        }
        Err(if *kept.phase.borrow() == Phase::Cancelled { Over::Cancelled } else { Over::Left })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.all.locked().kept.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::Value;

    use super::*;

    fn key(connection: u64, id: u32) -> Key {
        (Owner::Connection(connection), Id::of(&Value::Number(id.into())).unwrap())
    }

    #[test]
    fn neither_all_nor_one_agent_hold_more_than_their_number() {
        let holds = Holds::default();
        let begin = |n: usize, agent: &str| holds.begin(key(0, u32::try_from(n).unwrap()), agent);
        let mut held: Vec<Hold> = (0..MOST_OF_AGENT).map(|n| begin(n, "a").unwrap()).collect();
        assert!(begin(99, "a").is_none());
        held.extend((MOST_OF_AGENT..MOST).map(|n| begin(n, &format!("b{}", n / 10)).unwrap()));
        assert!(begin(99, "c").is_none());
        held.pop();
        assert!(begin(1, "c").is_none(), "an id that is held already");
        assert!(begin(99, "c").is_some());
    }

    #[test]
    fn what_was_let_through_cannot_be_taken_back_and_what_was_taken_back_is_not_let_through() {
        let holds = Holds::default();
        let cancel = |connection, id| holds.cancel(&Owner::Connection(connection), key(0, id).1);
        let (first, second) = (holds.begin(key(1, 1), "a").unwrap(), holds.begin(key(1, 2), "a").unwrap());
        assert!(matches!(cancel(2, 1), Cancelled::Nothing), "another's id");
        assert!(matches!(cancel(1, 1), Cancelled::Held) && first.goes_on() == Err(Over::Cancelled));
        assert!(second.goes_on().is_ok() && matches!(cancel(1, 2), Cancelled::OnItsWay(_)));
        drop((first, second));
        assert!(matches!(cancel(1, 1), Cancelled::Nothing) && holds.locked().kept.is_empty());
    }

    #[tokio::test]
    async fn once_closed_nothing_is_held_and_what_is_on_its_way_goes_on() {
        let holds = Holds::default();
        let (waits, goes) = (holds.begin(key(1, 1), "a").unwrap(), holds.begin(key(1, 2), "a").unwrap());
        goes.goes_on().unwrap();
        holds.close();
        assert_eq!((waits.over().await, waits.goes_on()), (Over::Left, Err(Over::Left)));
        assert!(matches!(holds.cancel(&Owner::Connection(1), key(1, 2).1), Cancelled::OnItsWay(_)));
        assert!(holds.begin(key(1, 3), "a").is_none());
    }
}
