//! The page of metrics: `GET /metrics`, for whoever is told the address, by names that are ours.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use mcp_relay::http::{Callers, Handler, Limits, Listener, Response};
use tokio::task::JoinHandle;

use crate::config::MetricsTable;
use crate::gate::Gate;
use crate::serve::GuardError;

/// Most connections: a handful of scrapers.
const CONNECTIONS: usize = 16;
/// How long a connection may be silent: longer than scrapers usually wait between two looks.
const SILENCE: Duration = Duration::from_secs(120);

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// A socket that listens, before there is anything to show.
pub(crate) struct Bound {
    listener: Listener,
    callers: Callers,
}

/// The page; it ends when this goes.
pub(crate) struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bound {
    /// Listens, where the configuration says so.
    pub(crate) async fn of(table: &MetricsTable) -> Result<Option<Self>, GuardError> {
        let Some(address) = table.listen else { return Ok(None) };
        let callers = callers(address, table.hosts.as_deref())?;
        let listener = Listener::bind(address).await;
        let listener = listener.map_err(|source| GuardError::Listen { address, source })?;
        Ok(Some(Self { listener, callers }))
    }

    /// Shows what this gate counts.
    pub(crate) fn serve(self, gate: Arc<Gate>) -> Serving {
        let Self { listener, callers } = self;
        let limits = Limits { connections: CONNECTIONS, head: 16 << 10, head_time: SILENCE, ..Limits::default() };
        let page = Page { gate, callers: Arc::new(callers) };
        Serving(tokio::spawn(async move { listener.serve(page, &limits, std::future::pending()).await }))
    }
}

fn callers(address: SocketAddr, hosts: Option<&[String]>) -> Result<Callers, GuardError> {
    match hosts {
        Some(hosts) => Ok(Callers::Knowing(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())),
        None if address.ip().is_loopback() => Ok(Callers::of_this_machine()),
        None => Err(GuardError::MetricsForAll(address)),
    }
}

#[derive(Clone)]
struct Page {
    gate: Arc<Gate>,
    callers: Arc<Callers>,
}

impl Handler for Page {
    async fn handle(&self, request: Request<hyper::body::Incoming>) -> Response {
        // A page in somebody's browser has no name of ours.
        if !self.callers.admit(request.headers()) {
            return answer(StatusCode::FORBIDDEN, Bytes::new());
        }
        if request.uri().path() != "/metrics" {
            return answer(StatusCode::NOT_FOUND, Bytes::new());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer(StatusCode::METHOD_NOT_ALLOWED, Bytes::new());
        }
        let mut response = answer(StatusCode::OK, self.gate.metrics().into());
        response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
        response
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response {
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
