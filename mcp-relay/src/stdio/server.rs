//! The server as the relay sees it, whatever stands behind the pipes.

use std::io;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::outlet::Outlet;
use super::source::Source;
use crate::Exit;

/// A running server: a process ([`process`](super::process)) or a part of this one ([`in_process`](super::in_process)).
pub(super) struct Server {
    /// Its standard input. Nobody else holds this end, so it closes with the relay, however the relay ends.
    pub stdin: Outlet,
    /// Its standard output.
    pub stdout: Source,
    /// Resolves when it has ended. A task of its own: nothing in it happens per message, so the relay's task need not look
    /// at it each time.
    pub exit: JoinHandle<io::Result<Exit>>,
    /// Dropped to have the server ended, by force if need be.
    pub lease: oneshot::Sender<()>,
    /// Resolves when the server has to be ended as if the client had left: a signal came, and there is no process to pass
    /// it to. `None` where there is one.
    pub dismissal: Option<oneshot::Receiver<()>>,
}
