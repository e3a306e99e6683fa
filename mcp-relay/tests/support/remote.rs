//! A remote server whose answers a test writes, and a host in front of it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_relay::http::bridge::{BridgeError, BridgeOptions, run};
use mcp_relay::http::{Body, BoxError, Request, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

use crate::support::soon;

/// A request that waits for the test to answer it.
pub struct Arrived {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    answer: oneshot::Sender<Response>,
}

impl Arrived {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The message in the body.
    pub fn message(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Answers with a whole body; `head` has further headers.
    pub fn answer(self, status: u16, head: &[(&str, &str)], body: impl Into<Bytes>) {
        let mut response = http::Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in head {
            response = response.header(*name, *value);
        }
        let body = Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed_unsync();
        // The client may have gone; the test sees that elsewhere.
        let _ = self.answer.send(response.body(body).unwrap());
    }

    pub fn json(self, body: impl Into<Bytes>) {
        self.answer(200, &[("content-type", "application/json")], body);
    }

    /// Answers a notification.
    pub fn accepted(self) {
        self.answer(202, &[], "");
    }

    /// Answers with a stream that the test writes.
    pub fn events(self, head: &[(&str, &str)]) -> Events {
        let (frames, mut waiting) = mpsc::channel::<Result<Frame<Bytes>, BoxError>>(1);
        let stream = futures_util::stream::poll_fn(move |cx| waiting.poll_recv(cx));
        let mut response = http::Response::builder().header("content-type", "text/event-stream; charset=utf-8");
        for (name, value) in head {
            response = response.header(*name, *value);
        }
        let _ = self.answer.send(response.body(StreamBody::new(stream).boxed_unsync()).unwrap());
        Events(frames)
    }

    /// Resolves when the client closes the exchange before it is answered.
    pub async fn closed(mut self) {
        soon(self.answer.closed()).await;
    }
}

/// A stream of events; ends when dropped.
pub struct Events(mpsc::Sender<Result<Frame<Bytes>, BoxError>>);

impl Events {
    pub async fn send(&self, text: &str) {
        soon(self.0.send(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes()))))).await.unwrap();
    }

    /// Breaks the connection.
    pub async fn break_off(self) {
        soon(self.0.send(Err("broken".into()))).await.unwrap();
    }

    /// Resolves when the client closes the stream.
    pub async fn closed(&self) {
        soon(self.0.closed()).await;
    }
}

/// The remote server.
pub struct Remote {
    pub url: Uri,
    arrivals: mpsc::UnboundedReceiver<Arrived>,
    accepting: AbortHandle,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Remote {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let arrived = arrived.clone();
                let service =
                    service_fn(move |request: http::Request<hyper::body::Incoming>| serve(request, arrived.clone()));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service),
                );
            }
        });
        Self { url, arrivals, accepting: accepting.abort_handle() }
    }

    /// The next request.
    pub async fn next(&mut self) -> Arrived {
        soon(self.arrivals.recv()).await.unwrap()
    }

    /// The next request, which has to be a message of this method.
    pub async fn message(&mut self, method: &str) -> Arrived {
        let arrived = self.next().await;
        assert_eq!(arrived.method, Method::POST);
        assert_eq!(arrived.message()["method"], method);
        arrived
    }

    /// Whether nothing has arrived that was not asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.arrivals.try_recv().is_err()
    }
}

async fn serve(
    request: http::Request<hyper::body::Incoming>,
    arrived: mpsc::UnboundedSender<Arrived>,
) -> Result<Response, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (answer, answered) = oneshot::channel();
    arrived.send(Arrived { method: head.method, uri: head.uri, headers: head.headers, body, answer })?;
    // A test that drops a request has the connection closed.
    Ok(answered.await?)
}

/// The way to the remote: hyper's client, its body boxed.
#[derive(Clone)]
pub struct Upstream(Client<HttpConnector, Full<Bytes>>);

impl Default for Upstream {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl tower_service::Service<Request> for Upstream {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let sent = self.0.request(request);
        Box::pin(async move { Ok(sent.await?.map(|body| -> Body { body.map_err(BoxError::from).boxed_unsync() })) })
    }
}

/// The host, with a bridge as its server.
pub struct Host {
    to: Option<DuplexStream>,
    from: BufReader<DuplexStream>,
    bridge: JoinHandle<Result<(), BridgeError>>,
}

/// Usual limits, with waits that do not hold up a test.
pub fn options(url: &Uri) -> BridgeOptions {
    BridgeOptions { retry: Duration::from_millis(1), tries: 3, ..BridgeOptions::new(url.clone()) }
}

/// The same with another grace.
pub fn with_grace(url: &Uri, grace: Duration) -> BridgeOptions {
    BridgeOptions { grace, ..options(url) }
}

impl Host {
    pub fn start(options: BridgeOptions) -> Self {
        let (to, bridge_reads) = tokio::io::duplex(64 * 1024);
        let (from, bridge_writes) = tokio::io::duplex(64 * 1024);
        let bridge = tokio::spawn(run(bridge_reads, bridge_writes, Upstream::default(), options));
        Self { to: Some(to), from: BufReader::new(from), bridge }
    }

    pub async fn send(&mut self, line: &str) {
        soon(self.to.as_mut().unwrap().write_all(format!("{line}\n").as_bytes())).await.unwrap();
    }

    /// The next line, without its ending.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.from.read_line(&mut line)).await.unwrap();
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    pub async fn value(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// Closes the host's writing end.
    pub fn hang_up(&mut self) {
        self.to = None;
    }

    /// What else comes, and how the bridge ends; the writing end is closed if it was not.
    pub async fn finish(mut self) -> (String, Result<(), BridgeError>) {
        self.hang_up();
        let mut rest = String::new();
        soon(self.from.read_to_string(&mut rest)).await.unwrap();
        (rest, soon(self.bridge).await.unwrap())
    }

    /// The host reads no more; how the bridge ends.
    pub async fn stop_reading(self) -> Result<(), BridgeError> {
        drop(self.from);
        soon(self.bridge).await.unwrap()
    }

    /// Begins a session of this name and readies it. The stream of the server's own messages is refused.
    pub async fn begin_session(&mut self, remote: &mut Remote, name: &str) {
        self.send(INITIALIZE).await;
        let head = [("content-type", "application/json"), ("mcp-session-id", name)];
        remote.message("initialize").await.answer(200, &head, INITIALIZED);
        assert_eq!(self.line().await, INITIALIZED);
        self.send(READY).await;
        remote.message("notifications/initialized").await.accepted();
        let get = remote.next().await;
        assert_eq!(get.method, Method::GET);
        get.answer(405, &[], "");
    }
}

pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"r","version":"0"}}}"#;
pub const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
