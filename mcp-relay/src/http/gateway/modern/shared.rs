//! The child that all callers share: started when it is first needed, and again when it died.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use attest_core::json::Value;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until};

use super::exchanges::{After, Exchange, Exchanges};
use crate::http::gateway::child::{Child, Household, Listener};
use crate::http::gateway::problem::Problem;

/// How long after its end a child is started again, by how many before it died without an answer.
const DELAYS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The shared child and who waits for it.
pub(super) struct Shared {
    household: Arc<Household>,
    state: Mutex<State>,
    /// Held while a child is started, so that one is.
    starting: tokio::sync::Mutex<()>,
    me: Weak<Shared>,
}

struct State {
    exchanges: Exchanges,
    child: Option<Child>,
    /// Counts the children.
    generation: u64,
    /// How many in a row died without an answer.
    failures: usize,
    /// Not to be started before.
    not_before: Instant,
    closed: bool,
}

/// Passes the lines of one child on.
struct Ear {
    shared: Weak<Shared>,
    child: u64,
}

impl Listener for Ear {
    fn line(&self, line: &[u8]) {
        if let Some(shared) = self.shared.upgrade() {
            shared.line(self.child, line);
        }
    }

    fn ended(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.ended(self.child);
        }
    }
}

impl Shared {
    pub fn new(household: Arc<Household>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            household,
            state: Mutex::new(State {
                exchanges: Exchanges::default(),
                child: None,
                generation: 0,
                failures: 0,
                not_before: Instant::now(),
                closed: false,
            }),
            starting: tokio::sync::Mutex::new(()),
            me: me.clone(),
        })
    }

    /// The running child's number and where its lines go. Starts it where there is none, after the delay that is due.
    pub async fn child(&self) -> Result<(u64, mpsc::Sender<Bytes>), Problem> {
        if let Some(running) = self.running()? {
            return Ok(running);
        }
        let _starting = self.starting.lock().await;
        if let Some(running) = self.running()? {
            return Ok(running);
        }
        let due = self.state().not_before;
        sleep_until(due).await;
        let mut state = self.state();
        state.generation += 1;
        let number = state.generation;
        match self.household.start(Ear { shared: self.me.clone(), child: number }) {
            Ok(child) => {
                let lines = child.lines().clone();
                state.child = Some(child);
                Ok((number, lines))
            }
            Err(problem) => {
                state.died();
                Err(problem)
            }
        }
    }

    fn running(&self) -> Result<Option<(u64, mpsc::Sender<Bytes>)>, Problem> {
        let state = self.state();
        if state.closed {
            return Err(Problem::Closing);
        }
        Ok(state.child.as_ref().map(|child| (state.generation, child.lines().clone())))
    }

    /// Whether a `tools/call` has the headers that its arguments ask for.
    pub fn check_mirrored(&self, headers: &HeaderMap, call: &Value<'_>) -> Result<(), Problem> {
        self.state().exchanges.tools.check(headers, call)
    }

    /// Takes a request in; its number. Fails where its child has died since.
    pub fn open(&self, exchange: Exchange) -> Result<u64, Problem> {
        let mut state = self.state();
        if state.child.is_none() || state.generation != exchange.child {
            return Err(Problem::ServerGone);
        }
        Ok(state.exchanges.open(exchange))
    }

    /// A caller waits no longer. The permit is given back once the child has been told, where it must be: else callers
    /// that come and go could pile up what it has not read.
    pub fn leave(&self, number: u64, permit: Option<OwnedSemaphorePermit>) {
        let mut state = self.state();
        if !state.exchanges.leave(number) {
            return;
        }
        let Some(child) = &state.child else { return };
        let line = cancelled(number);
        if let Err(mpsc::error::TrySendError::Full(line)) = child.lines().try_send(line) {
            let lines = child.lines().clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    let _ = lines.send(line).await;
                    drop(permit);
                });
            }
        }
    }

    fn line(&self, child: u64, line: &[u8]) {
        let mut state = self.state();
        let after = state.exchanges.line(child, line);
        let reply = match after {
            After::Done => return,
            After::Answered => {
                state.failures = 0;
                return;
            }
            After::Cancel(number) => cancelled(number),
            After::Reply(reply) => reply,
        };
        // A child that does not read is not waited for here: its own next lines come this way.
        if let Some(running) = state.child.as_ref().filter(|_| state.generation == child) {
            let _ = running.lines().try_send(reply);
        }
    }

    fn ended(&self, child: u64) {
        let mut state = self.state();
        state.exchanges.child_gone(child);
        if state.generation == child {
            state.child = None;
            state.died();
        }
    }

    /// Ends the child for good.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.child = None;
        let generation = state.generation;
        state.exchanges.child_gone(generation);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here stops half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn died(&mut self) {
        let delay = DELAYS.get(self.failures).or(DELAYS.last()).copied().unwrap_or_default();
        self.not_before = Instant::now() + delay;
        self.failures = (self.failures + 1).min(DELAYS.len());
    }
}

fn cancelled(number: u64) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#).into()
}
