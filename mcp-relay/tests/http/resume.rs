//! Streams that broke off and are resumed, up to 2025-11-25.

use std::time::Duration;

use bytes::Bytes;
use mcp_relay::http::Limits;
use mcp_relay::{Handling, ToClient};

use crate::remote::{Events, Remote};
use crate::world::{CALL, DONE, Heard, Raw, Rules, ServerGone, Setup, World, server};

const SESSION: &str = "mcp-session-id: s\r\n";
const PRIMER: &str = "id: p\ndata: \n\n";

fn done() -> String {
    format!("id: q\ndata: {DONE}\n\n")
}

/// A call whose stream can be resumed.
async fn call(world: &mut World, remote: &mut Remote) -> (Raw, Events) {
    let mut client = world.post(SESSION, CALL).await;
    let events = remote.message("tools/call").await.events(&[]);
    events.send(PRIMER).await;
    client.until("id: p\n\n").await;
    world.heard().await;
    (client, events)
}

/// The stream on which a client resumes.
async fn resume(world: &World, remote: &mut Remote) -> (Raw, Events) {
    let mut client = world.read("GET /mcp", &format!("{SESSION}last-event-id: p\r\n")).await;
    let get = remote.next().await;
    assert_eq!(get.header("last-event-id"), Some("p"));
    let events = get.events(&[]);
    client.until("\r\n\r\n").await;
    (client, events)
}

#[tokio::test]
async fn the_answer_on_a_later_stream_is_shown_to_the_one_who_saw_the_request() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    let (mut later, events) = resume(&world, &mut remote).await;
    // An answer to something else belongs to the stream it comes on.
    let other = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    events.send(&format!("data: {other}\n\n")).await;
    world.hears(1, server(other)).await;
    events.send(&done()).await;
    later.until(&format!("data: {DONE}\nid: q\n\n")).await;
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
    drop(events);
    world.hears(1, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_client_may_resume_before_its_first_stream_is_known_to_be_gone() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (client, first) = call(&mut world, &mut remote).await;
    let (mut later, events) = resume(&world, &mut remote).await;
    events.send(&done()).await;
    later.until(&format!("data: {DONE}\nid: q\n\n")).await;
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
    drop(client);
    first.closed().await;
    drop(events);
    world.hears(1, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_client_that_only_reconnects_does_not_end_its_request() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (client, first) = call(&mut world, &mut remote).await;
    drop(client);
    first.closed().await;
    let (mut later, events) = resume(&world, &mut remote).await;
    events.send(&done()).await;
    later.until(&format!("data: {DONE}\nid: q\n\n")).await;
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
}

#[tokio::test]
async fn an_answered_request_waits_for_nothing() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.send(&done()).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn another_session_gets_nothing_of_it() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    let mut other = world.read("GET /mcp", "mcp-session-id: t\r\n").await;
    let events = remote.next().await.events(&[]);
    events.send(&done()).await;
    other.until("id: q\n\n").await;
    world.hears(1, server(DONE)).await;
}

#[tokio::test]
async fn deleting_the_session_ends_the_wait_unless_the_server_refuses() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    for (number, status) in [(1, 405), (2, 200)] {
        let mut client = world.read("DELETE /mcp", SESSION).await;
        let delete = remote.next().await;
        assert_eq!(delete.method, http::Method::DELETE);
        delete.answer(status, &[], "");
        assert_eq!(client.answer().await.status, status);
        if status == 200 {
            world.hears(0, ServerGone).await;
        }
        world.hears(number, ServerGone).await;
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn the_wait_ends_after_a_time_and_with_the_relay() {
    let mut remote = Remote::start().await;
    let short = Limits { resume_time: Duration::from_millis(20), ..Limits::default() };
    let mut world = World::start(short, &remote.url).await;
    let (_client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;

    let mut world = World::start(Setup::default(), &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    assert_eq!(world.finish().await, (vec![(0, ServerGone)], 0));
}

#[tokio::test]
async fn a_time_that_ran_out_ends_the_request_it_was_for_and_no_later_one() {
    let mut remote = Remote::start().await;
    let short = Limits { resume_time: Duration::from_millis(300), ..Limits::default() };
    let mut world = World::start(short, &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    let (mut later, events) = resume(&world, &mut remote).await;
    events.send(&done()).await;
    later.until("id: q\n\n").await;
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
    // The same id once more, its stream still open when the first time runs out.
    let (mut client, second) = call(&mut world, &mut remote).await;
    tokio::time::sleep(short.resume_time * 2).await;
    second.send(&done()).await;
    client.until("id: q\n\n").await;
    world.hears(2, server(DONE)).await;
}

#[tokio::test]
async fn without_session_or_ids_a_broken_stream_is_the_end() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    for (number, (head, primer)) in
        [("", PRIMER), (SESSION, ": comment\n\n"), (SESSION, "id\ndata: \n\n")].into_iter().enumerate()
    {
        let mut client = world.post(head, CALL).await;
        let events = remote.next().await.events(&[]);
        events.send(primer).await;
        events.break_off().await;
        client.until("0\r\n\r\n").await;
        world.hears(number, Heard::Client(CALL.into())).await;
        world.hears(number, ServerGone).await;
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn a_resumed_request_cannot_be_sent_again_and_the_client_is_told() {
    let mut remote = Remote::start().await;
    let rules = Rules::server(|_| Handling::Now(ToClient::Resend(Bytes::from_static(b"{}"))));
    let mut world = World::start(rules, &remote.url).await;
    let (mut client, events) = call(&mut world, &mut remote).await;
    events.break_off().await;
    client.until("0\r\n\r\n").await;
    let (mut later, events) = resume(&world, &mut remote).await;
    events.send(&done()).await;
    let told = later.until("id: q\n\n").await;
    assert!(told.contains(r#""id":1,"error":{"code":-32000"#), "{told}");
    assert!(remote.is_quiet());
}
