//! Where clients connect.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::idle::Activity;
use super::tls::{self, TlsError};
use super::{Limits, Response};

/// A listening socket.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// Answers the requests of all connections.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn handle(&self, request: http::Request<Incoming>) -> impl Future<Output = Response> + Send;

    /// A connection on which no well-formed HTTP was spoken; it is closed.
    fn bad_http(&self) {}
}

impl Listener {
    /// Listens.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, tls: None })
    }

    /// Speaks TLS, with the chain (leaf first) and key of these PEM files.
    pub fn with_tls(mut self, chain: &Path, key: &Path) -> Result<Self, TlsError> {
        self.tls = Some(TlsAcceptor::from(tls::server(chain, key)?));
        Ok(self)
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Serves connections until `stop` resolves; then lets open exchanges end, for [`Limits::grace`].
    pub async fn serve(self, handler: impl Handler, limits: &Limits, stop: impl Future<Output = ()>) {
        let connections = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut open = JoinSet::new();
        let http = protocol(limits);
        tokio::pin!(stop);
        loop {
            let accepted = async {
                // Closed never, so this waits for a place and no more.
                let place = connections.clone().acquire_owned().await;
                (self.tcp.accept().await, place)
            };
            let (stream, place) = tokio::select! {
                () = &mut stop => break,
                (accepted, place) = accepted => match accepted {
                    Ok((stream, _)) => (stream, place),
                    Err(error) => {
                        // No descriptors, or a connection that is gone already. The first does not end by asking again at once.
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let (tls, http, handler, patience) = (self.tls.clone(), http.clone(), handler.clone(), limits.head_time);
            let watcher = graceful.watcher();
            while open.try_join_next().is_some() {}
            open.spawn(async move {
                let _place = place;
                match tls {
                    None => connection(stream, http, handler, watcher, patience).await,
                    Some(tls) => match tokio::time::timeout(patience, tls.accept(stream)).await {
                        Ok(Ok(stream)) => connection(stream, http, handler, watcher, patience).await,
                        Ok(Err(error)) => tracing::info!("no TLS connection: {error}"),
                        Err(_) => tracing::info!("no TLS connection in time"),
                    },
                }
            });
        }
        drop(self.tcp);
        let _ = tokio::time::timeout(limits.grace, graceful.shutdown()).await;
        // Whoever still waits is closed, and its exchange hears that.
        open.shutdown().await;
    }
}

fn protocol(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(limits.headers)
        // hyper refuses less than 8 KiB.
        .max_buf_size(limits.head.max(8_192));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.head_time)
        .max_concurrent_streams(128)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX));
    http
}

async fn connection<IO, H>(
    stream: IO,
    http: auto::Builder<TokioExecutor>,
    handler: H,
    watcher: hyper_util::server::graceful::Watcher,
    patience: Duration,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let requests = handler.clone();
    let activity = Activity::default();
    let begun = activity.clone();
    let service = service_fn(move |request| {
        let (handler, open) = (requests.clone(), begun.begin());
        async move { Ok::<_, Infallible>(Activity::until_read(open, handler.handle(request).await)) }
    });
    let connection = http.serve_connection(activity.over(TokioIo::new(stream)), service).into_owned();
    let ended = tokio::select! {
        ended = watcher.watch(connection) => ended,
        () = activity.idle_for(patience) => return,
    };
    if let Err(error) = ended {
        let parse = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        if parse {
            handler.bad_http();
        }
        tracing::debug!("a connection ended: {error}");
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}
