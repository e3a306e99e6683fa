//! From a request to its answer: who is asked, and what is let through.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, HOST, HeaderMap, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::backend::Backend;
use super::exchange::Open;
use super::headers::{ask_for_plain, is_framed_twice, is_plain_json, say_plain_json, strip_hop_by_hop};
use super::listener::Handler;
use super::parked::Parked;
use super::{BoxError, Limits, Response, answer};
use crate::{Defect, Handling, Interceptor, PassThrough, Refusal};

/// An interceptor of one HTTP exchange: one request of the client's, and all that comes back for it.
pub trait Exchange: Interceptor {
    /// Told before the request goes on: what is put here is seen by a service in this process.
    fn annotate(&self, extensions: &mut http::Extensions) {
        let _ = extensions;
    }
}

impl Exchange for PassThrough {}

/// Makes an interceptor for each exchange.
pub trait Exchanges: Send + Sync + 'static {
    /// Sees the exchange's messages.
    type Interceptor: Exchange;

    /// A new exchange; `head` is that of its request.
    fn open(&self, head: &Parts) -> Self::Interceptor;

    /// A connection on which no well-formed HTTP was spoken.
    fn bad_http(&self) {}
}

/// What of a server is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Every path: a router in front has chosen.
    Any,
    /// The MCP endpoint, and for reading what stands under `/.well-known/` (RFC 9728 puts there who grants access).
    Path(String),
}

/// By which names callers must know us. A page in somebody's browser can reach whatever that browser reaches, but not under
/// a name of its own choice that is also ours (DNS rebinding; MCP asks servers to look at `Origin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// By any: the server behind looks at `Host` and `Origin` itself.
    Anybody,
    /// By these host names, in lower case, in `Host`, and in `Origin` where there is one. Ports do not matter.
    Knowing(Vec<String>),
}

impl Callers {
    /// Programs of this machine.
    pub fn of_this_machine() -> Self {
        Self::Knowing(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into())
    }

    /// Whether the names in `headers` are among ours.
    fn admit(&self, headers: &HeaderMap) -> bool {
        let Self::Knowing(names) = self else { return true };
        let is_ours = |value: &HeaderValue| {
            let uri = value.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
            let host = uri.as_ref().and_then(Uri::host).map(str::to_ascii_lowercase);
            host.is_some_and(|host| names.contains(&host))
        };
        headers.get(HOST).is_some_and(is_ours) && headers.get_all(ORIGIN).iter().all(is_ours)
    }
}

/// Bytes that room for bodies is counted in: what a part of a body takes at the least.
const PAGE: usize = 1_024;

pub(super) struct Shared<E: Exchanges> {
    pub exchanges: E,
    pub limits: Limits,
    pub parked: Parked<E::Interceptor>,
    /// For the bodies of requests, in pages.
    room: Semaphore,
    /// Each exchange under way holds a receiver.
    open: watch::Sender<()>,
    endpoint: Endpoint,
    callers: Callers,
}

impl<E: Exchanges> Shared<E> {
    /// Has [`Relay::close`] wait for `work`.
    fn to_the_end<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<E, F> {
        let open = self.open.subscribe();
        async move {
            let done = work.await;
            drop(open);
            done
        }
    }
}

/// Stands between clients and `S`, which answers them.
pub struct Relay<S, E: Exchanges> {
    inner: S,
    shared: Arc<Shared<E>>,
}

impl<S: Clone, E: Exchanges> Clone for Relay<S, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

impl<S, E: Exchanges> Relay<S, E> {
    /// A relay in front of `inner`.
    pub fn new(inner: S, exchanges: E, endpoint: Endpoint, callers: Callers, limits: Limits) -> Self {
        let parked = Parked::new(limits.resume_time);
        let open = watch::Sender::new(());
        let room = Semaphore::new((limits.held / PAGE).min(Semaphore::MAX_PERMITS));
        Self { inner, shared: Arc::new(Shared { exchanges, limits, parked, room, open, endpoint, callers }) }
    }

    /// Nothing more will come: what waits to be resumed is told, and exchanges whose clients are gone get [`Limits::grace`]
    /// to write down how they ended.
    pub async fn close(&self) {
        self.shared.parked.end_all().await;
        if timeout(self.shared.limits.grace, self.shared.open.closed()).await.is_err() {
            tracing::warn!("exchanges that did not come to an end are given up");
        }
    }
}

impl<S, E> Relay<S, E>
where
    S: Backend,
    E: Exchanges,
{
    /// Answers one request.
    pub async fn answer<R>(&self, request: http::Request<R>) -> Response
    where
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let (mut head, body) = request.into_parts();
        if let Err(refused) = self.admit(&mut head).await {
            return refused;
        }
        let framed_twice = is_framed_twice(&head.headers);
        strip_hop_by_hop(&mut head.headers);
        let empty = body.is_end_stream();
        let is_post = head.method == Method::POST;
        if framed_twice || (!is_post && !empty) {
            return self.refuse(&head, Defect::Http).await;
        }
        if !is_post {
            return self.read(head).await;
        }
        if head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
            return self.refuse(&head, Defect::Encoded).await;
        }
        if !is_plain_json(&head.headers) {
            return self.refuse(&head, Defect::ContentType).await;
        }
        say_plain_json(&mut head.headers);
        let limits = &self.shared.limits;
        // Given back when the head of the answer is there: until then the body is.
        let mut held: Option<SemaphorePermit<'_>> = None;
        let take = |bytes: usize| {
            let pages = u32::try_from(bytes.div_ceil(PAGE)).unwrap_or(u32::MAX);
            let Ok(more) = self.shared.room.try_acquire_many(pages) else { return false };
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            true
        };
        match collect(body, limits.request, limits.body_time, take).await {
            Ok(body) => self.post(head, body).await,
            Err(Unread::NoRoom) => {
                answer::failure(StatusCode::SERVICE_UNAVAILABLE, "too many requests at one time; send this one again")
            }
            Err(Unread::TooLong) => self.refuse(&head, Defect::TooLong { limit: limits.request }).await,
            Err(Unread::Late) => answer::failure(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Err(Unread::Broken) => self.refuse(&head, Defect::Http).await,
        }
    }

    async fn post(&self, head: Parts, body: Bytes) -> Response {
        let open = self.open(head);
        let (send, receive) = oneshot::channel();
        // A task of its own: when the client goes away, hyper drops what it waits for, and how the request ended is still
        // to be written down.
        tokio::spawn(self.shared.to_the_end(open.post(body, send)));
        receive.await.unwrap_or_else(|_| answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// GET, HEAD, OPTIONS and DELETE: no message of the client's.
    async fn read(&self, head: Parts) -> Response {
        let open = self.open(head);
        let (send, receive) = oneshot::channel();
        tokio::spawn(self.shared.to_the_end(open.read(send)));
        receive.await.unwrap_or_else(|_| answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn open(&self, mut head: Parts) -> Open<S, E> {
        ask_for_plain(&mut head.headers);
        Open::new(self.inner.clone(), self.shared.clone(), head)
    }
}

impl<S, E: Exchanges> Relay<S, E> {
    /// Whether this request is for us at all.
    async fn admit(&self, head: &mut Parts) -> Result<(), Response> {
        let authority = head.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
        match (authority, head.version) {
            (None, _) => {}
            // HTTP/2 and later name the host there, and nowhere else.
            (Some(Ok(host)), http::Version::HTTP_2 | http::Version::HTTP_3) => {
                // A `Host` beside it that says something else is malformed (RFC 9113, section 8.3.1).
                if *head.headers.entry(HOST).or_insert_with(|| host.clone()) != host {
                    return Err(self.refuse(head, Defect::Http).await);
                }
            }
            // A target in absolute form is for forward proxies, and says a second time which host is meant.
            _ => return Err(self.refuse(head, Defect::Http).await),
        }
        if head.headers.get_all(HOST).iter().count() > 1 {
            return Err(self.refuse(head, Defect::Http).await);
        }
        // hyper does not count fields over HTTP/2, and over HTTP/1 takes nearly twice the bytes if they come at once.
        let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        let limits = &self.shared.limits;
        if head.headers.len() > limits.headers || target + fields.sum::<usize>() > limits.head {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(answer::failure(status, "more header fields than the limit, or longer ones"));
        }
        if let Endpoint::Path(endpoint) = &self.shared.endpoint {
            let path = head.uri.path();
            let known = (head.method == Method::GET || head.method == Method::OPTIONS) && is_well_known(path);
            if path != endpoint && !known {
                return Err(answer::failure(StatusCode::NOT_FOUND, "no MCP endpoint at this path"));
            }
        }
        if !self.shared.callers.admit(&head.headers) {
            return Err(answer::failure(StatusCode::FORBIDDEN, "Host or Origin names another machine than this"));
        }
        match head.method {
            Method::POST | Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE => Ok(()),
            _ => Err(answer::empty(StatusCode::METHOD_NOT_ALLOWED)),
        }
    }

    async fn refuse(&self, head: &Parts, defect: Defect) -> Response {
        let refusal = match self.shared.exchanges.open(head).client_defect(defect, None) {
            Handling::Now(refusal) => refusal,
            // Written down whether or not somebody waits for it.
            Handling::Later(refusal) => tokio::spawn(self.shared.to_the_end(refusal)).await.unwrap_or(Refusal::Drop),
        };
        match refusal {
            Refusal::Reply(line) => answer::message(line),
            Refusal::Drop => answer::empty(StatusCode::BAD_REQUEST),
        }
    }
}

impl<S, E> Handler for Relay<S, E>
where
    S: Backend,
    E: Exchanges,
{
    async fn handle(&self, request: http::Request<Incoming>) -> Response {
        // RFC 9112, section 3.2: to be refused. Passed on, it would get the name of the server behind.
        if request.version() == http::Version::HTTP_11 && !request.headers().contains_key(HOST) {
            let (head, _) = request.into_parts();
            return self.refuse(&head, Defect::Http).await;
        }
        self.answer(request).await
    }

    fn bad_http(&self) {
        self.shared.exchanges.bad_http();
    }
}

/// Whether `path` is beside the endpoint, for whoever reads it: no way to write `..` in it, also as `%2e%2e`, or by a
/// backslash, which readers of URLs (WHATWG) take for a slash.
pub(super) fn is_well_known(path: &str) -> bool {
    path.starts_with("/.well-known/") && !path.contains("..") && !path.contains(['%', '\\'])
}

/// Why a body was not read.
pub(super) enum Unread {
    TooLong,
    Late,
    Broken,
    /// There is no room for it now.
    NoRoom,
}

/// Reads a body whole. `time` is for all of it. `take` says of each part whether there is room for so many bytes.
pub(super) async fn collect<R>(
    body: R,
    limit: usize,
    time: Duration,
    mut take: impl FnMut(usize) -> bool,
) -> Result<Bytes, Unread>
where
    R: http_body::Body<Data = Bytes>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLong);
    }
    let until = Instant::now() + time;
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = timeout_at(until, body.frame()).await.map_err(|_| Unread::Late)? {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + more.len() + data.len() > limit {
            return Err(Unread::TooLong);
        }
        if !take(data.len()) {
            return Err(Unread::NoRoom);
        }
        // Nearly every body comes in one piece, and then is not copied.
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first, more.freeze()].concat().into())
}
