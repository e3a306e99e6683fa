//! Which stream of a session each of the child's messages belongs on.

use std::collections::BTreeMap;

use attest_core::json::{Value, parse};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::journal::{Form, Journal, STANDALONE};
use crate::http::gateway::problem::Problem;
use crate::{Id, Kind};

/// Most requests open in one session, so that one caller cannot take all places.
const MAX_OPEN: usize = 1_024;

/// A request that is open.
pub(super) struct Open {
    pub id: Id,
    /// Its progress token.
    pub token: Option<Id>,
    /// Whether its stream carries more than the answer.
    pub streams: bool,
    /// The caller has said that it no longer waits; the answer may come all the same.
    pub cancelled: bool,
    /// Its place among all that are open.
    pub _permit: OwnedSemaphorePermit,
}

/// The open requests of one session, by stream and so in the order in which they came.
#[derive(Default)]
pub(super) struct Routes {
    open: BTreeMap<u64, Open>,
}

impl Routes {
    /// Opens a stream for a request.
    pub fn open(&mut self, journal: &mut Journal, open: Open, form: Form) -> Result<u64, Problem> {
        if self.open.len() >= MAX_OPEN {
            return Err(Problem::RequestsFull);
        }
        if self.open.values().any(|other| other.id == open.id) {
            return Err(Problem::IdInUse);
        }
        let stream = journal.open(form);
        self.open.insert(stream, open);
        Ok(stream)
    }

    /// The caller says that it does not wait for `id` any more. The answer may come all the same, and is then passed on,
    /// but a request that nobody reads either is forgotten: a server need not answer it.
    pub fn cancelled(&mut self, journal: &mut Journal, id: &Id) {
        let Some((stream, open)) = self.open.iter_mut().find(|(_, open)| open.id == *id) else { return };
        open.cancelled = true;
        let stream = *stream;
        if !journal.is_attached(stream) {
            self.unread(journal, stream);
        }
    }

    /// Nobody reads a stream any more.
    pub fn unread(&mut self, journal: &mut Journal, stream: u64) {
        if self.open.get(&stream).is_some_and(|open| open.cancelled) {
            self.open.remove(&stream);
            journal.end(stream);
        }
    }

    /// A line of the child goes where it belongs. The answer to a request, with its id, where it was one.
    pub fn line<'l>(&mut self, journal: &mut Journal, line: &'l [u8]) -> Option<(Id, Option<Value<'l>>)> {
        let Ok(message) = parse(line) else {
            let id = Id::of_opaque_answer(line)?;
            // The caller is alone with its child, so it may read what it can; but it must stay one message to it.
            let is_plain = std::str::from_utf8(line).is_ok() && !line.contains(&b'\r');
            let passed =
                if is_plain { Bytes::copy_from_slice(line) } else { Problem::Unreadable.to_message(Some(&id)) };
            self.answer(journal, &id, passed);
            return Some((id, None));
        };
        // A CR is white space in JSON and the end of a line in an event stream.
        let passed = if line.contains(&b'\r') { message.to_canonical().into() } else { Bytes::copy_from_slice(line) };
        let stream = match Kind::of(&message) {
            Kind::Notification { method: "notifications/progress" } => {
                let token =
                    message.as_object().and_then(|o| Id::of(o.get("params")?.as_object()?.get("progressToken")?));
                self.by_token(token.as_ref()).unwrap_or_else(|| self.unasked(journal))
            }
            Kind::Notification { .. } | Kind::Request { .. } => self.unasked(journal),
            Kind::Response { .. } | Kind::Other => {
                let id = Id::of_answer(&message)?;
                self.answer(journal, &id, passed);
                return Some((id, Some(message)));
            }
        };
        journal.push(stream, passed);
        None
    }

    /// The session is over: whoever waits is told so.
    pub fn end(&mut self, journal: &mut Journal, problem: &Problem) {
        for (stream, open) in std::mem::take(&mut self.open) {
            journal.push(stream, problem.to_message(Some(&open.id)));
        }
        journal.end_all();
    }

    fn answer(&mut self, journal: &mut Journal, id: &Id, message: Bytes) {
        let Some(stream) = self.open.iter().find(|(_, open)| open.id == *id).map(|(stream, _)| *stream) else {
            return;
        };
        self.open.remove(&stream);
        journal.push(stream, message);
        journal.end(stream);
    }

    fn by_token(&self, token: Option<&Id>) -> Option<u64> {
        let token = token?;
        self.open.iter().find(|(_, open)| open.streams && open.token.as_ref() == Some(token)).map(|(stream, _)| *stream)
    }

    /// The stream for what names no request. With one request open it is most likely about that one; with several it is
    /// for the standalone stream, unless nobody reads that, when it is better said somewhere than not heard.
    fn unasked(&self, journal: &Journal) -> u64 {
        let mut waiting =
            self.open.iter().filter(|(_, open)| open.streams && !open.cancelled).map(|(stream, _)| *stream);
        match (waiting.next(), waiting.next_back()) {
            (Some(only), None) => only,
            (_, Some(newest)) if !journal.is_attached(STANDALONE) => newest,
            _ => STANDALONE,
        }
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
