//! The clients that listen for changes (2026-07-28: `subscriptions/listen`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::service::{SubscriptionContext, SubscriptionSink};

/// What changes at this server's own wish, since nothing in it really does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Tools,
    Prompts,
}

#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    sinks: BTreeMap<u64, SubscriptionSink>,
}

/// Takes the sink out again also when the request's task is dropped and not only when it is cancelled.
struct Entry<'a>(&'a Subscribers, u64);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.open().sinks.remove(&self.1);
    }
}

impl Subscribers {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the subscription until its client ends it.
    pub(super) async fn hold(&self, context: &SubscriptionContext) {
        let key = {
            let mut open = self.open();
            open.last += 1;
            let key = open.last;
            open.sinks.insert(key, context.sink().clone());
            key
        };
        let _entry = Entry(self, key);
        context.cancelled().await;
    }

    /// Tells those who asked for it. A sink that is gone is no failure of the tool that caused the change.
    pub(super) async fn tell(&self, change: Change) {
        let sinks: Vec<_> = self.open().sinks.values().cloned().collect();
        for sink in sinks {
            let _ = match change {
                Change::Tools => sink.notify_tool_list_changed().await,
                Change::Prompts => sink.notify_prompt_list_changed().await,
            };
        }
    }
}
