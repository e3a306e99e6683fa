use super::*;

const EVENTS: Form = Form::Events { primed: false };

fn read_all(journal: &mut Journal, cursor: &mut Cursor) -> (Vec<String>, Next) {
    let mut all = Vec::new();
    loop {
        match journal.read(cursor) {
            Next::Bytes(bytes) => all.push(String::from_utf8(bytes.into()).unwrap()),
            other => return (all, other),
        }
    }
}

fn event(stream: u64, number: u64, text: &str) -> String {
    format!("data: {text}\nid: {stream}-{number}\n\n")
}

#[test]
fn a_reader_gets_what_was_said_before_and_after_it_came_then_the_end() {
    let mut journal = Journal::new(9, 1_000);
    let stream = journal.open(Form::Events { primed: true });
    journal.push(stream, "a".into());
    let mut cursor = journal.attach(stream, From::Unread).unwrap();
    assert_eq!(
        read_all(&mut journal, &mut cursor),
        (vec![format!("data: \nid: {stream}-0\nretry: 1000\n\n"), event(stream, 1, "a")], Next::Wait)
    );
    journal.push(stream, "b".into());
    journal.end(stream);
    journal.push(stream, "after the end".into());
    assert_eq!(read_all(&mut journal, &mut cursor), (vec![event(stream, 2, "b")], Next::End));
}

#[test]
fn a_stream_is_resumed_after_the_event_that_was_had_last_and_holds_nothing_of_others() {
    let mut journal = Journal::new(9, 1_000);
    let (stream, other) = (journal.open(EVENTS), journal.open(EVENTS));
    for text in ["a", "b", "c"] {
        journal.push(stream, text.into());
        journal.push(other, "other".into());
    }
    journal.end(stream);
    let mut first = journal.attach(stream, From::Unread).unwrap();
    assert!(matches!(journal.read(&mut first), Next::Bytes(_)));
    journal.detach(&first);
    let mut second = journal.attach(stream, From::After(1)).unwrap();
    assert_eq!(read_all(&mut journal, &mut second), (vec![event(stream, 2, "b"), event(stream, 3, "c")], Next::End));
    assert!(journal.attach(stream, From::After(4)).is_none());
    assert!(journal.attach(99, From::After(0)).is_none());
}

#[test]
fn of_two_readers_of_one_stream_the_later_has_it() {
    let mut journal = Journal::new(9, 1_000);
    let mut first = journal.attach(STANDALONE, From::Unread).unwrap();
    journal.push(STANDALONE, "a".into());
    assert!(matches!(journal.read(&mut first), Next::Bytes(_)));
    let mut second = journal.attach(STANDALONE, From::Unread).unwrap();
    journal.push(STANDALONE, "b".into());
    assert_eq!(journal.read(&mut first), Next::End);
    journal.detach(&first);
    assert!(journal.is_attached(STANDALONE), "the first one's going is not the second one's");
    assert_eq!(read_all(&mut journal, &mut second), (vec![event(0, 2, "b")], Next::Wait));
}

#[test]
fn a_reader_too_far_behind_is_ended_and_memory_stays_bounded() {
    let mut journal = Journal::new(3, 1_000_000);
    let mut cursor = journal.attach(STANDALONE, From::Unread).unwrap();
    for n in 1..=4 {
        journal.push(STANDALONE, n.to_string().into());
    }
    assert_eq!(journal.read(&mut cursor), Next::End);
    let mut again = journal.attach(STANDALONE, From::After(0)).unwrap();
    assert_eq!(read_all(&mut journal, &mut again).0, [event(0, 2, "2"), event(0, 3, "3"), event(0, 4, "4")]);
}

#[test]
fn bytes_are_bounded_over_all_streams_and_the_newest_message_stays() {
    let mut journal = Journal::new(100, 1_000);
    let streams = [journal.open(EVENTS), journal.open(EVENTS), STANDALONE];
    for round in 0..20 {
        for stream in streams {
            journal.push(stream, vec![b'x'; 100].into());
            assert!(journal.bytes <= 1_000, "round {round}");
            assert_eq!(journal.bytes, journal.streams.values().flat_map(|s| &s.kept).map(Bytes::len).sum::<usize>());
        }
    }
    journal.push(STANDALONE, vec![b'x'; 5_000].into());
    let mut cursor = journal.attach(STANDALONE, From::Unread).unwrap();
    assert_eq!(read_all(&mut journal, &mut cursor).0.len(), 1);
}

#[test]
fn few_ended_streams_are_kept_and_a_message_that_was_read_is_not() {
    let mut journal = Journal::new(9, 1_000_000);
    for _ in 0..100 {
        let stream = journal.open(EVENTS);
        journal.push(stream, "x".into());
        journal.end(stream);
    }
    assert_eq!(journal.streams.len(), KEPT + 1);
    let before = journal.bytes;
    let stream = journal.open(Form::Message);
    journal.push(stream, "whole".into());
    let mut cursor = journal.attach(stream, From::Unread).unwrap();
    journal.end(stream);
    assert_eq!(read_all(&mut journal, &mut cursor), (vec!["whole".into()], Next::End));
    journal.detach(&cursor);
    assert_eq!((journal.streams.len(), journal.bytes), (KEPT + 1, before));
}
