//! An HTTP service on a loopback address. Generic over the service, so that a program can put a layer over it first.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// The path that the service answers at; the conformance suite expects a URL that ends in it.
pub const PATH: &str = "/mcp";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is reachable from other machines.
    #[error("{0} is not a loopback address; this server guards nothing, so give one like 127.0.0.1:0")]
    NotLoopback(SocketAddr),
    /// The address is taken, or the connection to it broke.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was to be listened on.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens a listener on a loopback address; port 0 takes a free one.
///
/// # Errors
///
/// When the address is no loopback address, or cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// The URL under which [`serve`] answers on this listener.
///
/// # Errors
///
/// When the system does not say where the listener listens.
pub fn url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}{PATH}", listener.local_addr()?))
}

/// Serves `service` at [`PATH`] until `stop` is cancelled. The service sees the whole path, as the client wrote it.
///
/// A tower layer goes around the service before it comes here: `serve(listener, layer.layer(server::service(…)), stop)`.
///
/// # Errors
///
/// When the listener breaks.
pub async fn serve<S>(listener: TcpListener, service: S, stop: CancellationToken) -> io::Result<()>
where
    S: Service<Request<Body>, Error = Infallible, Response: IntoResponse, Future: Send> + Clone + Send + Sync + 'static,
{
    let router = Router::new().route_service(PATH, service);
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

/// Cancelled at SIGINT or SIGTERM.
///
/// # Errors
///
/// When no handler can be installed.
pub fn stop_at_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let seen = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        seen.cancel();
    });
    Ok(stop)
}
