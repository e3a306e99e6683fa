//! The session of the earlier era: begun by `initialize`, named by the server.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;

use crate::http::encode::{SESSION, VERSION};

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    /// `None` where the server keeps no sessions.
    id: Option<HeaderValue>,
    /// The negotiated version of the protocol.
    version: Option<HeaderValue>,
    ended: watch::Sender<bool>,
}

impl Session {
    fn new(id: Option<HeaderValue>, version: Option<HeaderValue>) -> Self {
        Self { id, version, ended: watch::Sender::new(false) }
    }

    /// Whether the server knows the session by a name, and so may forget it.
    pub fn is_named(&self) -> bool {
        self.id.is_some()
    }

    /// What goes with every message of the session.
    pub fn headers(&self) -> HeaderMap {
        headers(self.id.clone(), self.version.clone())
    }

    /// Resolves when the session is over.
    pub async fn over(&self) {
        // The sender lives in `self`, so only the value can end this.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

/// The headers of a session that may not have begun yet.
pub(super) fn headers(id: Option<HeaderValue>, version: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(id) = id {
        headers.insert(SESSION, id);
    }
    if let Some(version) = version {
        headers.insert(VERSION, version);
    }
    headers
}

/// The session's name in the headers of an answer to `initialize`: visible ASCII only (2025-11-25, "Session Management").
pub(super) fn named_by(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut id = headers.get(SESSION)?.clone();
    if id.is_empty() || !id.as_bytes().iter().all(|c| (0x21..=0x7e).contains(c)) {
        tracing::warn!("the server names its session with characters that no session may have; the name is not used");
        return None;
    }
    // Whoever knows it can speak in the session.
    id.set_sensitive(true);
    Some(id)
}

#[derive(Debug, Default)]
enum Standing {
    #[default]
    None,
    Live(Arc<Session>),
    /// The server has forgotten it. Nothing more is sent in it.
    Lost,
}

/// A session was lost, and none begun since.
#[derive(Debug)]
pub(super) struct Lost;

/// The session there is, if any.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Standing>);

impl Sessions {
    fn replace(&self, standing: Standing) -> Option<Arc<Session>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, standing) {
            Standing::Live(session) => {
                session.ended.send_replace(true);
                Some(session).filter(|session| session.is_named())
            }
            Standing::None | Standing::Lost => None,
        }
    }

    /// Begins a session; the one before it comes back where the server has to be told that it is over.
    pub fn begin(&self, id: Option<HeaderValue>, version: Option<HeaderValue>) -> Option<Arc<Session>> {
        self.replace(Standing::Live(Arc::new(Session::new(id, version))))
    }

    /// The session that messages belong to now. `None` before the first.
    pub fn current(&self) -> Result<Option<Arc<Session>>, Lost> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Standing::None => Ok(None),
            Standing::Live(session) => Ok(Some(session.clone())),
            Standing::Lost => Err(Lost),
        }
    }

    /// The server has forgotten `session`. False where another has begun or that was known.
    pub fn lose(&self, session: &Arc<Session>) -> bool {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = matches!(&*place, Standing::Live(live) if Arc::ptr_eq(live, session));
        if is_current {
            session.ended.send_replace(true);
            *place = Standing::Lost;
        }
        is_current
    }

    /// Ends the session; it comes back where the server has to be told.
    pub fn take(&self) -> Option<Arc<Session>> {
        self.replace(Standing::None)
    }
}
