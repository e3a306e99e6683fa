//! All sessions, by id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep_until;

use super::session::Session;
use crate::Id;
use crate::http::gateway::child::{Household, Listener};
use crate::http::gateway::options::GatewayOptions;
use crate::http::gateway::problem::Problem;

/// Random bytes in a session's id: twice what guessing is out of the question for.
const ID_BYTES: usize = 32;

/// All sessions.
pub(super) struct Sessions {
    by_id: Mutex<HashMap<String, Arc<Session>>>,
    options: GatewayOptions,
}

/// Ends the session when dropped, unless it was kept: its caller never learned the id.
pub(super) struct Opening {
    sessions: Arc<Sessions>,
    id: Option<String>,
}

impl Opening {
    /// The session stays; its id.
    pub fn keep(mut self) -> Option<String> {
        self.id.take()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.sessions.end(id, &Problem::UnknownSession);
        }
    }
}

/// Passes a child's lines to its session.
struct Ear {
    sessions: Weak<Sessions>,
    session: Weak<Session>,
    id: String,
}

impl Listener for Ear {
    fn line(&self, line: &[u8]) {
        if let Some(session) = self.session.upgrade() {
            session.line(line);
        }
    }

    fn ended(&self) {
        if let Some(sessions) = self.sessions.upgrade() {
            sessions.end(&self.id, &Problem::ServerGone);
        }
    }
}

impl Sessions {
    pub fn new(options: GatewayOptions) -> Arc<Self> {
        Arc::new(Self { by_id: Mutex::default(), options })
    }

    /// A new session with a child of its own, to be kept once `initialize` has succeeded.
    pub fn start(
        self: &Arc<Self>,
        household: &Arc<Household>,
        opening: Id,
    ) -> Result<(Arc<Session>, Opening), Problem> {
        let id = random_id()?;
        let session = Arc::new(Session::new(opening, self.options));
        {
            let mut by_id = self.by_id();
            if by_id.len() >= self.options.sessions {
                return Err(Problem::SessionsFull);
            }
            by_id.insert(id.clone(), session.clone());
        }
        let kept = Opening { sessions: self.clone(), id: Some(id.clone()) };
        let ear = Ear { sessions: Arc::downgrade(self), session: Arc::downgrade(&session), id: id.clone() };
        session.begin(household.start(ear)?);
        tokio::spawn(watch(Arc::downgrade(self), Arc::downgrade(&session), id, self.options.session_idle));
        Ok((session, kept))
    }

    /// The session of this id.
    pub fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.by_id().get(id).cloned()
    }

    /// Ends a session. Whether there was one.
    pub fn end(&self, id: &str, problem: &Problem) -> bool {
        let session = self.by_id().remove(id);
        session.map(|session| session.end(problem)).is_some()
    }

    /// Ends all.
    pub fn end_all(&self, problem: &Problem) {
        let all = std::mem::take(&mut *self.by_id());
        all.values().for_each(|session| session.end(problem));
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        // Nothing in here stops half-way.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a session that nobody has used for `limit`.
async fn watch(sessions: Weak<Sessions>, session: Weak<Session>, id: String, limit: Duration) {
    loop {
        let Some(idle_at) = session.upgrade().map(|session| session.idle_at(limit)) else { return };
        match idle_at {
            Some(at) => sleep_until(at).await,
            None => {
                if let Some(sessions) = sessions.upgrade() {
                    sessions.end(&id, &Problem::UnknownSession);
                }
                return;
            }
        }
    }
}

fn random_id() -> Result<String, Problem> {
    use std::fmt::Write as _;
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes; no session can be opened");
        Problem::NotStarted
    })?;
    let mut id = String::with_capacity(2 * ID_BYTES);
    for byte in bytes {
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_visible_ascii_and_differ() {
        let ids = [random_id().unwrap(), random_id().unwrap()];
        assert_ne!(ids[0], ids[1]);
        assert!(ids.iter().all(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_graphic())));
    }
}
