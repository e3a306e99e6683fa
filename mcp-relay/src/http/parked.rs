//! Requests of the revisions up to 2025-11-25 whose event stream may be resumed: the answer may come on a later stream of
//! the same session, after `Last-Event-ID`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use crate::{Id, Interceptor};

/// Most requests that are kept.
const MOST: usize = 16_384;

/// Session and request.
pub(super) type Key = (HeaderValue, Id);

/// Interceptors of requests without an answer. Whoever takes one out tells it the end.
pub(super) struct Parked<I> {
    state: Arc<Mutex<State<I>>>,
    patience: Duration,
}

struct State<I> {
    waiting: HashMap<Key, Arc<I>>,
    closed: bool,
}

impl<I> Clone for Parked<I> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), patience: self.patience }
    }
}

impl<I: Interceptor> Parked<I> {
    pub fn new(patience: Duration) -> Self {
        Self { state: Arc::new(Mutex::new(State { waiting: HashMap::new(), closed: false })), patience }
    }

    /// Keeps an interceptor, its stream being open still: a client may resume before we notice that its connection is gone.
    /// False where there is no place for it.
    pub fn keep(&self, key: &Key, interceptor: &Arc<I>) -> bool {
        let mut state = self.locked();
        if state.closed || state.waiting.len() >= MOST {
            return false;
        }
        match state.waiting.entry(key.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(interceptor.clone());
                true
            }
        }
    }

    /// The stream ended: the wait is no longer than for the time that was set.
    pub fn expire(&self, key: Key) {
        let of = match self.locked().waiting.get(&key) {
            Some(interceptor) => Arc::downgrade(interceptor),
            None => return,
        };
        let parked = self.clone();
        let expiry = async move {
            tokio::time::sleep(parked.patience).await;
            let expired = match parked.locked().waiting.entry(key) {
                // Another request may have come by the same id meanwhile.
                Entry::Occupied(place) if std::ptr::eq(Arc::as_ptr(place.get()), of.as_ptr()) => Some(place.remove()),
                _ => None,
            };
            if let Some(interceptor) = expired {
                let _ = interceptor.server_gone(None).await;
            }
        };
        tokio::spawn(expiry);
    }

    /// The interceptor of the request that an answer is to.
    pub fn take(&self, key: &Key) -> Option<Arc<I>> {
        self.locked().waiting.remove(key)
    }

    /// A session ended, and with it every wait.
    pub async fn end(&self, session: &HeaderValue) {
        let ended: Vec<Arc<I>> =
            self.locked().waiting.extract_if(|(of, _), _| of == session).map(|(_, interceptor)| interceptor).collect();
        for interceptor in ended {
            let _ = interceptor.server_gone(None).await;
        }
    }

    /// Nothing more will come.
    pub async fn end_all(&self) {
        let ended = {
            let mut state = self.locked();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        for interceptor in ended.into_values() {
            let _ = interceptor.server_gone(None).await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
