//! The gate inside a server that speaks stdio: between this process's standard input and output and the server's own code.

use std::sync::Arc;

use mcp_relay::Exit;
use mcp_relay::http::Limits;
use mcp_relay::stdio::{self, Client, InProcess, RelayError};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::JoinHandle;

use crate::attested::Calls;
use crate::gate::Gate;
use crate::guard::Guard;

/// What a server serves in place of its standard input and output: with rmcp, `serve((filter.input, filter.output))`.
///
/// Only what the gate lets in comes out of `input`. Nothing else may use standard input and output meanwhile.
#[derive(Debug)]
pub struct Filter {
    /// Where the server reads its lines.
    pub input: Receiver,
    /// Where it writes its lines.
    pub output: Sender,
    /// Who makes the calls that come out of `input`.
    pub calls: Calls,
    /// Resolves when the server has dropped its ends, and the last line has been handled.
    pub ended: JoinHandle<Result<Exit, RelayError>>,
}

impl Filter {
    /// Puts the gate in front of standard input and output. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// Where the system has no more descriptors.
    pub fn new(gate: Arc<Gate>) -> Result<Self, RelayError> {
        let (server, input, output) = InProcess::new().map_err(RelayError::Setup)?;
        let client = Client::stdio().map_err(RelayError::Setup)?;
        let Limits { request, answer, .. } = *gate.limits();
        let options =
            stdio::Options { client_line_limit: request, server_line_limit: answer, ..stdio::Options::default() };
        let guard = Guard::new(gate);
        let calls = guard.calls();
        let ended = tokio::spawn(stdio::run_with(server, client, guard, options));
        Ok(Self { input, output, calls, ended })
    }
}
