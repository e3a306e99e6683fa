//! A caller with one keep-alive connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::fleet::{Body, Target};
use crate::Outcome;

/// The unsigned request that wakes a connection up.
pub(super) const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const PATH: &str = "/mcp";

/// One connection.
pub struct Caller {
    to: SendRequest<Full<Bytes>>,
    headers: HeaderMap,
}

impl Caller {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (to, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, address.to_string().parse()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert("mcp-protocol-version", HeaderValue::from_static("2025-11-25"));
        Ok(Self { to, headers })
    }

    /// Sends a message; gives the answer, whole.
    pub async fn post(&mut self, body: Bytes) -> Outcome<(StatusCode, Bytes)> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(PATH);
        *request.headers_mut() = self.headers.clone();
        // The connection may still be putting the last answer away.
        self.to.ready().await?;
        let answer = self.to.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request whose answer must be a result.
    pub async fn ask(&mut self, body: Bytes) -> Outcome<()> {
        let (status, answer) = self.post(body).await?;
        must_be_result(status, &answer)
    }

    async fn calls(mut self, calls: Vec<Bytes>) -> Outcome<Vec<Duration>> {
        let (mut times, mut answers) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
        for call in calls {
            let begun = Instant::now();
            answers.push(self.post(call).await?);
            times.push(begun.elapsed());
        }
        for (status, answer) in answers {
            must_be_result(status, &answer)?;
        }
        Ok(times)
    }
}

/// What one turn of a target measured.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// How long each call took.
    pub times: Vec<Duration>,
    /// How long all together took.
    pub taken: Duration,
    /// CPU time that the process in question used meanwhile.
    pub cpu: Duration,
}

/// Makes the calls over `width` new connections, each of which has one call under way at any time.
pub async fn turn(target: &Target, width: usize, calls: Vec<Bytes>) -> Outcome<Turn> {
    let address = target.process.address()?;
    let mut callers = Vec::with_capacity(width);
    for _ in 0..width {
        let mut caller = Caller::open(address).await?;
        // So that both sides of whatever stands in between are connected before the clock starts.
        caller.ask(Bytes::from_static(PING.as_bytes())).await?;
        callers.push(caller);
    }
    let all = calls.len();
    let mut shares = vec![Vec::with_capacity(all / width + 1); width];
    let mut calls = calls.into_iter();
    if let (Body::Short, Some(caller), Some(full)) = (target.body, callers.first_mut(), calls.next()) {
        // The one call in full after which a verifier knows what the others name.
        caller.ask(full).await?;
    }
    for (n, call) in calls.enumerate() {
        if let Some(share) = shares.get_mut(n % width) {
            share.push(call);
        }
    }
    let cpu = target.cpu()?;
    let begun = Instant::now();
    let under_way: Vec<_> = callers
        .into_iter()
        .zip(shares)
        .map(|(caller, calls)| {
            tokio::task::spawn_local(async move { caller.calls(calls).await.map_err(|e| e.to_string()) })
        })
        .collect();
    let mut times = Vec::with_capacity(all);
    for caller in under_way {
        times.extend(caller.await??);
    }
    Ok(Turn { taken: begun.elapsed(), cpu: target.cpu()?.saturating_sub(cpu), times })
}

/// A refusal would be fast, and no measurement of a call.
pub(super) fn must_be_result(status: StatusCode, answer: &[u8]) -> Outcome<()> {
    let message: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    if status == StatusCode::OK && message.get("result").is_some() {
        return Ok(());
    }
    Err(format!("not a result: {status} {}", String::from_utf8_lossy(answer)).into())
}
