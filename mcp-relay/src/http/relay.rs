//! From a request to its answer: who is asked, and what is let through.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST};
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::timeout;

use super::admission::{Callers, Endpoint, NotAdmitted, admit};
use super::attended::Attended;
use super::backend::Backend;
use super::body::{Held, Room, Unread, collect};
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

pub(super) struct Shared<E: Exchanges> {
    pub exchanges: E,
    pub limits: Limits,
    pub parked: Parked<E::Interceptor>,
    room: Room,
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
        let room = Room::of(limits.held);
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
        // Given back when the head of the answer is there: until then the body is.
        let mut held = self.shared.room.for_a_body();
        match self.take_in(&mut head, body, &mut held).await {
            Ok(body) if head.method == Method::POST => {
                let open = self.open(head);
                Attended::new(|answer| self.shared.to_the_end(open.post(body, answer))).await
            }
            // GET, HEAD, OPTIONS and DELETE: no message of the client's.
            Ok(_) => {
                let open = self.open(head);
                Attended::new(|answer| self.shared.to_the_end(open.read(answer))).await
            }
            Err(NotAdmitted::Defect(defect)) => self.refuse(&head, defect).await,
            Err(NotAdmitted::Answer(answer)) => *answer,
        }
    }

    fn open(&self, mut head: Parts) -> Open<S, E> {
        ask_for_plain(&mut head.headers);
        Open::new(self.inner.clone(), self.shared.clone(), head)
    }
}

impl<S, E: Exchanges> Relay<S, E> {
    /// The body of a request that is for us, is whole and says what it is. Its head afterwards has what travels on.
    async fn take_in<R>(&self, head: &mut Parts, body: R, held: &mut Held<'_>) -> Result<Bytes, NotAdmitted>
    where
        R: http_body::Body<Data = Bytes>,
    {
        let limits = &self.shared.limits;
        admit(head, &self.shared.endpoint, &self.shared.callers, limits)?;
        let framed_twice = is_framed_twice(&head.headers);
        strip_hop_by_hop(&mut head.headers);
        let is_post = head.method == Method::POST;
        if framed_twice || (!is_post && !body.is_end_stream()) {
            return Err(Defect::Http.into());
        }
        if !is_post {
            return Ok(Bytes::new());
        }
        if head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
            return Err(Defect::Encoded.into());
        }
        if !is_plain_json(&head.headers) {
            return Err(Defect::ContentType.into());
        }
        say_plain_json(&mut head.headers);
        collect(body, limits.request, limits.body_time, |bytes| held.take(bytes)).await.map_err(|unread| match unread {
            Unread::TooLong => Defect::TooLong { limit: limits.request }.into(),
            Unread::Broken => Defect::Http.into(),
            Unread::Late => answer::failure(StatusCode::REQUEST_TIMEOUT, "the body did not come in time").into(),
            Unread::NoRoom => {
                let text = "too many requests at one time; send this one again";
                answer::failure(StatusCode::SERVICE_UNAVAILABLE, text).into()
            }
        })
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
