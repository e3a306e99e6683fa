//! Requests that have no answer yet, by id, so that an answer is taken for the outcome of the right call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use attest_core::digest::{Digest, Salt};
use mcp_relay::Id;

/// Most requests that are remembered. A server that leaves more unanswered is broken, and calls to it are refused.
const MOST: usize = 65_536;

/// A call that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Hash of the call proof.
    pub call: Digest,
    /// Salt of the call's commitments; the outcome's too.
    pub salt: Salt,
}

#[derive(Debug)]
enum Request {
    /// A call that is being checked, or was let through.
    Call(Option<Call>),
    /// A request of another method: its answer is nobody's outcome.
    Other,
}

/// The id is taken: its answer could be mistaken for another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: HashMap<Id, Request>,
}

impl InFlight {
    /// Reserves `id` for a call.
    pub fn reserve(&mut self, id: Id) -> Result<(), Taken> {
        if self.requests.len() >= MOST {
            return Err(Taken);
        }
        match self.requests.entry(id) {
            Entry::Occupied(_) => Err(Taken),
            Entry::Vacant(slot) => {
                slot.insert(Request::Call(None));
                Ok(())
            }
        }
    }

    /// The call that reserved `id` is let through.
    pub fn let_through(&mut self, id: Id, call: Call) {
        self.requests.insert(id, Request::Call(Some(call)));
    }

    /// The call that reserved `id` was refused.
    pub fn release(&mut self, id: &Id) {
        self.requests.remove(id);
    }

    /// A request of another method passes. Its id must not be a call's.
    pub fn pass(&mut self, id: Id) -> Result<(), Taken> {
        match self.requests.get(&id) {
            Some(Request::Call(_)) => Err(Taken),
            Some(Request::Other) => Ok(()),
            None if self.requests.len() >= MOST => Err(Taken),
            None => {
                self.requests.insert(id, Request::Other);
                Ok(())
            }
        }
    }

    /// An answer came: the call it ends, if it is one's.
    pub fn answered(&mut self, id: &Id) -> Option<Call> {
        // An answer to a call that was not let through yet cannot be the server's to that call: it stays reserved.
        if let Some(Request::Call(None)) = self.requests.get(id) {
            return None;
        }
        match self.requests.remove(id) {
            Some(Request::Call(call)) => call,
            _ => None,
        }
    }

    /// Everything that was let through and has no answer.
    pub fn drain(&mut self) -> Vec<(Id, Call)> {
        let all = self.requests.drain();
        all.filter_map(|(id, request)| match request {
            Request::Call(Some(call)) => Some((id, call)),
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

    fn call() -> Call {
        Call { call: Digest::of("c"), salt: Salt([0; 16]) }
    }

    #[test]
    fn an_answer_to_another_request_is_never_a_calls_outcome() {
        let mut flight = InFlight::default();
        flight.reserve(id(1.0)).unwrap();
        flight.let_through(id(1.0), call());
        assert_eq!(flight.pass(id(1.0)), Err(Taken));
        flight.pass(id(2.0)).unwrap();
        assert_eq!(flight.reserve(id(2.0)), Err(Taken));
        assert_eq!(flight.answered(&id(2.0)), None);
        assert_eq!(flight.answered(&id(1.0)), Some(call()));
        assert_eq!(flight.answered(&id(1.0)), None);
    }

    #[test]
    fn a_call_without_an_answer_is_found_at_the_end() {
        let mut flight = InFlight::default();
        flight.reserve(id(1.0)).unwrap();
        flight.reserve(id(2.0)).unwrap();
        flight.let_through(id(2.0), call());
        assert_eq!(flight.drain(), [(id(2.0), call())]);
    }
}
