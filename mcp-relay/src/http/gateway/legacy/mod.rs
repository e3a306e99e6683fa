//! The era up to 2025-11-25: sessions, each with a child of its own.

mod journal;
mod routes;
mod session;
mod sessions;

use std::sync::Arc;

use attest_core::json::Value;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Semaphore;

use super::child::Household;
use super::headers::{Accepts, single};
use super::options::GatewayOptions;
use super::problem::Problem;
use super::{era, replies};
use crate::http::Response;
use crate::http::encode::{LAST_EVENT, SESSION, VERSION};
use crate::{Id, Kind};
use journal::{From, STANDALONE};
use routes::Open;
use session::{Reader, Session};
use sessions::Sessions;

/// Serves the legacy era.
#[derive(Clone)]
pub(super) struct Legacy {
    sessions: Arc<Sessions>,
    household: Arc<Household>,
    requests: Arc<Semaphore>,
    options: GatewayOptions,
}

impl Legacy {
    pub fn new(household: Arc<Household>, requests: Arc<Semaphore>, options: GatewayOptions) -> Self {
        Self { sessions: Sessions::new(options), household, requests, options }
    }

    /// Ends all sessions.
    pub fn close(&self) {
        self.sessions.end_all(&Problem::Closing);
    }

    /// A POST.
    pub async fn post(&self, headers: &HeaderMap, message: &Value<'_>, kind: Kind<'_>) -> Response {
        let id = if let Kind::Request { id, .. } = &kind { Some(id.clone()) } else { None };
        let answered = match kind {
            Kind::Request { id, method: "initialize" } if !headers.contains_key(SESSION) => {
                self.initialize(headers, message, id).await
            }
            Kind::Request { id, .. } => self.request(headers, message, id).await,
            Kind::Notification { method } => self.notification(headers, message, method).await,
            Kind::Response { .. } => self.send(headers, message).await,
            Kind::Other => Err(Problem::NotAMessage),
        };
        answered.unwrap_or_else(|problem| problem.into_response(id.as_ref()))
    }

    /// Opens a session. Its id stands in the header of the answer, so the answer is awaited before anything is sent.
    async fn initialize(&self, headers: &HeaderMap, message: &Value<'_>, id: Id) -> Result<Response, Problem> {
        let accepts = accepts(headers)?;
        let open = self.place(&id, message)?;
        let (session, opening) = self.sessions.start(&self.household, id)?;
        let lines = session.heard()?;
        let slot = lines.reserve().await.map_err(|_| Problem::ServerGone)?;
        let mut reader = session.open(open)?;
        slot.send(message.to_canonical().into());
        let answer = reader.next().await.ok_or(Problem::ServerGone)?;
        let mut response = if accepts.json {
            replies::json(StatusCode::OK, answer)
        } else {
            replies::event_stream(stream::iter([replies::event(answer, None)]), self.options.keep_alive)
        };
        // Without a version it was refused, and there is no session.
        if session.version().is_some()
            && let Some(id) = opening.keep().and_then(|id| HeaderValue::try_from(id).ok())
        {
            response.headers_mut().insert(SESSION, id);
        }
        Ok(response)
    }

    async fn request(&self, headers: &HeaderMap, message: &Value<'_>, id: Id) -> Result<Response, Problem> {
        let session = self.session(headers)?;
        let accepts = accepts(headers)?;
        let lines = session.heard()?;
        let open = Open { streams: accepts.sse, ..self.place(&id, message)? };
        // First the room for it: a caller that hangs up while it waits for that leaves no request open.
        let slot = lines.reserve().await.map_err(|_| Problem::ServerGone)?;
        let mut reader = session.open(open)?;
        slot.send(message.to_canonical().into());
        if accepts.sse {
            return Ok(self.stream(reader));
        }
        let answer = reader.next().await.ok_or(Problem::ServerGone)?;
        Ok(replies::json(StatusCode::OK, answer))
    }

    async fn notification(&self, headers: &HeaderMap, message: &Value<'_>, method: &str) -> Result<Response, Problem> {
        let response = self.send(headers, message).await?;
        let cancelled = message.as_object().and_then(|o| Id::of(o.get("params")?.as_object()?.get("requestId")?));
        if let Some(id) = cancelled.filter(|_| method == "notifications/cancelled") {
            self.session(headers)?.cancelled(&id);
        }
        Ok(response)
    }

    /// Sends on what has no answer.
    async fn send(&self, headers: &HeaderMap, message: &Value<'_>) -> Result<Response, Problem> {
        let lines = self.session(headers)?.heard()?;
        lines.send(message.to_canonical().into()).await.map_err(|_| Problem::UnknownSession)?;
        Ok(replies::accepted())
    }

    /// A GET: the standalone stream, or any stream from where its connection broke.
    pub fn get(&self, headers: &HeaderMap) -> Response {
        self.listen(headers).unwrap_or_else(|problem| problem.into_response(None))
    }

    fn listen(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        let session = self.session(headers)?;
        if !Accepts::of(headers).sse {
            return Err(Problem::NotAcceptable);
        }
        session.heard()?;
        let reader = if headers.contains_key(LAST_EVENT) {
            let (stream, event) = single(headers, &LAST_EVENT).and_then(event_id).ok_or(Problem::EventId)?;
            session.attach(stream, From::After(event))?
        } else {
            session.attach(STANDALONE, From::Unread)?
        };
        Ok(self.stream(reader))
    }

    /// A DELETE: the end of a session.
    pub fn delete(&self, headers: &HeaderMap) -> Response {
        let ended = single(headers, &SESSION).map(|id| self.sessions.end(id, &Problem::UnknownSession));
        match ended {
            Some(true) => replies::empty(StatusCode::OK),
            Some(false) => Problem::UnknownSession.into_response(None),
            None => Problem::NoSession.into_response(None),
        }
    }

    fn stream(&self, reader: Reader) -> Response {
        replies::event_stream(Box::pin(reader.into_stream()), self.options.keep_alive)
    }

    /// The session that the headers name.
    fn session(&self, headers: &HeaderMap) -> Result<Arc<Session>, Problem> {
        if !headers.contains_key(SESSION) {
            return Err(Problem::NoSession);
        }
        let session = single(headers, &SESSION).and_then(|id| self.sessions.get(id)).ok_or(Problem::UnknownSession)?;
        if headers.contains_key(VERSION) {
            let version = single(headers, &VERSION).ok_or(Problem::Version)?;
            if !era::is_legacy(version) && session.version().as_deref() != Some(version) {
                return Err(Problem::Version);
            }
        }
        Ok(session)
    }

    fn place(&self, id: &Id, message: &Value<'_>) -> Result<Open, Problem> {
        let permit = self.requests.clone().try_acquire_owned().map_err(|_| Problem::RequestsFull)?;
        Ok(Open { id: id.clone(), token: progress_token(message), cancelled: false, streams: false, _permit: permit })
    }
}

fn accepts(headers: &HeaderMap) -> Result<Accepts, Problem> {
    Some(Accepts::of(headers)).filter(|accepts| accepts.json || accepts.sse).ok_or(Problem::NotAcceptable)
}

fn progress_token(message: &Value<'_>) -> Option<Id> {
    Id::of(message.as_object()?.get("params")?.as_object()?.get("_meta")?.as_object()?.get("progressToken")?)
}

/// `<stream>-<event>`, as the journal writes it.
fn event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, event) = text.split_once('-')?;
    Some((stream.parse().ok()?, event.parse().ok()?))
}
