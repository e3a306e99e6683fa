//! The wrap at work: in front of a server over stdio, of a remote one for an agent that speaks stdio, or of a remote one
//! for an agent that speaks HTTP.

use std::net::SocketAddr;
use std::process::Command;

use attest_trail::How;
use mcp_relay::http::bridge::{self, BridgeOptions, OwnWords};
use mcp_relay::http::{Callers, Endpoint, Limits, Listener, PeerKey, Relay, Upstream, told_to_stop};
use mcp_relay::stdio::{self, Client, InProcess, Sighup};
use mcp_relay::{Exit, Interceptor};

use crate::launch::Target;
use crate::line::Line;
use crate::wrap::{Shared, Wrap};

/// Why a wrap could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// No signer.
    #[error("{0}")]
    Signer(String),
    /// The relay failed.
    #[error(transparent)]
    Relay(#[from] stdio::RelayError),
    /// The address to listen on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// An address that other machines can reach.
    #[error(
        "{0} is reachable from other machines, and a wrap signs for whoever reaches it; listen on 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// Signal handlers.
    #[error("cannot set up the wrap: {0}")]
    Setup(#[source] std::io::Error),
}

async fn shared(
    target: Target,
    audience: String,
    how: How,
    peer: PeerKey,
    own_words: OwnWords,
) -> Result<Shared, WrapError> {
    let line = Line::open(target, audience, how, peer).await.map_err(|error| WrapError::Signer(error.to_string()))?;
    Ok(Shared::new(line, own_words))
}

/// Runs `server` with every call to it signed, for the client on our own standard input and output, until it ends.
pub async fn over_stdio(target: Target, audience: String, server: Command) -> Result<Exit, WrapError> {
    let how = How::command(std::iter::once(server.get_program()).chain(server.get_args()));
    let shared = shared(target, audience, how, PeerKey::default(), OwnWords::default()).await?;
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    let exit = stdio::run(server, client, Wrap::new(shared.clone()), stdio::Options::default()).await;
    shared.close().await;
    Ok(exit?)
}

/// Stands in front of a remote server for an agent that speaks stdio on our own standard input and output, until that ends.
pub async fn stdio_to_http(
    target: Target,
    audience: String,
    upstream: Upstream,
    limits: Limits,
) -> Result<Exit, WrapError> {
    let own_words = OwnWords::default();
    let how = How::url(&upstream.uri().to_string());
    let shared = shared(target, audience, how, upstream.peer_key(), own_words.clone()).await?;
    let exit = bridged(upstream, limits, own_words, Wrap::new(shared.clone())).await;
    shared.close().await;
    Ok(exit?)
}

/// The stdio relay on our own standard input and output, in front of a bridge to a remote server.
pub(crate) async fn bridged(
    upstream: Upstream,
    limits: Limits,
    own_words: OwnWords,
    interceptor: impl Interceptor,
) -> Result<Exit, stdio::RelayError> {
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    let (server, input, output) = InProcess::new().map_err(stdio::RelayError::Setup)?;
    let options = BridgeOptions {
        line_limit: limits.request,
        answer_limit: limits.answer,
        grace: limits.grace,
        own_words,
        ..BridgeOptions::new(upstream.uri())
    };
    let lines = stdio::Options {
        client_line_limit: limits.request,
        server_line_limit: limits.answer,
        grace: limits.grace,
        ..stdio::Options::default()
    };
    let bridge = tokio::spawn(bridge::run(input, output, upstream, options));
    let exit = stdio::run_with(server, client, interceptor, lines).await;
    // The session is given back last of all; it says so itself where that fails.
    let _ = bridge.await;
    exit
}

/// Listens on `address` for programs of this machine until SIGTERM, SIGINT or SIGHUP, with every call to the server behind
/// signed. `ready` is told the endpoint's URL.
pub async fn over_http(
    target: Target,
    audience: String,
    address: SocketAddr,
    upstream: Upstream,
    limits: Limits,
    ready: impl FnOnce(&str),
) -> Result<(), WrapError> {
    if !address.ip().is_loopback() {
        return Err(WrapError::NotLoopback(address));
    }
    let listen = |source| WrapError::Listen { address, source };
    let listener = Listener::bind(address).await.map_err(listen)?;
    let stop = told_to_stop(Sighup::Passed).map_err(WrapError::Setup)?;
    let how = How::url(&upstream.uri().to_string());
    let shared = shared(target, audience, how, upstream.peer_key(), OwnWords::default()).await?;
    let path = upstream.path().to_owned();
    let url = format!("http://{}{path}", listener.address().map_err(listen)?);
    let relay = Relay::new(upstream, shared.clone(), Endpoint::Path(path), Callers::of_this_machine(), limits);
    ready(&url);
    listener.serve(relay.clone(), &limits, stop).await;
    relay.close().await;
    shared.close().await;
    Ok(())
}
