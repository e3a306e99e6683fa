//! What the tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use mcp_relay::stdio::{Client, InProcess, Options, RelayError, run, run_with};
use mcp_relay::{Exit, Interceptor};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::JoinHandle;

/// A server that is a Python program.
pub fn python(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", program]);
    command
}

/// A server that sends back each line as it came.
pub fn echo() -> Command {
    Command::new("cat")
}

/// The relay as a process in front of `server`.
pub fn relayed(server: &Command) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-relay-bare"));
    command.arg(server.get_program()).args(server.get_args());
    command
}

/// Waits for what must happen, so that a promise broken by hanging fails a test as any other does. A minute is far beyond
/// what anything here takes.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it must happen")
}

/// The relay as a task of the test, with the test as its client.
pub struct Session {
    to: Option<Sender>,
    pub from: BufReader<Receiver>,
    pub relay: JoinHandle<Result<Exit, RelayError>>,
}

impl Session {
    pub fn start(server: Command, interceptor: impl Interceptor, options: Options) -> Self {
        Self::of(|client| tokio::spawn(run(server, client, interceptor, options)))
    }

    /// In front of a server in this process; its ends of the pipes come with the session.
    pub fn in_process(interceptor: impl Interceptor, options: Options) -> (Self, Receiver, Sender) {
        let (server, input, output) = InProcess::new().unwrap();
        (Self::of(|client| tokio::spawn(run_with(server, client, interceptor, options))), input, output)
    }

    fn of(relay: impl FnOnce(Client) -> JoinHandle<Result<Exit, RelayError>>) -> Self {
        let (relay_reads, to) = std::io::pipe().unwrap();
        let (from, relay_writes) = std::io::pipe().unwrap();
        Self {
            relay: relay(Client::new(relay_reads.into(), relay_writes.into())),
            to: Some(Sender::from_owned_fd(OwnedFd::from(to)).unwrap()),
            from: BufReader::new(Receiver::from_owned_fd(OwnedFd::from(from)).unwrap()),
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// Fails once the relay has closed its end.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        soon(self.to.as_mut().unwrap().write_all(bytes.as_ref())).await
    }

    /// The next line, with its ending; empty at the end.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.from.read_line(&mut line)).await.unwrap();
        line
    }

    /// Closes the client's writing end.
    pub fn hang_up(&mut self) {
        self.to = None;
    }

    /// Closes the client's writing end; what else the relay writes, and how it ends.
    pub async fn finish(mut self) -> (String, Result<Exit, RelayError>) {
        self.hang_up();
        self.rest().await
    }

    /// What else the relay writes, and how it ends, the client's writing end being left open.
    pub async fn rest(mut self) -> (String, Result<Exit, RelayError>) {
        let mut rest = Vec::new();
        soon(self.from.read_to_end(&mut rest)).await.unwrap();
        (String::from_utf8(rest).unwrap(), soon(self.relay).await.unwrap())
    }

    /// The client is gone for reading, and still there for writing.
    pub fn stop_reading(self) -> (Sender, JoinHandle<Result<Exit, RelayError>>) {
        (self.to.unwrap(), self.relay)
    }
}
