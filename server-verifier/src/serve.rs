//! The guard at work: in front of a server over stdio, or as an HTTP server in front of one.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use mcp_relay::Exit;
use mcp_relay::http::gateway::{Gateway, GatewayOptions};
use mcp_relay::http::{
    Backend, Callers, Endpoint, HostName, Listener, Relay, TlsError, Upstream, UpstreamError, told_to_stop,
};
use mcp_relay::stdio::{self, Client, Sighup};

use crate::config::{Config, Http};
use crate::exchanges::Guards;
use crate::gate::{Gate, GateError};
use crate::guard::Guard;
use crate::metrics::serve::Bound;
use crate::reload::Reloading;

/// Why a guard could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The gate did not open.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The relay failed.
    #[error(transparent)]
    Relay(#[from] stdio::RelayError),
    /// The address of the server behind.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// TLS towards clients.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address to listen on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A server behind that looks at no names, reachable from other machines.
    #[error(
        "{0} is reachable from other machines; write the names by which callers know this server in guard.toml: [http] hosts = [\"mcp.example.com\"]"
    )]
    NoHosts(SocketAddr),
    /// Counters for other machines, without the names that these know us by.
    #[error(
        "metrics on {0} could be read from other machines; listen on 127.0.0.1, or write the names by which they know this one in guard.toml: [metrics] hosts = [\"guard.example.com\"]"
    )]
    MetricsForAll(SocketAddr),
    /// Signals, or the process's limits.
    #[error("cannot set up the guard: {0}")]
    Setup(#[source] std::io::Error),
}

fn warn_of_anything(config: &Config) {
    for (agent, component) in config.trust.anything_goes() {
        tracing::warn!("any {component} of the agent {agent:?} is accepted, because the configuration says \"any\"");
    }
    for agent in config.trust.any_start() {
        tracing::warn!(
            "the machine of the agent {agent:?} may be started in any way, because the configuration says \"any\""
        );
    }
}

/// Runs `server` behind a gate, for the client on our own standard input and output, until it ends.
pub async fn over_stdio(config: Config, server: Command) -> Result<Exit, GuardError> {
    warn_of_anything(&config);
    let reloading = Reloading::of(&config).map_err(GuardError::Setup)?;
    let options = stdio::Options {
        sighup: Sighup::Kept,
        client_line_limit: config.max_request,
        server_line_limit: config.max_answer,
        ..stdio::Options::default()
    };
    let metrics = Bound::of(&config.metrics).await?;
    let gate = Arc::new(Gate::open(config).await?);
    let _kept = reloading.keep(gate.clone());
    let _shown = metrics.map(|bound| bound.serve(gate.clone()));
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    let exit = stdio::run(server, client, Guard::new(gate.clone()), options).await;
    gate.close().await;
    Ok(exit?)
}

/// What stands behind a guard that listens.
#[derive(Debug)]
pub enum Behind {
    /// The MCP endpoint at this URL.
    Url(String),
    /// A server that speaks stdio, started by this command: program and arguments.
    Command(Vec<OsString>),
}

/// Listens on `address` until SIGTERM or SIGINT, with a gate in front of what stands behind. `ready` is told the
/// endpoint's URL.
pub async fn over_http(
    config: Config,
    address: SocketAddr,
    behind: Behind,
    ready: impl FnOnce(&str),
) -> Result<(), GuardError> {
    warn_of_anything(&config);
    let http = config.http.clone();
    let known = http.hosts.clone().map(Callers::Knowing);
    match behind {
        Behind::Url(url) => {
            let upstream = Upstream::new(&url, HostName::Clients, http.upstream_roots.as_deref())?;
            let path = upstream.path().to_owned();
            serve(config, http, address, upstream, path, known.unwrap_or(Callers::Anybody), ready).await
        }
        Behind::Command(words) => {
            // Nobody behind looks at names, so we do.
            let callers = match known {
                Some(callers) => callers,
                None if address.ip().is_loopback() => Callers::of_this_machine(),
                None => return Err(GuardError::NoHosts(address)),
            };
            let defaults = GatewayOptions::default();
            let options = GatewayOptions {
                max_answer: http.limits.answer,
                sessions: http.sessions.unwrap_or(defaults.sessions),
                keep_alive: http.limits.keep_alive,
                ..defaults
            };
            let command = move || {
                let mut words = words.iter();
                let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
                command.args(words);
                command
            };
            let gateway = Gateway::new(command, options);
            let served = serve(config, http, address, gateway.clone(), "/mcp".to_owned(), callers, ready).await;
            gateway.close().await;
            served
        }
    }
}

async fn serve(
    config: Config,
    http: Http,
    address: SocketAddr,
    behind: impl Backend,
    path: String,
    callers: Callers,
    ready: impl FnOnce(&str),
) -> Result<(), GuardError> {
    let listen = |source| GuardError::Listen { address, source };
    // Before anything is promised: the address may be taken, the certificate unreadable.
    let mut listener = Listener::bind(address).await.map_err(listen)?;
    if let Some((certificate, key)) = http.tls() {
        listener = listener.with_tls(certificate, key)?;
    }
    let stop = told_to_stop(Sighup::Kept).map_err(GuardError::Setup)?;
    let reloading = Reloading::of(&config).map_err(GuardError::Setup)?;
    let metrics = Bound::of(&config.metrics).await?;
    let gate = Arc::new(Gate::open(config).await?);
    let _kept = reloading.keep(gate.clone());
    let _shown = metrics.map(|bound| bound.serve(gate.clone()));
    let url = format!("{}://{}{path}", listener.scheme(), listener.address().map_err(listen)?);
    let relay = Relay::new(behind, Guards(gate.clone()), Endpoint::Path(path), callers, http.limits);
    ready(&url);
    let ending = gate.clone();
    let stop = async move {
        stop.await;
        ending.holds.close();
    };
    listener.serve(relay.clone(), &http.limits, stop).await;
    relay.close().await;
    gate.close().await;
    Ok(())
}
