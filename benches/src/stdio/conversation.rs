//! One client's conversation with a server, one line at a time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

/// A started server that has been greeted. Dropping it closes its input and waits for its end.
pub struct Conversation {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Conversation {
    /// Starts the server and does what MCP has before the first call.
    pub fn open(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take().ok_or("no pipe")?);
        let mut it = Self { child, to, from: BufReader::with_capacity(1 << 16, from) };
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
        it.say(&line(hello.as_bytes()))?;
        let mut answer = Vec::new();
        it.hear(&mut answer)?;
        must_be_result(&answer, 0)?;
        it.say(&line(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#))?;
        Ok(it)
    }

    /// The server's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Makes the calls one after the other and returns how long each took from its first byte written to its answer's
    /// last byte read. Each is a line with its id.
    pub fn sequential(&mut self, calls: &[(u64, Vec<u8>)]) -> Outcome<Vec<Duration>> {
        let (mut times, mut answer) = (Vec::with_capacity(calls.len()), Vec::new());
        for (id, call) in calls {
            answer.clear();
            let begun = Instant::now();
            self.say(call)?;
            self.hear(&mut answer)?;
            times.push(begun.elapsed());
            must_be_result(&answer, *id)?;
        }
        Ok(times)
    }

    /// Makes the calls with `width` of them under way at any time; returns how long all took.
    pub fn pipelined(&mut self, calls: &[(u64, Vec<u8>)], width: usize) -> Outcome<Duration> {
        let (first, rest) = calls.split_at(width.min(calls.len()));
        let (mut rest, mut answers) = (rest.iter(), Vec::with_capacity(calls.len()));
        let begun = Instant::now();
        for (_, call) in first {
            self.say(call)?;
        }
        for _ in calls {
            let mut answer = Vec::with_capacity(512);
            self.hear(&mut answer)?;
            answers.push(answer);
            if let Some((_, call)) = rest.next() {
                self.say(call)?;
            }
        }
        let taken = begun.elapsed();
        // Answers may come in any order, but each call has one.
        let mut ids = answers.iter().map(|a| result_id(a)).collect::<Outcome<Vec<_>>>()?;
        ids.sort_unstable();
        let mut asked: Vec<u64> = calls.iter().map(|(id, _)| *id).collect();
        asked.sort_unstable();
        if ids == asked { Ok(taken) } else { Err("some calls were not answered".into()) }
    }

    fn say(&mut self, line: &[u8]) -> Outcome<()> {
        Ok(self.to.as_mut().ok_or("closed")?.write_all(line)?)
    }

    fn hear(&mut self, answer: &mut Vec<u8>) -> Outcome<()> {
        match self.from.read_until(b'\n', answer)? {
            0 => Err("the server ended".into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

/// With its end of line, so that it is written at once.
pub(super) fn line(message: &[u8]) -> Vec<u8> {
    [message, b"\n"].concat()
}

fn result_id(answer: &[u8]) -> Outcome<u64> {
    let message: Value = serde_json::from_slice(answer)?;
    let id = message.get("id").and_then(Value::as_u64);
    match (message.get("result"), id) {
        (Some(_), Some(id)) => Ok(id),
        // A refusal would be fast, and no measurement of a call.
        _ => Err(format!("not a result: {}", String::from_utf8_lossy(answer)).into()),
    }
}

fn must_be_result(answer: &[u8], id: u64) -> Outcome<()> {
    if result_id(answer)? == id { Ok(()) } else { Err("an answer to another call".into()) }
}
