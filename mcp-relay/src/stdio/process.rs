//! A server that is a child process: started, signalled, ended, waited for.

use std::io;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::RelayError;
use super::outlet::Outlet;
use super::server::Server;
use super::signals::{Sighup, Signals};
use super::source::Source;
use crate::Exit;

/// Starts `command` with pipes for its standard input and output; the rest of it is the caller's.
pub(super) fn start(mut command: Command, grace: Duration, sighup: Sighup) -> Result<Server, RelayError> {
    let (stdin_reader, stdin) = io::pipe().map_err(RelayError::Setup)?;
    let (stdout, stdout_writer) = io::pipe().map_err(RelayError::Setup)?;
    let stdin = Outlet::own(stdin).map_err(RelayError::Setup)?;
    let stdout = Source::own(stdout).map_err(RelayError::Setup)?;
    let signals = Signals::listen(sighup).map_err(RelayError::Setup)?;
    command.stdin(stdin_reader).stdout(stdout_writer);
    let program = command.get_program().to_owned();
    let mut command = tokio::process::Command::from(command);
    let child = command.spawn().map_err(|source| RelayError::Spawn { program, source })?;
    // It still holds the server's ends of the pipes, which would keep them from ever reporting the end.
    drop(command);
    let (lease, expired) = oneshot::channel();
    let exit = tokio::spawn(supervise(child, signals, expired, grace));
    Ok(Server { stdin, stdout, exit, lease, dismissal: None })
}

/// Runs `command` to its end, on our own standard input and output, and passes signals on to it.
///
/// # Errors
/// [`RelayError::Spawn`], [`RelayError::Setup`] and [`RelayError::Wait`].
pub async fn beside(command: Command) -> Result<Exit, RelayError> {
    let signals = Signals::listen(Sighup::Passed).map_err(RelayError::Setup)?;
    let program = command.get_program().to_owned();
    let child = tokio::process::Command::from(command).spawn();
    let child = child.map_err(|source| RelayError::Spawn { program, source })?;
    // Nobody hurries it.
    let (_lease, expired) = oneshot::channel();
    supervise(child, signals, expired, Duration::ZERO).await.map_err(RelayError::Wait)
}

/// Passes signals on until the server has ended. Once `lease` expires the server has `grace` to end by itself, then as
/// long again after SIGTERM, then it is killed.
async fn supervise(
    mut child: Child,
    mut signals: Signals,
    lease: oneshot::Receiver<()>,
    grace: Duration,
) -> io::Result<Exit> {
    // Nothing but `child.wait()` below reaps the process, and nothing is sent after it has: the id cannot have passed to
    // another process.
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // A process that ended but is not yet reaped takes no signal. That is no error.
    let send = |signal| pid.map_or(Ok(()), |pid| kill_process(pid, signal)).unwrap_or(());
    let force = async {
        let _ = lease.await;
        sleep(grace).await;
        send(Signal::TERM);
        sleep(grace).await;
        send(Signal::KILL);
        std::future::pending::<()>().await;
    };
    tokio::pin!(force);
    loop {
        tokio::select! {
            status = child.wait() => return status.map(Exit::from),
            signal = signals.next() => send(signal),
            () = &mut force => {}
        }
    }
}
