//! A request that waits for somebody outside gives up its place in the order, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attest_core::json::Value;
use mcp_relay::stdio::{Options, RelayError};
use mcp_relay::{Aside, BoxFuture, Bytes, Exit, Handling, Interceptor, ToClient, ToServer, Wait};
use support::{Session, echo, python};
use tokio::sync::{Semaphore, watch};

const WAITS: &str = "{\"id\":1,\"method\":\"wait\"}\n";
const OTHER: &str = "{\"id\":2,\"method\":\"other\"}\n";
const KNOWS: &str = "{\"method\":\"knows\"}\n";
const SAID: &str = "{\"said\":1}\n";
const LEFT: &str = "{\"left\":1}\n";

fn bytes(line: &str) -> Bytes {
    Bytes::copy_from_slice(line.trim_end().as_bytes())
}

/// What happened, in its order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<&'static str>>>);

impl Heard {
    fn add(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

/// Has what calls itself `wait` wait for a permit.
struct Waits {
    go: Arc<Semaphore>,
    /// The verdict when nobody waits any more.
    left: fn() -> ToServer,
    said: &'static str,
    decided: watch::Sender<bool>,
    heard: Heard,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            go: Arc::new(Semaphore::new(0)),
            left: || ToServer::Reply(bytes(LEFT)),
            said: SAID,
            decided: watch::Sender::new(false),
            heard: Heard::default(),
        }
    }
}

impl Waits {
    fn wait(&self, aside: Aside) -> impl Future<Output = ToServer> + Send + 'static {
        let (go, left, decided, heard) = (self.go.clone(), self.left, self.decided.clone(), self.heard.clone());
        aside.tell(Bytes::from_static(self.said.as_bytes().strip_suffix(b"\n").unwrap()));
        async move {
            tokio::select! {
                permit = go.acquire() => {
                    permit.unwrap().forget();
                    decided.send_replace(true);
                    heard.add("decided");
                    ToServer::Pass
                }
                () = aside.left() => {
                    heard.add("left");
                    left()
                }
            }
        }
    }
}

impl Interceptor for Waits {
    fn client_message(&self, _: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        match value.as_object().unwrap().get("method").and_then(Value::as_str) {
            Some("wait") => Handling::Now(ToServer::Waits(Wait::new(|aside| self.wait(aside)))),
            Some("knows") => {
                let mut decided = self.decided.subscribe();
                Handling::later(async move {
                    decided.wait_for(|decided| *decided).await.unwrap();
                    ToServer::Pass
                })
            }
            _ => Handling::Now(ToServer::Pass),
        }
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }

    fn client_gone(&self) -> BoxFuture<()> {
        self.heard.add("client gone");
        Box::pin(std::future::ready(()))
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        self.heard.add("server gone");
        Box::pin(std::future::ready(Vec::new()))
    }
}

#[tokio::test]
async fn others_go_on_while_one_waits_and_it_is_sent_when_it_is_decided() {
    let waits = Waits::default();
    let go = waits.go.clone();
    let mut session = Session::start(echo(), waits, Options::default());
    session.send([WAITS, OTHER].concat()).await;
    let mut first = [session.line().await, session.line().await];
    first.sort();
    assert_eq!(first, [OTHER, SAID]);
    go.add_permits(1);
    assert_eq!(session.line().await, WAITS, "as it came");
    session.send(OTHER).await;
    assert_eq!(session.finish().await.0, OTHER);
}

#[tokio::test]
async fn a_line_that_knows_of_the_verdict_is_sent_behind_what_waited() {
    for _ in 0..50 {
        let waits = Waits { said: OTHER, ..Waits::default() };
        let go = waits.go.clone();
        let mut session = Session::start(echo(), waits, Options::default());
        session.send([WAITS, KNOWS].concat()).await;
        assert_eq!(session.line().await, OTHER);
        go.add_permits(1);
        assert_eq!([session.line().await, session.line().await], [WAITS, KNOWS]);
        session.finish().await.1.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_closes_its_end_ends_the_wait_and_nothing_is_sent() {
    let waits = Waits::default();
    let heard = waits.heard.clone();
    let mut session = Session::start(echo(), waits, Options::default());
    session.send(WAITS).await;
    assert_eq!(session.line().await, SAID);
    let (rest, exit) = session.finish().await;
    assert_eq!((rest.as_str(), exit.unwrap()), (LEFT, Exit::Code(0)), "it may read on");
    assert_eq!(heard.all(), ["left", "client gone", "server gone"]);
}

#[tokio::test]
async fn a_client_that_reads_no_more_ends_the_wait() {
    let waits = Waits::default();
    let (go, heard) = (waits.go.clone(), waits.heard.clone());
    let mut session = Session::start(echo(), waits, Options::default());
    session.send([WAITS, WAITS].concat()).await;
    assert_eq!([session.line().await, session.line().await], [SAID, SAID]);
    let (to, relay) = session.stop_reading();
    // Whatever is written now shows that nobody reads.
    go.add_permits(1);
    support::soon(relay).await.unwrap().unwrap();
    drop(to);
    assert_eq!(heard.all()[..2], ["decided", "left"]);
}

#[tokio::test]
async fn what_was_promised_before_the_client_left_is_still_sent() {
    let waits = Waits { left: || ToServer::Forward(bytes(OTHER)), ..Waits::default() };
    let mut session = Session::start(echo(), waits, Options::default());
    session.send(WAITS).await;
    assert_eq!(session.line().await, SAID);
    assert_eq!(session.finish().await.0, OTHER);
}

#[tokio::test]
async fn a_server_that_ends_ends_the_wait_and_its_caller_is_told() {
    let waits = Waits::default();
    let heard = waits.heard.clone();
    let server = python("import sys; sys.stdin.readline(); sys.exit(3)");
    let mut session = Session::start(server, waits, Options::default());
    session.send(WAITS).await;
    assert_eq!(session.line().await, SAID);
    session.send(OTHER).await;
    let (rest, exit) = session.rest().await;
    assert_eq!((rest.as_str(), exit.unwrap()), (LEFT, Exit::Code(3)));
    assert_eq!(heard.all(), ["left", "server gone"]);
}

#[tokio::test]
async fn past_the_bound_what_waits_keeps_its_place() {
    let waits = Waits::default();
    let go = waits.go.clone();
    let options = Options { in_flight: NonZeroUsize::new(2).unwrap(), ..Options::default() };
    let mut session = Session::start(echo(), waits, options);
    session.send([WAITS, WAITS, OTHER, WAITS, OTHER].concat()).await;
    let mut first = [session.line().await, session.line().await, session.line().await];
    first.sort();
    assert_eq!(first, [OTHER, SAID, SAID], "the third waits for a place, and holds up what is behind it");
    assert!(tokio::time::timeout(Duration::from_millis(100), session.line()).await.is_err());
    go.add_permits(1);
    let mut then = [session.line().await, session.line().await, session.line().await];
    then.sort();
    assert_eq!(then, [WAITS, OTHER, SAID]);
    session.finish().await.1.unwrap();
}

#[tokio::test]
async fn what_is_said_meanwhile_is_one_line_or_the_relay_ends() {
    let waits = Waits { said: "{}\r\n", ..Waits::default() };
    let mut session = Session::start(echo(), waits, Options::default());
    session.send(WAITS).await;
    let (rest, exit) = session.rest().await;
    assert!(matches!(exit, Err(RelayError::NotOneLine)) && !rest.contains("{}"), "{rest}");
}
