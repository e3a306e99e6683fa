//! Each limit, with a small value.

use std::time::Duration;

use mcp_relay::Defect;
use mcp_relay::http::Limits;

use crate::remote::Remote;
use crate::world::{CALL, ClientGone, DONE, Heard, PROGRESS, ServerGone, World, post, server};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_is_framed() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Limits { request: CALL.len(), ..Limits::default() }, &remote.url).await;
    let long = format!("{CALL} ");
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}",
        long.len()
    );
    for (number, bytes) in [post("", &long), chunked].into_iter().enumerate() {
        let mut client = world.connect().await;
        client.send(&bytes).await;
        assert_eq!(client.answer().await.status, 400);
        world.hears(number, Heard::Defect(Defect::TooLong { limit: CALL.len() })).await;
    }
    let mut client = world.post("", CALL).await;
    remote.next().await.json(DONE);
    assert_eq!(client.answer().await.body, DONE);
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_refused() {
    let mut remote = Remote::start().await;
    let limits = Limits { head: 10_000, headers: 10, ..Limits::default() };
    let world = World::start(limits, &remote.url).await;
    let many = (0..10).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    for head in [format!("x: {}\r\n", "a".repeat(10_000)), many] {
        assert_eq!(world.read("GET /mcp", &head).await.answer().await.status, 431);
    }
    let mut client = world.read("GET /mcp", &format!("x: {}\r\n", "a".repeat(9_000))).await;
    remote.next().await.events(&[]);
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_ends() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { connections: 1, ..Limits::default() }, &remote.url).await;
    let mut first = world.post("", CALL).await;
    let held = remote.next().await;
    let mut second = world.post("", CALL).await;
    held.json(DONE);
    assert_eq!(first.answer().await.body, DONE);
    // The same connection may go on; the other has no place yet.
    first.send(&post("", r#"{"method":"again"}"#)).await;
    let again = remote.next().await;
    assert_eq!(again.message()["method"], "again");
    again.accepted();
    first.answer().await;
    assert!(remote.is_quiet());
    drop(first);
    let other = DONE.replace("{}", "\"second\"");
    remote.next().await.json(other.clone());
    assert_eq!(second.answer().await.body, other);
}

#[tokio::test]
async fn a_connection_that_sends_no_request_in_time_is_closed_and_is_no_bad_http() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { head_time: SHORT, ..Limits::default() }, &remote.url).await;
    // Nothing; what could still become HTTP/2; half a head; a connection of HTTP/2 that asks for nothing.
    for bytes in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM",
        "POST /mcp HTTP/1.1\r\nhost",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
    ] {
        let mut client = world.connect().await;
        client.send(bytes).await;
        client.closes().await;
    }
    // Between two requests, the first of which took longer than that.
    let mut client = world.post("", CALL).await;
    let waiting = remote.next().await;
    tokio::time::sleep(SHORT * 2).await;
    waiting.json(DONE);
    assert_eq!(client.answer().await.body, DONE);
    client.end().await;
    // A stream is no idle connection.
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    client.until("\r\n\r\n").await;
    tokio::time::sleep(SHORT * 2).await;
    events.send("data: x\n\n").await;
    client.until("data: x\n\n").await;
    assert_eq!(world.bad_http(), 0);
}

#[tokio::test]
async fn a_slow_reader_of_a_long_answer_is_not_idle() {
    let mut remote = Remote::start().await;
    let patience = Duration::from_secs(1);
    let limits = Limits { head_time: patience, answer: 64 << 20, ..Limits::default() };
    let world = World::start(limits, &remote.url).await;
    let mut client = world.post("", CALL).await;
    remote.next().await.json(DONE.replace("{}", &format!("\"{}\"", "x".repeat(60 << 20))));
    client.until("\r\n\r\n").await;
    // In all it takes more than twice what a connection may be idle. Of what sockets hold, a few MiB are read much sooner.
    for _ in 0..60 {
        tokio::time::sleep(patience / 25).await;
        client.skip(1 << 20).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_given_up() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { body_time: SHORT, ..Limits::default() }, &remote.url).await;
    let mut client = world.connect().await;
    client.send("POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{").await;
    assert_eq!(client.answer().await.status, 408);
    client.end().await;
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn at_the_end_open_exchanges_get_their_grace_and_no_more() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Limits { grace: SHORT, ..Limits::default() }, &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    client.until("\r\n\r\n").await;
    world.heard().await;
    let mut idle = world.connect().await;
    let during = async {
        idle.end().await;
        // Told to end, the relay still passes on what comes.
        events.send(&format!("data: {PROGRESS}\n\n")).await;
        client.until(&format!("data: {PROGRESS}\n\n")).await;
        events.closed().await;
        client.end().await;
    };
    let (rest, ()) = tokio::join!(world.finish(), during);
    assert_eq!(rest, (vec![(0, server(PROGRESS)), (0, ClientGone), (0, ServerGone)], 0));
}

#[tokio::test]
async fn at_the_end_an_exchange_may_still_be_answered() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits::default(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let waiting = remote.next().await;
    let mut idle = world.connect().await;
    let during = async {
        idle.end().await;
        waiting.json(DONE);
        assert_eq!(client.answer().await.body, DONE);
        client.end().await;
    };
    tokio::join!(world.finish(), during);
}
