//! Answers that stream.

use std::time::Duration;

use bytes::Bytes;
use mcp_relay::http::Limits;
use mcp_relay::{Handling, ToClient};

use crate::remote::Remote;
use crate::world::{CALL, ClientGone, DONE, Heard, PROGRESS, Rules, ServerGone, Setup, World, server};

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

#[tokio::test]
async fn events_reach_the_client_one_by_one_as_they_are_sent() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.message("tools/call").await.events(&[("mcp-session-id", "s")]);
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("mcp-session-id: s"), "{head}");
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    // Each is read before the server says the next thing.
    for n in 0..3 {
        let line = format!(r#"{{"jsonrpc":"2.0","method":"n/{n}"}}"#);
        events.send(&event(&line)).await;
        client.until(&event(&line)).await;
    }
    events.send(&format!("event: message\nid: 7\nretry: 9\n{}", event(DONE))).await;
    // Without its name, for which some client would skip it.
    let last = client.until(&format!("data: {DONE}\nid: 7\nretry: 9\n\n")).await;
    assert!(!last.contains("event:"), "{last}");
    drop(events);
    client.until("0\r\n\r\n").await;
    world.hears(0, Heard::Client(CALL.into())).await;
    for n in 0..3 {
        world.hears(0, server(&format!(r#"{{"jsonrpc":"2.0","method":"n/{n}"}}"#))).await;
    }
    world.hears(0, server(DONE)).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_silent_stream_is_kept_open_with_comments() {
    let mut remote = Remote::start().await;
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let world = World::start(limits, &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    // Half an event is no reason to keep silent, nor to lose it.
    events.send("data: {\"id\":").await;
    client.until(":\n\n").await;
    client.until(":\n\n").await;
    events.send("1}\n\n").await;
    client.until("data: {\"id\":1}\n\n").await;
}

#[tokio::test]
async fn what_the_client_reads_is_what_was_looked_at_whatever_ends_its_lines() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    events.send("\u{feff}data: {\rdata:\"id\":1\r\n: no line\ndata: ,\"x\":[]}\rid: a\r\r").await;
    client.until("data: {\ndata: \"id\":1\ndata: ,\"x\":[]}\nid: a\n\n").await;
    world.heard().await;
    world.hears(0, server("{\n\"id\":1\n,\"x\":[]}")).await;
    // Escaped, since some readers end a line there.
    events.send("data: {\"s\":\"\u{2028}\u{85}\"}\n\n").await;
    client.until("data: {\"s\":\"\\u2028\\u0085\"}\n\n").await;
}

#[tokio::test]
async fn an_event_beyond_the_limit_ends_its_stream_and_no_other() {
    let mut remote = Remote::start().await;
    let left = r#"{"id":1,"error":{"code":-1}}"#;
    let setup = Setup {
        limits: Limits { answer: 1000, ..Limits::default() },
        rules: Rules { left: vec![left.into()], ..Rules::default() },
        ..Setup::default()
    };
    let world = setup.start(&remote.url).await;
    let mut other = world.post("", CALL).await;
    let calm = remote.next().await.events(&[]);
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    // Together more than the limit, each less.
    for _ in 0..3 {
        events.send(&event(&"x".repeat(600))).await;
        client.until(&event(&"x".repeat(600))).await;
    }
    events.send("data: ").await;
    for _ in 0..3 {
        events.send(&"y".repeat(600)).await;
    }
    events.closed().await;
    let rest = client.until("0\r\n\r\n").await;
    assert!(!rest.contains('y'), "{rest}");
    assert!(rest.contains(&event(left)), "{rest}");
    calm.send(&event(DONE)).await;
    other.until(&event(DONE)).await;
}

#[tokio::test]
async fn a_server_that_breaks_off_leaves_the_last_word_to_the_interceptor() {
    let mut remote = Remote::start().await;
    let left = r#"{"id":1,"error":{"code":-1}}"#;
    let mut world = World::start(Rules { left: vec![left.into()], ..Rules::default() }, &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    events.send(&event(PROGRESS)).await;
    client.until(&event(PROGRESS)).await;
    // Half an event is none.
    events.send(&format!("data: {DONE}\n")).await;
    events.break_off().await;
    client.until(&event(left)).await;
    client.until("0\r\n\r\n").await;
    world.heard().await;
    world.hears(0, server(PROGRESS)).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_client_that_closes_its_stream_cancels() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    events.send(&event(PROGRESS)).await;
    client.until(&event(PROGRESS)).await;
    drop(client);
    events.closed().await;
    world.heard().await;
    world.hears(0, server(PROGRESS)).await;
    world.hears(0, ClientGone).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn an_event_may_be_replaced_or_dropped() {
    let mut remote = Remote::start().await;
    let rules = Rules::server(|line| {
        Handling::later(async move {
            match &line[..] {
                b"1" => ToClient::Replace(Bytes::from_static(b"one")),
                b"2" => ToClient::Drop,
                _ => ToClient::Pass,
            }
        })
    });
    let world = World::start(rules, &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    client.until("\r\n\r\n").await;
    // The last is no object, and dropped before anybody is asked.
    for text in ["1", "2", "3", "[3]"] {
        events.send(&event(text)).await;
    }
    // The id of what is dropped stays: a client that resumes goes on after it.
    events.send("id: x\ndata: 2\n\n").await;
    drop(events);
    let read = client.until("0\r\n\r\n").await;
    let lines: Vec<&str> = read.lines().filter(|line| line.contains(": ")).collect();
    assert_eq!(lines, ["data: one", "data: 3", "id: x"]);
}

fn resend_refused() -> Rules {
    let rules = Rules::server(|line| {
        let refused = line.windows(5).any(|part| part == b"error");
        Handling::Now(if refused { ToClient::Resend(Bytes::from_static(b"{\"id\":1}")) } else { ToClient::Pass })
    });
    Rules { left: vec![Bytes::from_static(br#"{"id":1,"left":true}"#)], ..rules }
}

const REFUSED: &str = r#"{"id":1,"error":{}}"#;

#[tokio::test]
async fn a_request_is_sent_again_within_its_stream_whatever_form_its_answer_has() {
    let mut remote = Remote::start().await;
    let world = World::start(resend_refused(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let first = remote.next().await.events(&[]);
    first.send(&event(REFUSED)).await;
    let again = remote.next().await;
    assert_eq!(again.body, "{\"id\":1}");
    let second = again.events(&[]);
    second.send(&event(PROGRESS)).await;
    client.until(&event(PROGRESS)).await;
    second.send(&event(REFUSED)).await;
    remote.next().await.json(DONE);
    client.until(&event(DONE)).await;
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_server_that_always_asks_for_the_request_again_is_asked_three_times() {
    for json in [true, false] {
        let mut remote = Remote::start().await;
        let world = World::start(resend_refused(), &remote.url).await;
        let mut client = world.post("", CALL).await;
        remote.next().await.events(&[]).send(&event(REFUSED)).await;
        for _ in 0..2 {
            let again = remote.next().await;
            if json {
                again.json(REFUSED);
            } else {
                again.events(&[]).send(&event(REFUSED)).await;
            }
        }
        client.until(&event(r#"{"id":1,"left":true}"#)).await;
        client.until("0\r\n\r\n").await;
        assert!(remote.is_quiet());
    }
}

#[tokio::test]
async fn what_is_no_message_does_not_get_among_the_events() {
    let mut remote = Remote::start().await;
    let world = World::start(resend_refused(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    remote.next().await.events(&[]).send(&event(REFUSED)).await;
    remote.next().await.answer(500, &[], "out of order");
    let rest = client.until("0\r\n\r\n").await;
    assert!(rest.contains("\"left\"") && !rest.contains("out of order"), "{rest}");
}

#[tokio::test]
async fn a_client_that_leaves_while_the_request_is_sent_again_cancels() {
    let mut remote = Remote::start().await;
    let mut world = World::start(resend_refused(), &remote.url).await;
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    client.until("\r\n\r\n").await;
    events.send(&event(REFUSED)).await;
    let again = remote.next().await;
    drop(client);
    again.closed().await;
    world.heard().await;
    world.hears(0, server(REFUSED)).await;
    world.hears(0, ClientGone).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_its_own_server_and_nobody_else() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    let mut slow = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    slow.stirs().await;
    let big = event(&"x".repeat(1 << 20));
    let sending = tokio::spawn(async move {
        for _ in 0..96 {
            events.send(&big).await;
        }
    });
    for _ in 0..20 {
        let mut other = world.post("", CALL).await;
        remote.next().await.json(DONE);
        assert_eq!(other.answer().await.body, DONE);
    }
    // 96 MiB are more than all sockets and queues hold.
    assert!(!sending.is_finished());
    assert_eq!(slow.answer().await.body.len(), 96 * ((1 << 20) + "data: \n\n".len()));
    sending.await.unwrap();
}
