//! The bridge in front of a server of the era of sessions (2025-11-25 and before).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/remote.rs"]
mod remote;
mod support;

use std::time::Duration;

use http::Method;
use remote::{Host, INITIALIZE, INITIALIZED, READY, Remote, options, with_grace};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const CANCEL: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;

#[tokio::test]
async fn a_session_goes_with_every_message_and_is_ended_with_the_host() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(INITIALIZE).await;
    let first = remote.message("initialize").await;
    assert_eq!(first.header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("accept-encoding"), Some("identity"));
    assert_eq!((first.header("mcp-session-id"), first.header("mcp-protocol-version")), (None, None));
    assert_eq!(first.body, INITIALIZE);
    first.answer(200, &[("content-type", "application/json"), ("mcp-session-id", "s-1")], INITIALIZED);
    assert_eq!(host.line().await, INITIALIZED);
    let in_session = (Some("s-1"), Some("2025-06-18"));

    host.send(READY).await;
    let ready = remote.message("notifications/initialized").await;
    assert_eq!((ready.header("mcp-session-id"), ready.header("mcp-protocol-version")), in_session);
    ready.accepted();
    let get = remote.next().await;
    assert_eq!((&get.method, get.header("accept")), (&Method::GET, Some("text/event-stream")));
    assert_eq!((get.header("mcp-session-id"), get.header("mcp-protocol-version")), in_session);
    get.answer(405, &[], "");

    host.send(PING).await;
    let ping = remote.message("ping").await;
    assert_eq!((ping.header("mcp-session-id"), ping.header("mcp-protocol-version")), in_session);
    assert_eq!((ping.header("mcp-method"), ping.header("mcp-name")), (None, None));
    ping.json(PONG);
    assert_eq!(host.line().await, PONG);

    host.hang_up();
    let delete = remote.next().await;
    assert_eq!(delete.method, Method::DELETE);
    assert_eq!((delete.header("mcp-session-id"), delete.header("mcp-protocol-version")), in_session);
    delete.answer(405, &[], "");
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn nothing_overtakes_initialize_or_the_word_that_the_host_is_ready() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&format!("{INITIALIZE}\n{READY}\n{PING}")).await;
    let first = remote.message("initialize").await;
    // All three lines were read in one piece. Were anything to overtake, it would arrive before these answers.
    tokio::task::yield_now().await;
    assert!(remote.is_quiet());
    first.answer(200, &[("content-type", "application/json"), ("mcp-session-id", "s")], INITIALIZED);
    let ready = remote.message("notifications/initialized").await;
    assert_eq!(ready.header("mcp-session-id"), Some("s"));
    tokio::task::yield_now().await;
    assert!(remote.is_quiet());
    ready.accepted();
    // The stream and the request are not ordered with each other.
    for _ in 0..2 {
        let next = remote.next().await;
        assert_eq!(next.header("mcp-session-id"), Some("s"));
        if next.method == Method::GET { next.answer(405, &[], "") } else { next.json(PONG) }
    }
    assert_eq!([host.line().await, host.line().await], [INITIALIZED, PONG]);
}

#[tokio::test]
async fn what_a_server_asks_on_a_stream_is_answered_by_the_host() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    stream.send("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}\n\n").await;
    assert_eq!(host.line().await, r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
    let roots = r#"{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}"#;
    host.send(roots).await;
    let answer = remote.next().await;
    assert_eq!(answer.body, roots);
    assert_eq!(answer.header("mcp-session-id"), Some("s"));
    answer.accepted();
    // A comment, an event of another kind, one without data, one in three lines, and all of it in odd pieces.
    stream.send(": alive\n\nevent: endpoint\ndata: /old\n\nid: 1\ndata:\n\ndata: {\"jsonrpc\"").await;
    stream.send(":\"2.0\",\ndata: \"id\": 1,\ndata: \"result\": {}}\n").await;
    stream.send("\n").await;
    assert_eq!(host.line().await, r#"{"id":1,"jsonrpc":"2.0","result":{}}"#);
}

#[tokio::test]
async fn what_a_server_says_of_its_own_accord_reaches_the_host_and_its_stream_is_taken_up_again() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(INITIALIZE).await;
    remote
        .message("initialize")
        .await
        .events(&[("mcp-session-id", "s")])
        .send(&format!("data: {INITIALIZED}\n\n"))
        .await;
    assert_eq!(host.line().await, INITIALIZED);
    host.send(READY).await;
    remote.message("notifications/initialized").await.accepted();
    let get = remote.next().await;
    assert_eq!(get.header("last-event-id"), None);
    let stream = get.events(&[]);
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    stream.send(&format!("id: e-1\nretry: 1\ndata: {changed}\n\n")).await;
    assert_eq!(host.line().await, changed);
    stream.break_off().await;
    let again = remote.next().await;
    assert_eq!((&again.method, again.header("last-event-id")), (&Method::GET, Some("e-1")));
    let stream = again.events(&[]);
    stream.send(&format!("data: {changed}\n\n")).await;
    assert_eq!(host.line().await, changed);
    // The end of the host is the end of the stream.
    host.hang_up();
    stream.closed().await;
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_answer_is_resumed_after_its_last_event() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    stream.send("id: e-1\nretry: 1\ndata:\n\n").await;
    drop(stream);
    let again = remote.next().await;
    assert_eq!((&again.method, again.header("last-event-id")), (&Method::GET, Some("e-1")));
    assert_eq!(again.header("mcp-session-id"), Some("s"));
    let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
    let stream = again.events(&[]);
    stream.send(&format!("id: e-2\ndata: {note}\n\n")).await;
    assert_eq!(host.line().await, note);
    stream.break_off().await;
    let again = remote.next().await;
    assert_eq!(again.header("last-event-id"), Some("e-2"));
    again.events(&[]).send(&format!("data: {PONG}\n\n")).await;
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn a_server_that_has_itself_polled_may_take_any_number_of_connections() {
    let mut remote = Remote::start().await;
    let options = options(&remote.url);
    let polls = 2 * options.tries;
    let mut host = Host::start(options);
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    remote.message("ping").await.events(&[]).send("id: 0\nretry: 1\ndata:\n\n").await;
    for n in 1..=polls {
        let again = remote.next().await;
        assert_eq!(again.header("last-event-id"), Some(&*(n - 1).to_string()));
        again.events(&[]).send(&format!("id: {n}\ndata:\n\n")).await;
    }
    remote.next().await.events(&[]).send(&format!("data: {PONG}\n\n")).await;
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn resuming_is_given_up_after_the_bound() {
    let mut remote = Remote::start().await;
    let options = options(&remote.url);
    let tries = options.tries;
    let mut host = Host::start(options);
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    remote.message("ping").await.events(&[]).send("id: e\nretry: 1\ndata:\n\n").await;
    for n in 0..tries {
        let again = remote.next().await;
        assert_eq!(again.header("last-event-id"), Some("e"));
        // Refused, or opened and ended without a word: both count.
        if n == 0 { again.answer(500, &[], "") } else { drop(again.events(&[])) }
    }
    let answer = host.value().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&1.into(), &(-32000).into()));
    assert!(answer["error"]["message"].as_str().unwrap().contains("could not be resumed in 3 attempts"), "{answer}");
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_stream_without_event_ids_is_not_resumed() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    drop(remote.message("ping").await.events(&[]));
    let answer = host.value().await;
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("closed the connection before its answer"),
        "{answer}"
    );
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_lost_session_is_told_to_every_open_request_and_used_no_more() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let waiting = remote.message("ping").await;
    host.send(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).await;
    let body = r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}"#;
    remote.message("tools/list").await.answer(404, &[("content-type", "application/json")], body);
    let mut answers = [host.value().await, host.value().await];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    for (answer, id) in answers.iter().zip([1, 2]) {
        assert_eq!((&answer["id"], &answer["error"]["data"]["status"]), (&id.into(), &404.into()));
        assert!(answer["error"]["message"].as_str().unwrap().contains("initialize again"), "{answer}");
    }
    waiting.closed().await;
    host.send(r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await;
    assert_eq!(host.value().await["error"]["data"]["status"], 404);
    assert!(remote.is_quiet());
    // A new session is free of the old.
    host.send(INITIALIZE).await;
    let initialize = remote.message("initialize").await;
    assert_eq!(initialize.header("mcp-session-id"), None);
    initialize.answer(200, &[("content-type", "application/json"), ("mcp-session-id", "s-2")], INITIALIZED);
    assert_eq!(host.line().await, INITIALIZED);
    host.send(PING).await;
    let ping = remote.message("ping").await;
    assert_eq!(ping.header("mcp-session-id"), Some("s-2"));
    ping.json(PONG);
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn an_unknown_method_with_status_404_loses_no_session() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let refusal = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
    remote.message("ping").await.answer(404, &[("content-type", "application/json")], refusal);
    assert_eq!(host.line().await, refusal);
    host.send(PING).await;
    remote.message("ping").await.json(PONG);
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn a_cancellation_is_posted_and_the_request_is_owed_no_answer() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    stream.send("id: e\ndata:\n\n").await;
    host.send(CANCEL).await;
    let cancel = remote.message("notifications/cancelled").await;
    assert_eq!(cancel.header("mcp-session-id"), Some("s"));
    cancel.accepted();
    drop(stream);
    // Neither an error nor a resumption: the next thing is the end.
    host.hang_up();
    assert_eq!(remote.next().await.method, Method::DELETE);
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
}

#[tokio::test]
async fn a_cancelled_request_whose_stream_the_server_leaves_open_is_closed_after_a_while() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(with_grace(&remote.url, Duration::from_millis(20)));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    host.send(CANCEL).await;
    remote.message("notifications/cancelled").await.accepted();
    stream.closed().await;
    // The id is free again.
    host.send(PING).await;
    remote.message("ping").await.json(PONG);
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn open_requests_are_finished_after_the_host_has_closed_its_end() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let ping = remote.message("ping").await;
    host.hang_up();
    tokio::task::yield_now().await;
    assert!(remote.is_quiet());
    ping.json(PONG);
    assert_eq!(host.line().await, PONG);
    let delete = remote.next().await;
    assert_eq!((&delete.method, delete.header("mcp-session-id")), (&Method::DELETE, Some("s")));
    delete.answer(200, &[], "");
    host.finish().await.1.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_does_not_keep_a_bridge_whose_host_has_left() {
    let mut remote = Remote::start().await;
    let grace = Duration::from_millis(20);
    let mut host = Host::start(with_grace(&remote.url, grace));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let ping = remote.message("ping").await;
    let (rest, outcome) = host.finish().await;
    assert_eq!(rest, "");
    outcome.unwrap();
    ping.closed().await;
}
