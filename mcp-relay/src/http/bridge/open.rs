//! The requests that have no answer yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::Id;

/// What a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nothing but itself (2026-07-28 and later).
    Itself,
    /// The same, and it stays open until one side closes it (`subscriptions/listen`).
    Subscription,
    /// A session.
    Session,
    /// The session that it begins.
    Initialize,
}

struct Entry {
    /// Tells this request from a later one with the same id.
    number: u64,
    scope: Scope,
    /// The host wants no answer, and is owed none.
    cancelled: bool,
    /// Dropped with the entry, which ends the exchange.
    _stop: oneshot::Sender<()>,
}

/// What an exchange holds of its request.
pub(super) struct Slot {
    pub id: Id,
    pub number: u64,
}

/// What a cancellation meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// The exchange is closed, which is how the server hears of it.
    Closed,
    /// The server has to be told; the request is of this number.
    ToTell(u64),
    /// There is no such request.
    Unknown,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Id, Entry>,
    last: u64,
}

/// All open requests. Whoever removes one may answer it, so that each is answered once at most.
#[derive(Default)]
pub(super) struct Open(Mutex<Table>);

impl Open {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a request; the receiver resolves when it is no longer open, whoever saw to that. `None` where one of this id is open: two answers of one id could not be told apart.
    pub fn begin(&self, id: Id, scope: Scope) -> Option<(Slot, oneshot::Receiver<()>)> {
        let mut table = self.table();
        if table.entries.contains_key(&id) {
            return None;
        }
        table.last += 1;
        let number = table.last;
        let (stop, stopped) = oneshot::channel();
        table.entries.insert(id.clone(), Entry { number, scope, cancelled: false, _stop: stop });
        Some((Slot { id, number }, stopped))
    }

    /// Closes a request. `Some(owed)` where it was open; `owed` is false where the host has cancelled it.
    pub fn close(&self, id: &Id, number: u64) -> Option<bool> {
        let mut table = self.table();
        if table.entries.get(id)?.number != number {
            return None;
        }
        table.entries.remove(id).map(|entry| !entry.cancelled)
    }

    /// Closes the session's request `id` because its answer came on another stream. False where there is none.
    pub fn close_elsewhere(&self, id: &Id) -> bool {
        let mut table = self.table();
        table.entries.get(id).is_some_and(|entry| entry.scope == Scope::Session) && table.entries.remove(id).is_some()
    }

    /// Whether the host has cancelled the request, or it is not open.
    pub fn is_unwanted(&self, id: &Id, number: u64) -> bool {
        !self.table().entries.get(id).is_some_and(|entry| entry.number == number && !entry.cancelled)
    }

    /// The host cancels a request.
    pub fn cancel(&self, id: &Id) -> Cancellation {
        let mut table = self.table();
        match table.entries.get_mut(id) {
            None => Cancellation::Unknown,
            Some(entry) if matches!(entry.scope, Scope::Session | Scope::Initialize) => {
                entry.cancelled = true;
                Cancellation::ToTell(entry.number)
            }
            Some(_) => {
                table.entries.remove(id);
                Cancellation::Closed
            }
        }
    }

    /// Closes every request of the session; those that are owed an answer.
    pub fn close_session(&self) -> Vec<Id> {
        let closed = self.table().entries.extract_if(|_, entry| entry.scope == Scope::Session).collect::<Vec<_>>();
        closed.into_iter().filter(|(_, entry)| !entry.cancelled).map(|(id, _)| id).collect()
    }

    /// Closes what would stay open for ever.
    pub fn close_subscriptions(&self) {
        self.table().entries.retain(|_, entry| entry.scope != Scope::Subscription);
    }
}
