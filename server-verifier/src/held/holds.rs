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
    Cancelled,
    /// It was let through, and goes on to the server.
    Goes,
}

struct Kept {
    agent: String,
    phase: watch::Sender<Phase>,
}

/// The requests that are held.
#[derive(Clone, Default)]
pub(crate) struct Holds(Arc<Mutex<HashMap<Key, Kept>>>);

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
        let mut all = self.locked();
        if all.len() >= MOST || all.values().filter(|kept| kept.agent == agent).count() >= MOST_OF_AGENT {
            return None;
        }
        // A client that gives one id to two requests could not say which it takes back.
        let Entry::Vacant(place) = all.entry(key.clone()) else { return None };
        let (sender, phase) = watch::channel(Phase::Waits);
        place.insert(Kept { agent: agent.to_owned(), phase: sender });
        Some(Hold { all: self.clone(), key, phase })
    }

    /// The caller takes a request back.
    pub fn cancel(&self, owner: &Owner, id: Id) -> Cancelled {
        let all = self.locked();
        let Some(kept) = all.get(&(owner.clone(), id)) else { return Cancelled::Nothing };
        if *kept.phase.borrow() == Phase::Goes {
            return Cancelled::OnItsWay(Going(kept.phase.subscribe()));
        }
        kept.phase.send_replace(Phase::Cancelled);
        Cancelled::Held
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Resolves when the request was taken back.
    pub async fn cancelled(&self) {
        // The sender is in the table as long as this lives.
        let _ = self.phase.clone().wait_for(|phase| *phase == Phase::Cancelled).await;
    }

    /// The request goes on, from here on for good; false where it was taken back before.
    pub fn goes_on(&self) -> bool {
        let all = self.all.locked();
        all.get(&self.key).is_some_and(|kept| {
            kept.phase.send_if_modified(|phase| {
                let waits = *phase == Phase::Waits;
                if waits {
                    *phase = Phase::Goes;
                }
                waits
            })
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.all.locked().remove(&self.key);
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
        assert!(matches!(cancel(1, 1), Cancelled::Held) && !first.goes_on());
        assert!(second.goes_on() && matches!(cancel(1, 2), Cancelled::OnItsWay(_)));
        drop((first, second));
        assert!(matches!(cancel(1, 1), Cancelled::Nothing) && holds.locked().is_empty());
    }
}
