//! Answers that stream: server-sent events, looked at one by one and passed on as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest_core::json;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::response::Parts;
use http_body::Frame;
use http_body_util::{BodyDataStream, BodyExt as _, StreamBody};
use sse_stream::{Sse, SseByteStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::backend::Backend;
use super::body::collect;
use super::exchange::Open;
use super::parked::{Key, Parked};
use super::relay::Exchanges;
use super::shown::{is_event_stream, is_object, settled};
use super::{Body, BoxError, Response, answer};
use crate::{Id, Interceptor as _, ToClient};

/// Events that wait for a slow client; with that many the server is not read.
const QUEUE: usize = 16;

pub(super) type Sender = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

/// Why a stream of events ends.
enum End {
    /// The server has nothing more to say, or broke off.
    Server,
    /// Nobody reads any more.
    Client,
}

/// The type of a body that is a stream of events.
pub(super) const EVENTS: &str = "text/event-stream";

/// An answer of events under this head, and where they come from.
pub(super) fn begin(mut head: Parts) -> (Sender, Response) {
    // UTF-8 whatever was said (HTML, "Server-sent events"), and of the one type that everybody knows.
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    let (sender, receiver) = mpsc::channel(QUEUE);
    let frames = futures_util::stream::unfold(receiver, |mut frames| async move {
        let frame = frames.recv().await?;
        Some((frame, frames))
    });
    (sender, Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

/// A message as an event.
pub(super) fn event_of(line: Bytes) -> Option<Bytes> {
    let data = on_lines_of_its_own(text(line)?);
    (Sse { data: Some(data), ..Sse::default() }).encode().ok()
}

/// Passes a streamed answer on until its end.
pub(super) async fn stream<S, E>(
    open: &Open<S, E>,
    response: Response,
    resends: usize,
    answer: oneshot::Sender<Response>,
) where
    S: Backend,
    E: Exchanges,
{
    let (head, body) = response.into_parts();
    let (sender, shown) = begin(head);
    let mut pump = Pump::new(open, sender, resends);
    let end = match answer.send(shown) {
        Ok(()) => {
            let came_to = pump.events(body).await;
            pump.follow(came_to).await
        }
        Err(_) => End::Client,
    };
    pump.finish(end).await;
}

/// Asks the server, and has all that it answers come as events of a stream that has begun.
pub(super) async fn ask<S, E>(open: &Open<S, E>, request: Bytes, resends: usize, sender: Sender)
where
    S: Backend,
    E: Exchanges,
{
    // The first one is none that is sent once more.
    let mut pump = Pump::new(open, sender, resends + 1);
    let end = pump.follow(Ok(request)).await;
    pump.finish(end).await;
}

struct Pump<'a, S, E: Exchanges> {
    open: &'a Open<S, E>,
    sender: Sender,
    /// By which this request may be resumed.
    key: Option<Key>,
    /// Whether it is kept for that: an event had an id, after which the stream can be resumed.
    kept: bool,
    /// How often the request may still be sent in another form.
    resends: usize,
}

impl<'a, S, E> Pump<'a, S, E>
where
    S: Backend,
    E: Exchanges,
{
    fn new(open: &'a Open<S, E>, sender: Sender, resends: usize) -> Self {
        let key = open.session.clone().zip(open.id.clone());
        Self { open, sender, key, kept: false, resends }
    }

    /// Sends the requests that answers come to, until one is the answer.
    async fn follow(&mut self, mut came_to: Result<Bytes, End>) -> End {
        loop {
            let request = match came_to {
                Ok(request) => request,
                Err(end) => return end,
            };
            let Some(left) = self.resends.checked_sub(1) else {
                tracing::warn!("the server asks for the request again and again");
                return End::Server;
            };
            self.resends = left;
            let asked = tokio::select! {
                biased;
                () = self.sender.closed() => return End::Client,
                asked = self.open.ask(request) => asked,
            };
            came_to = match asked {
                Err(_) => return End::Server,
                Ok(response) if is_event_stream(response.headers()) => self.events(response.into_body()).await,
                Ok(response) => self.one(response).await,
            };
        }
    }

    /// Passes events on; comes back with a request to send in place of the one that was answered, or at the end.
    async fn events(&mut self, body: Body) -> Result<Bytes, End> {
        let limits = self.open.shared.limits;
        let since_event = Arc::new(AtomicUsize::new(0));
        let mut events = SseByteStream::new(bounded(body, since_event.clone(), limits.answer));
        loop {
            let next = tokio::select! {
                next = timeout(limits.keep_alive, events.next()) => next,
                () = self.sender.closed() => return Err(End::Client),
            };
            let event = match next {
                // A comment, which every reader skips (HTML, "Server-sent events").
                Err(_) => {
                    self.send(Bytes::from_static(b":\n\n")).await?;
                    continue;
                }
                Ok(None) => return Err(End::Server),
                Ok(Some(Err(error))) => {
                    tracing::warn!("an event stream of the server broke off: {error}");
                    return Err(End::Server);
                }
                Ok(Some(Ok(event))) => event,
            };
            since_event.store(0, Ordering::Relaxed);
            if !self.kept && event.id.as_ref().is_some_and(|id| !id.is_empty()) {
                self.kept = self.key.as_ref().is_some_and(|key| self.parked().keep(key, &self.open.interceptor));
            }
            if let Some(resend) = self.event(event).await? {
                return Ok(resend);
            }
        }
    }

    async fn event(&mut self, mut event: Sse) -> Result<Option<Bytes>, End> {
        // Events without data say something about the stream itself.
        if let Some(data) = event.data.take_if(|data| !data.trim_ascii().is_empty()) {
            if is_object(data.as_bytes()) {
                // A client skips what has a name of its own; what was looked at as a message must be one.
                event.event = None;
            } else if data.trim_start_matches('\u{feff}').trim_ascii_start().starts_with(['{', '[']) {
                tracing::warn!("dropped an event of the server that is no JSON object");
                return Ok(None);
            }
            let line = Bytes::from(data);
            match self.message(line.clone()).await {
                ToClient::Pass => event.data = text(line),
                ToClient::Replace(line) => event.data = text(line),
                ToClient::Resend(line) => return Ok(Some(line)),
                // The event's id stays, so that a client that resumes does not get it again.
                ToClient::Drop => {}
            }
        }
        event.data = event.data.map(on_lines_of_its_own);
        if event == Sse::default() {
            return Ok(None);
        }
        // Written anew, so that what the client reads is what was looked at, whatever the reader.
        match event.encode() {
            Ok(bytes) => self.send(bytes).await.map(|()| None),
            Err(error) => {
                tracing::warn!("an event of the server cannot be passed on: {error}");
                Err(End::Server)
            }
        }
    }

    async fn message(&mut self, line: Bytes) -> ToClient {
        let value = json::parse(&line).ok();
        let id = value.as_ref().map_or_else(|| Id::of_opaque_answer(&line), Id::of_answer);
        let ours = id.is_some() && id == self.open.id;
        // The answer to a request whose own stream broke off.
        let resumed = match (&self.open.session, &id) {
            (Some(session), Some(id)) if self.open.id.is_none() => self.parked().take(&(session.clone(), id.clone())),
            _ => None,
        };
        let interceptor = resumed.as_ref().unwrap_or(&self.open.interceptor);
        let handling = interceptor.server_message(line.clone(), value.as_ref());
        drop(value);
        let verdict = settled(handling).await;
        if let Some(interceptor) = &resumed {
            let left = interceptor.server_gone(None).await.into_iter().next();
            return match (left, verdict, &id) {
                (Some(line), _, _) => ToClient::Replace(line),
                // Its request came over a connection that is gone.
                (None, ToClient::Resend(_), Some(id)) => ToClient::Replace(answer::error(
                    &id.to_value(),
                    "the server asks for the request again, after its stream broke off; send it anew",
                )),
                (None, verdict, _) => verdict,
            };
        }
        if ours {
            self.answered(matches!(verdict, ToClient::Resend(_)));
        }
        verdict
    }

    /// With the answer here, nothing is left to be resumed, unless the request is sent once more.
    fn answered(&mut self, again: bool) {
        let key = self.key.take();
        if let (true, Some(key)) = (self.kept, &key) {
            // Where it is not there any more, whoever took it tells it the end.
            self.kept = self.parked().take(key).is_none();
        }
        if again && !self.kept {
            self.key = key;
        }
    }

    fn parked(&self) -> &Parked<E::Interceptor> {
        &self.open.shared.parked
    }

    /// An answer that is no stream, in the middle of one.
    async fn one(&mut self, response: Response) -> Result<Bytes, End> {
        let limits = self.open.shared.limits;
        let (head, body) = response.into_parts();
        let body = tokio::select! {
            body = collect(body, limits.answer, limits.answer_time, |_| true) => body,
            () = self.sender.closed() => return Err(End::Client),
        };
        // Anything but a message would have no place among the events; of a failure, anything but an answer to this request.
        let is_answer = |body: &Bytes| {
            let id = json::parse(body).ok().and_then(|value| Id::of_answer(&value));
            head.status.is_success() || (id.is_some() && id == self.open.id)
        };
        let Some(data) = body.ok().filter(is_answer).and_then(text) else {
            return Err(End::Server);
        };
        self.event(Sse { data: Some(data), ..Sse::default() }).await?.ok_or(End::Server)
    }

    async fn send(&self, bytes: Bytes) -> Result<(), End> {
        self.sender.send(Ok(Frame::data(bytes))).await.map_err(|_| End::Client)
    }

    async fn finish(self, end: End) {
        let interceptor = &self.open.interceptor;
        if self.kept {
            if let Some(key) = &self.key {
                self.parked().expire(key.clone());
            }
            return;
        }
        if matches!(end, End::Client) {
            interceptor.client_gone().await;
        }
        for event in interceptor.server_gone(None).await.into_iter().filter_map(event_of) {
            let _ = self.send(event).await;
        }
    }
}

/// What some readers take for the end of a line though it is none (Python's `splitlines`, in the event readers of clients up to
/// 2025). In JSON they stand in strings alone, where the escape means the same.
const OTHER_LINE_ENDS: [char; 8] = ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

fn on_lines_of_its_own(data: String) -> String {
    if !data.contains(OTHER_LINE_ENDS) {
        return data;
    }
    let mut out = String::with_capacity(data.len() + 64);
    for c in data.chars() {
        match OTHER_LINE_ENDS.contains(&c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

fn text(line: Bytes) -> Option<String> {
    String::from_utf8(line.into()).ok()
}

/// What was wrong with a body.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Body(BoxError),
    #[error("an event of more than {0} bytes")]
    TooLong(usize),
}

/// The bytes of `body`, until more than `limit` came without the reader having set the count back.
fn bounded(
    body: Body,
    since_event: Arc<AtomicUsize>,
    limit: usize,
) -> impl Stream<Item = Result<Bytes, Broken>> + Unpin {
    BodyDataStream::new(body).map(move |bytes| {
        let bytes = bytes.map_err(Broken::Body)?;
        if since_event.fetch_add(bytes.len(), Ordering::Relaxed) > limit {
            return Err(Broken::TooLong(limit));
        }
        Ok(bytes)
    })
}
