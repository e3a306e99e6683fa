//! The relay: a request is read, told, and goes on, in this order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use mcp_relay::http::{
    Backend as _, Callers, Handler, Held, Limits, Request, Response, Room, Unread, Upstream, collect, is_framed_twice,
    is_plain_json, strip_hop_by_hop, with_causes,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::answer::{Refused, Shape};
use crate::api::Api;
use crate::turn::Turn;

/// Longest body of a request, as at the APIs themselves.
const LONGEST: usize = 32 << 20;
/// Bodies that are read as JSON at one time: values take up to thirty times the room of their text.
const READ_AT_ONCE: usize = 1;

/// The limits of a relay, for its listener too.
pub fn limits() -> Limits {
    Limits {
        request: LONGEST,
        held: 256 << 20,
        connections: 1_024,
        body_time: Duration::from_secs(120),
        // A model that thinks says nothing for long. Whoever waits less closes the connection, which ends this one too.
        answer_time: Duration::from_secs(3_600),
        ..Limits::default()
    }
}

/// Takes note of each turn before it goes on.
pub trait Teller: Clone + Send + Sync + 'static {
    /// Resolves when the turn was taken note of. While it does not, or where it fails, the request does not go on.
    fn turn(&self, turn: Turn) -> impl Future<Output = Result<(), Untold>> + Send;
}

/// Why nobody took note of a turn, and what to do about it, in words for a person.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Untold(pub String);

/// Stands between an agent and the API of its model.
#[derive(Debug)]
pub struct Relay<T>(Arc<Inner<T>>);

impl<T> Clone for Relay<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
struct Inner<T> {
    upstream: Upstream,
    teller: T,
    allowed: Vec<String>,
    limits: Limits,
    room: Room,
    reading: Semaphore,
}

impl<T: Teller> Relay<T> {
    /// A relay to the API at `upstream`. `allowed` are paths to which requests may go besides those that are read.
    pub fn new(upstream: Upstream, teller: T, allowed: Vec<String>) -> Self {
        let (limits, reading) = (limits(), Semaphore::new(READ_AT_ONCE));
        Self(Arc::new(Inner { upstream, teller, allowed, limits, room: Room::of(limits.held), reading }))
    }
}

impl<T: Teller> Handler for Relay<T> {
    async fn handle(&self, request: http::Request<Incoming>) -> Response {
        let (mut head, body) = request.into_parts();
        let inner = &self.0;
        let api = (head.method == Method::POST).then(|| Api::at(head.uri.path(), inner.upstream.path())).flatten();
        let shape = Shape::of(api, &head.headers);
        // Given back when the head of the answer is there: until then the body is.
        let mut held = inner.room.for_a_body();
        let passed = async {
            admit(&mut head)?;
            let body = match api {
                Some(api) => inner.told(api, &head, body, &mut held).await?,
                None => inner.let_through(&head, body, &mut held).await?,
            };
            inner.ask(head, body).await
        };
        passed.await.unwrap_or_else(|refused| {
            tracing::warn!("{}: {}", refused.status, refused.message);
            refused.answer(shape)
        })
    }
}

/// Whether a request is for us at all, by its head; afterwards that has what travels on, and nothing of this connection.
fn admit(head: &mut Parts) -> Result<(), Refused> {
    let bad = |text| Refused::new(StatusCode::BAD_REQUEST, text);
    if let Some(authority) = head.uri.authority() {
        // HTTP/2 names the host there.
        let host = HeaderValue::from_str(authority.as_str()).ok().filter(|_| head.version == Version::HTTP_2);
        let host = host.ok_or(bad("this is no proxy; give the relay's address to the client as its base URL"))?;
        head.headers.entry(HOST).or_insert(host);
    }
    if is_framed_twice(&head.headers) || head.headers.get_all(HOST).iter().count() > 1 {
        return Err(bad("the header fields say two things at once"));
    }
    if !Callers::of_this_machine().admit(&head.headers) {
        return Err(Refused::new(StatusCode::FORBIDDEN, "Host or Origin names another machine than this"));
    }
    if head.headers.contains_key(UPGRADE) {
        // Over a WebSocket each message would be a request that nobody reads.
        return Err(Refused::new(StatusCode::NOT_FOUND, "no connection is upgraded here; ask over plain HTTP"));
    }
    strip_hop_by_hop(&mut head.headers);
    Ok(())
}

impl<T: Teller> Inner<T> {
    /// The body of a request that generates text; told, where calls can come out of it.
    async fn told(&self, api: Api, head: &Parts, body: Incoming, held: &mut Held<'_>) -> Result<Bytes, Refused> {
        let wrong = |text| Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        if head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
            return Err(wrong("the body is compressed, so it cannot be read; have the client send it plain"));
        }
        if !is_plain_json(&head.headers) {
            return Err(wrong("the body is not said to be JSON in UTF-8; send it with Content-Type: application/json"));
        }
        let body = self.whole(body, held).await?;
        let turn = {
            let _place = self.reading.acquire().await;
            Turn::read(api, &body)
        };
        let turn = turn.map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        if turn.has_tools {
            let told = self.teller.turn(turn).await;
            told.map_err(|untold| {
                let message = format!("the signer cannot be told of this turn, so it does not go on: {untold}");
                Refused::new(StatusCode::SERVICE_UNAVAILABLE, message)
            })?;
        }
        Ok(body)
    }

    /// The body of any other request that may pass.
    async fn let_through(&self, head: &Parts, body: Incoming, held: &mut Held<'_>) -> Result<Bytes, Refused> {
        let path = head.uri.path();
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method) {
            let has_none = body.is_end_stream();
            return has_none.then(Bytes::new).ok_or_else(|| {
                Refused::new(StatusCode::BAD_REQUEST, format!("{} with a body does not pass", head.method))
            });
        }
        if !self.allowed.iter().any(|allowed| allowed == path) {
            let message = format!(
                "{} {path} does not pass, since it might generate text that nobody measured; if it cannot, start the \
                 relay with --allow {path}",
                head.method
            );
            return Err(Refused::new(StatusCode::NOT_FOUND, message));
        }
        self.whole(body, held).await
    }

    async fn whole(&self, body: Incoming, held: &mut Held<'_>) -> Result<Bytes, Refused> {
        let read = collect(body, self.limits.request, self.limits.body_time, |bytes| held.take(bytes)).await;
        read.map_err(|unread| {
            let (status, text) = match unread {
                Unread::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 32 MiB"),
                Unread::Late => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
                Unread::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
                Unread::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "too many requests at one time; send it again"),
            };
            Refused::new(status, text)
        })
    }

    /// The API's answer, which streams. Dropped, because the client went away, it takes the connection to the API with it.
    async fn ask(&self, head: Parts, body: Bytes) -> Result<Response, Refused> {
        let asked = self.upstream.ask(Request::from_parts(head, Full::new(body)));
        let answer = timeout(self.limits.answer_time, asked).await;
        let answer = answer.map_err(|_| Refused::new(StatusCode::GATEWAY_TIMEOUT, "the API did not answer in time"))?;
        let mut answer = answer.map_err(|error| {
            let message = format!("the API at {} cannot be reached: {}", self.upstream.uri(), with_causes(&*error));
            Refused::new(StatusCode::BAD_GATEWAY, message)
        })?;
        // The clients of these APIs follow, and would go past the relay from there on.
        if answer.status().is_redirection() && answer.status() != StatusCode::NOT_MODIFIED {
            let message = "the API redirects; start the relay with the address that it redirects to";
            return Err(Refused::new(StatusCode::BAD_GATEWAY, message));
        }
        strip_hop_by_hop(answer.headers_mut());
        Ok(answer.map(|body| body.boxed_unsync()))
    }
}
