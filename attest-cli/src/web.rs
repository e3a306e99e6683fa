//! The small HTTP servers of the log: a witness, and a log that is read. Each is a function from a request to an answer;
//! connections, limits and TLS are here.

pub(crate) mod door;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attest_log::Answer;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use mcp_relay::http::{Handler, Limits, Listener, Response};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

/// Where to listen, and as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Serve here (port 0: any free one)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Speak TLS, with this certificate chain, leaf first (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

/// Requests that are worked on at one time: each may wait for the disk.
const AT_ONCE: usize = 64;
/// Most connections; there are a handful of logs and monitors.
const CONNECTIONS: usize = 1_024;
/// How long a request's body may take.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a connection may be silent.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// What answers requests. It may block.
pub(crate) trait Site: Send + Sync + 'static {
    /// Methods that the path has, `GET` standing for `HEAD` too; none where there is no such path.
    fn methods(&self, path: &str) -> &'static [Method];

    /// Most bytes of a request's body.
    fn max_body(&self) -> usize {
        0
    }

    /// The answer to a request whose method the path has.
    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Answer;
}

impl Place {
    /// Serves `site` until SIGTERM, SIGINT or SIGHUP. `ready` is told the URL.
    pub(crate) fn serve(
        &self,
        default: SocketAddr,
        site: impl Site,
        ready: impl FnOnce(&str),
    ) -> Result<(), Box<dyn std::error::Error>> {
        let address = self.listen.unwrap_or(default);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let bound =
                Listener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
            let listener = match (&self.tls_certificate, &self.tls_key) {
                (Some(certificate), Some(key)) => bound.with_tls(certificate, key)?,
                _ => bound,
            };
            let stop = stop()?;
            ready(&format!("{}://{}", listener.scheme(), listener.address()?));
            let limits = Limits { connections: CONNECTIONS, head: 16 << 10, head_time: HEAD_TIME, ..Limits::default() };
            let served = Served { site: Arc::new(site), places: Arc::new(Semaphore::new(AT_ONCE)) };
            listener.serve(served, &limits, stop).await;
            Ok(())
        })
    }
}

/// Resolves when the process is told to end.
pub(crate) fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

struct Served<S> {
    site: Arc<S>,
    places: Arc<Semaphore>,
}

impl<S> Clone for Served<S> {
    fn clone(&self) -> Self {
        Self { site: Arc::clone(&self.site), places: Arc::clone(&self.places) }
    }
}

impl<S: Site> Handler for Served<S> {
    async fn handle(&self, request: Request<Incoming>) -> Response {
        let (head, body) = request.into_parts();
        // Before the body is read: nobody's bytes are held for a path that does not exist.
        let allowed = self.site.methods(head.uri.path());
        let method = if head.method == Method::HEAD { Method::GET } else { head.method };
        if allowed.is_empty() {
            return respond(Answer::not_found());
        }
        if !allowed.contains(&method) {
            let mut response = respond(Answer::failed(405, "method not allowed"));
            let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
            if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
                response.headers_mut().insert(ALLOW, names);
            }
            return response;
        }
        let told = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if told.is_some_and(|length| length > self.site.max_body() as u64) {
            return respond(Answer::failed(413, "the body is too long"));
        }
        let limited = Limited::new(body, self.site.max_body()).collect();
        let body = match tokio::time::timeout(BODY_TIME, limited).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return respond(Answer::failed(413, "the body is too long, or broke off")),
            Err(_) => return respond(Answer::failed(408, "the body did not come in time")),
        };
        // Never closed. The place is held by the work itself: a client that goes away does not make room for the next.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let site = Arc::clone(&self.site);
        let path = head.uri.path().to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            site.answer(&method, &path, &body)
        });
        respond(answer.await.unwrap_or_else(|_| Answer::failed(500, "failed from within")))
    }
}

fn respond(answer: Answer) -> Response {
    let body = Full::new(Bytes::from(answer.body)).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(answer.cache));
    response
}
