//! Asks a server over stdio which tools it has: the shortest conversation that every server of either era answers.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use attest_core::json::{self, Value};

use crate::{Id, Kind};

/// Why the tools of a server are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The server did not start, or its pipes broke.
    #[error("cannot talk to the server {program:?}: {source}")]
    Io {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// No answer in time.
    #[error("the server did not answer {method} within {seconds} s")]
    Silent {
        /// What was asked.
        method: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// The server went away.
    #[error("the server ended before it answered {method}; its own messages stand above")]
    Gone {
        /// What was asked.
        method: &'static str,
    },
    /// An error, or an answer that is no list of tools.
    #[error("the server answered {method} with an error or with something that is no list of tools")]
    Answer {
        /// What was asked.
        method: &'static str,
    },
}

/// Starts `server`, asks for its tools, and ends it. Its standard error is passed on. Names come in the server's order.
pub fn tools(mut server: Command, patience: Duration) -> Result<Vec<String>, ProbeError> {
    let program = server.get_program().to_string_lossy().into_owned();
    let io = |source| ProbeError::Io { program: program.clone(), source };
    let mut child = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    let answers = lines_of(&mut child);
    let mut conversation = Conversation { child, answers, patience, program, asked: 0 };
    conversation.tools()
}

fn lines_of(child: &mut Child) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

struct Conversation {
    child: Child,
    answers: Receiver<Vec<u8>>,
    patience: Duration,
    program: String,
    asked: u32,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Most pages of a list; a server that never ends its list is broken.
const MOST_PAGES: usize = 1_000;

impl Conversation {
    fn tools(&mut self) -> Result<Vec<String>, ProbeError> {
        let hello =
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"attest","version":"0"}}"#;
        self.ask("initialize", hello, |_| Some(()))?;
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        let mut names = Vec::new();
        let mut params = "{}".to_owned();
        for _ in 0..MOST_PAGES {
            let next = self.ask("tools/list", &params, |result| {
                for tool in result.get("tools")?.as_array()? {
                    names.push(tool.as_object()?.get("name")?.as_str()?.to_owned());
                }
                Some(result.get("nextCursor").and_then(Value::as_str).map(str::to_owned))
            })?;
            let Some(cursor) = next else { return Ok(names) };
            let mut quoted = Vec::new();
            json::write_string(&cursor, &mut quoted);
            params = format!(r#"{{"cursor":{}}}"#, String::from_utf8_lossy(&quoted));
        }
        Err(ProbeError::Answer { method: "tools/list" })
    }

    fn say(&mut self, line: &str) -> Result<(), ProbeError> {
        let program = self.program.clone();
        let Some(to) = self.child.stdin.as_mut() else {
            return Ok(());
        };
        let written = to.write_all(line.as_bytes()).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
        written.map_err(|source| ProbeError::Io { program, source })
    }

    fn ask<T>(
        &mut self,
        method: &'static str,
        params: &str,
        mut read: impl FnMut(&json::Object<'_>) -> Option<T>,
    ) -> Result<T, ProbeError> {
        self.asked += 1;
        let id = self.asked;
        self.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#))?;
        let wanted = Id::of(&Value::Number(id.into()));
        let until = Instant::now() + self.patience;
        loop {
            let line = match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ProbeError::Silent { method, seconds: self.patience.as_secs() });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ProbeError::Gone { method }),
            };
            // Anything else a server says meanwhile (notifications, stray prints) is not our answer.
            let Ok(message) = json::parse(&line) else { continue };
            if !matches!(Kind::of(&message), Kind::Response { id } if Some(&id) == wanted.as_ref()) {
                continue;
            }
            let result = message.as_object().and_then(|m| m.get("result")).and_then(Value::as_object);
            return result.and_then(&mut read).ok_or(ProbeError::Answer { method });
        }
    }
}
