//! The bridge as the server behind the stdio relay: what a host starts in place of a remote server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/remote.rs"]
mod remote;
mod support;

use http::Method;
use mcp_relay::http::bridge::run;
use mcp_relay::stdio::Options;
use mcp_relay::{Exit, PassThrough};
use remote::{INITIALIZE, INITIALIZED, Remote, Upstream, options};
use support::{Session, soon};

#[tokio::test]
async fn a_host_that_leaves_ends_relay_bridge_and_session_in_order() {
    let mut remote = Remote::start().await;
    let (mut session, input, output) = Session::in_process(PassThrough, Options::default());
    let bridge = tokio::spawn(run(input, output, Upstream::default(), options(&remote.url)));
    session.send(format!("{INITIALIZE}\n")).await;
    let head = [("content-type", "application/json"), ("mcp-session-id", "s")];
    remote.message("initialize").await.answer(200, &head, INITIALIZED);
    assert_eq!(session.line().await, format!("{INITIALIZED}\n"));
    session.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await;
    let ping = remote.message("ping").await;
    session.hang_up();
    ping.json("{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{}}");
    assert_eq!(session.line().await, "{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":{}}\n");
    let delete = remote.next().await;
    assert_eq!(delete.method, Method::DELETE);
    // The end of the relay may be that of the process.
    tokio::task::yield_now().await;
    assert!(!session.relay.is_finished());
    delete.answer(200, &[], "");
    let (rest, exit) = session.rest().await;
    assert_eq!((rest.as_str(), exit.unwrap()), ("", Exit::Code(0)));
    soon(bridge).await.unwrap().unwrap();
}
