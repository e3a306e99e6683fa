//! The relay with an interceptor that passes everything: `mcp-relay-bare COMMAND [ARG...]` over stdio,
//! `mcp-relay-bare --listen ADDRESS --upstream URL` over HTTP.

use std::io::{self, Write};
use std::process::{Command, ExitCode};

use mcp_relay::PassThrough;
use mcp_relay::http::{Callers, Endpoint, Exchanges, HostName, Limits, Listener, Relay, Upstream};
use mcp_relay::stdio::{Client, Options, RelayError, run};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(program) = args.next() else {
        return refuse("no server given; usage: mcp-relay-bare COMMAND [ARG...] | --listen ADDRESS --upstream URL", 2);
    };
    if program == "--listen" {
        let words: Vec<String> = args.filter_map(|word| word.into_string().ok()).collect();
        return match words.as_slice() {
            [address, flag, upstream] if flag == "--upstream" => match serve(address, upstream) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => refuse(&error.to_string(), 1),
            },
            _ => refuse("usage: mcp-relay-bare --listen ADDRESS --upstream URL", 2),
        };
    }
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

struct Bare;

impl Exchanges for Bare {
    type Interceptor = PassThrough;

    fn open(&self, _: &http::request::Parts) -> PassThrough {
        PassThrough
    }
}

fn serve(address: &str, upstream: &str) -> Result<(), Box<dyn std::error::Error>> {
    let upstream = Upstream::new(upstream, HostName::Clients, None)?;
    let endpoint = Endpoint::Path(upstream.path().to_owned());
    let limits = Limits::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = Listener::bind(address.parse()?).await?;
        writeln!(io::stdout(), "http://{}{}", listener.address()?, upstream.path())?;
        let relay = Relay::new(upstream, Bare, endpoint, Callers::Anybody, limits);
        listener.serve(relay, &limits, std::future::pending()).await;
        Ok(())
    })
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
