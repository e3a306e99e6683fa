//! One exchange, from the request's bytes to the last byte of its answer.

use std::sync::Arc;

use attest_core::json::{self, Value};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::backend::Backend;
use super::encode::SESSION;
use super::headers::{agree, plain_type, strip_hop_by_hop};
use super::relay::{Exchange as _, Exchanges, Shared, Unread, collect, is_well_known};
use super::{Body, Request, Response, answer, events};
use crate::{Defect, Handling, Id, Interceptor as _, Kind, Refusal, ToClient, ToServer};

/// How often one request is sent once more in another form.
const RESENDS: usize = 2;

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

impl<S, E> Open<S, E>
where
    S: Backend,
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
        let instead = match verdict {
            ToServer::Pass => Ok(body),
            ToServer::Forward(body) => Ok(body),
            ToServer::Reply(line) => Err(answer::message(line)),
            ToServer::Drop => Err(answer::empty(StatusCode::ACCEPTED)),
        };
        match instead {
            Ok(body) => {
                self.interceptor.annotate(&mut self.head.extensions);
                if let Err(ClientGone) = self.forward(body, answer).await {
                    self.client_gone().await;
                }
            }
            Err(instead) => {
                let _ = answer.send(instead);
                let _ = self.interceptor.server_gone(None).await;
            }
        }
    }

    async fn client_gone(&self) {
        self.interceptor.client_gone().await;
        let _ = self.interceptor.server_gone(None).await;
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
        let mut resends = RESENDS;
        loop {
            let response = tokio::select! {
                // First, so that what took long to decide does not go on for nobody.
                biased;
                () = answer.closed() => return Err(ClientGone),
                response = self.ask(body) => response,
            };
            let response = match response {
                Ok(response) if is_event_stream(response.headers()) => {
                    events::stream(self, response, resends, answer).await;
                    return Ok(());
                }
                Ok(response) => response,
                Err(failed) => {
                    let _ = answer.send(self.unanswered(failed).await);
                    return Ok(());
                }
            };
            let (head, body_of_answer) = response.into_parts();
            let read = tokio::select! {
                read = self.read_whole(body_of_answer) => read,
                () = answer.closed() => return Err(ClientGone),
            };
            // Not given up half-way when the client goes away, as above.
            let settled = match read {
                Ok(whole) => self.settle(head, whole).await,
                Err(failed) => Ok(self.unanswered(failed).await),
            };
            match (settled, resends.checked_sub(1)) {
                (Ok(response), _) => {
                    let _ = answer.send(response);
                    return Ok(());
                }
                (Err(resend), Some(left)) => (body, resends) = (resend, left),
                (Err(_), None) => {
                    let text = "the server asks for the request again and again";
                    let _ = answer.send(self.unanswered(answer::failure(StatusCode::BAD_GATEWAY, text)).await);
                    return Ok(());
                }
            }
        }
    }

    /// Asks the server; gives the head of its answer, or what to say in its place.
    pub async fn ask(&self, body: Bytes) -> Result<Response, Response> {
        let asked = self.inner.ask(Request::from_parts(self.head.clone(), Full::new(body)));
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

    /// The body of an answer that does not stream, or what to say in its place.
    async fn read_whole(&self, body: Body) -> Result<Bytes, Response> {
        let limits = &self.shared.limits;
        collect(body, limits.answer, limits.answer_time, |_| true).await.map_err(|unread| {
            let text = match unread {
                Unread::TooLong => "the server's answer is longer than the limit for answers",
                Unread::Late => "the server's answer did not come in time",
                Unread::Broken | Unread::NoRoom => "the server's answer broke off",
            };
            tracing::warn!("{text}");
            answer::failure(StatusCode::BAD_GATEWAY, text)
        })
    }

    /// What the client is shown of an answer; an error is the request to send in place of the one it answers.
    async fn settle(&self, mut head: http::response::Parts, body: Bytes) -> Result<Response, Bytes> {
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
        Ok(Response::from_parts(head, answer::whole(shown)))
    }

    /// A request without a message: GET for a stream of the session, DELETE, or a document beside the endpoint. Only what
    /// streams carries messages.
    pub async fn read(self, mut answer: oneshot::Sender<Response>) {
        let asked = async {
            match self.ask(Bytes::new()).await {
                Ok(response) if is_event_stream(response.headers()) => Ok(response),
                // Some clients read events whatever the type says, and of these nobody has looked at any.
                Ok(response) if self.is_for_events() && response.status().is_success() => {
                    let text = "the server behind offers no event stream";
                    Err(answer::failure(StatusCode::METHOD_NOT_ALLOWED, text))
                }
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let response =
                        self.read_whole(body).await.map(|body| Response::from_parts(head, answer::whole(body)));
                    Err(response.unwrap_or_else(|failed| failed))
                }
                Err(failed) => Err(failed),
            }
        };
        let asked = tokio::select! {
            asked = asked => asked,
            () = answer.closed() => return self.client_gone().await,
        };
        match asked {
            Ok(response) => events::stream(&self, response, 0, answer).await,
            Err(response) => {
                if let (&Method::DELETE, Some(session), true) =
                    (&self.head.method, &self.session, response.status().is_success())
                {
                    self.shared.parked.end(session).await;
                }
                let _ = self.interceptor.server_gone(None).await;
                let _ = answer.send(response);
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
