//! One request, from its POST to its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_service::Service;

use super::call::{Lesson, Route, Travel};
use super::events::{Cursor, Events, Fault};
use super::failure::Failure;
use super::front::{Admission, Context, Gate};
use super::message::{self, Incoming};
use super::open::Slot;
use super::session::{self, Lost, Session};
use crate::http::encode::{self, SESSION};
use crate::http::{Body, BoxError, Request, Response};

/// How long a stream may take to end after its answer. One that does leaves its connection to the next exchange.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What refuses an unknown method, also in an answer with status 404.
const METHOD_NOT_FOUND: f64 = -32601.0;

/// A request on its way.
pub(super) struct Call {
    pub line: Bytes,
    pub travel: Travel,
}

/// What is left to do once a request is answered.
#[derive(Default)]
struct Aftermath {
    /// The stream that the answer came on.
    rest: Option<Events>,
    /// The session that the answer has put an end to.
    former: Option<Arc<Session>>,
}

/// Where an exchange is: the headers that name its session, and what can go wrong with that.
pub(super) struct Place {
    pub headers: HeaderMap,
    pub session: Option<Arc<Session>>,
}

impl Place {
    /// Whether this status means that the server has forgotten the session.
    pub fn is_lost(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_FOUND && self.session.as_ref().is_some_and(|session| session.is_named())
    }
}

impl<S> Context<S>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Sees a request through: exactly one answer, unless the request is cancelled.
    pub async fn exchange(self, call: Call, slot: Slot, mut stopped: oneshot::Receiver<()>, admission: Admission) {
        let outcome = tokio::select! {
            biased;
            _ = &mut stopped => return,
            outcome = self.answer(&call, &slot, &admission.gate) => outcome,
        };
        let aftermath = match outcome {
            Ok(aftermath) => aftermath,
            Err(failure) => {
                if let Failure::SessionLost(Some(session)) = &failure {
                    self.lose(session).await;
                }
                self.fail(&slot, &failure).await;
                Aftermath::default()
            }
        };
        drop(admission);
        if let Some(former) = aftermath.former {
            let _ = timeout(self.options.grace, self.wire.delete(former.headers())).await;
        }
        if let Some(mut rest) = aftermath.rest {
            let end = async { while let Ok(Some(_)) = rest.next(&mut Cursor::default()).await {} };
            let _ = timeout(LAST_WORDS, end).await;
        }
    }

    /// Sends what has no answer; false, and a word in the log, where it did not arrive.
    pub async fn post_unanswered(&self, line: Bytes, route: &Route) -> bool {
        let sent = async {
            let place = self.place(route)?;
            let response = self.wire.post(place.headers.clone(), line).await.map_err(Failure::Unreachable)?;
            match response.status() {
                status if status.is_success() => Ok(()),
                status if place.is_lost(status) => Err(Failure::SessionLost(place.session)),
                status => Err(Failure::Status(status)),
            }
        };
        let Err(failure) = sent.await else { return true };
        tracing::warn!(failure = failure.message(&self.options), "a message of the host did not arrive");
        if let Failure::SessionLost(Some(session)) = &failure {
            self.lose(session).await;
        }
        false
    }

    /// Answers a request that has no answer.
    async fn fail(&self, slot: &Slot, failure: &Failure) {
        let Ok(place) = self.out.reserve().await else { return };
        if self.open.close(&slot.id, slot.number) == Some(true) {
            place.send(self.options.own_words.say(failure.line(&slot.id, &self.options)));
        }
    }

    /// Tells every request of a session that it is over.
    pub async fn lose(&self, session: &Arc<Session>) {
        if !self.sessions.lose(session) {
            return;
        }
        tracing::warn!("the server has ended the session");
        for id in self.open.close_session() {
            // Nobody reads any more: then nobody is owed anything.
            let line = self.options.own_words.say(Failure::SessionLost(None).line(&id, &self.options));
            let _ = self.out.send(line).await;
        }
    }

    /// Where a message of this route goes.
    pub fn place(&self, route: &Route) -> Result<Place, Failure> {
        match route {
            Route::Alone(headers) => Ok(Place { headers: headers.clone(), session: None }),
            Route::Initialize => Ok(Place { headers: HeaderMap::new(), session: None }),
            Route::Session => {
                let session = self.sessions.current().map_err(|Lost| Failure::SessionLost(None))?;
                let headers = session.as_ref().map(|session| session.headers()).unwrap_or_default();
                Ok(Place { headers, session })
            }
        }
    }

    async fn answer(&self, call: &Call, slot: &Slot, gate: &Gate) -> Result<Aftermath, Failure> {
        gate.passed().await;
        let mut place = self.place(&call.travel.route)?;
        let response = self.wire.post(place.headers.clone(), call.line.clone()).await.map_err(Failure::Unreachable)?;
        if call.travel.lesson == Lesson::Session {
            // The stream may break before the answer has come, and is then resumed under this name.
            place.headers = session::headers(session::named_by(response.headers()), None);
        }
        match Kind::of(&response) {
            Kind::Events => self.follow(call, slot, place, response.into_body()).await,
            Kind::Json => self.whole(call, slot, &place, response).await,
            Kind::Other if place.is_lost(response.status()) => Err(Failure::SessionLost(place.session)),
            Kind::Other => Err(Failure::Status(response.status())),
        }
    }

    /// The answer is the body.
    async fn whole(&self, call: &Call, slot: &Slot, place: &Place, response: Response) -> Result<Aftermath, Failure> {
        let status = response.status();
        let text = collect(response.into_body(), self.options.answer_limit).await?;
        let read = message::read(&text, Some(&slot.id));
        if place.is_lost(status) {
            let is_refusal =
                matches!(&read, Ok(Incoming::Answer(line)) if message::error_code(line) == Some(METHOD_NOT_FOUND));
            if !is_refusal {
                return Err(Failure::SessionLost(place.session.clone()));
            }
        }
        match read {
            Ok(Incoming::Answer(line)) => self.deliver(call, slot, place, line).await,
            Err(message::NotOneLine) if status.is_success() => Err(Failure::Unreadable),
            _ => Err(Failure::Status(status)),
        }
    }

    /// The answer comes on a stream, or on one that resumes it.
    async fn follow(&self, call: &Call, slot: &Slot, place: Place, body: Body) -> Result<Aftermath, Failure> {
        let mut events = Events::new(body, self.options.answer_limit);
        let mut cursor = Cursor::default();
        let mut tries = 0;
        loop {
            loop {
                let text = match events.next(&mut cursor).await {
                    Ok(Some(text)) => text,
                    Ok(None) => break,
                    Err(Fault::TooLong) => return Err(Failure::TooLong),
                    Err(fault) => {
                        tracing::debug!(%fault, "a stream broke before its answer");
                        break;
                    }
                };
                tries = 0;
                if text.is_empty() {
                    continue;
                }
                match message::read(&text, Some(&slot.id)) {
                    Ok(Incoming::Answer(line)) => {
                        let aftermath = self.deliver(call, slot, &place, line).await?;
                        return Ok(Aftermath { rest: Some(events), ..aftermath });
                    }
                    Ok(other) => self.pass(other).await,
                    Err(message::NotOneLine) => return Err(Failure::Unreadable),
                }
            }
            // The later era has no resumption, and who cancelled waits for nothing.
            if matches!(call.travel.route, Route::Alone(_)) || self.open.is_unwanted(&slot.id, slot.number) {
                return Err(Failure::Cut);
            }
            events = self.resume(&place, &cursor, &mut tries).await?;
        }
    }

    /// Opens a broken stream again; see [`BridgeOptions::tries`](super::BridgeOptions::tries).
    async fn resume(&self, place: &Place, cursor: &Cursor, tries: &mut u32) -> Result<Events, Failure> {
        if cursor.last.is_none() {
            return Err(Failure::Cut);
        }
        while *tries < self.options.tries {
            self.pause(cursor, *tries).await;
            *tries += 1;
            match self.open_stream(place, cursor).await {
                Ok(events) => return Ok(events),
                Err(lost @ Failure::SessionLost(_)) => return Err(lost),
                Err(failure) => tracing::debug!(failure = failure.message(&self.options), "a stream was not resumed"),
            }
        }
        Err(Failure::NotResumed)
    }

    /// Passes what is not the answer, unless it is one that nobody waits for.
    pub async fn pass(&self, incoming: Incoming) {
        let (answered, line) = match incoming {
            Incoming::Other(line) => (None, line),
            Incoming::Answer(line) => (None, line),
            Incoming::Stray { id, line } => (Some(id), line),
        };
        let Ok(place) = self.out.reserve().await else { return };
        if answered.is_none_or(|id| self.open.close_elsewhere(&id)) {
            place.send(line);
        } else {
            tracing::debug!("an answer to no open request is dropped");
        }
    }

    /// Learns from the answer, then passes it. The order is the promise: what the host does with the answer comes later.
    async fn deliver(&self, call: &Call, slot: &Slot, place: &Place, line: Bytes) -> Result<Aftermath, Failure> {
        let Ok(room) = self.out.reserve().await else { return Ok(Aftermath::default()) };
        if self.open.close(&slot.id, slot.number).is_none() {
            return Ok(Aftermath::default());
        }
        let mut former = None;
        match call.travel.lesson {
            Lesson::None => {}
            Lesson::Session => former = self.begin_session(place, &line),
            Lesson::Tools { first_page } => {
                message::with_result(&line, |result| self.tools().learn(result, first_page));
            }
        }
        room.send(line);
        Ok(Aftermath { rest: None, former })
    }

    fn begin_session(&self, place: &Place, line: &[u8]) -> Option<Arc<Session>> {
        message::with_result(line, |result| {
            let version = result.get("protocolVersion").and_then(|version| version.as_str());
            let id = place.headers.get(SESSION).cloned();
            self.sessions.begin(id, version.and_then(encode::plain_value))
        })
        .flatten()
    }
}

/// All of a body. (`Limited` of http-body-util does the same, but a future of it over boxed errors is not `Send`.)
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut text = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "an answer broke off");
            Failure::Cut
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if text.len() + data.len() > limit {
            return Err(Failure::TooLong);
        }
        text.extend_from_slice(&data);
    }
    Ok(text.freeze())
}

/// What an HTTP answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message.
    Json,
    /// A stream of them.
    Events,
    /// No message.
    Other,
}

impl Kind {
    /// By `Content-Type`, parameters aside; a stream has to be a success.
    pub fn of(response: &Response) -> Self {
        let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if media.eq_ignore_ascii_case("text/event-stream") && response.status().is_success() {
            Self::Events
        } else {
            Self::Other
        }
    }
}
