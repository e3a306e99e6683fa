//! The server that the conformance suite is run against.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use attest_rmcp::serve::{listen, serve, stop_at_signal, url};
use attest_rmcp::server::{Fixture, service};
use clap::Parser;
use rmcp::ServiceExt as _;

/// An MCP server that answers what the conformance suite asks.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one. The URL is printed when the server listens.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Serve over stdin and stdout instead.
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
    /// Append a JSON line for each tool run.
    #[arg(long, value_name = "FILE")]
    runs: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::new(options.runs.as_deref())?;
    if options.stdio {
        fixture.session().serve(rmcp::transport::stdio()).await?.waiting().await?;
        return Ok(());
    }
    let stop = stop_at_signal()?;
    let listener = listen(options.listen).await?;
    announce(&url(&listener)?);
    Ok(serve(listener, service(&fixture, &stop), stop).await?)
}

#[expect(clippy::print_stdout, reason = "whoever started this reads the URL there")]
fn announce(url: &str) {
    println!("{url}");
}

#[expect(clippy::print_stderr, reason = "stdout is for the URL")]
fn complain(error: &dyn Error) {
    eprintln!("conformance-server: {error}");
}
