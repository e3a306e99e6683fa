//! The gate inside a server: a tower layer over its HTTP service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mcp_relay::http::{Backend, BoxError, Callers, Endpoint, Relay, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::exchanges::Guards;
use crate::gate::Gate;

/// Puts the gate in front of a service: a `tools/call` reaches it only after every check, with its entry in the log, in the
/// canonical bytes that were verified, and with [`Attested`](crate::Attested) in the request's extensions.
///
/// It reads the raw bytes of the body, so it belongs directly around the MCP service, before anything that parses.
#[derive(Clone)]
pub struct AttestLayer {
    gate: Arc<Gate>,
}

impl AttestLayer {
    /// A layer with this gate. The one who opened the gate closes it when the server has ended.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for AttestLayer {
    type Service = Attest<S>;

    fn layer(&self, inner: S) -> Attest<S> {
        let limits = *self.gate.limits();
        Attest { relay: Relay::new(inner, Guards(self.gate.clone()), Endpoint::Any, Callers::Anybody, limits) }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub struct Attest<S> {
    relay: Relay<S, Guards>,
}

impl<S, R> Service<http::Request<R>> for Attest<S>
where
    S: Backend,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<R>) -> Self::Future {
        let relay = self.relay.clone();
        Box::pin(async move { Ok(relay.answer(request).await) })
    }
}
