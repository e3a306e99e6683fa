//! Where clients connect.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::idle::Activity;
use super::tls::{self, TlsError};
use super::version::{Version, spoken};
use super::{Limits, Response};

/// Drives a connection of either version, which have no trait in common, until it ends; once told, it takes no further request.
macro_rules! until_told {
    ($connection:expr, $ending:expr) => {{
        let mut connection = pin!($connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = told($ending) => None,
        };
        match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }};
}

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
        let (ending, is_ending) = watch::channel(());
        let mut open = JoinSet::new();
        let http = Http::new(limits);
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
            let ending = is_ending.clone();
            while open.try_join_next().is_some() {}
            open.spawn(async move {
                let _place = place;
                match tls {
                    None => connection(stream, http, handler, ending, patience).await,
                    // Boxed, so that what waits without TLS takes no room for it.
                    Some(tls) => match Box::pin(tokio::time::timeout(patience, tls.accept(stream))).await {
                        Ok(Ok(stream)) => Box::pin(connection(stream, http, handler, ending, patience)).await,
                        Ok(Err(error)) => tracing::info!("no TLS connection: {error}"),
                        Err(_) => tracing::info!("no TLS connection in time"),
                    },
                }
            });
        }
        drop((self.tcp, ending));
        let _ = tokio::time::timeout(limits.grace, async { while open.join_next().await.is_some() {} }).await;
        // Whoever still waits is closed, and its exchange hears that.
        open.shutdown().await;
    }
}

/// How each version is spoken.
#[derive(Clone)]
struct Http {
    one: http1::Builder,
    two: http2::Builder<TokioExecutor>,
}

impl Http {
    fn new(limits: &Limits) -> Self {
        let mut one = http1::Builder::new();
        one.timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_headers(limits.headers)
            // hyper refuses less than 8 KiB.
            .max_buf_size(limits.head.max(8_192));
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.timer(TokioTimer::new())
            .keep_alive_interval(limits.head_time)
            .max_concurrent_streams(128)
            .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX));
        Self { one, two }
    }
}

/// Serves a connection until it ends, or has been idle for `patience`. Once the sender of `ending` is gone it takes no
/// further request.
async fn connection<IO, H>(mut stream: IO, http: Http, handler: H, ending: watch::Receiver<()>, patience: Duration)
where
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
    let served = async {
        let (version, first) = tokio::select! {
            spoken = spoken(&mut stream) => match spoken {
                Ok(spoken) => spoken,
                Err(error) => return tracing::debug!("a connection ended before it said anything: {error}"),
            },
            () = told(ending.clone()) => return,
        };
        let io = activity.over(TokioIo::new(stream), first);
        let ended = match version {
            Version::One => until_told!(http.one.serve_connection(io, service), ending),
            Version::Two => Box::pin(async { until_told!(http.two.serve_connection(io, service), ending) }).await,
        };
        if let Err(error) = ended {
            if error.is_parse() {
                handler.bad_http();
            }
            tracing::debug!("a connection ended: {error}");
        }
    };
    tokio::select! {
        () = served => {}
        () = activity.idle_for(patience) => {}
    }
}

/// Resolves when the sender is gone.
async fn told(mut ending: watch::Receiver<()>) {
    // Nothing is ever sent.
    let _ = ending.changed().await;
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}
