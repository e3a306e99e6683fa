//! A server that is a part of this process is served and ended as a process is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use mcp_relay::stdio::Options;
use mcp_relay::{Exit, PassThrough};
use support::{Session, soon};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};

fn hasty() -> Options {
    Options { grace: Duration::from_millis(20), ..Options::default() }
}

/// Sends each line back until its input ends, then says one more and ends.
async fn echo(input: Receiver, mut output: Sender) {
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        output.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
    output.write_all(b"{\"last\":1}\n").await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_servers_input_and_still_gets_its_last_words() {
    let (mut session, input, output) = Session::in_process(PassThrough, Options::default());
    let server = tokio::spawn(echo(input, output));
    session.send("{\"n\":1}\n").await;
    assert_eq!(session.line().await, "{\"n\":1}\n");
    session.send("{\"n\":2}\n").await;
    let (rest, exit) = session.finish().await;
    assert_eq!(rest, "{\"n\":2}\n{\"last\":1}\n");
    assert_eq!(exit.unwrap(), Exit::Code(0));
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_server_that_drops_its_output_ends_the_relay_with_code_0_after_all_it_wrote() {
    let (session, input, mut output) = Session::in_process(PassThrough, Options::default());
    // More than a pipe holds: the relay has to read on after the server's end.
    let much = format!("{{\"much\":\"{}\"}}\n", "x".repeat(60 * 1024)).repeat(4);
    let server = tokio::spawn(async move {
        output.write_all(much.as_bytes()).await.unwrap();
        drop(output);
        much
    });
    let (rest, exit) = session.rest().await;
    assert_eq!(rest, soon(server).await.unwrap());
    assert_eq!(exit.unwrap(), Exit::Code(0));
    drop(input);
}

#[tokio::test]
async fn a_client_that_reads_no_more_ends_the_servers_input_and_the_relay_with_it() {
    let (mut session, mut input, mut output) = Session::in_process(PassThrough, Options::default());
    session.send("{\"n\":1}\n").await;
    let mut line = vec![0; 8];
    soon(input.read_exact(&mut line)).await.unwrap();
    let (_still_open, relay) = session.stop_reading();
    output.write_all(b"{}\n").await.unwrap();
    assert_eq!(soon(input.read(&mut [0; 8])).await.unwrap(), 0);
    drop(output);
    assert_eq!(soon(relay).await.unwrap().unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn a_server_that_does_not_end_in_its_time_is_left_behind() {
    let (mut session, input, mut output) = Session::in_process(PassThrough, hasty());
    session.send("{\"n\":1}\n").await;
    let (_still_open, relay) = session.stop_reading();
    output.write_all(b"{}\n").await.unwrap();
    assert_eq!(soon(relay).await.unwrap().unwrap(), Exit::Signal(15));
    drop((input, output));
}

#[tokio::test]
async fn a_dropped_relay_ends_the_servers_input() {
    let (session, mut input, _output) = Session::in_process(PassThrough, Options::default());
    session.relay.abort();
    assert_eq!(soon(input.read(&mut [0; 8])).await.unwrap(), 0);
}
