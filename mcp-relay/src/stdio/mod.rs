//! The stdio transport: the client on this process's standard input and output, the server a child process or a part of
//! this one that reads and writes lines.
//!
//! One task moves everything. Lines are taken from each side, given to the interceptor, and their results applied in
//! order, but for a request that waits for somebody outside ([`Wait`](crate::Wait)); each side stops being read while its results or the other side's pipe are full, so a slow reader slows the
//! writer down exactly as a pipe between the two would.
//!
//! How it ends:
//! - The client closes its end: the server's standard input closes, and the relay waits for the server to exit.
//! - The server exits: what it wrote is delivered, then the relay ends with the server's code.
//! - The server closes its standard output while the client is there, or the client stops reading: the server's standard
//!   input closes; it has [`Options::grace`] to exit, then as long again after SIGTERM, then SIGKILL.
//! - The relay is killed: the server's standard input closes. A server that ignores that lives on; this crate has no
//!   unsafe code to ask the kernel for more.
//!
//! A server in this process exits by dropping its output, with code 0. SIGTERM, SIGINT and SIGHUP close its input as the
//! client's leaving does, and then, or where it would have got SIGTERM, it has [`Options::grace`] before the relay ends
//! without it.

mod client;
mod ending;
mod engine;
mod fds;
mod in_order;
mod in_process;
mod inlet;
pub(crate) mod lines;
mod outlet;
mod process;
mod server;
mod signals;
mod source;
mod waiting;

use std::ffi::OsString;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Duration;

pub use client::Client;
pub use in_process::InProcess;
pub use process::beside;
pub use signals::{Sighup, ignores_sighup};

use crate::{Exit, Interceptor};
use engine::Engine;
use inlet::Inlet;
use outlet::Outlet;
use server::Server;
use source::Source;

/// Limits of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes in a client's line, ending not counted; a longer one is a [`Defect::TooLong`](crate::Defect::TooLong).
    pub client_line_limit: usize,
    /// Most bytes in a server's line, ending not counted; a longer one ends the relay.
    pub server_line_limit: usize,
    /// Most lines of one direction whose results are not applied yet. With that many, that side is not read.
    pub in_flight: NonZeroUsize,
    /// The same in bytes. One line of any size is always taken.
    pub in_flight_bytes: usize,
    /// How long a server that should end may take, before SIGTERM and again before SIGKILL. Also how long, once the server
    /// is gone, the interceptor may take without any progress.
    pub grace: Duration,
    /// Whose SIGHUP is.
    pub sighup: Sighup,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_line_limit: 4 << 20,
            server_line_limit: 64 << 20,
            in_flight: NonZeroUsize::MIN.saturating_add(255),
            in_flight_bytes: 16 << 20,
            grace: Duration::from_secs(5),
            sighup: Sighup::default(),
        }
    }
}

/// Why a relay could not do its work. The server's own failure is an [`Exit`], not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The server could not be started.
    #[error("cannot start the server {program:?}: {source}; check that the program exists and may be executed")]
    Spawn {
        /// The program as given.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// Pipes, signal handlers or the client's descriptors could not be set up.
    #[error("cannot set up the relay: {0}")]
    Setup(#[source] io::Error),
    /// The server's end could not be awaited.
    #[error("cannot wait for the server: {0}")]
    Wait(#[source] io::Error),
    /// The server wrote a line longer than the limit, and was ended.
    #[error("the server wrote a line longer than {limit} bytes; raise the limit or have the server page its results")]
    ServerLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The interceptor gave bytes with a line ending in them, and the server was ended.
    #[error("the interceptor gave bytes that are not one line; nothing of them was sent")]
    NotOneLine,
}

/// Starts `command` as the server and relays between it and `client` until the server has ended.
///
/// Standard input and output of `command` are replaced, all else (its standard error, directory, environment) is as given.
/// SIGINT, SIGTERM and SIGHUP are taken over for this process and passed to the server. Must be called in a tokio runtime
/// with I/O and time enabled; one thread gives the least delay. If the returned future is dropped the server is ended as if
/// the client had gone.
pub async fn run(
    command: Command,
    client: Client,
    interceptor: impl Interceptor,
    options: Options,
) -> Result<Exit, RelayError> {
    relay(client, || process::start(command, options.grace, options.sighup), interceptor, options).await
}

/// Relays between `client` and a server in this process until the server has ended.
///
/// The server runs elsewhere in the same runtime, on the ends that [`InProcess::new`] gave out; dropping its output is its
/// end, and the relay's with [`Exit::Code`] 0. One that does not end in its time is left behind and counts as
/// [`Exit::Signal`] 15. SIGINT, SIGTERM and SIGHUP are taken over for this process. If the returned future is dropped the
/// server's input ends.
pub async fn run_with(
    server: InProcess,
    client: Client,
    interceptor: impl Interceptor,
    options: Options,
) -> Result<Exit, RelayError> {
    relay(client, || in_process::start(server, options.grace, options.sighup), interceptor, options).await
}

/// The client's descriptors are looked at first: where they are unfit, no server is started.
async fn relay(
    client: Client,
    start: impl FnOnce() -> Result<Server, RelayError>,
    interceptor: impl Interceptor,
    options: Options,
) -> Result<Exit, RelayError> {
    let input = Source::shared(client.input).map_err(RelayError::Setup)?;
    let output = Outlet::shared(client.output).map_err(RelayError::Setup)?;
    let server = start()?;
    let input = Inlet::new(input, options.client_line_limit);
    let mut engine = Engine::new(input, output, server, interceptor, options);
    poll_fn(|cx| engine.poll(cx)).await
}
