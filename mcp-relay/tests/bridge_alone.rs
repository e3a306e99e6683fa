//! The bridge in front of a server of the era without sessions (2026-07-28 and later).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/remote.rs"]
mod remote;
mod support;

use std::num::NonZeroUsize;
use std::time::Duration;

use mcp_relay::http::bridge::BridgeOptions;
use remote::{Host, Remote, options, with_grace};
use serde_json::{Value, json};

/// A request that says its version.
fn request(id: u32, method: &str, mut params: Value) -> String {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn answer(id: u32) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete" } }).to_string()
}

const CANCEL: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;

#[tokio::test]
async fn a_call_names_version_method_tool_and_annotated_arguments_in_its_headers() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(&request(1, "tools/list", json!({}))).await;
    let list = remote.message("tools/list").await;
    assert_eq!(list.header("mcp-method"), Some("tools/list"));
    let properties = json!({
        "city": { "type": "string", "x-mcp-header": "City" },
        "days": { "type": "integer", "x-mcp-header": "Days" },
        "bad": { "type": "number", "x-mcp-header": "Bad" },
        "plain": { "type": "string" },
    });
    let tools = json!([{ "name": "wetter für", "inputSchema": { "type": "object", "properties": properties } }]);
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools } }).to_string();
    list.json(listed.clone());
    // Also a list with a malformed annotation comes as it was sent.
    assert_eq!(host.line().await, listed);

    let arguments = json!({ "city": "世界", "days": 3, "bad": 1.5, "plain": "x" });
    let line = request(2, "tools/call", json!({ "name": "wetter für", "arguments": arguments }));
    host.send(&line).await;
    let call = remote.message("tools/call").await;
    assert_eq!(call.body, line);
    for (name, value) in [
        ("mcp-protocol-version", Some("2026-07-28")),
        ("mcp-method", Some("tools/call")),
        ("mcp-name", Some("=?base64?d2V0dGVyIGbDvHI=?=")),
        ("mcp-param-city", Some("=?base64?5LiW55WM?=")),
        ("mcp-param-days", Some("3")),
        ("mcp-param-bad", None),
        ("mcp-param-plain", None),
        ("mcp-session-id", None),
        ("accept", Some("application/json, text/event-stream")),
    ] {
        assert_eq!(call.header(name), value, "{name}");
    }
    call.json(answer(2));
    assert_eq!(host.line().await, answer(2));
}

#[tokio::test]
async fn a_refusal_for_its_headers_passes_as_it_is() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(1, "tools/call", json!({ "name": "t" }))).await;
    let refusal = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Header mismatch"}}"#;
    remote.message("tools/call").await.answer(400, &[("content-type", "application/json")], refusal);
    assert_eq!(host.line().await, refusal);
}

#[tokio::test]
async fn messages_on_a_stream_come_one_by_one_before_the_answer() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(1, "tools/call", json!({ "name": "t" }))).await;
    let stream = remote.message("tools/call").await.events(&[]);
    for n in 0..3 {
        let progress = format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{n}}}}}"#);
        stream.send(&format!("data: {progress}\r\n\r\n")).await;
        assert_eq!(host.line().await, progress);
    }
    stream.send(&format!("data: {}\n\n", answer(1))).await;
    assert_eq!(host.line().await, answer(1));
}

#[tokio::test]
async fn a_body_of_many_lines_becomes_one_line_and_an_error_without_id_gets_one() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(1, "ping", json!({}))).await;
    remote.message("ping").await.json("{\n  \"jsonrpc\": \"2.0\",\n  \"id\": 1,\n  \"result\": {\"a\": \"b\\n\"}\n}\n");
    assert_eq!(host.line().await, r#"{"id":1,"jsonrpc":"2.0","result":{"a":"b\n"}}"#);
    host.send(&request(2, "ping", json!({}))).await;
    let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"Unsupported protocol version"}}"#;
    remote.message("ping").await.answer(400, &[("content-type", "application/json; charset=utf-8")], error);
    let told = host.value().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&2.into(), &(-32022).into()));
}

#[tokio::test]
async fn a_cancellation_closes_the_exchange_and_nothing_more_comes_for_it() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    // Before the server has said anything.
    host.send(&request(1, "tools/call", json!({ "name": "t" }))).await;
    let waiting = remote.message("tools/call").await;
    host.send(CANCEL).await;
    waiting.closed().await;
    // In the middle of a stream; the id is free again.
    host.send(&request(1, "tools/call", json!({ "name": "t" }))).await;
    let stream = remote.message("tools/call").await.events(&[]);
    stream.send("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n").await;
    assert_eq!(host.value().await["method"], "notifications/progress");
    host.send(CANCEL).await;
    stream.closed().await;
    // Neither an error for the host nor a message for the server; what comes next is the next request's.
    host.send(&request(2, "ping", json!({}))).await;
    remote.message("ping").await.json(answer(2));
    assert_eq!(host.line().await, answer(2));
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_cancelled_request_of_one_id_leaves_others_alone() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(2, "tools/call", json!({ "name": "t" }))).await;
    let other = remote.message("tools/call").await;
    host.send(CANCEL).await;
    host.send(&CANCEL.replace('1', "\"2\"")).await;
    host.send(&request(3, "ping", json!({}))).await;
    remote.message("ping").await.json(answer(3));
    assert_eq!(host.line().await, answer(3));
    other.json(answer(2));
    assert_eq!(host.line().await, answer(2));
}

#[tokio::test]
async fn a_subscription_stays_open_until_the_host_leaves_and_does_not_hold_it_up() {
    let mut remote = Remote::start().await;
    // A test that waited for this would fail.
    let mut host = Host::start(with_grace(&remote.url, Duration::from_secs(3600)));
    host.send(&request(1, "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))).await;
    let stream = remote.message("subscriptions/listen").await.events(&[]);
    for method in ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"] {
        stream
            .send(&format!("data: {{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{{}}}}\n\n: alive\n\n"))
            .await;
        assert_eq!(host.value().await["method"], method);
    }
    host.hang_up();
    stream.closed().await;
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_is_never_resumed() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(1, "tools/call", json!({ "name": "t" }))).await;
    let stream = remote.message("tools/call").await.events(&[]);
    stream.send("id: e\ndata:\n\n").await;
    stream.break_off().await;
    let told = host.value().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&1.into(), &(-32000).into()));
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn requests_run_side_by_side_up_to_the_bound_and_each_gets_its_own_answer() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(BridgeOptions { in_flight: NonZeroUsize::new(2).unwrap(), ..options(&remote.url) });
    for id in 1..=3 {
        host.send(&request(id, "ping", json!({}))).await;
    }
    let (mut one, mut two) = (remote.next().await, remote.next().await);
    if one.message()["id"] == 2 {
        (one, two) = (two, one);
    }
    assert_eq!((&one.message()["id"], &two.message()["id"]), (&1.into(), &2.into()));
    tokio::task::yield_now().await;
    assert!(remote.is_quiet());
    two.json(answer(2));
    assert_eq!(host.line().await, answer(2));
    let three = remote.message("ping").await;
    assert_eq!(three.message()["id"], 3);
    three.json(answer(3));
    assert_eq!(host.line().await, answer(3));
    one.json(answer(1));
    assert_eq!(host.line().await, answer(1));
}

#[tokio::test]
async fn an_answer_to_another_request_is_not_taken_for_this_ones() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&request(1, "ping", json!({}))).await;
    let one = remote.message("ping").await;
    host.send(&request(2, "ping", json!({}))).await;
    let two = remote.message("ping").await;
    one.json(answer(2));
    let told = host.value().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&1.into(), &(-32000).into()));
    host.send(&request(3, "ping", json!({}))).await;
    let three = remote.message("ping").await;
    let stream = two.events(&[]);
    // One that is answered, and one that is open.
    stream.send(&format!("data: {}\n\ndata: {}\n\ndata: {}\n\n", answer(1), answer(3), answer(2))).await;
    assert_eq!(host.line().await, answer(2));
    three.json(answer(3));
    assert_eq!(host.line().await, answer(3));
    assert_eq!(host.finish().await.0, "");
}
