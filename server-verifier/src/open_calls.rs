//! What the server behind is working on, for the signer of an agent that is that server: the decision over the one call that is open.
//!
//! A program that does not hand on what it is told ([`tell_server`](crate::config::Flow)) need not: its signer asks here. Whoever may
//! connect reads one JSON object, `{"open":N}` with `"cause"` beside it where N is 1, and is answered without having said anything.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_relay::local::{Users, listen};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// `[open_calls]` in `guard.toml`.
///
/// Trust sentence: whoever may connect can make calls on behalf of whoever asks this server at that moment, with the authority that he passed
/// on; it belongs to the signer of the agent behind, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCallsTable {
    /// Where to listen: a Unix socket.
    pub socket: PathBuf,
    /// User ids that may ask, beside the guard's own.
    #[serde(default)]
    pub allow_users: Vec<u32>,
}

/// How long somebody may take to read a few KiB.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a connection could not be taken, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The calls that were let through and have no end yet.
#[derive(Debug, Default)]
pub(crate) struct OpenCalls(Mutex<(u64, BTreeMap<u64, Arc<str>>)>);

/// A call that is listed until this goes.
#[derive(Debug)]
pub(crate) struct Listed {
    of: Arc<OpenCalls>,
    number: u64,
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Listed {}

impl OpenCalls {
    /// One more is open; `told` is the member that its server is told.
    pub fn open(self: &Arc<Self>, told: &str) -> Listed {
        let mut held = self.held();
        held.0 += 1;
        let number = held.0;
        held.1.insert(number, told.into());
        Listed { of: self.clone(), number }
    }

    fn text(&self) -> String {
        let held = self.held();
        match (held.1.len(), held.1.values().next()) {
            (1, Some(told)) => format!("{{\"cause\":{told},\"open\":1}}"),
            (open, _) => format!("{{\"open\":{open}}}"),
        }
    }

    fn held(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Arc<str>>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.of.held().1.remove(&self.number);
    }
}

/// The socket; it ends when this goes.
pub(crate) struct Shown {
    pub calls: Arc<OpenCalls>,
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Shown {
    /// Listens.
    pub fn start(table: &OpenCallsTable) -> io::Result<Self> {
        let allowed = Users::own_and(table.allow_users.clone());
        let listener = listen(&table.socket, &allowed)?;
        let calls = Arc::new(OpenCalls::default());
        let task = tokio::spawn(serve(listener, calls.clone(), allowed));
        Ok(Self { calls, path: table.socket.clone(), task })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, calls: Arc<OpenCalls>, allowed: Users) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match stream.peer_cred() {
            Ok(peer) if allowed.admit(peer.uid()) => {
                tokio::spawn(tokio::time::timeout(PATIENCE, answer(stream, calls.text())));
            }
            Ok(peer) => tracing::warn!("user {} asked which calls are open, and is not told", peer.uid()),
            Err(error) => tracing::warn!("somebody asked which calls are open, and cannot be known: {error}"),
        }
    }
}

async fn answer(mut stream: UnixStream, text: String) {
    // Whoever does not listen is not told.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

impl OpenCallsTable {
    /// With the path relative to `folder`.
    pub(crate) fn within(self, folder: &Path) -> Self {
        Self { socket: folder.join(self.socket), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_shown_while_exactly_one_call_is_open() {
        let calls = Arc::new(OpenCalls::default());
        assert_eq!(calls.text(), r#"{"open":0}"#);
        let first = calls.open(r#"{"decision":"a"}"#);
        assert_eq!(calls.text(), r#"{"cause":{"decision":"a"},"open":1}"#);
        let second = calls.open(r#"{"decision":"b"}"#);
        assert_eq!(calls.text(), r#"{"open":2}"#);
        drop(first);
        assert_eq!(calls.text(), r#"{"cause":{"decision":"b"},"open":1}"#);
        drop(second);
        assert_eq!(calls.text(), r#"{"open":0}"#);
    }
}
