//! One exchange, from the request's bytes to the last byte of its answer.

use std::sync::Arc;

use attest_core::json::{self, Value};
use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use tokio::sync::oneshot;

use super::admission::is_well_known;
use super::backend::Backend;
use super::encode::SESSION;
use super::events::EVENTS;
use super::headers::agree;
use super::relay::{Exchange as _, Exchanges, Shared};
use super::shown::is_event_stream;
use super::{Response, answer, events};
use crate::{Defect, Handling, Id, Interceptor as _, Kind, Refusal, ToServer};

/// How often one request is sent once more in another form.
pub(super) const RESENDS: usize = 2;

/// An exchange under way.
pub(super) struct Open<S, E: Exchanges> {
    pub inner: S,
    pub shared: Arc<Shared<E>>,
    pub interceptor: Arc<E::Interceptor>,
    pub head: Parts,
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
    pub async fn post(mut self, body: Bytes, mut answer: oneshot::Sender<Response>) {
        // Not given up half-way when the client goes away: it may be writing down that the request goes on.
        let verdict = match self.look_at(&body).known().await {
            ToServer::Waits(wait) if self.may_stream() => return self.wait(wait, body, answer).await,
            ToServer::Waits(wait) => wait.known(answer.closed()).await,
            known => known,
        };
        let instead = match verdict {
            ToServer::Pass => Ok(body),
            ToServer::Forward(body) => Ok(body),
            ToServer::Reply(line) => Err(answer::message(line)),
            // A wait ends with something else.
            ToServer::Drop | ToServer::Waits(_) => Err(answer::empty(StatusCode::ACCEPTED)),
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
    /// Whether the answer may be a stream of events: it is to a request whose client says that it reads them.
    fn may_stream(&self) -> bool {
        let accepted = self.head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut types = accepted.flat_map(|value| value.split(','));
        let is_events =
            |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(EVENTS));
        self.id.is_some() && types.any(is_events)
    }

    /// Whether this is a GET of the endpoint, and not of what stands beside it.
    fn is_for_events(&self) -> bool {
        self.head.method == Method::GET && !is_well_known(self.head.uri.path())
    }
}
