//! Limits of both eras.

use std::time::Duration;

use mcp_relay::http::gateway::{Gateway, GatewayOptions};
use serde_json::json;

use super::legacy::{Session, initialize};
use super::modern::{modern, post, tool};
use super::world::{BOTH, World, call, said, soon, with_token};

#[tokio::test]
async fn one_session_too_many_is_told_to_come_back_and_finds_room_later() {
    let world = World::with(GatewayOptions { sessions: 1, ..GatewayOptions::default() }).await;
    let session = Session::open(&world).await;
    let refused = world.caller().post(&[BOTH], &initialize("2025-11-25")).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("5")));
    session.end().await;
    Session::open(&world).await;
}

#[tokio::test]
async fn one_request_too_many_is_told_to_come_back_in_both_eras() {
    let world = World::with(GatewayOptions { open_requests: 1, ..GatewayOptions::default() }).await;
    let session = Session::open(&world).await;
    let alice = world.caller();
    let from_a = post(&alice, &with_token(modern(call(1, "hold", json!({"key": "a"}))), 1), BOTH).await;
    for refused in [tool(&world.caller(), "echo", json!({})).await, session.post(&call(1, "echo", json!({}))).await] {
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("5")));
    }
    drop(from_a);
    // The place is free as soon as the gateway sees that the caller hung up, which nothing shows but this.
    soon(async { while tool(&alice, "echo", json!({})).await.status == 503 {} }).await;
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_and_one_that_is_listened_to_does_not() {
    let options = GatewayOptions { session_idle: Duration::from_secs(1), ..GatewayOptions::default() };
    let world = World::with(options).await;
    let listening = Session::open(&world).await;
    let mut stream = listening.post(&call(1, "hold", json!({"key": "a"}))).await;
    let idle = Session::open(&world).await;
    world.child_ends().await;
    assert_eq!(idle.post(&call(1, "echo", json!({}))).await.status, 404);
    listening.post(&call(2, "release", json!({"keys": ["a"]}))).await;
    assert_eq!(said(&stream.message().await.unwrap()), "a");
}

#[tokio::test]
async fn a_slow_reader_is_cut_off_and_holds_up_nobody() {
    let world = World::with(GatewayOptions { stream_messages: 4, ..GatewayOptions::default() }).await;
    let slow = world.caller();
    // More than the sockets between take, which is some megabytes.
    let flood = with_token(modern(call(1, "flood", json!({"count": 600, "size": 65_536}))), 1);
    let stream = post(&slow, &flood, BOTH).await;
    assert_eq!(said(&tool(&world.caller(), "await_cancelled", json!({})).await.json().await), "flood");
    let messages = stream.messages().await;
    assert!(messages.len() < 600 && messages.iter().all(|message| message.get("id").is_none()));
}

#[tokio::test]
async fn a_line_over_the_limit_ends_the_server_and_not_the_gateway() {
    let world = World::with(GatewayOptions { max_answer: 10_000, ..GatewayOptions::default() }).await;
    let caller = world.caller();
    let answer = tool(&caller, "long", json!({"size": 20_000})).await.json().await;
    assert_eq!(answer["error"]["code"], -32603);
    assert_eq!(said(&tool(&caller, "count", json!({})).await.json().await), 1);
}

#[tokio::test]
async fn silence_is_filled_with_comments_once_a_stream_could_be_taken_for_dead() {
    let world =
        World::with(GatewayOptions { keep_alive: Duration::from_millis(20), ..GatewayOptions::default() }).await;
    let alice = world.caller();
    // Without a token the server says nothing, so the stream begins with the first comment.
    let answer = tool(&alice, "hold", json!({"key": "a"})).await;
    assert!(answer.is_stream());
    tool(&world.caller(), "release", json!({"keys": ["a"]})).await;
    let text = answer.text().await;
    assert!(text.starts_with(":\n\n") || text.starts_with("data: "), "{text}");
    assert!(text.contains(r#""id":1"#));
}

#[tokio::test]
async fn a_server_that_cannot_be_started_is_an_error_of_the_call_in_both_eras() {
    let world =
        World::of(Gateway::new(|| std::process::Command::new("/no/such/server"), GatewayOptions::default())).await;
    let caller = world.caller();
    for answer in [
        caller.post(&[BOTH], &initialize("2025-11-25")).await,
        tool(&caller, "echo", json!({})).await,
        tool(&caller, "echo", json!({})).await,
    ] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.only().await["error"]["code"], -32603);
    }
}
