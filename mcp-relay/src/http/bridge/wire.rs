//! One HTTP exchange.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::Full;
use tower_service::Service;

use crate::http::{BoxError, Request, Response};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const EITHER: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// An answer that somebody on the way compressed could not be passed on as it arrives.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The way to the server.
pub(super) struct Wire<S> {
    /// Behind a lock because a service need not be shared between threads, and cloned for each exchange.
    service: Arc<Mutex<S>>,
    url: Uri,
}

impl<S> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), url: self.url.clone() }
    }
}

/// An exchange under way, until the head of the answer is there.
type Sent = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

impl<S> Wire<S>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    pub fn new(service: S, url: Uri) -> Self {
        Self { service: Arc::new(Mutex::new(service)), url }
    }

    /// Sends one message.
    pub fn post(&self, mut headers: HeaderMap, message: Bytes) -> Sent {
        headers.insert(ACCEPT, EITHER);
        headers.insert(CONTENT_TYPE, JSON);
        self.send(Method::POST, headers, message)
    }

    /// Asks for a stream of events.
    pub fn get(&self, mut headers: HeaderMap) -> Sent {
        headers.insert(ACCEPT, EVENTS);
        self.send(Method::GET, headers, Bytes::new())
    }

    /// Ends the session that `headers` name.
    pub fn delete(&self, headers: HeaderMap) -> Sent {
        self.send(Method::DELETE, headers, Bytes::new())
    }

    fn send(&self, method: Method, headers: HeaderMap, body: Bytes) -> Sent {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        })
    }
}
