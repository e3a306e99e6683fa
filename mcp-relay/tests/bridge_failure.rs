//! What a host is told when things go wrong, and that each request is told exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/remote.rs"]
mod remote;
mod support;

use mcp_relay::http::bridge::{BridgeError, BridgeOptions};
use remote::{Host, INITIALIZE, Remote, options};
use serde_json::Value;

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":"p","result":{}}"#;

/// The error for [`PING`].
async fn told(host: &mut Host) -> Value {
    let told = host.value().await;
    assert_eq!((&told["jsonrpc"], &told["id"], &told["error"]["code"]), (&"2.0".into(), &"p".into(), &(-32000).into()));
    told["error"].clone()
}

#[tokio::test]
async fn a_status_without_an_answer_says_what_where_and_what_to_do() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    let html = [("content-type", "text/html")];
    let json = [("content-type", "application/json")];
    for (status, head, body, advice) in [
        (401, &html, "<p>\n</p>", "set the credentials that it wants among this server's headers in agent.toml"),
        (401, &json, r#"{"error":"invalid_token"}"#, "headers in agent.toml"),
        (403, &html, "", "headers in agent.toml do not suffice"),
        (404, &html, "", "correct the url in agent.toml"),
        (307, &html, "", "redirects are not followed"),
        (503, &html, "", "look at its log and try again"),
        (200, &html, "<p>", "check that the url in agent.toml is that of an MCP endpoint"),
        (200, &json, "{}", "check that the url in agent.toml is that of an MCP endpoint"),
        (202, &json, "", "check that the url in agent.toml is that of an MCP endpoint"),
    ] {
        host.send(PING).await;
        remote.message("ping").await.answer(status, head, body);
        let error = told(&mut host).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{} answered {status} ", remote.url)), "{message}");
        assert!(message.contains(advice), "{message}");
        assert_eq!(error["data"]["status"], status);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_of() {
    let remote = Remote::start().await;
    let options = options(&remote.url);
    let url = remote.url.clone();
    drop(remote);
    let mut host = Host::start(options);
    // The listener is closed by a task of its own; until then it may take a connection and drop it.
    let message = loop {
        host.send(PING).await;
        let error = told(&mut host).await;
        assert_eq!(error.get("data"), None);
        let message = error["message"].as_str().unwrap().to_owned();
        if message.contains("refused") {
            break message;
        }
    };
    assert!(message.starts_with(&format!("no answer from {url}: ")), "{message}");
    assert!(
        message.ends_with("nothing listens there; start the server, or correct the url in agent.toml"),
        "{message}"
    );
    host.finish().await.1.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_up_is_told_of() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(PING).await;
    drop(remote.message("ping").await);
    let error = told(&mut host).await;
    assert!(error["message"].as_str().unwrap().starts_with("no answer from http://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_whole_and_in_a_stream() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(BridgeOptions { answer_limit: 1000, ..options(&remote.url) });
    let long = format!(r#"{{"jsonrpc":"2.0","id":"p","result":{{"text":"{}"}}}}"#, "x".repeat(1000));
    host.send(PING).await;
    remote.message("ping").await.json(long.clone());
    assert!(told(&mut host).await["message"].as_str().unwrap().contains("more than 1000 bytes"));
    host.send(PING).await;
    remote.message("ping").await.events(&[]).send(&format!("data: {long}\n\n")).await;
    assert!(told(&mut host).await["message"].as_str().unwrap().contains("more than 1000 bytes"));
    // An event without end is not gathered for ever.
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    stream.send(&"data: x\n".repeat(200)).await;
    stream.send("data: y\n").await;
    assert!(told(&mut host).await["message"].as_str().unwrap().contains("more than 1000 bytes"));
    // Many short ones are no long one.
    host.send(PING).await;
    let stream = remote.message("ping").await.events(&[]);
    for _ in 0..30 {
        stream.send(&format!("data:{}\n\n", " ".repeat(100))).await;
    }
    stream.send(&format!("data: {PONG}\n\n")).await;
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn line_breaks_in_what_is_not_strict_json_never_reach_the_host() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(PING).await;
    let twice = "{\"jsonrpc\":\"2.0\",\n\"id\":\"p\",\"id\":\"p\",\"result\":{}}";
    remote.message("ping").await.json(twice);
    let error = told(&mut host).await;
    assert!(error["message"].as_str().unwrap().contains("not strict JSON"), "{error}");
    // On one line it is the host's to judge.
    host.send(PING).await;
    let twice = twice.replace('\n', "");
    remote.message("ping").await.json(twice.clone());
    assert_eq!(host.line().await, twice);
}

#[tokio::test]
async fn a_notification_that_does_not_arrive_is_no_ones_answer() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#).await;
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#;
    remote.message("notifications/roots/list_changed").await.answer(400, &[("content-type", "application/json")], body);
    host.send(PING).await;
    remote.message("ping").await.json(PONG);
    assert_eq!(host.line().await, PONG);
}

#[tokio::test]
async fn what_is_no_message_is_answered_here_and_goes_nowhere() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(BridgeOptions { line_limit: 500, ..options(&remote.url) });
    let long = format!("{{\"long\":\"{}\"}}", "x".repeat(500));
    for (line, code) in [
        ("not json", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700),
        ("{\"jsonrpc\":\"2.0\",\r\"id\":1,\"method\":\"ping\"}", -32700),
        (&long, -32700),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, -32600),
    ] {
        host.send(&format!("\n{line}")).await;
        let told = host.value().await;
        assert_eq!((&told["id"], &told["error"]["code"]), (&Value::Null, &code.into()), "{line}");
    }
    // Last, without a line feed: blank lines and defects have left nothing behind.
    host.send(PING).await;
    remote.message("ping").await.json(PONG);
    assert_eq!(host.line().await, PONG);
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn an_id_in_use_is_refused_without_answering_its_owner() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(PING).await;
    let first = remote.message("ping").await;
    host.send(PING).await;
    let told = host.value().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&Value::Null, &(-32600).into()));
    first.json(PONG);
    assert_eq!(host.line().await, PONG);
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_failed_initialize_begins_no_session_and_holds_nothing_up() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.send(&format!("{INITIALIZE}\n{PING}")).await;
    remote.message("initialize").await.answer(500, &[("mcp-session-id", "s")], "");
    assert_eq!(host.value().await["error"]["data"]["status"], 500);
    let ping = remote.message("ping").await;
    assert_eq!(ping.header("mcp-session-id"), None);
    ping.json(PONG);
    assert_eq!(host.line().await, PONG);
    host.finish().await.1.unwrap();
    // No session, nothing to end.
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_host_that_reads_no_more_ends_the_bridge_and_the_session() {
    let mut remote = Remote::start().await;
    let mut host = Host::start(options(&remote.url));
    host.begin_session(&mut remote, "s").await;
    host.send(PING).await;
    let ping = remote.message("ping").await;
    let ended = tokio::spawn(host.stop_reading());
    // The writer notices when it has something to write.
    tokio::task::yield_now().await;
    ping.json(PONG);
    let delete = remote.next().await;
    assert_eq!((delete.method.as_str(), delete.header("mcp-session-id")), ("DELETE", Some("s")));
    delete.answer(200, &[], "");
    assert!(matches!(support::soon(ended).await.unwrap(), Err(BridgeError::Output(_))));
}
