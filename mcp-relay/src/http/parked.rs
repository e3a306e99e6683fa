//! Requests of the revisions up to 2025-11-25 whose event stream ended before their answer: it may come on a later stream
//! of the same session, after `Last-Event-ID`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use crate::{Id, Interceptor};

/// Most requests that are kept.
const MOST: usize = 4_096;

type Key = (HeaderValue, Id);

/// Interceptors that wait for the answer to their request, by session and request.
pub(super) struct Parked<I> {
    waiting: Arc<Mutex<HashMap<Key, Arc<I>>>>,
    patience: Duration,
}

impl<I> Clone for Parked<I> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone(), patience: self.patience }
    }
}

impl<I: Interceptor> Parked<I> {
    pub fn new(patience: Duration) -> Self {
        Self { waiting: Arc::default(), patience }
    }

    /// Keeps an interceptor until the answer comes, or for as long as is waited.
    pub async fn park(&self, session: HeaderValue, id: Id, interceptor: Arc<I>) {
        let key = (session, id);
        let before = {
            let mut waiting = self.locked();
            if waiting.len() >= MOST { Some(interceptor) } else { waiting.insert(key.clone(), interceptor) }
        };
        // The one that has no place, or that had it, will see no answer.
        if let Some(interceptor) = before {
            let _ = interceptor.server_gone(None).await;
        }
        let parked = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(parked.patience).await;
            let expired = parked.locked().remove(&key);
            if let Some(interceptor) = expired {
                let _ = interceptor.server_gone(None).await;
            }
        });
    }

    /// The interceptor of the request that an answer is to.
    pub fn take(&self, session: &HeaderValue, id: &Id) -> Option<Arc<I>> {
        self.locked().remove(&(session.clone(), id.clone()))
    }

    /// A session ended, and with it every wait.
    pub async fn end(&self, session: &HeaderValue) {
        let ended: Vec<Arc<I>> = {
            let mut waiting = self.locked();
            waiting.extract_if(|(of, _), _| of == session).map(|(_, interceptor)| interceptor).collect()
        };
        for interceptor in ended {
            let _ = interceptor.server_gone(None).await;
        }
    }

    /// Nothing more will come.
    pub async fn end_all(&self) {
        let ended = std::mem::take(&mut *self.locked());
        for interceptor in ended.into_values() {
            let _ = interceptor.server_gone(None).await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Key, Arc<I>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
