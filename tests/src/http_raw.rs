//! An HTTP client that has no opinions: it sends the bytes it is given, and reads what comes back.
//!
//! Any other client would refuse to send what the tests have to send.
#![allow(clippy::expect_used, clippy::panic, reason = "what goes wrong here is the end of a test, and must say where")]

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a server may be silent before it counts as waiting for more. Only what is not finished, in the server's eyes,
/// takes so long.
const SILENCE: Duration = Duration::from_secs(4);

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status, 200 and so on.
    pub status: u16,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
    /// Whether all of it came, as far as the response says how much there is.
    pub complete: bool,
}

impl Response {
    /// The JSON-RPC message in the body: the body itself, or the last event of a stream; null where it is neither.
    pub fn message(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let event = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
        serde_json::from_str(&text).or_else(|_| serde_json::from_str(event.unwrap_or(""))).unwrap_or(Value::Null)
    }
}

/// What came back for some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The responses, 100 Continue not among them. What is no response ends the list.
    pub responses: Vec<Response>,
    /// Whether the server closed the connection of its own accord.
    pub closed: bool,
}

impl Answer {
    /// The status of the first response; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.responses.first().map_or(0, |response| response.status)
    }

    /// The first response's message; null where there is none.
    pub fn message(&self) -> Value {
        self.responses.first().map_or(Value::Null, Response::message)
    }
}

/// Sends the bytes to `address`, such as `127.0.0.1:8080`, and reads until there are as many complete responses as `wanted`, or
/// the server closes the connection or is silent.
pub fn exchange(address: &str, bytes: &[u8], wanted: usize) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"));
    stream.set_read_timeout(Some(SILENCE)).expect("a time that is not zero");
    // A server that answers before it has read everything closes early, and what it said is still there to be read.
    let mut sending = stream.try_clone().expect("a second handle of a socket");
    let mut received = Vec::new();
    let closed = std::thread::scope(|scope| {
        scope.spawn(move || sending.write_all(bytes).and_then(|()| sending.flush()));
        let closed = read(&mut stream, &mut received, wanted);
        // Whoever still sends, to a server that no longer reads, is let go.
        let _ = stream.shutdown(Shutdown::Both);
        closed
    });
    Answer { responses: responses(&received), closed }
}

/// Reads to the end, which the server made where the result is true.
fn read(stream: &mut TcpStream, received: &mut Vec<u8>, wanted: usize) -> bool {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(n) => {
                received.extend_from_slice(buffer.get(..n).unwrap_or_default());
                if responses(received).iter().filter(|response| response.complete).count() >= wanted {
                    return false;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return false,
            // A reset: the server closed with bytes unread.
            Err(_) => return true,
        }
    }
}

fn responses(mut bytes: &[u8]) -> Vec<Response> {
    let mut found = Vec::new();
    while let Some((response, rest)) = response(bytes) {
        if response.status != 100 {
            found.push(response);
        }
        bytes = rest;
    }
    found
}

/// The first response, and what follows it.
fn response(bytes: &[u8]) -> Option<(Response, &[u8])> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
    let status = parsed.code?;
    let header = |name: &str| parsed.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    let rest = bytes.get(length..)?;
    if status == 100 {
        return Some((Response { status, body: Vec::new(), complete: true }, rest));
    }
    if header("transfer-encoding").is_some() {
        let (body, complete, rest) = unchunked(rest);
        return Some((Response { status, body, complete }, rest));
    }
    // Without a length the body ends with the connection.
    let length = header("content-length").and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
    let complete = length.is_some_and(|length: usize| length <= rest.len());
    let (body, rest) = rest.split_at_checked(length.unwrap_or(rest.len())).unwrap_or((rest, &[]));
    Some((Response { status, body: body.to_vec(), complete }, rest))
}

/// A chunked body as far as it came, whether that is all of it, and what follows it.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool, &[u8]) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(bytes) {
        let rest = bytes.get(start..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (data, rest) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        body.extend_from_slice(data);
        bytes = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        if size == 0 {
            return (body, true, bytes);
        }
    }
    (body, false, bytes)
}
