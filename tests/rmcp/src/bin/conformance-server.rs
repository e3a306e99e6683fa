//! The server that the conformance suite is run against.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use attest_rmcp::serve::{listen, serve, stop_at_signal, url};
use attest_rmcp::server::{Fixture, service};
use clap::Parser;
use rmcp::ServiceExt as _;
use server_verifier::{AttestLayer, Config, Filter, Gate};
use tower_layer::Layer as _;

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
    /// Let in only what a gate with this configuration lets in: as a layer over HTTP, as a filter over stdio.
    #[arg(long, value_name = "GUARD.TOML")]
    gate: Option<PathBuf>,
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
    let gate = match &options.gate {
        Some(config) => Some(Arc::new(Gate::open(Config::read(config)?).await?)),
        None => None,
    };
    if options.stdio {
        match gate.clone() {
            Some(gate) => {
                let filter = Filter::new(gate)?;
                fixture.session().serve((filter.input, filter.output)).await?.waiting().await?;
                filter.ended.await??;
            }
            None => drop(fixture.session().serve(rmcp::transport::stdio()).await?.waiting().await?),
        }
    } else {
        let stop = stop_at_signal()?;
        let listener = listen(options.listen).await?;
        announce(&url(&listener)?);
        let service = service(&fixture, &stop);
        match gate.clone() {
            Some(gate) => serve(listener, AttestLayer::new(gate).layer(service), stop).await?,
            None => serve(listener, service, stop).await?,
        }
    }
    if let Some(gate) = gate {
        gate.close().await;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "whoever started this reads the URL there")]
fn announce(url: &str) {
    println!("{url}");
}

#[expect(clippy::print_stderr, reason = "stdout is for the URL")]
fn complain(error: &dyn Error) {
    eprintln!("conformance-server: {error}");
}
