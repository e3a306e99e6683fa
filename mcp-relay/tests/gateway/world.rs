//! A gateway behind a small HTTP server, and small HTTP clients.

use std::convert::Infallible;
use std::io::PipeReader;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use mcp_relay::http::gateway::{Gateway, GatewayOptions};
use serde_json::{Value, json};
use sse_stream::SseStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_service::Service;

/// Waits for what must happen, so that a promise broken by hanging fails a test as any other does. A minute is far beyond
/// what anything here takes.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it must happen")
}

/// A gateway that listens.
pub struct World {
    pub gateway: Gateway,
    address: SocketAddr,
    /// What the children write on standard error, line by line.
    errors: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(GatewayOptions::default()).await
    }

    pub async fn with(options: GatewayOptions) -> Self {
        let (reads, writes) = std::io::pipe().unwrap();
        let writes = Mutex::new(writes);
        let command = move || {
            let mut command = Command::new("python3");
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/server.py"));
            command.stderr(writes.lock().unwrap().try_clone().unwrap());
            command
        };
        let world = Self::of(Gateway::new(command, options)).await;
        Self { errors: tokio::sync::Mutex::new(lines(reads)), ..world }
    }

    pub async fn of(gateway: Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = gateway.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone()));
            }
        });
        Self { gateway, address, errors: tokio::sync::Mutex::new(mpsc::unbounded_channel().1) }
    }

    /// A client with connections of its own.
    pub fn caller(&self) -> Caller {
        Caller {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: format!("http://{}/mcp", self.address),
        }
    }

    /// Returns once a child has seen the end of its input.
    pub async fn child_ends(&self) {
        self.hears("end of input").await;
    }

    /// Returns once a child has written this line on standard error.
    pub async fn hears(&self, line: &str) {
        let mut errors = self.errors.lock().await;
        while soon(errors.recv()).await.expect("a child writes") != line {}
    }
}

async fn serve(stream: tokio::net::TcpStream, gateway: Gateway) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut gateway = gateway.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let answer = gateway.call(http::Request::from_parts(parts, Full::new(body))).await;
            Ok::<_, Infallible>(answer.expect("a gateway always answers"))
        }
    });
    // An error is a client that hung up.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn lines(pipe: PipeReader) -> mpsc::UnboundedReceiver<String> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        for line in std::io::BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody need be interested; the pipe must not fill up.
            let _ = send.send(line);
        }
    });
    receive
}

/// A client.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

pub type Pairs<'h> = &'h [(&'h str, &'h str)];
pub const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");
pub const JSON: (&str, &str) = ("accept", "application/json");

impl Caller {
    pub async fn send(&self, method: &str, headers: Pairs<'_>, body: String) -> Answer {
        let mut request = http::Request::builder().method(method).uri(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = soon(self.client.request(request.body(Full::new(body.into())).unwrap())).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: Some(body), events: None }
    }

    pub async fn post(&self, headers: Pairs<'_>, body: &Value) -> Answer {
        self.send("POST", headers, body.to_string()).await
    }
}

/// An answer, read as it comes.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Option<Incoming>,
    events: Option<SseStream<Incoming>>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    /// The whole body.
    pub async fn text(mut self) -> String {
        let body = soon(self.body.take().unwrap().collect()).await.unwrap();
        String::from_utf8(body.to_bytes().into()).unwrap()
    }

    /// The one JSON message that the body is.
    pub async fn json(self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next event's id and data; `None` at the end, orderly or not.
    pub async fn event(&mut self) -> Option<(Option<String>, String)> {
        let body = &mut self.body;
        let events = self.events.get_or_insert_with(|| SseStream::new(body.take().unwrap()));
        loop {
            let event = soon(events.next()).await?.ok()?;
            if let Some(data) = event.data {
                return Some((event.id, data));
            }
        }
    }

    /// The next message; `None` at the end.
    pub async fn message(&mut self) -> Option<Value> {
        loop {
            let (_, data) = self.event().await?;
            if !data.is_empty() {
                return Some(serde_json::from_str(&data).unwrap());
            }
        }
    }

    /// All messages to the end.
    pub async fn messages(mut self) -> Vec<Value> {
        assert!(self.is_stream());
        let mut all = Vec::new();
        while let Some(message) = self.message().await {
            all.push(message);
        }
        all
    }

    /// The one message that it consists of, in either form.
    pub async fn only(self) -> Value {
        if !self.is_stream() {
            return self.json().await;
        }
        let mut all = self.messages().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// A request to call a tool, without anything of one era.
pub fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The same with a progress token.
pub fn with_token(mut message: Value, token: impl Into<Value>) -> Value {
    message["params"]["_meta"]["progressToken"] = token.into();
    message
}

/// What a tool said.
pub fn said(answer: &Value) -> Value {
    serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))).unwrap()
}
