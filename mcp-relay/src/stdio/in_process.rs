//! A server that is a part of this process.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::RelayError;
use super::fds::watch;
use super::outlet::Outlet;
use super::server::Server;
use super::signals::{Sighup, Signals};
use super::source::Source;
use crate::Exit;

/// The relay's ends of the pipes to a server in this process. For [`run_with`](super::run_with).
#[derive(Debug)]
pub struct InProcess {
    stdin: io::PipeWriter,
    stdout: io::PipeReader,
}

impl InProcess {
    /// Pipes to a server: what the relay needs, and where the server reads its lines and writes its own.
    ///
    /// The server ends by dropping the sender, as a process does by exiting: what it wrote until then still reaches the
    /// client. The receiver reports the end of input once the client has left. Must be called in a tokio runtime with I/O
    /// enabled; fails where the system has no more descriptors.
    pub fn new() -> io::Result<(Self, Receiver, Sender)> {
        let (server_reads, stdin) = io::pipe()?;
        let (stdout, server_writes) = io::pipe()?;
        let input = Receiver::from_owned_fd(OwnedFd::from(server_reads))?;
        let output = Sender::from_owned_fd(OwnedFd::from(server_writes))?;
        Ok((Self { stdin, stdout }, input, output))
    }
}

/// Takes the server's pipes into service.
pub(super) fn start(server: InProcess, grace: Duration, sighup: Sighup) -> Result<Server, RelayError> {
    let connect = || {
        // A second descriptor of the same pipe: it reports the server's end also while the relay does not read.
        let end = Hangup::of(server.stdout.try_clone()?)?;
        Ok((Outlet::own(server.stdin)?, Source::own(server.stdout)?, end, Signals::listen(sighup)?))
    };
    let (stdin, stdout, end, signals) = connect().map_err(RelayError::Setup)?;
    let (lease, expired) = oneshot::channel();
    let (dismiss, dismissal) = oneshot::channel();
    let exit = tokio::spawn(supervise(end, signals, expired, dismiss, grace));
    Ok(Server { stdin, stdout, exit, lease, dismissal: Some(dismissal) })
}

/// Waits for the server's end. From the first signal, or once `lease` expires, it has `grace` for that; a server that
/// takes longer is left to itself and counts as ended by SIGTERM, which is what a process would have got.
async fn supervise(
    end: Hangup,
    mut signals: Signals,
    lease: oneshot::Receiver<()>,
    dismiss: oneshot::Sender<()>,
    grace: Duration,
) -> io::Result<Exit> {
    let limit = async {
        tokio::select! {
            _ = lease => {}
            _ = signals.next() => {
                // A relay that no longer listens has ended.
                let _ = dismiss.send(());
            }
        }
        sleep(grace).await;
    };
    tokio::select! {
        biased;
        ended = end.wait() => ended.map(|()| Exit::Code(0)),
        () = limit => Ok(Exit::Signal(u8::try_from(Signal::TERM.as_raw()).unwrap_or(u8::MAX))),
    }
}

/// A hang-up is reported whatever one is interested in. Where there is an interest that new bytes do not meet, the waiting
/// costs nothing per message.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_BYTES: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_BYTES: Interest = Interest::READABLE;

/// Notices that nobody holds a pipe's writing end any more.
struct Hangup(AsyncFd<OwnedFd>);

impl Hangup {
    fn of(pipe: io::PipeReader) -> io::Result<Self> {
        Ok(Self(watch(pipe.into(), NO_BYTES)?))
    }

    async fn wait(&self) -> io::Result<()> {
        loop {
            let mut guard = self.0.ready(NO_BYTES).await?;
            if guard.ready().is_read_closed() {
                return Ok(());
            }
            guard.clear_ready_matching(Ready::READABLE);
            #[cfg(any(target_os = "linux", target_os = "android"))]
            guard.clear_ready_matching(Ready::PRIORITY);
        }
    }
}
