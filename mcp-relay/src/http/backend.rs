//! What answers behind a relay.

use std::future::{Future, poll_fn};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tower_service::Service;

use super::{BoxError, Request, Response};

/// A `tower_service::Service` that answers requests, whatever it calls its errors and bodies.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Waits until it can take a request, and for the answer to it.
    fn ask(&self, request: Request) -> impl Future<Output = Result<Response, BoxError>> + Send;
}

impl<S, B> Backend for S
where
    S: Service<Request, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn ask(&self, request: Request) -> Result<Response, BoxError> {
        let mut service = self.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
        let answer = service.call(request).await.map_err(Into::into)?;
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}
