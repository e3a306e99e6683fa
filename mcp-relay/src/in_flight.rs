//! Requests that have no answer yet, by id, so that an answer is taken for that of the right request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::json::Value;

use crate::{Id, Kind};

/// Most requests that are remembered. A server that leaves more unanswered is broken, and watched requests to it are refused.
const MOST: usize = 65_536;

/// Longest id in bytes; ids are kept until the answer comes.
const LONGEST: usize = 256;

/// The id is taken: its answer could be mistaken for another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id belongs to a request that has no answer yet, or is none that an answer could be told by")]
pub struct Taken;

/// An answer to a request that was not sent on, or has its answer already. It is no answer, whoever reads it: some clients
/// take `"7"` for `7`, or an answer that comes before its request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer of the server to a request that it was not asked, or not here")]
pub struct Stray;

/// What is in flight on one connection, in the hands of all who handle its messages. Of the requests that are watched, `T`
/// says what is known.
#[derive(Debug)]
pub struct InFlight<T>(Arc<Mutex<Requests<T>>>);

impl<T> Clone for InFlight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Requests { by_id: HashMap::new(), watched: 0 })))
    }
}

impl<T> InFlight<T> {
    /// Reserves the id of `message`, which is watched. A notification has none, and its place is nowhere.
    ///
    /// # Errors
    /// [`Taken`], also where too many requests have no answer.
    pub fn reserve(&self, message: &Value<'_>) -> Result<Place<T>, Taken> {
        let id = message.as_object().and_then(|message| message.get("id"));
        let id = id.map(|id| Id::of(id).ok_or(Taken)).transpose()?;
        id.clone().map_or(Ok(()), |id| self.locked().reserve(id))?;
        Ok(Place { of: self.clone(), id })
    }

    /// A message passes. If it is a request of which something is known, it is watched; if not, its id must not be a
    /// watched one's.
    ///
    /// # Errors
    /// [`Taken`], also where too many requests have no answer.
    pub fn pass(&self, message: &Value<'_>, known: impl FnOnce() -> Option<T>) -> Result<(), Taken> {
        let (id, known) = match Kind::of(message) {
            Kind::Response { .. } => return Ok(()),
            Kind::Request { id, .. } => (Some(id), known()),
            // Whatever has an id may be answered, a request by the letter or not.
            _ => (message.as_object().and_then(|message| message.get("id")).and_then(Id::of), None),
        };
        match (id, known) {
            (Some(id), Some(known)) => self.watch(id, known),
            (Some(id), None) => self.locked().pass(id),
            (None, _) => Ok(()),
        }
    }

    /// A watched request is sent on at once.
    ///
    /// # Errors
    /// [`Taken`], also where too many requests have no answer.
    pub fn watch(&self, id: Id, known: T) -> Result<(), Taken> {
        let mut requests = self.locked();
        requests.reserve(id.clone())?;
        requests.open(id, known);
        Ok(())
    }

    /// A message of the server's came: the id of the request that it answers, if it answers one, and what is known of that, if
    /// it was watched. `message` is `None` where a strict reader cannot read the line.
    ///
    /// # Errors
    /// [`Stray`].
    pub fn answered(&self, line: &[u8], message: Option<&Value<'_>>) -> Result<(Option<Id>, Option<T>), Stray> {
        let Some(id) = message.map_or_else(|| Id::of_opaque_answer(line), Id::of_answer) else {
            return Ok((None, None));
        };
        let known = self.locked().answered(&id)?;
        Ok((Some(id), known))
    }

    /// Looks at what is known of the watched request of this id, if it was sent on and has no answer.
    pub fn look<R>(&self, id: &Id, at: impl FnOnce(&T) -> R) -> Option<R> {
        match self.locked().by_id.get(id)? {
            Request::Open(known) => Some(at(known)),
            _ => None,
        }
    }

    /// Whether a watched request has no answer.
    pub fn is_watching(&self) -> bool {
        self.locked().watched > 0
    }

    /// Every watched request that was sent on and has no answer; nothing is in flight afterwards.
    pub fn drain(&self) -> Vec<(Id, T)> {
        let mut requests = self.locked();
        requests.watched = 0;
        let all = requests.by_id.drain();
        all.filter_map(|(id, request)| match request {
            Request::Open(known) => Some((id, known)),
            _ => None,
        })
        .collect()
    }

    fn locked(&self) -> MutexGuard<'_, Requests<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reserved id. Unless the request is sent on, the id is free again when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place<T> {
    of: InFlight<T>,
    id: Option<Id>,
}

impl<T> Place<T> {
    /// The id; `None` for a notification.
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The request is sent on.
    pub fn open(mut self, known: T) {
        if let Some(id) = self.id.take() {
            self.of.locked().open(id, known);
        }
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.of.locked().release(id);
        }
    }
}

#[derive(Debug)]
enum Request<T> {
    /// Watched, and not sent on yet.
    Reserved,
    /// Watched: what is known of it.
    Open(T),
    /// Not watched; how many of this id have no answer.
    Other(u32),
}

#[derive(Debug)]
struct Requests<T> {
    by_id: HashMap<Id, Request<T>>,
    /// How many of them are watched.
    watched: usize,
}

impl<T> Requests<T> {
    fn reserve(&mut self, id: Id) -> Result<(), Taken> {
        if self.by_id.len() >= MOST || id.size() > LONGEST {
            return Err(Taken);
        }
        match self.by_id.entry(id) {
            Entry::Occupied(_) => Err(Taken),
            Entry::Vacant(slot) => {
                slot.insert(Request::Reserved);
                self.watched += 1;
                Ok(())
            }
        }
    }

    fn open(&mut self, id: Id, known: T) {
        // What was reserved is not there any more if everything was drained meanwhile.
        if !matches!(self.by_id.insert(id, Request::Open(known)), Some(Request::Reserved)) {
            self.watched += 1;
        }
    }

    fn release(&mut self, id: &Id) {
        if matches!(self.by_id.get(id), Some(Request::Reserved)) {
            self.by_id.remove(id);
            self.watched -= 1;
        }
    }

    fn pass(&mut self, id: Id) -> Result<(), Taken> {
        let room = self.by_id.len() < MOST && id.size() <= LONGEST;
        match self.by_id.get_mut(&id) {
            Some(Request::Reserved | Request::Open(_)) => Err(Taken),
            // Twice the same id is the client's own trouble, but the second answer must not become a call's.
            Some(Request::Other(count)) => {
                *count = count.saturating_add(1);
                Ok(())
            }
            None if !room => Err(Taken),
            None => {
                self.by_id.insert(id, Request::Other(1));
                Ok(())
            }
        }
    }

    fn answered(&mut self, id: &Id) -> Result<Option<T>, Stray> {
        match self.by_id.get_mut(id) {
            // An answer to a request that was not sent on cannot be the server's to that request: it stays reserved.
            None | Some(Request::Reserved) => return Err(Stray),
            Some(Request::Other(count)) if *count > 1 => {
                *count -= 1;
                return Ok(None);
            }
            _ => {}
        }
        match self.by_id.remove(id) {
            Some(Request::Open(known)) => {
                self.watched -= 1;
                Ok(Some(known))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    fn request(id: &str) -> Value<'static> {
        parse(format!(r#"{{"id":{id},"method":"x"}}"#).as_bytes()).unwrap().into_owned()
    }

    fn pass(flight: &InFlight<&str>, id: &str) -> Result<(), Taken> {
        flight.pass(&request(id), || None)
    }

    fn answered(flight: &InFlight<&'static str>, id: &str) -> Result<Option<&'static str>, Stray> {
        let text = format!(r#"{{"id":{id},"result":{{}}}}"#);
        let (of, known) = flight.answered(text.as_bytes(), Some(&parse(text.as_bytes()).unwrap()))?;
        assert_eq!(of, Id::of(request(id).as_object().unwrap().get("id").unwrap()));
        Ok(known)
    }

    #[test]
    fn an_answer_to_another_request_is_never_a_watched_ones() {
        let flight = InFlight::default();
        let place = flight.reserve(&request("1")).unwrap();
        assert_eq!(answered(&flight, "1"), Err(Stray));
        place.open("call");
        assert_eq!(pass(&flight, "1"), Err(Taken));
        pass(&flight, "2").unwrap();
        assert_eq!(flight.reserve(&request("2")).unwrap_err(), Taken);
        assert_eq!(answered(&flight, "2"), Ok(None));
        assert!(flight.is_watching());
        assert_eq!(answered(&flight, "1"), Ok(Some("call")));
        assert_eq!(answered(&flight, "1"), Err(Stray));
        assert!(!flight.is_watching());
    }

    #[test]
    fn of_two_requests_with_one_id_the_second_answer_is_nobody_elses() {
        let flight = InFlight::default();
        pass(&flight, "1").unwrap();
        pass(&flight, "1").unwrap();
        assert_eq!(answered(&flight, "1"), Ok(None));
        assert_eq!(flight.reserve(&request("1")).unwrap_err(), Taken);
        assert_eq!(answered(&flight, "1"), Ok(None));
        flight.reserve(&request("1")).unwrap().open("call");
    }

    #[test]
    fn an_id_that_is_not_sent_on_is_free_again() {
        let flight = InFlight::<&str>::default();
        let place = flight.reserve(&request("1")).unwrap();
        assert!(flight.is_watching() && flight.reserve(&request("1")).is_err());
        drop(place);
        assert!(!flight.is_watching());
        pass(&flight, "1").unwrap();
    }

    #[test]
    fn an_id_that_is_too_long_to_keep_is_refused_and_one_that_is_not_exact_is_not_watched() {
        let long = format!("{:?}", "x".repeat(257));
        let flight = InFlight::<&str>::default();
        assert_eq!((pass(&flight, &long), flight.reserve(&request(&long)).unwrap_err()), (Err(Taken), Taken));
        assert_eq!(flight.reserve(&request("null")).unwrap_err(), Taken);
    }

    #[test]
    fn a_watched_request_without_an_answer_is_found_at_the_end() {
        let flight = InFlight::default();
        let _place = flight.reserve(&request("1")).unwrap();
        flight.reserve(&request("2")).unwrap().open("call");
        flight.pass(&request("3"), || Some("other")).unwrap();
        let mut left: Vec<&str> = flight.drain().into_iter().map(|(_, known)| known).collect();
        left.sort_unstable();
        assert_eq!(left, ["call", "other"]);
        assert!(!flight.is_watching());
    }
}
