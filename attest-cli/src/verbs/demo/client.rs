//! The demo as an MCP client: JSON-RPC lines over the pipes of a real process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use attest_core::names::REFUSAL_CODE;
use serde_json::{Value, json as document};

use super::server::COUNTER;

type Failure = Box<dyn std::error::Error>;

/// How long an answer may take; only a machine that stands still reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The tool ran, and said this.
    Result(String),
    /// The call was refused, for this reason as the caller is told it.
    Refused(String),
}

/// One conversation with a server, from its start to its end.
pub(crate) struct Client {
    child: Child,
    /// `None` once the conversation is over.
    to: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    /// Answers that came while another one was waited for, by id.
    early: HashMap<String, Value>,
    asked: u64,
}

impl Client {
    /// Starts `server` and says hello. What its processes have to say about themselves goes to `messages`.
    pub(crate) fn start(mut server: Command, messages: File) -> Result<Self, Failure> {
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(messages);
        let mut child = server.spawn().map_err(|e| format!("cannot start {}: {e}", server.get_program().display()))?;
        let (sender, lines) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            thread::spawn(move || {
                BufReader::new(out).split(b'\n').map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        let mut client = Self { to: child.stdin.take(), child, lines, early: HashMap::new(), asked: 0 };
        let this = document!({ "name": "attest-demo", "version": env!("CARGO_PKG_VERSION") });
        let hello = document!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": this });
        client.ask("initialize", &hello)?;
        client.say(&document!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(client)
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answer, Failure> {
        answer(&self.ask("tools/call", &document!({ "name": tool, "arguments": arguments }))?)
    }

    /// The answer to a call that somebody sends in place of this `ping`.
    pub(crate) fn answer_to(&mut self, id: &str) -> Result<Answer, Failure> {
        self.say(&document!({ "jsonrpc": "2.0", "id": id, "method": "ping" }))?;
        answer(&self.wait_for(&document!(id))?)
    }

    /// The server's own count of tool runs: a resource, so no tool call is needed to look at it.
    pub(crate) fn tool_runs(&mut self) -> Result<u64, Failure> {
        let answer = self.ask("resources/read", &document!({ "uri": COUNTER }))?;
        let runs = answer.pointer("/result/contents/0/text").and_then(Value::as_str).and_then(|text| text.parse().ok());
        runs.ok_or_else(|| format!("the server does not tell its count: {answer}").into())
    }

    /// Ends the conversation and waits for the processes to end, so that the next guard finds the log free.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        match self.finish()? {
            status if status.success() => Ok(()),
            status => Err(format!("a process ended with {status}").into()),
        }
    }

    /// Hangs up and waits; a process that does not end by itself is ended.
    fn finish(&mut self) -> io::Result<ExitStatus> {
        self.to.take();
        // The pipe closes when the process at its other end is gone.
        let silence = loop {
            if let Err(silence) = self.lines.recv_timeout(PATIENCE) {
                break silence;
            }
        };
        if silence == RecvTimeoutError::Timeout {
            self.child.kill()?;
        }
        self.child.wait()
    }

    fn say(&mut self, message: &Value) -> Result<(), Failure> {
        let to = self.to.as_mut().ok_or("the conversation is over")?;
        to.write_all(format!("{message}\n").as_bytes()).and_then(|()| to.flush())?;
        Ok(())
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.asked += 1;
        let id = document!(self.asked);
        self.say(&document!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        self.wait_for(&id)
    }

    fn wait_for(&mut self, id: &Value) -> Result<Value, Failure> {
        let wanted = id.to_string();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.early.remove(&wanted) {
                return Ok(answer);
            }
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|_| "no answer; the processes' own words tell why")?;
            let message: Value = serde_json::from_slice(&line)?;
            if let Some(id) = message.get("id").filter(|_| message.get("method").is_none()) {
                self.early.insert(id.to_string(), message.clone());
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn answer(message: &Value) -> Result<Answer, Failure> {
    let reason = message.pointer("/error/data/reason").and_then(Value::as_str);
    let code = message.pointer("/error/code").and_then(Value::as_i64);
    if let (Some(reason), true) = (reason, code == Some(REFUSAL_CODE.into())) {
        return Ok(Answer::Refused(reason.to_owned()));
    }
    let failed = message.pointer("/result/isError").and_then(Value::as_bool).unwrap_or(false);
    match message.pointer("/result/content/0/text").and_then(Value::as_str) {
        Some(text) if !failed => Ok(Answer::Result(text.to_owned())),
        _ => Err(format!("neither a result nor a refusal: {message}").into()),
    }
}
