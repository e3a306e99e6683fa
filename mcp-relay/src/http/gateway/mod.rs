//! MCP servers that speak stdio, served over Streamable HTTP, in both eras.
//!
//! Each request is told by its body to be of one era (the module `era`):
//! - 2025-11-25 and before: a child process per session, opened by `initialize`, found again by `Mcp-Session-Id`.
//! - 2026-07-28: one child for all callers. Everything that names a request there (ids, progress tokens, subscriptions) is
//!   renumbered on the way in and back on the way out, and what cannot be tied to one caller is given to none.
//!
//! What stands in front has read the body whole and judged `Host`, `Origin` and the content type. A child is sent
//! canonical JSON: an HTTP body may hold line endings, and a line of stdio may not.

mod child;
mod edit;
mod era;
mod headers;
mod legacy;
mod modern;
mod options;
mod problem;
mod replies;

use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};

use attest_core::json;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower_service::Service;

pub use options::GatewayOptions;

use super::{BoxError, Request, Response};
use crate::{BoxFuture, Kind};
use child::Household;
use era::Era;
use legacy::Legacy;
use modern::Modern;
use problem::Problem;

/// Serves a stdio server over Streamable HTTP. Clones share their children.
///
/// It must be called in a tokio runtime with I/O and time enabled. Every failure is an HTTP answer; the service itself
/// never fails. When the last clone and the last open response are gone, the children's standard inputs close and they
/// have [`GatewayOptions::grace`] to end; [`Gateway::close`] does the same and waits for it.
#[derive(Clone)]
pub struct Gateway {
    legacy: Legacy,
    modern: Modern,
    household: Arc<Household>,
}

impl Gateway {
    /// A gateway to the server that `command` gives. Nothing is started before the first request. Standard input and
    /// output of the command are replaced, all else is as given; its standard error is ours unless it says otherwise.
    pub fn new(command: impl Fn() -> Command + Send + Sync + 'static, options: GatewayOptions) -> Self {
        let household = Arc::new(Household::new(command, options));
        let requests = Arc::new(Semaphore::new(options.open_requests.min(Semaphore::MAX_PERMITS)));
        Self {
            legacy: Legacy::new(household.clone(), requests.clone(), options),
            modern: Modern::new(household.clone(), requests, options),
            household,
        }
    }

    /// Ends all sessions and all children, and returns once the children are gone. Requests that are open get an error,
    /// later ones are refused.
    pub async fn close(&self) {
        self.household.close();
        self.legacy.close();
        self.modern.close();
        self.household.wait_empty().await;
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        match parts.method {
            Method::POST => {
                // The body lies in memory: reading it cannot fail.
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                self.post(&parts, &body).await
            }
            Method::GET => self.get(&parts.headers),
            Method::DELETE => self.delete(&parts.headers),
            _ => Problem::Method.into_response(None),
        }
    }

    async fn post(&self, parts: &Parts, body: &Bytes) -> Response {
        let headers = &parts.headers;
        let Ok(message) = json::parse(body) else {
            return Problem::NotJson.into_response(None);
        };
        let kind = Kind::of(&message);
        match (era::of(&message, &kind, headers), kind) {
            (_, Kind::Request { id, method: "initialize" })
                if era::version(&message).is_some_and(|v| !era::is_legacy(v)) =>
            {
                Problem::NoInitialize.into_response(Some(&id))
            }
            (Era::Modern, Kind::Request { id, method }) => self.modern.request(headers, &message, id, method).await,
            (Era::Modern, Kind::Notification { method }) => self.modern.notification(&message, method).await,
            (Era::Modern, _) => Problem::NotForServers.into_response(None),
            (Era::Legacy, kind) => self.legacy.post(headers, &message, kind).await,
        }
    }

    fn get(&self, headers: &HeaderMap) -> Response {
        if era::is_modern_header(headers) { Problem::Method.into_response(None) } else { self.legacy.get(headers) }
    }

    fn delete(&self, headers: &HeaderMap) -> Response {
        if era::is_modern_header(headers) { Problem::Method.into_response(None) } else { self.legacy.delete(headers) }
    }
}

impl Service<Request> for Gateway {
    type Response = Response;
    type Error = BoxError;
    type Future = BoxFuture<Result<Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let gateway = self.clone();
        Box::pin(async move { Ok(gateway.answer(request).await) })
    }
}
