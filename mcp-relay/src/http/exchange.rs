//! One exchange, from the request's bytes to the last byte of its answer.

use std::sync::Arc;

use attest_core::json::{self, Value};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_service::Service;

use super::headers::{SESSION, agree, plain_type, strip_hop_by_hop};
use super::relay::{Exchange as _, Exchanges, Shared, Unread, ask, collect, is_well_known};
use super::{BoxError, Request, Response, answer, events};
use crate::{Defect, Handling, Id, Interceptor as _, Kind, Refusal, ToClient, ToServer};

/// How often one request is sent once more in another form.
pub(super) const RESENDS: usize = 2;

/// An exchange under way.
pub(super) struct Open<S, E: Exchanges> {
    inner: S,
    pub shared: Arc<Shared<E>>,
    pub interceptor: Arc<E::Interceptor>,
    head: Parts,
    /// Of the request, where it is one.
    pub id: Option<Id>,
    pub session: Option<HeaderValue>,
}

/// Nobody waits for the answer any more.
pub(super) struct ClientGone;

impl<S, E, B> Open<S, E>
where
    S: Service<Request, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    E: Exchanges,
{
    pub fn new(inner: S, shared: Arc<Shared<E>>, head: Parts) -> Self {
        let interceptor = Arc::new(shared.exchanges.open(&head));
        let session = head.headers.get(SESSION).cloned();
        Self { inner, shared, interceptor, head, id: None, session }
    }

    /// A message of the client's.
    pub async fn post(mut self, body: Bytes, answer: oneshot::Sender<Response>) {
        // Not given up half-way when the client goes away: it may be writing down that the request goes on.
        let verdict = match self.look_at(&body) {
            Handling::Now(verdict) => verdict,
            Handling::Later(verdict) => verdict.await,
        };
        let body = match verdict {
            ToServer::Pass => body,
            ToServer::Forward(body) => body,
            ToServer::Reply(line) => {
                let _ = answer.send(answer::message(line));
                return;
            }
            ToServer::Drop => {
                let _ = answer.send(answer::empty(StatusCode::ACCEPTED));
                return;
            }
        };
        self.interceptor.annotate(&mut self.head.extensions);
        if let Err(ClientGone) = self.forward(body, answer).await {
            self.interceptor.client_gone().await;
            let _ = self.interceptor.server_gone(None).await;
        }
    }

    fn look_at(&mut self, body: &Bytes) -> Handling<ToServer> {
        let (defect, value) = match json::parse(body) {
            Ok(value) => match value.as_object().map(|object| agree(&self.head.headers, object)) {
                Some(true) => {
                    if let Kind::Request { id, .. } = Kind::of(&value) {
                        self.id = Some(id);
                    }
                    return self.interceptor.client_message(body.clone(), &value);
                }
                Some(false) => (Defect::HeaderMismatch, Some(value)),
                None => (Defect::NotAnObject, None),
            },
            Err(error) => (Defect::Json(error), None),
        };
        let id = value.as_ref().and_then(Value::as_object).and_then(|object| object.get("id"));
        let verdict = |refusal| match refusal {
            Refusal::Reply(line) => ToServer::Reply(line),
            Refusal::Drop => ToServer::Drop,
        };
        match self.interceptor.client_defect(defect, id) {
            Handling::Now(refusal) => Handling::Now(verdict(refusal)),
            Handling::Later(refusal) => Handling::later(async move { verdict(refusal.await) }),
        }
    }

    async fn forward(&self, mut body: Bytes, mut answer: oneshot::Sender<Response>) -> Result<(), ClientGone> {
        for _ in 0..=RESENDS {
            let response = tokio::select! {
                response = self.ask(body) => response,
                () = answer.closed() => return Err(ClientGone),
            };
            let response = match response {
                Ok(response) if is_event_stream(response.headers()) => {
                    events::stream(self, response, answer).await;
                    return Ok(());
                }
                Ok(response) => response,
                Err(failed) => {
                    let _ = answer.send(self.unanswered(failed).await);
                    return Ok(());
                }
            };
            let settled = tokio::select! {
                settled = self.whole(response) => settled,
                () = answer.closed() => return Err(ClientGone),
            };
            match settled {
                Ok(response) => {
                    let _ = answer.send(response);
                    return Ok(());
                }
                Err(resend) => body = resend,
            }
        }
        let failed = answer::failure(StatusCode::BAD_GATEWAY, "the server asks for the request again and again");
        let _ = answer.send(self.unanswered(failed).await);
        Ok(())
    }

    /// Asks the server; gives the head of its answer, or what to say in its place.
    pub async fn ask(&self, body: Bytes) -> Result<Response, Response> {
        let asked = ask(self.inner.clone(), self.head.clone(), body);
        let mut response = match timeout(self.shared.limits.answer_time, asked).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::warn!("the server gave no answer: {}", with_causes(&*error));
                return Err(answer::failure(StatusCode::BAD_GATEWAY, "the server behind does not answer"));
            }
            Err(_) => {
                tracing::warn!("the server did not answer in time");
                return Err(answer::failure(StatusCode::GATEWAY_TIMEOUT, "the server behind did not answer in time"));
            }
        };
        strip_hop_by_hop(response.headers_mut());
        if response.headers().get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
            let text = "the server behind sent its answer in a coding although it was asked not to";
            return Err(answer::failure(StatusCode::BAD_GATEWAY, text));
        }
        // It would send the client, with its request, past whoever looks at what it is told.
        let elsewhere = response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED;
        if elsewhere && !is_well_known(self.head.uri.path()) {
            return Err(answer::failure(
                StatusCode::BAD_GATEWAY,
                "the server behind redirects; configure its address as it is",
            ));
        }
        Ok(response)
    }

    /// What the client gets where no answer came: the interceptor's word, if it has one.
    async fn unanswered(&self, otherwise: Response) -> Response {
        let lines = self.interceptor.server_gone(None).await;
        lines.into_iter().next().map_or(otherwise, answer::message)
    }

    /// An answer that does not stream; an error is the request to send in place of the one it answers.
    async fn whole(&self, response: Response) -> Result<Response, Bytes> {
        let (mut head, body) = response.into_parts();
        let limits = &self.shared.limits;
        let body = match collect(body, limits.answer, limits.answer_time).await {
            Ok(body) => body,
            Err(unread) => {
                let text = match unread {
                    Unread::TooLong => "the server's answer is longer than the limit for answers",
                    Unread::Late => "the server's answer did not come in time",
                    Unread::Broken => "the server's answer broke off",
                };
                tracing::warn!("{text}");
                return Ok(self.unanswered(answer::failure(StatusCode::BAD_GATEWAY, text)).await);
            }
        };
        if !plain_type(&mut head.headers) {
            head.headers.remove(CONTENT_TYPE);
        }
        let is_text = !head.status.is_success() && !is_json(&head.headers);
        let shown = if body.iter().all(u8::is_ascii_whitespace) {
            Some(body)
        } else if !is_text && !is_object(&body) {
            // A batch nobody asked for: some clients read the answers to other requests out of it.
            tracing::warn!("dropped an answer of the server that is no JSON object");
            None
        } else {
            let value = json::parse(&body).ok();
            let handling = self.interceptor.server_message(body.clone(), value.as_ref());
            drop(value);
            match settled(handling).await {
                ToClient::Pass => Some(body),
                ToClient::Replace(line) => Some(line),
                ToClient::Resend(line) => return Err(line),
                ToClient::Drop => None,
            }
        };
        // Whatever it was, it is the last of this exchange.
        let left = self.interceptor.server_gone(None).await.into_iter().next();
        let shown = match (left, shown) {
            // A status that says why there is no answer says more than we could.
            (Some(line), _) if head.status.is_success() => return Ok(answer::message(line)),
            (_, Some(shown)) => shown,
            (_, None) => Bytes::new(),
        };
        head.headers.remove(CONTENT_LENGTH);
        Ok(Response::from_parts(head, answer::whole(shown)))
    }

    /// A request without a message: GET for a stream of the session, DELETE, or a document beside the endpoint.
    pub async fn read(self, mut answer: oneshot::Sender<Response>) {
        let response = tokio::select! {
            response = self.ask(Bytes::new()) => response,
            () = answer.closed() => return,
        };
        match response {
            Ok(response) if is_event_stream(response.headers()) => events::stream(&self, response, answer).await,
            // Some clients read events whatever the type says, and of these nobody has looked at any.
            Ok(response) if self.is_for_events() && response.status().is_success() => {
                let text = "the server behind offers no event stream";
                let _ = answer.send(answer::failure(StatusCode::METHOD_NOT_ALLOWED, text));
            }
            Ok(response) => {
                let _ = answer.send(response.map(|body| body.boxed_unsync()));
            }
            Err(failed) => {
                let _ = answer.send(failed);
            }
        }
    }
}

impl<S, E: Exchanges> Open<S, E> {
    /// Whether this is a GET of the endpoint, and not of what stands beside it.
    fn is_for_events(&self) -> bool {
        self.head.method == Method::GET && !is_well_known(self.head.uri.path())
    }
}

pub(super) async fn settled(handling: Handling<ToClient>) -> ToClient {
    match handling {
        Handling::Now(result) => result,
        Handling::Later(result) => result.await,
    }
}

/// As generous as the most generous client: what any of them reads as events is read as events here.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let types = headers.get_all(CONTENT_TYPE).iter();
    types
        .into_iter()
        .any(|value| value.as_bytes().to_ascii_lowercase().windows(17).any(|at| at == b"text/event-stream"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.to_ascii_lowercase().ends_with(b"json")
}

/// Whether the text begins as a JSON object does.
pub(super) fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
