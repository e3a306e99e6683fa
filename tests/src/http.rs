//! MCP over HTTP for tests: programs that serve it, and a client that sends the bytes it is told to.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use ureq::http::Response;

use crate::client::{Client, PATIENCE, eventually};

/// A program that listens. It ends with this.
pub struct Served {
    process: Client,
    /// Its MCP endpoint.
    pub url: String,
}

impl Served {
    /// Starts a program that says its URL on standard output: our servers.
    pub fn server(command: Command) -> Self {
        let mut process = Client::start(command);
        let said = process.find("a URL on standard output", |m| url_in(&m.line).is_some());
        Self { url: url_in(&said.line).expect("just found"), process }
    }

    /// Starts a program that says its URL on standard error: `attest guard` and `attest wrap`.
    pub fn attest(command: Command) -> Self {
        let process = Client::start(command);
        let url = eventually("a URL on standard error", || process.said().lines().find_map(url_in));
        Self { process, url }
    }

    /// `127.0.0.1:8080`, as it is in the URL.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().unwrap_or_default()
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// SIGHUP: a guard reads its configuration again.
    pub fn hang_up(&self) {
        let pid = i32::try_from(self.process.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::HUP).expect("our child");
    }

    /// Ends it in order, as Ctrl-C does, and waits for that.
    pub fn end(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.process.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::INT).expect("our child");
        self.process.wait()
    }
}

fn url_in(line: &str) -> Option<String> {
    let url = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"))?;
    Some(url.to_owned())
}

/// What came back for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The messages in the body, in order: one, or those of an event stream.
    pub messages: Vec<Value>,
}

impl Answer {
    /// The answer itself, behind what may have come before it; null where there is none.
    pub fn last(&self) -> Value {
        let is_answer = |m: &&Value| m.get("method").is_none();
        self.messages.iter().rfind(is_answer).cloned().unwrap_or_default()
    }
}

/// A client of one endpoint. It takes the HTTP headers that MCP asks for from the message, and keeps a session that it is given.
pub struct HttpClient {
    agent: ureq::Agent,
    url: String,
    session: Option<String>,
}

impl HttpClient {
    /// A client of the endpoint at `url`.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { agent: config.proxy(None).build().into(), url: url.to_owned(), session: None }
    }

    /// Sends one message and reads all that comes back.
    pub fn send(&mut self, message: &str) -> Answer {
        let response = self.post(message);
        if let Some(session) = response.headers().get("mcp-session-id") {
            self.session = Some(session.to_str().unwrap().to_owned());
        }
        Answer { status: response.status().as_u16(), messages: messages(response).collect() }
    }

    /// Sends one message; what comes back is read one by one. When the iterator goes, so does the connection.
    pub fn open(&self, message: &str) -> impl Iterator<Item = Value> + use<> {
        messages(self.post(message))
    }

    fn post(&self, message: &str) -> Response<ureq::Body> {
        let value: Value = serde_json::from_str(message).unwrap_or_default();
        let mut request = self.agent.post(&self.url);
        for (name, value) in self.headers(&value) {
            request = request.header(name, value);
        }
        request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .send(message)
            .unwrap_or_else(|e| panic!("POST {}: {e}", self.url))
    }

    fn headers<'m>(&'m self, message: &'m Value) -> impl Iterator<Item = (&'static str, &'m str)> {
        let params = &message["params"];
        let modern = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        let session = self.session.as_deref().filter(|_| modern.is_none());
        let name = ["name", "uri", "taskId"].into_iter().find_map(|member| params[member].as_str());
        let headers = [
            ("mcp-protocol-version", modern.or(session.map(|_| "2025-11-25"))),
            ("mcp-session-id", session),
            ("mcp-method", modern.and(message["method"].as_str())),
            ("mcp-name", modern.and(name)),
        ];
        headers.into_iter().filter_map(|(header, value)| Some((header, value?)))
    }
}

/// The messages of a body as they come: that of a JSON body, or those of an event stream whose events are one line each.
fn messages(response: Response<ureq::Body>) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(response.into_body().into_reader()).lines();
    lines.map_while(Result::ok).filter_map(|line| {
        let text = line.strip_prefix("data:").unwrap_or(&line);
        serde_json::from_str(text).ok().filter(Value::is_object)
    })
}
