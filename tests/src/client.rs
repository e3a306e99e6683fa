//! An MCP client without opinions: writes the bytes it is told to, and finds answers by their id.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take before a test gives up: long, because a busy machine is no defect.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One line that came back.
#[derive(Clone, Debug)]
pub struct Message {
    /// As it came, without its ending.
    pub line: String,
    /// What `serde_json` reads in it; null where it is no JSON.
    pub value: Value,
}

/// A conversation with a chain of processes; all of them end with it.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    kept: VecDeque<Message>,
    said: Arc<Mutex<String>>,
    next: u64,
}

impl Client {
    /// Starts `command`, in a process group of its own.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let said = Arc::<Mutex<String>>::default();
        let (mut errors, ear) = (child.stderr.take().expect("piped"), said.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = errors.read(&mut bytes) {
                let words = String::from_utf8_lossy(bytes.get(..n).unwrap_or_default()).into_owned();
                ear.lock().unwrap().push_str(&words);
            }
        });
        Self { input: child.stdin.take(), child, lines, kept: VecDeque::new(), said, next: 0 }
    }

    /// The process id of the chain's first process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the chain has said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Writes a line; `false` where nobody reads any more.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> bool {
        let mut line = line.as_ref().to_owned();
        line.push(b'\n');
        self.input.as_mut().is_some_and(|to| to.write_all(&line).and_then(|()| to.flush()).is_ok())
    }

    /// Sends a request under a fresh id, which comes back.
    pub fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Sends a `tools/call` without waiting for its answer.
    pub fn ask_tool(&mut self, tool: &str, arguments: Value) -> u64 {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool and waits for the answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.ask_tool(tool, arguments);
        self.answer(id)
    }

    /// Whether the server answers a ping: whatever was sent before has been handled by then.
    pub fn ping(&mut self) -> bool {
        let id = self.ask("ping", json!({}));
        self.answer(id).get("result").is_some()
    }

    /// The answer to a request, whenever it comes. Others that come first are kept.
    pub fn answer(&mut self, id: impl Into<Value>) -> Value {
        self.answer_line(id).value
    }

    /// As [`Client::answer`], with the line as it came.
    pub fn answer_line(&mut self, id: impl Into<Value>) -> Message {
        let id = id.into();
        self.find(&format!("an answer to {id}"), |m| m.value.get("method").is_none() && m.value.get("id") == Some(&id))
    }

    /// The first message, kept or to come, that `wanted` holds for.
    pub fn find(&mut self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at).expect("just found");
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.receive(until) {
                Ok(message) if wanted(&message) => return message,
                Ok(message) => self.kept.push_back(message),
                Err(error) => {
                    panic!("{what} did not come ({error:?}); kept: {:?}; on standard error: {}", self.kept, self.said())
                }
            }
        }
    }

    /// Everything that has come and was asked for by nobody.
    pub fn kept(&self) -> impl Iterator<Item = &Message> {
        self.kept.iter()
    }

    /// As [`Client::kept`], and forgets it.
    pub fn take_kept(&mut self) -> Vec<Message> {
        self.kept.drain(..).collect()
    }

    fn receive(&mut self, until: Instant) -> Result<Message, RecvTimeoutError> {
        let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))?;
        Ok(Message { value: serde_json::from_str(&line).unwrap_or(Value::Null), line })
    }

    /// Keeps everything up to the end of the chain's output.
    pub fn drain(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.receive(until) {
                Ok(message) => self.kept.push_back(message),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("the chain does not end; it said: {}", self.said()),
            }
        }
    }

    /// Closes the chain's standard input and waits until it has ended.
    pub fn end(&mut self) -> ExitStatus {
        self.input = None;
        self.wait()
    }

    /// Waits until the chain has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the chain does not end; it said: {}", self.said());
    }

    /// SIGKILL for the first process of the chain alone.
    pub fn kill(&mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A child that was not reaped keeps its number, and with it the group.
        let running = matches!(self.child.try_wait(), Ok(None));
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = pid.filter(|_| running) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The reason of a refusal, in either shape; empty where the answer is none.
pub fn reason(answer: &Value) -> &str {
    let error = answer.pointer("/error/data/reason").filter(|_| answer["error"]["code"] == -31401);
    let result = answer.pointer("/result/_meta/io.github.agent-attest~1refusal/reason");
    error.or(result).and_then(Value::as_str).unwrap_or("")
}

/// The text of a tool's result; empty where there is none.
pub fn text(answer: &Value) -> &str {
    let text = answer.pointer("/result/content/0/text");
    text.and_then(Value::as_str).unwrap_or("")
}

/// Waits until `found` finds something.
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = found() {
            return found;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("in vain: waited for {what}");
}
