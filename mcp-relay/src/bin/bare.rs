//! `mcp-relay-bare COMMAND [ARG...]`: the relay with an interceptor that passes everything.

use std::io::{self, Write};
use std::process::{Command, ExitCode};

use mcp_relay::PassThrough;
use mcp_relay::stdio::{Client, Options, RelayError, run};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(program) = args.next() else {
        return refuse("no server given; usage: mcp-relay-bare COMMAND [ARG...]", 2);
    };
    let mut command = Command::new(program);
    command.args(args);
    match relay(command) {
        Ok(code) => ExitCode::from(code),
        // As shells do: 127 where there is no such program, 126 where it cannot be executed.
        Err(error @ RelayError::Spawn { .. }) => {
            let RelayError::Spawn { source, .. } = &error else {
                return ExitCode::FAILURE;
            };
            let code = if source.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            refuse(&error.to_string(), code)
        }
        Err(error) => refuse(&error.to_string(), 1),
    }
}

fn relay(command: Command) -> Result<u8, RelayError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RelayError::Setup)?;
    let client = Client::stdio().map_err(RelayError::Setup)?;
    runtime.block_on(run(command, client, PassThrough, Options::default())).map(mcp_relay::Exit::code)
}

fn refuse(message: &str, code: u8) -> ExitCode {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "mcp-relay-bare: {message}");
    ExitCode::from(code)
}
