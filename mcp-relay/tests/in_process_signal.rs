//! A signal to a process whose server is a part of it. In a process of its own, because all relays of a process hear it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use mcp_relay::stdio::Options;
use mcp_relay::{Exit, PassThrough};
use rustix::process::{Signal, getpid, kill_process};
use support::{Session, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_signal_ends_the_servers_input_and_what_it_still_says_is_delivered() {
    let (mut session, mut input, mut output) = Session::in_process(PassThrough, Options::default());
    session.send("{\"n\":1}\n").await;
    let mut line = vec![0; 8];
    soon(input.read_exact(&mut line)).await.unwrap();
    // The relay has run, so it listens by now.
    kill_process(getpid(), Signal::TERM).unwrap();
    assert_eq!(soon(input.read(&mut line)).await.unwrap(), 0);
    output.write_all(b"{\"last\":1}\n").await.unwrap();
    drop(output);
    let (rest, exit) = session.rest().await;
    assert_eq!(rest, "{\"last\":1}\n");
    assert_eq!(exit.unwrap(), Exit::Code(0));
}
