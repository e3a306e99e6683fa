//! A child process: started, written to, read line by line, ended in order.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::options::GatewayOptions;
use super::problem::Problem;

/// Lines that wait for a child to read them. Past that, who has one more waits too.
const TO_CHILD: usize = 64;

/// Starts children and knows how many live.
pub(super) struct Household {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    max_line: usize,
    grace: Duration,
    living: watch::Sender<usize>,
    closed: watch::Sender<bool>,
}

/// Where a child's lines go.
pub(super) trait Listener: Send + Sync + 'static {
    /// One line, without its ending. Must not block.
    fn line(&self, line: &[u8]);
    /// No more lines will come.
    fn ended(&self);
}

/// A running child. Dropped, its standard input closes and it has to end.
pub(super) struct Child {
    lines: mpsc::Sender<Bytes>,
    _lease: oneshot::Sender<()>,
}

impl Child {
    /// Takes lines for the child's standard input, without their ending.
    pub fn lines(&self) -> &mpsc::Sender<Bytes> {
        &self.lines
    }
}

impl Household {
    pub fn new(command: impl Fn() -> Command + Send + Sync + 'static, options: GatewayOptions) -> Self {
        Self {
            command: Box::new(command),
            max_line: options.max_answer,
            grace: options.grace,
            living: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        }
    }

    /// Starts no more children.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Returns when no child lives.
    pub async fn wait_empty(&self) {
        // The sender is ours, so waiting cannot fail.
        let _ = self.living.subscribe().wait_for(|living| *living == 0).await;
    }

    /// Starts a child. Its lines come to `listener` in order, from one task.
    pub fn start(self: &Arc<Self>, listener: impl Listener) -> Result<Child, Problem> {
        if *self.closed.borrow() {
            return Err(Problem::Closing);
        }
        let (child, stdin, stdout) = self.spawn().map_err(|error| {
            tracing::error!(%error, "the MCP server cannot be started; check that the program exists and may be executed");
            Problem::NotStarted
        })?;
        let (lines, queue) = mpsc::channel(TO_CHILD);
        let (lease, expired) = oneshot::channel();
        self.living.send_modify(|living| *living += 1);
        let alive = Alive(self.clone());
        tokio::spawn(write(stdin, queue));
        let (grace, limit) = (self.grace, self.max_line);
        tokio::spawn(async move {
            let _alive = alive;
            attend(child, stdout, listener, expired, grace, limit).await;
        });
        Ok(Child { lines, _lease: lease })
    }

    fn spawn(&self) -> io::Result<(tokio::process::Child, ChildStdin, ChildStdout)> {
        let mut command = tokio::process::Command::from((self.command)());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok((child, stdin, stdout)),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Counted among the living.
struct Alive(Arc<Household>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.living.send_modify(|living| *living = living.saturating_sub(1));
    }
}

/// Writes lines until there will be no more or the child stops reading; then its standard input closes.
async fn write(mut stdin: ChildStdin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(line) = queue.recv().await {
        if stdin.write_all(&line).await.is_err() || stdin.write_all(b"\n").await.is_err() {
            return;
        }
    }
}

/// Reads lines until the child is gone, and sees to its end.
async fn attend(
    child: tokio::process::Child,
    stdout: ChildStdout,
    listener: impl Listener,
    expired: oneshot::Receiver<()>,
    grace: Duration,
    limit: usize,
) {
    let (silent, fell_silent) = oneshot::channel::<()>();
    let ending = async {
        tokio::select! { _ = expired => {}, _ = fell_silent => {} }
    };
    let mut reading = std::pin::pin!(read(stdout, &listener, limit));
    let mut living = std::pin::pin!(end(child, ending, grace));
    tokio::select! {
        () = &mut reading => {
            // Nobody can answer any more, whether the process lives or not.
            listener.ended();
            drop(silent);
            living.await;
        }
        () = &mut living => {
            // Its last words are in the pipe. A process that it left behind may hold the pipe open without end.
            let _ = timeout(grace, &mut reading).await;
            listener.ended();
        }
    }
}

/// Gives each line to `listener` until the end, or until one is longer than `limit`.
async fn read(stdout: ChildStdout, listener: &impl Listener, limit: usize) {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    let mut line = Vec::new();
    // Room for the content and for CR LF.
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(2);
    loop {
        line.clear();
        match (&mut stdout).take(room).read_until(b'\n', &mut line).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the MCP server's output cannot be read; it is ended");
                return;
            }
        }
        let content = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(&line);
        if content.len() > limit {
            tracing::error!(
                limit,
                "the MCP server wrote a line longer than the limit and is ended; raise the limit or page its results"
            );
            return;
        }
        if !content.trim_ascii().is_empty() {
            listener.line(content);
        }
        // One long line should not keep its memory for the life of the child.
        line.shrink_to(64 * 1024);
    }
}

/// Waits for the child's end. After `ending` it has `grace` to end by itself, then as long again after SIGTERM, then it is
/// killed.
async fn end(mut child: tokio::process::Child, ending: impl Future<Output = ()>, grace: Duration) {
    // Nothing but `child.wait()` reaps the process, and nothing is sent after it has: the id cannot have passed on.
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let send = |signal| pid.map_or(Ok(()), |pid| kill_process(pid, signal)).unwrap_or(());
    let force = async {
        ending.await;
        sleep(grace).await;
        send(Signal::TERM);
        sleep(grace).await;
        send(Signal::KILL);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        status = child.wait() => match status {
            Ok(status) => tracing::debug!(%status, "the MCP server ended"),
            Err(error) => tracing::warn!(%error, "the MCP server's end cannot be awaited"),
        },
        () = force => {}
    }
}
