//! One session: a child, and the streams of what it says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::json::Value;
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::journal::{Cursor, Form, From, Journal, Next};
use super::routes::{Open, Routes};
use crate::Id;
use crate::http::gateway::child::Child;
use crate::http::gateway::options::GatewayOptions;
use crate::http::gateway::problem::Problem;

/// One session.
pub(super) struct Session {
    state: Mutex<State>,
}

struct State {
    child: Option<Child>,
    journal: Journal,
    routes: Routes,
    /// Id of the `initialize` that opened it, until that is answered.
    opening: Option<Id>,
    /// The version that the child chose.
    version: Option<String>,
    /// When the caller was last heard of.
    heard: Instant,
}

/// Reads a stream of a session.
pub(super) struct Reader {
    session: Arc<Session>,
    cursor: Cursor,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.session.state();
        let State { journal, routes, heard, .. } = &mut *state;
        *heard = Instant::now();
        if let Some(stream) = journal.detach(&self.cursor) {
            routes.unread(journal, stream);
        }
    }
}

impl Reader {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let next = self.session.state().journal.read(&mut self.cursor);
            match next {
                Next::Bytes(bytes) => return Some(bytes),
                Next::End => return None,
                Next::Wait => self.cursor.changed().await,
            }
        }
    }

    /// The rest of it.
    pub fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut reader| async move {
            let bytes = reader.next().await?;
            Some((bytes, reader))
        })
    }
}

impl Session {
    /// A session that `opening` opens. It has no child yet.
    pub fn new(opening: Id, options: GatewayOptions) -> Self {
        Self {
            state: Mutex::new(State {
                child: None,
                journal: Journal::new(options.stream_messages, options.stream_bytes),
                routes: Routes::default(),
                opening: Some(opening),
                version: None,
                heard: Instant::now(),
            }),
        }
    }

    /// Its child has started.
    pub fn begin(&self, child: Child) {
        self.state().child = Some(child);
    }

    /// The version that the child chose; `None` where it has not answered, or with an error.
    pub fn version(&self) -> Option<String> {
        self.state().version.clone()
    }

    /// The caller was heard. Where lines go to the child.
    pub fn heard(&self) -> Result<mpsc::Sender<Bytes>, Problem> {
        let mut state = self.state();
        state.heard = Instant::now();
        state.child.as_ref().map(|child| child.lines().clone()).ok_or(Problem::UnknownSession)
    }

    /// When it will have been idle for `limit`, were nothing to happen; `None` where it has been.
    pub fn idle_at(&self, limit: std::time::Duration) -> Option<Instant> {
        let mut state = self.state();
        if state.journal.is_read() {
            state.heard = Instant::now();
        }
        let at = state.heard + limit;
        (at > Instant::now()).then_some(at)
    }

    /// A request begins; a reader of its stream.
    pub fn open(self: &Arc<Self>, open: Open) -> Result<Reader, Problem> {
        let mut state = self.state();
        let State { journal, routes, version, .. } = &mut *state;
        // Older clients take an empty event for a message that they cannot read.
        let primed = version.as_deref().is_some_and(|version| version >= "2025-11-25");
        let form = if open.streams { Form::Events { primed } } else { Form::Message };
        let stream = routes.open(journal, open, form)?;
        let cursor = journal.attach(stream, From::Unread).ok_or(Problem::UnknownSession)?;
        drop(state);
        Ok(Reader { session: self.clone(), cursor })
    }

    /// A reader of a stream that is there.
    pub fn attach(self: &Arc<Self>, stream: u64, from: From) -> Result<Reader, Problem> {
        let cursor = self.state().journal.attach(stream, from).ok_or(Problem::EventId)?;
        Ok(Reader { session: self.clone(), cursor })
    }

    /// The caller says that it does not wait for a request any more.
    pub fn cancelled(&self, id: &Id) {
        let mut state = self.state();
        let State { journal, routes, .. } = &mut *state;
        routes.cancelled(journal, id);
    }

    /// A line of the child.
    pub fn line(&self, line: &[u8]) {
        let mut state = self.state();
        let State { journal, routes, opening, version, .. } = &mut *state;
        let Some((id, answer)) = routes.line(journal, line) else { return };
        if opening.as_ref() == Some(&id) {
            *opening = None;
            *version = answer.as_ref().and_then(chosen_version).map(str::to_owned);
        }
    }

    /// It is over: the child has to end, and whoever waits is told.
    pub fn end(&self, problem: &Problem) {
        let mut state = self.state();
        let State { child, journal, routes, .. } = &mut *state;
        *child = None;
        routes.end(journal, problem);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here stops half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chosen_version<'v>(answer: &'v Value<'_>) -> Option<&'v str> {
    answer.as_object()?.get("result")?.as_object()?.get("protocolVersion")?.as_str()
}
