//! What is not one strict JSON object on one line never reaches the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use attest_core::json::{JsonErrorKind, Value};
use mcp_relay::stdio::{Options, RelayError};
use mcp_relay::{Bytes, Defect, Exit, Handling, Interceptor, PassThrough, Refusal, ToClient, ToServer};
use support::{Session, echo, python};

/// Passes messages; notes defects, and whether the server's lines could be read.
#[derive(Default)]
struct Notes {
    defects: Mutex<Vec<Defect>>,
    from_server: Mutex<Vec<(Bytes, bool)>>,
}

impl Interceptor for Notes {
    fn client_message(&self, _: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        assert!(value.as_object().is_some());
        Handling::Now(ToServer::Pass)
    }

    fn client_defect(&self, defect: Defect, _: Option<&Value<'_>>) -> Handling<Refusal> {
        self.defects.lock().unwrap().push(defect);
        Handling::Now(Refusal::Drop)
    }

    fn server_message(&self, line: Bytes, value: Option<&Value<'_>>) -> Handling<ToClient> {
        self.from_server.lock().unwrap().push((line, value.is_some()));
        Handling::Now(ToClient::Pass)
    }
}

fn small() -> Options {
    Options { client_line_limit: 100, server_line_limit: 1000, ..Options::default() }
}

/// A line, and whether a defect is the one it has.
type Case<'a> = (&'a [u8], fn(Defect) -> bool);

#[tokio::test]
async fn no_defective_line_reaches_the_server_and_the_interceptor_hears_of_each() {
    let long = [b" ".repeat(100).as_slice(), b"{}"].concat();
    let cases: [Case<'_>; 16] = [
        (b"\xef\xbb\xbf{}", |d| is_json(d, JsonErrorKind::ByteOrderMark)),
        (b"\xff\xfe{\0}\0", |d| is_json(d, JsonErrorKind::Syntax)),
        (b"{\0}\0", |d| is_json(d, JsonErrorKind::Syntax)),
        (b"{}\0", |d| is_json(d, JsonErrorKind::TrailingBytes)),
        (b"{\"a\":\"\xc3\"}", |d| is_json(d, JsonErrorKind::NotUtf8)),
        (br#"{"a":1,"a":2}"#, |d| is_json(d, JsonErrorKind::DuplicateMember)),
        (br#"{"p":{"a":1,"\u0061":2}}"#, |d| is_json(d, JsonErrorKind::DuplicateMember)),
        (b"{} {}", |d| is_json(d, JsonErrorKind::TrailingBytes)),
        (b"{}{}", |d| is_json(d, JsonErrorKind::TrailingBytes)),
        (b"{", |d| is_json(d, JsonErrorKind::Syntax)),
        (br#"[{"id":1,"method":"tools/call"}]"#, |d| d == Defect::NotAnObject),
        (b"\"tools/call\"", |d| d == Defect::NotAnObject),
        (b"{}\r{}", |d| d == Defect::BareCr),
        (b"{\r}", |d| d == Defect::BareCr),
        (b"\r", |d| d == Defect::BareCr),
        (&long, |d| d == Defect::TooLong { limit: 100 }),
    ];
    let notes = Arc::new(Notes::default());
    let mut session = Session::start(echo(), notes.clone(), small());
    for (number, (line, _)) in cases.iter().enumerate() {
        // A CR in a line of nothing else would belong to the ending, were the LF to follow.
        let ending: &[u8] = if *line == b"\r" { b"\r\n" } else { b"\n" };
        let good = format!("{{\"good\":{number}}}\n");
        session.send([*line, ending, good.as_bytes()].concat()).await;
        assert_eq!(session.line().await, good);
    }
    assert_eq!(session.finish().await.0, "");
    let defects = notes.defects.lock().unwrap();
    assert_eq!(defects.len(), cases.len());
    for ((line, expected), defect) in cases.iter().zip(&*defects) {
        assert!(expected(*defect), "{} is {defect:?}", line.escape_ascii());
    }
}

fn is_json(defect: Defect, kind: JsonErrorKind) -> bool {
    matches!(defect, Defect::Json(error) if error.kind == kind)
}

#[tokio::test]
async fn a_defective_last_line_without_end_does_not_reach_the_server_either() {
    for last in [b"{}\r".as_slice(), b"[]", b"{", &b" ".repeat(200)] {
        let notes = Arc::new(Notes::default());
        let mut session = Session::start(echo(), notes.clone(), small());
        session.send(last).await;
        assert_eq!(session.finish().await.0, "", "{}", last.escape_ascii());
        assert_eq!(notes.defects.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_last_line_without_end_is_a_message_and_gets_an_end() {
    let mut session = Session::start(echo(), PassThrough, small());
    session.send("{\"a\":1}\n{\"b\":2}").await;
    assert_eq!(session.finish().await.0, "{\"a\":1}\n{\"b\":2}\n");
}

#[tokio::test]
async fn a_line_of_exactly_the_limit_passes_with_either_ending() {
    let line = format!("{{\"a\":\"{}\"}}", "x".repeat(92));
    assert_eq!(line.len(), 100);
    let mut session = Session::start(echo(), PassThrough, small());
    session.send(format!("{line}\n{line}\r\n")).await;
    assert_eq!(session.finish().await.0, format!("{line}\n{line}\r\n"));
}

#[tokio::test]
async fn a_line_without_end_is_answered_before_it_ends_and_what_follows_it_is_read() {
    let mut session = Session::start(echo(), PassThrough, small());
    session.send("x".repeat(300_000)).await;
    assert!(session.line().await.contains("-32700"));
    session.send("{\"still\":\"inside\"}\n{\"next\":1}\n").await;
    assert_eq!(session.line().await, "{\"next\":1}\n");
}

#[tokio::test]
async fn each_defect_is_answered_with_one_json_rpc_error_by_default() {
    let mut session = Session::start(echo(), PassThrough, small());
    for (line, code) in [("[]", "-32600"), ("{", "-32700"), ("{}\r{}", "-32700")] {
        session.send(format!("{line}\n")).await;
        let reply = session.line().await;
        let value = attest_core::json::parse(reply.as_bytes()).unwrap();
        assert_eq!(value.as_object().unwrap().get("id"), Some(&Value::Null));
        assert!(reply.contains(code), "{reply}");
    }
}

#[tokio::test]
async fn server_lines_that_readers_could_take_differently_are_shown_as_opaque() {
    let server = python(r"import sys; sys.stdout.buffer.write(b'{}\n[]\n{\r}\n{\n{\x22a\x22:1,\x22a\x22:1}\n')");
    let notes = Arc::new(Notes::default());
    let (output, exit) = Session::start(server, notes.clone(), small()).rest().await;
    assert_eq!(output, "{}\n[]\n{\r}\n{\n{\"a\":1,\"a\":1}\n");
    assert_eq!(exit.unwrap(), Exit::Code(0));
    let seen: Vec<bool> = notes.from_server.lock().unwrap().iter().map(|(_, readable)| *readable).collect();
    assert_eq!(seen, [true, true, false, false, false]);
}

#[tokio::test]
async fn a_server_line_beyond_the_limit_ends_the_relay_after_what_came_before_it() {
    let server = python("import sys; print('{}'); print('x' * 2000, flush=True); sys.stdin.read()");
    let (output, exit) = Session::start(server, PassThrough, small()).rest().await;
    assert_eq!(output, "{}\n");
    assert!(matches!(exit, Err(RelayError::ServerLineTooLong { limit: 1000 })), "{exit:?}");
}

/// Gives bytes with a second line in them.
struct TwoLines;

impl Interceptor for TwoLines {
    fn client_message(&self, _: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        Handling::Now(ToServer::Forward(Bytes::from_static(b"{}\n{}")))
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

#[tokio::test]
async fn an_interceptor_cannot_slip_a_second_line_in() {
    let mut session = Session::start(echo(), TwoLines, small());
    session.send("{\"a\":1}\n").await;
    let (output, exit) = session.rest().await;
    assert_eq!(output, "");
    assert!(matches!(exit, Err(RelayError::NotOneLine)), "{exit:?}");
}
