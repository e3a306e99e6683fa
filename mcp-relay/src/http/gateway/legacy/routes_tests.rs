use std::sync::Arc;

use tokio::sync::Semaphore;

use super::super::journal::{From, Next};
use super::*;

const EVENTS: Form = Form::Events { primed: false };

fn id(n: f64) -> Id {
    Id::of(&Value::Number(n)).unwrap()
}

fn open(routes: &mut Routes, journal: &mut Journal, n: f64, token: Option<f64>) -> u64 {
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let open = Open { id: id(n), token: token.map(id), streams: true, cancelled: false, _permit: permit };
    routes.open(journal, open, EVENTS).unwrap()
}

/// What stands on a stream now, from its beginning.
fn said(journal: &mut Journal, stream: u64) -> Vec<String> {
    let mut cursor = journal.attach(stream, From::After(0)).unwrap();
    let all = std::iter::from_fn(|| match journal.read(&mut cursor) {
        Next::Bytes(bytes) => Some(String::from_utf8(bytes.into()).unwrap()),
        Next::Wait | Next::End => None,
    })
    .map(|event| event.lines().next().unwrap().trim_start_matches("data: ").to_owned())
    .collect();
    journal.detach(&cursor);
    all
}

const ASK: &[u8] = br#"{"id":"s","method":"ping"}"#;

#[test]
fn a_message_is_on_the_stream_it_names_or_the_only_one() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    let a = open(&mut routes, &mut journal, 1.0, Some(7.0));
    routes.line(&mut journal, ASK);
    let b = open(&mut routes, &mut journal, 2.0, Some(8.0));
    let progress = br#"{"method":"notifications/progress","params":{"progressToken":8}}"#;
    routes.line(&mut journal, progress);
    routes.line(&mut journal, br#"{"id":2,"result":{}}"#);
    assert_eq!(said(&mut journal, a), [std::str::from_utf8(ASK).unwrap()]);
    assert_eq!(said(&mut journal, b), [std::str::from_utf8(progress).unwrap(), r#"{"id":2,"result":{}}"#]);
    assert_eq!(said(&mut journal, STANDALONE), [""; 0]);
}

#[test]
fn with_several_requests_open_the_standalone_stream_has_what_names_none_where_it_is_read() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    let a = open(&mut routes, &mut journal, 1.0, None);
    let b = open(&mut routes, &mut journal, 2.0, None);
    routes.line(&mut journal, ASK);
    assert_eq!(
        (said(&mut journal, a).len(), said(&mut journal, b).len()),
        (0, 1),
        "heard, since nobody reads the other"
    );
    let listening = journal.attach(STANDALONE, From::Unread).unwrap();
    routes.line(&mut journal, ASK);
    assert_eq!((said(&mut journal, a).len(), said(&mut journal, b).len()), (0, 1));
    journal.detach(&listening);
    assert_eq!(said(&mut journal, STANDALONE).len(), 1);
}

#[test]
fn with_no_request_open_all_waits_on_the_standalone_stream() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    routes.line(&mut journal, ASK);
    routes.line(&mut journal, br#"{"id":5,"result":{}}"#);
    assert_eq!(said(&mut journal, STANDALONE), [std::str::from_utf8(ASK).unwrap()]);
}

#[test]
fn an_id_is_open_once() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    open(&mut routes, &mut journal, 1.0, None);
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let again = Open { id: id(1.0), token: None, streams: true, cancelled: false, _permit: permit };
    assert_eq!(routes.open(&mut journal, again, EVENTS), Err(Problem::IdInUse));
    routes.line(&mut journal, br#"{"id":1,"result":{}}"#);
    open(&mut routes, &mut journal, 1.0, None);
}

#[test]
fn a_cancelled_request_is_answered_while_somebody_reads_and_forgotten_when_nobody_does() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    let stream = open(&mut routes, &mut journal, 1.0, None);
    let cursor = journal.attach(stream, From::Unread).unwrap();
    routes.cancelled(&mut journal, &id(1.0));
    routes.line(&mut journal, ASK);
    assert_eq!(said(&mut journal, STANDALONE).len(), 1, "what names no request is not about a cancelled one");
    assert_eq!(routes.open.len(), 1);
    let unread = journal.detach(&cursor).unwrap();
    routes.unread(&mut journal, unread);
    assert_eq!(routes.open.len(), 0);
}

#[test]
fn each_line_of_the_child_is_one_event_whatever_white_space_it_holds() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    let a = open(&mut routes, &mut journal, 1.0, None);
    routes.line(&mut journal, b"{\"method\":\r\"n\"}");
    routes.line(&mut journal, b"{\"id\":1,\r\"result\":{\"n\":9007199254740993}}");
    let got = said(&mut journal, a);
    assert_eq!(got[0], r#"{"method":"n"}"#);
    assert!(got[1].contains("-32603") && !got[1].contains("9007199254740993"), "{}", got[1]);
    let b = open(&mut routes, &mut journal, 2.0, None);
    routes.line(&mut journal, br#"{"id":2,"result":{"n":9007199254740993}}"#);
    assert_eq!(said(&mut journal, b), [r#"{"id":2,"result":{"n":9007199254740993}}"#]);
}

#[test]
fn all_who_wait_are_told_of_the_end() {
    let (mut routes, mut journal) = (Routes::default(), Journal::new(9, 9_999));
    let streams = [1.0, 2.0].map(|n| open(&mut routes, &mut journal, n, None));
    routes.end(&mut journal, &Problem::ServerGone);
    for (stream, id) in streams.into_iter().zip([1, 2]) {
        let got = said(&mut journal, stream);
        assert!(got.len() == 1 && got[0].contains(&format!(r#""id":{id}"#)) && got[0].contains("-32603"), "{got:?}");
    }
}
