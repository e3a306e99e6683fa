//! How a relay ends when one side goes away, or the interceptor does not finish.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::future::{pending, ready};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attest_core::json::Value;
use mcp_relay::stdio::Options;
use mcp_relay::{BoxFuture, Bytes, Exit, Handling, Interceptor, PassThrough, ToClient, ToServer};
use support::{Session, echo, python, soon};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

/// Reads one line, then ends.
const DIES_ON_CALL: &str = "import sys, os; sys.stdin.readline(); print('{\"last\":1}', flush=True); os._exit(3)";

/// Notes all that happens.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Interceptor for Diary {
    fn client_message(&self, line: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        let (diary, text) = (self.clone(), String::from_utf8(line.to_vec()).unwrap());
        Handling::later(async move {
            tokio::task::yield_now().await;
            diary.note(format!("client {text}"));
            ToServer::Pass
        })
    }

    fn server_message(&self, line: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        self.note(format!("server {}", String::from_utf8_lossy(&line)));
        Handling::Now(ToClient::Pass)
    }

    fn server_gone(&self, exit: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        self.note(format!("server gone {exit:?}"));
        Box::pin(async { vec![Bytes::from_static(b"{\"unanswered\":1}"), Bytes::from_static(b"{\"unanswered\":2}")] })
    }

    fn client_gone(&self) -> BoxFuture<()> {
        self.note("client gone");
        let diary = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            diary.note("client seen off");
        })
    }
}

#[tokio::test]
async fn a_server_that_dies_during_a_call_is_told_of_after_its_last_words() {
    let diary = Diary::default();
    let mut session = Session::start(python(DIES_ON_CALL), diary.clone(), Options::default());
    session.send("{\"call\":1}\n").await;
    let (output, exit) = session.rest().await;
    assert_eq!(output, "{\"last\":1}\n{\"unanswered\":1}\n{\"unanswered\":2}\n");
    assert_eq!(exit.unwrap(), Exit::Code(3));
    assert_eq!(diary.read(), ["client {\"call\":1}", "server {\"last\":1}", "server gone Some(Code(3))"]);
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_once_after_all_it_sent() {
    let diary = Diary::default();
    let mut session = Session::start(echo(), diary.clone(), Options::default());
    session.send("{\"n\":1}\n{\"n\":2}").await;
    let (output, exit) = session.finish().await;
    assert_eq!(output, "{\"n\":1}\n{\"n\":2}\n{\"unanswered\":1}\n{\"unanswered\":2}\n");
    assert_eq!(exit.unwrap(), Exit::Code(0));
    let mut notes = diary.read();
    // What the server writes and the client's leaving are not ordered with each other.
    let answers: Vec<String> = notes.extract_if(.., |note| note.starts_with("server {")).collect();
    assert_eq!(answers, ["server {\"n\":1}", "server {\"n\":2}"]);
    // Nor are two results under way.
    notes[..2].sort();
    let rest = ["client {\"n\":1}", "client {\"n\":2}", "client gone", "client seen off", "server gone Some(Code(0))"];
    assert_eq!(notes, rest);
}

/// Passes a call named `go`, and never comes to a result elsewhere; or, for the other call, once `released`.
struct Hangs {
    on_answers: bool,
    on_farewell: bool,
    released: Arc<Semaphore>,
}

impl Hangs {
    fn on_calls() -> Self {
        Self { on_answers: false, on_farewell: false, released: Arc::new(Semaphore::new(0)) }
    }
}

impl Interceptor for Hangs {
    fn client_message(&self, line: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        let released = self.released.clone();
        match &*line {
            GO => Handling::Now(ToServer::Pass),
            _ => Handling::later(async move {
                let _permit = released.acquire().await.unwrap();
                ToServer::Reply(Bytes::from_static(b"{\"refused\":1}"))
            }),
        }
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        if self.on_answers { Handling::later(pending()) } else { Handling::Now(ToClient::Pass) }
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        if self.on_farewell { Box::pin(pending()) } else { Box::pin(ready(Vec::new())) }
    }
}

const GO: &[u8] = b"{\"go\":1}";
/// One write, so that both calls are taken in before the first reaches the server.
const GO_AND_HANG: &str = "{\"go\":1}\n{\"hang\":1}\n";

fn hasty() -> Options {
    Options { grace: Duration::from_millis(20), ..Options::default() }
}

#[tokio::test]
async fn a_reply_under_way_when_the_server_dies_still_reaches_the_client() {
    let interceptor = Hangs::on_calls();
    let released = interceptor.released.clone();
    let mut session = Session::start(python(DIES_ON_CALL), interceptor, Options::default());
    session.send(GO_AND_HANG).await;
    // The relay closes its end once the server can be sent nothing more.
    while session.try_send("\n").await.is_ok() {
        tokio::task::yield_now().await;
    }
    released.add_permits(1);
    let (output, exit) = session.rest().await;
    assert_eq!(output, "{\"last\":1}\n{\"refused\":1}\n");
    assert_eq!(exit.unwrap(), Exit::Code(3));
}

#[tokio::test]
async fn an_interceptor_that_never_finishes_a_call_or_an_answer_does_not_keep_the_relay_once_the_server_is_gone() {
    for on_answers in [false, true] {
        let interceptor = Hangs { on_answers, ..Hangs::on_calls() };
        let mut session = Session::start(python(DIES_ON_CALL), interceptor, hasty());
        session.send(GO_AND_HANG).await;
        let (output, exit) = session.rest().await;
        assert_eq!(output, if on_answers { "" } else { "{\"last\":1}\n" });
        assert_eq!(exit.unwrap(), Exit::Code(3));
    }
}

#[tokio::test]
async fn an_interceptor_that_never_finishes_its_farewell_does_not_keep_the_relay() {
    let interceptor = Hangs { on_farewell: true, ..Hangs::on_calls() };
    let session = Session::start(python("print(1)"), interceptor, hasty());
    let (output, exit) = session.finish().await;
    assert_eq!((output.as_str(), exit.unwrap()), ("1\n", Exit::Code(0)));
}

#[tokio::test]
async fn a_server_that_closes_its_output_and_stays_is_ended_while_the_client_is_there() {
    let server = python("import os, time; os.close(1); time.sleep(1000)");
    let (output, exit) = Session::start(server, PassThrough, hasty()).rest().await;
    assert_eq!((output.as_str(), exit.unwrap()), ("", Exit::Signal(15)));
}

/// Does `before`, says one line on request, whoever reads it, and stays whatever happens to its input.
fn stays(before: &str) -> std::process::Command {
    python(&format!(
        "import os, signal, sys, time\n{before}\nsys.stdin.readline()\ntry: os.write(1, b'{{}}\\n')\nexcept OSError: pass\n\
         while True: time.sleep(1000)"
    ))
}

#[tokio::test]
async fn a_client_that_stops_reading_ends_a_server_that_stays_with_sigterm() {
    let diary = Diary::default();
    let mut session = Session::start(stays(""), diary.clone(), hasty());
    session.send("{}\n").await;
    let (_still_open, relay) = session.stop_reading();
    assert_eq!(soon(relay).await.unwrap().unwrap(), Exit::Signal(15));
    let notes = diary.read();
    assert_eq!(notes.iter().filter(|note| *note == "client seen off").count(), 1);
    assert_eq!(notes.last().unwrap(), "server gone Some(Signal(15))");
}

#[tokio::test]
async fn a_server_that_ignores_sigterm_is_killed() {
    let session = {
        let ready = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'{\"ready\":1}\\n')";
        let mut session = Session::start(stays(ready), PassThrough, hasty());
        assert_eq!(session.line().await, "{\"ready\":1}\n");
        session.send("{}\n").await;
        session
    };
    let (_still_open, relay) = session.stop_reading();
    assert_eq!(soon(relay).await.unwrap().unwrap(), Exit::Signal(9));
}

#[tokio::test]
async fn a_client_that_leaves_after_stopping_to_read_is_no_different() {
    let mut session = Session::start(stays(""), PassThrough, hasty());
    session.send("{}\n").await;
    let (mut to, relay) = session.stop_reading();
    // Fails once the relay has closed its end. That is no error of ours.
    let _ = to.write_all(b"{}\n{}\n").await;
    drop(to);
    assert_eq!(soon(relay).await.unwrap().unwrap(), Exit::Signal(15));
}

#[tokio::test]
async fn a_dropped_relay_ends_its_server() {
    let (mut read, write) = std::io::pipe().unwrap();
    let mut server = stays("os.write(1, b'{\"ready\":1}\\n')");
    server.stderr(write);
    let mut session = Session::start(server, PassThrough, hasty());
    assert_eq!(session.line().await, "{\"ready\":1}\n");
    session.relay.abort();
    // The server alone holds the other end of this pipe. It ends when the server does.
    let ended = tokio::task::spawn_blocking(move || read.read_to_end(&mut Vec::new()));
    assert_eq!(soon(ended).await.unwrap().unwrap(), 0);
}
