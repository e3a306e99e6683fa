//! Requests that have no answer yet, by id, so that an answer is taken for that of the right request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::Id;

/// Most requests that are remembered. A server that leaves more unanswered is broken, and watched requests to it are refused.
const MOST: usize = 65_536;

/// Longest id in bytes; ids are kept until the answer comes.
const LONGEST: usize = 256;

#[derive(Debug)]
enum Request<T> {
    /// Watched, and not sent on yet.
    Reserved,
    /// Watched: what is known of it.
    Open(T),
    /// Not watched; how many of this id have no answer.
    Other(u32),
}

/// The id is taken: its answer could be mistaken for another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id belongs to a request that has no answer yet")]
pub struct Taken;

/// What is in flight on one connection. Of the requests that are watched, `T` says what is known.
#[derive(Debug)]
pub struct InFlight<T> {
    requests: HashMap<Id, Request<T>>,
    watched: usize,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { requests: HashMap::new(), watched: 0 }
    }
}

impl<T> InFlight<T> {
    /// Reserves `id` for a request that is watched.
    ///
    /// # Errors
    /// [`Taken`], also where too many requests have no answer.
    pub fn reserve(&mut self, id: Id) -> Result<(), Taken> {
        if self.requests.len() >= MOST || id.size() > LONGEST {
            return Err(Taken);
        }
        match self.requests.entry(id) {
            Entry::Occupied(_) => Err(Taken),
            Entry::Vacant(slot) => {
                slot.insert(Request::Reserved);
                self.watched += 1;
                Ok(())
            }
        }
    }

    /// The request that reserved `id` is sent on.
    pub fn open(&mut self, id: Id, known: T) {
        self.requests.insert(id, Request::Open(known));
    }

    /// The request that reserved `id` is not sent on.
    pub fn release(&mut self, id: &Id) {
        if self.requests.remove(id).is_some() {
            self.watched -= 1;
        }
    }

    /// A request that is not watched passes. Its id must not be a watched one's.
    ///
    /// # Errors
    /// [`Taken`], also where too many requests have no answer.
    pub fn pass(&mut self, id: Id) -> Result<(), Taken> {
        let room = self.requests.len() < MOST && id.size() <= LONGEST;
        match self.requests.get_mut(&id) {
            Some(Request::Reserved | Request::Open(_)) => Err(Taken),
            // Twice the same id is the client's own trouble, but the second answer must not become a call's.
            Some(Request::Other(count)) => {
                *count = count.saturating_add(1);
                Ok(())
            }
            None if !room => Err(Taken),
            None => {
                self.requests.insert(id, Request::Other(1));
                Ok(())
            }
        }
    }

    /// Whether a request of this id was sent on and has no answer. An answer to another one is no answer, whoever reads it:
    /// some clients take `"7"` for `7`, or an answer that comes before its request was sent.
    pub fn expects(&self, id: &Id) -> bool {
        matches!(self.requests.get(id), Some(Request::Open(_) | Request::Other(_)))
    }

    /// An answer came: what is known of the watched request that it ends, if it ends one.
    pub fn answered(&mut self, id: &Id) -> Option<T> {
        match self.requests.get_mut(id) {
            // An answer to a request that was not sent on cannot be the server's to that request: it stays reserved.
            Some(Request::Reserved) => return None,
            Some(Request::Other(count)) if *count > 1 => {
                *count -= 1;
                return None;
            }
            _ => {}
        }
        match self.requests.remove(id) {
            Some(Request::Open(known)) => {
                self.watched -= 1;
                Some(known)
            }
            _ => None,
        }
    }

    /// What is known of the watched request of this id, if it was sent on and has no answer.
    pub fn known(&self, id: &Id) -> Option<&T> {
        match self.requests.get(id)? {
            Request::Open(known) => Some(known),
            _ => None,
        }
    }

    /// Whether a watched request has no answer.
    pub fn is_watching(&self) -> bool {
        self.watched > 0
    }

    /// Every watched request that was sent on and has no answer; nothing is in flight afterwards.
    pub fn drain(&mut self) -> Vec<(Id, T)> {
        self.watched = 0;
        let all = self.requests.drain();
        all.filter_map(|(id, request)| match request {
            Request::Open(known) => Some((id, known)),
            _ => None,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest_core::json::Value;

    fn id(n: f64) -> Id {
        Id::of(&Value::Number(n)).unwrap()
    }

    #[test]
    fn an_answer_to_another_request_is_never_a_watched_ones() {
        let mut flight = InFlight::default();
        flight.reserve(id(1.0)).unwrap();
        assert_eq!(flight.answered(&id(1.0)), None);
        flight.open(id(1.0), "call");
        assert_eq!(flight.pass(id(1.0)), Err(Taken));
        flight.pass(id(2.0)).unwrap();
        assert_eq!(flight.reserve(id(2.0)), Err(Taken));
        assert_eq!(flight.answered(&id(2.0)), None);
        assert!(flight.is_watching());
        assert_eq!(flight.answered(&id(1.0)), Some("call"));
        assert_eq!(flight.answered(&id(1.0)), None);
        assert!(!flight.is_watching());
    }

    #[test]
    fn of_two_requests_with_one_id_the_second_answer_is_nobody_elses() {
        let mut flight = InFlight::<&str>::default();
        flight.pass(id(1.0)).unwrap();
        flight.pass(id(1.0)).unwrap();
        assert_eq!(flight.answered(&id(1.0)), None);
        assert_eq!(flight.reserve(id(1.0)), Err(Taken));
        assert_eq!(flight.answered(&id(1.0)), None);
        flight.reserve(id(1.0)).unwrap();
    }

    #[test]
    fn an_id_that_is_too_long_to_keep_is_refused() {
        let long = Id::of(&Value::String("x".repeat(257).into())).unwrap();
        let mut flight = InFlight::<&str>::default();
        assert_eq!((flight.pass(long.clone()), flight.reserve(long)), (Err(Taken), Err(Taken)));
    }

    #[test]
    fn a_watched_request_without_an_answer_is_found_at_the_end() {
        let mut flight = InFlight::default();
        flight.reserve(id(1.0)).unwrap();
        flight.reserve(id(2.0)).unwrap();
        flight.open(id(2.0), "call");
        assert_eq!(flight.drain(), [(id(2.0), "call")]);
    }
}
