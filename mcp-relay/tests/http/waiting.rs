//! A request that waits for somebody outside, over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mcp_relay::http::Limits;
use mcp_relay::{Handling, ToServer, Wait};
use tokio::sync::Semaphore;

use crate::remote::Remote;
use crate::support::soon;
use crate::world::{CALL, ClientGone, DONE, Heard, PROGRESS, Rules, ServerGone, Setup, World, server};

const EVENTS: &str = "accept: application/json, Text/Event-Stream;q=0.9\r\n";

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// Has every request wait for a permit.
#[derive(Clone)]
struct Waits {
    go: Arc<Semaphore>,
    left: Arc<AtomicBool>,
}

impl Waits {
    fn new() -> Self {
        Self { go: Arc::new(Semaphore::new(0)), left: Arc::default() }
    }

    fn rules(&self, verdict: fn() -> ToServer) -> Rules {
        let waits = self.clone();
        Rules::client(move |_| {
            let waits = waits.clone();
            Handling::Now(ToServer::Waits(Wait::new(|aside| async move {
                aside.tell(PROGRESS.into());
                tokio::select! {
                    permit = waits.go.acquire() => {
                        permit.unwrap().forget();
                        verdict()
                    }
                    () = aside.left() => {
                        waits.left.store(true, Ordering::SeqCst);
                        ToServer::Reply(Bytes::from_static(b"{}"))
                    }
                }
            })))
        })
    }
}

#[tokio::test]
async fn its_answer_begins_at_once_with_what_is_said_meanwhile() {
    let mut remote = Remote::start().await;
    let waits = Waits::new();
    let mut world =
        World::start(waits.rules(|| ToServer::Forward(CALL.replace("\"t\"", "\"u\"").into())), &remote.url).await;
    let mut client = world.post(EVENTS, CALL).await;
    let head = client.until("\r\n\r\n").await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    client.until(&event(PROGRESS)).await;
    assert!(remote.is_quiet());
    waits.go.add_permits(1);
    let arrived = remote.next().await;
    assert_eq!(arrived.message()["params"]["name"], "u");
    arrived.json(DONE);
    client.until(&event(DONE)).await;
    client.until("0\r\n\r\n").await;
    for heard in [Heard::Client(CALL.into()), server(DONE), ServerGone] {
        world.hears(0, heard).await;
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn events_of_the_server_follow_on_the_same_stream() {
    let mut remote = Remote::start().await;
    let waits = Waits::new();
    let world = World::start(waits.rules(|| ToServer::Pass), &remote.url).await;
    let mut client = world.post(EVENTS, CALL).await;
    client.until(&event(PROGRESS)).await;
    waits.go.add_permits(1);
    let events = remote.message("tools/call").await.events(&[]);
    events.send(&event(PROGRESS)).await;
    client.until(&event(PROGRESS)).await;
    events.send(&event(DONE)).await;
    client.until(&event(DONE)).await;
    drop(events);
    client.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_reads_no_events_waits_for_the_answer_alone() {
    let mut remote = Remote::start().await;
    let waits = Waits::new();
    let world = World::start(waits.rules(|| ToServer::Pass), &remote.url).await;
    let mut client = world.post("accept: application/json\r\n", CALL).await;
    waits.go.add_permits(1);
    remote.message("tools/call").await.json(DONE);
    let answer = client.answer().await;
    assert!(answer.head.contains("application/json") && answer.body == DONE, "{answer:?}");
}

#[tokio::test]
async fn a_refusal_after_the_wait_is_an_event_and_nothing_goes_on() {
    let mut remote = Remote::start().await;
    for (verdict, last) in
        [((|| ToServer::Reply(DONE.into())) as fn() -> ToServer, event(DONE)), (|| ToServer::Drop, String::new())]
    {
        let waits = Waits::new();
        let mut world = World::start(waits.rules(verdict), &remote.url).await;
        let mut client = world.post(EVENTS, CALL).await;
        client.until(&event(PROGRESS)).await;
        waits.go.add_permits(1);
        let rest = client.until("0\r\n\r\n").await;
        assert!(rest.contains(&last) && rest.contains("data") != last.is_empty(), "{rest}");
        world.heard().await;
        world.hears(0, ServerGone).await;
        world.has_said_all().await;
    }
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_wait_whether_it_reads_events_or_not() {
    let mut remote = Remote::start().await;
    for accept in [EVENTS, ""] {
        let waits = Waits::new();
        let mut world = World::start(waits.rules(|| ToServer::Pass), &remote.url).await;
        let client = world.post(accept, CALL).await;
        world.heard().await;
        drop(client);
        world.hears(0, ServerGone).await;
        assert!(waits.left.load(Ordering::SeqCst), "{accept}");
        world.has_said_all().await;
    }
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_client_that_leaves_when_it_was_decided_cancels_as_any_other() {
    let mut remote = Remote::start().await;
    let waits = Waits::new();
    let mut world = World::start(waits.rules(|| ToServer::Pass), &remote.url).await;
    let mut client = world.post(EVENTS, CALL).await;
    client.until(&event(PROGRESS)).await;
    waits.go.add_permits(1);
    let waiting = remote.next().await;
    drop(client);
    waiting.closed().await;
    for heard in [Heard::Client(CALL.into()), ClientGone, ServerGone] {
        world.hears(0, heard).await;
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn an_error_that_answers_the_request_is_passed_on_whatever_its_status_and_nothing_else_is() {
    let mut remote = Remote::start().await;
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
    for (body, passes) in [(error.to_owned(), true), (error.replace("\"id\":1", "\"id\":2"), false)] {
        let waits = Waits::new();
        let rules = Rules { left: vec![DONE.into()], ..waits.rules(|| ToServer::Pass) };
        let world = World::start(rules, &remote.url).await;
        let mut client = world.post(EVENTS, CALL).await;
        waits.go.add_permits(1);
        remote.message("tools/call").await.answer(404, &[("content-type", "application/json")], body.clone());
        let rest = client.until("0\r\n\r\n").await;
        assert_eq!((rest.contains(&event(&body)), rest.contains(&event(DONE))), (passes, true), "{rest}");
    }
}

#[tokio::test]
async fn a_silent_wait_is_kept_open_with_comments() {
    let remote = Remote::start().await;
    let waits = Waits::new();
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let setup = Setup { limits, ..waits.rules(|| ToServer::Pass).into() };
    let world = World::start(setup, &remote.url).await;
    let mut client = world.post(EVENTS, CALL).await;
    soon(client.until(":\n\n")).await;
    client.until(":\n\n").await;
}
