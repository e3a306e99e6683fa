//! Results take effect in the order of the lines, and only so many are awaited at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use attest_core::json::Value;
use mcp_relay::stdio::Options;
use mcp_relay::{Bytes, Handling, Interceptor, Kind, PassThrough, ToClient, ToServer};
use support::{Session, echo, python};
use tokio::sync::{Barrier, watch};

fn number(value: &Value<'_>) -> usize {
    value.as_object().unwrap().get("n").unwrap().as_u53().unwrap() as usize
}

/// Each line's result is known only once the next line's is; the last of `lines` starts the chain.
struct LastFirst {
    known: watch::Sender<usize>,
}

impl LastFirst {
    fn new(lines: usize) -> Self {
        Self { known: watch::Sender::new(lines) }
    }

    async fn turn(known: watch::Sender<usize>, number: usize) {
        known.subscribe().wait_for(|next| *next == number + 1).await.unwrap();
        known.send_replace(number);
    }
}

/// [`LastFirst`] in the direction to the server.
struct CallsLastFirst(LastFirst);

impl Interceptor for CallsLastFirst {
    fn client_message(&self, line: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        let (known, number) = (self.0.known.clone(), number(value));
        Handling::later(async move {
            LastFirst::turn(known, number).await;
            match number % 3 {
                0 => ToServer::Pass,
                1 => ToServer::Forward(line),
                _ => ToServer::Drop,
            }
        })
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

/// [`LastFirst`] in the direction to the client.
struct AnswersLastFirst(LastFirst);

impl Interceptor for AnswersLastFirst {
    fn client_message(&self, _: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        Handling::Now(ToServer::Pass)
    }

    fn server_message(&self, line: Bytes, value: Option<&Value<'_>>) -> Handling<ToClient> {
        let (known, number) = (self.0.known.clone(), number(value.unwrap()));
        Handling::later(async move {
            LastFirst::turn(known, number).await;
            match number % 3 {
                0 => ToClient::Pass,
                1 => ToClient::Replace(line),
                _ => ToClient::Drop,
            }
        })
    }
}

fn numbered(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

#[tokio::test]
async fn calls_reach_the_server_in_order_though_their_results_become_known_last_first() {
    let mut session = Session::start(echo(), CallsLastFirst(LastFirst::new(200)), Options::default());
    session.send(numbered(0..200)).await;
    assert_eq!(session.finish().await.0, numbered((0..200).filter(|n| n % 3 < 2)));
}

#[tokio::test]
async fn answers_reach_the_client_in_order_though_their_results_become_known_last_first() {
    let mut session = Session::start(echo(), AnswersLastFirst(LastFirst::new(200)), Options::default());
    session.send(numbered(0..200)).await;
    assert_eq!(session.finish().await.0, numbered((0..200).filter(|n| n % 3 < 2)));
}

/// Holds a call until its cancellation has been seen, and lets the cancellation pass at once.
#[derive(Default)]
struct HoldsCalls {
    seen: watch::Sender<bool>,
}

impl Interceptor for HoldsCalls {
    fn client_message(&self, _: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        if let Kind::Notification { .. } = Kind::of(value) {
            self.seen.send_replace(true);
            return Handling::Now(ToServer::Pass);
        }
        let mut seen = self.seen.subscribe();
        Handling::later(async move {
            seen.wait_for(|seen| *seen).await.unwrap();
            ToServer::Pass
        })
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

#[tokio::test]
async fn a_cancellation_never_overtakes_the_call_it_cancels() {
    let lines = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}\n\
                 \n\
                 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n";
    let mut session = Session::start(echo(), HoldsCalls::default(), Options::default());
    session.send(lines).await;
    assert_eq!(session.finish().await.0, lines);
}

/// Each group of `size` lines is handled only once all of it has been taken in; notes how many were at most.
struct Groups {
    together: Arc<Barrier>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    to_server: bool,
}

impl Groups {
    fn new(size: usize, to_server: bool) -> Arc<Self> {
        let together = Arc::new(Barrier::new(size));
        Arc::new(Self { together, now: Arc::default(), most: Arc::default(), to_server })
    }

    fn handle<T: Send + 'static>(&self, here: bool, result: T) -> Handling<T> {
        if !here {
            return Handling::Now(result);
        }
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        let (together, now) = (self.together.clone(), self.now.clone());
        Handling::later(async move {
            together.wait().await;
            now.fetch_sub(1, SeqCst);
            result
        })
    }
}

impl Interceptor for Groups {
    fn client_message(&self, _: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        self.handle(self.to_server, ToServer::Pass)
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        self.handle(!self.to_server, ToClient::Pass)
    }
}

#[tokio::test]
async fn as_many_lines_as_the_bound_are_in_flight_and_never_more() {
    for to_server in [true, false] {
        let groups = Groups::new(4, to_server);
        let options = Options { in_flight: NonZeroUsize::new(4).unwrap(), ..Options::default() };
        let mut session = Session::start(echo(), groups.clone(), options);
        session.send(numbered(0..400)).await;
        assert_eq!(session.finish().await.0, numbered(0..400));
        assert_eq!(groups.most.load(SeqCst), 4);
    }
}

#[tokio::test]
async fn the_bound_in_bytes_holds_too_and_lets_any_one_line_through() {
    for to_server in [true, false] {
        let groups = Groups::new(1, to_server);
        let options = Options { in_flight_bytes: 1, ..Options::default() };
        let mut session = Session::start(echo(), groups.clone(), options);
        session.send(numbered(0..100)).await;
        assert_eq!(session.finish().await.0, numbered(0..100));
        assert_eq!(groups.most.load(SeqCst), 1);
    }
}

/// Answers every other call itself.
struct Odd;

impl Interceptor for Odd {
    fn client_message(&self, _: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        let number = number(value);
        let reply = || ToServer::Reply(Bytes::from(format!("{{\"n\":{number},\"x\":\"{}\"}}", "r".repeat(5000))));
        Handling::Now(if number % 2 == 1 { reply() } else { ToServer::Pass })
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

#[tokio::test]
async fn replies_and_server_output_mix_only_as_whole_lines() {
    let answers =
        python("import sys\nfor line in sys.stdin: print(line.strip()[:-1] + ',\"x\":\"' + 's' * 70000 + '\"}')");
    let mut session = Session::start(answers, Odd, Options::default());
    session.send(numbered(0..300)).await;
    let (output, _) = session.finish().await;
    let numbers = output.lines().map(|line| {
        let value = attest_core::json::parse(line.as_bytes()).unwrap();
        let author = if number(&value) % 2 == 1 { "r" } else { "s" };
        let text = value.as_object().unwrap().get("x").unwrap().as_str().unwrap();
        assert!(text.split(author).all(str::is_empty), "one author per line");
        number(&value)
    });
    let (odd, even): (Vec<usize>, Vec<usize>) = numbers.partition(|n| n % 2 == 1);
    assert_eq!(odd, (0..300).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(even, (0..300).filter(|n| n % 2 == 0).collect::<Vec<_>>());
}

#[tokio::test]
async fn large_and_small_lines_pass_unchanged_when_both_sides_are_busy() {
    let lines: String = (0..300usize).map(|n| format!("{{\"n\":{n},\"x\":\"{}\"}}\n", "x".repeat(n * n * 3))).collect();
    let mut session = Session::start(echo(), PassThrough, Options::default());
    // More than the pipes and the relay hold: the test must read while it writes.
    let mut got = String::new();
    for line in lines.split_inclusive('\n') {
        session.send(line).await;
        got += &session.line().await;
    }
    assert_eq!(session.finish().await.0, "");
    assert!(got == lines);
}
