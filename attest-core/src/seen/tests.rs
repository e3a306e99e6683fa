use super::*;
use crate::alert::{Action, Alert, Severity};
use crate::entry::{Entry, EntryError, Written};

fn call() -> Call {
    Call {
        call: Digest::of("call"),
        called: Called::Tool("send_email".to_owned()),
        arguments: Digest::of("arguments"),
        size: 87,
        shape: Digest::of("shape"),
        outside: vec![String::new(), "/to/0".to_owned()],
        destinations: Destinations::of(["Mail.example", "b.example", "mail.example"]),
        marks: marks(&[(Mark::Addressed, 2)]),
        notification: false,
    }
}

fn marks(counts: &[(Mark, u32)]) -> Marks {
    let mut marks = Marks::default();
    counts.iter().for_each(|(mark, count)| marks.set(*mark, *count));
    marks
}

fn event(what: What) -> Event {
    Event { session: Jti([5; 16]), server: "mail".to_owned(), what }
}

/// One of each kind, with and without what may be absent.
fn all() -> Vec<Event> {
    let tool = || "send_email".to_owned();
    let answer = Answer {
        call: Digest::of("call"),
        status: Status::ToolError,
        size: 1,
        latency: 0,
        result: None,
        marks: Marks::default(),
        destinations: Destinations::default(),
        held: false,
    };
    let kinds = [
        What::Server(Server::default()),
        What::Server(Server {
            name: Some(text("Mail\n")),
            version: Some("1.0".to_owned()),
            era: Some("2026-07-28".to_owned()),
            how: Some(Digest::of("how")),
            host: Some("mail.example".to_owned()),
            key: Some(Digest::of("key")),
            marks: marks(&[(Mark::Invisible, 1)]),
        }),
        What::Tool(Tool {
            tool: tool(),
            description: Digest::of("d"),
            schema: Digest::of("s"),
            marks: Marks::default(),
            can: Can { danger: true, inward: true, out: true },
        }),
        What::ToolGone { tool: tool() },
        What::Call(Box::new(call())),
        What::Call(Box::new(Call {
            called: Called::Method("tasks/cancel".to_owned()),
            notification: true,
            outside: Vec::new(),
            destinations: Destinations::default(),
            marks: Marks::default(),
            ..call()
        })),
        What::Read(Box::new(Read {
            call: Digest::of("read"),
            method: "resources/read".to_owned(),
            name: Digest::of("uri"),
            size: 3,
            destinations: Destinations::of((0..40).map(|n| format!("h{n}.example"))),
        })),
        What::Answer(Box::new(Answer {
            result: Some(Digest::of("result")),
            marks: marks(&[(Mark::SecretPath, u32::MAX)]),
            destinations: Destinations::of(["evil.example"]),
            held: true,
            ..answer.clone()
        })),
        What::Answer(Box::new(answer)),
        What::Asked(Asked {
            method: "sampling/createMessage".to_owned(),
            call: Some(Digest::of("call")),
            size: 9,
            marks: Marks::default(),
        }),
        What::Refused { call: None, called: Called::Tool(tool()), reason: "replay".to_owned() },
        What::State(vec![Component::Config, Component::SystemPrompt]),
        What::Opaque { from: From::Server, size: 4 << 20 },
    ];
    kinds.into_iter().map(event).collect()
}

#[test]
fn what_is_written_of_each_kind_is_read_again_as_the_same() {
    for event in all() {
        let body = Entry::seen(event.clone(), 1_800_000_000_002).to_bytes();
        let read = Written::read(&body);
        let expected = Written::Seen { event: Box::new(event), time: 1_800_000_000_002 };
        assert_eq!(read, Ok(expected), "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn an_event_has_no_member_that_its_kind_does_not_have_and_lacks_none_that_it_must_have() {
    for event in all() {
        let body = String::from_utf8(Entry::seen(event, 1).to_bytes()).unwrap();
        let more = body.replacen("},\"time\":", ",\"zz\":1},\"time\":", 1);
        assert_eq!(Written::read(more.as_bytes()), Err(EntryError::Invalid("event")), "{more}");
        let more = body.replacen("BQUFBQUFBQUFBQUFBQUFBQ", "AA", 1);
        assert_eq!(Written::read(more.as_bytes()), Err(EntryError::Invalid("session")), "{more}");
    }
    let without = |member: &str| {
        let body = String::from_utf8(Entry::seen(event(What::Call(Box::new(call()))), 1).to_bytes()).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&body).unwrap();
        value["event"].as_object_mut().unwrap().remove(member).unwrap();
        serde_jcs::to_vec(&value).unwrap()
    };
    for member in ["arguments", "call", "server", "session", "shape", "size", "tool", "what"] {
        assert_eq!(Written::read(&without(member)), Err(EntryError::Missing(member)));
    }
}

#[test]
fn a_member_that_is_not_of_its_form_is_refused_by_its_name() {
    let cases = [
        (r#""size":87"#, r#""size":-1"#, "size"),
        (r#""size":87"#, r#""size":8.5"#, "size"),
        (r#"{"addressed":2}"#, r#"{"addressed":0}"#, "marks"),
        (r#"{"addressed":2}"#, r#"{"addressed":4294967296}"#, "marks"),
        (r#"{"addressed":2}"#, r#"{"obeyed":2}"#, "marks"),
        (r#"{"addressed":2}"#, "{}", "marks"),
        (r#"["b.example","mail.example"]"#, r#"["mail.example","b.example"]"#, "destinations"),
        (r#"["b.example","mail.example"]"#, r#"["B.example"]"#, "destinations"),
        (r#"["b.example","mail.example"]"#, r#"["b.example","b.example"]"#, "destinations"),
        (r#"["b.example","mail.example"]"#, "[]", "destinations"),
        (r#"["b.example","mail.example"]"#, r#"["a b"]"#, "destinations"),
        (r#"["","/to/0"]"#, r#"["\n"]"#, "outside"),
        (r#"["","/to/0"]"#, r#"["","","","","","","","",""]"#, "outside"),
        (r#""outside":"#, r#""more":false,"outside":"#, "more"),
        (r#""what":"call""#, r#""what":"Call""#, "what"),
    ];
    let body = String::from_utf8(Entry::seen(event(What::Call(Box::new(call()))), 1).to_bytes()).unwrap();
    for (good, bad, member) in cases {
        let edited = body.replacen(good, bad, 1);
        assert_ne!(edited, body, "{good}");
        assert_eq!(Written::read(edited.as_bytes()), Err(EntryError::Invalid(member)), "{edited}");
    }
    let both = body.replacen(r#","outside""#, r#","method":"x","outside""#, 1);
    assert_eq!(Written::read(both.as_bytes()), Err(EntryError::Invalid("event")));
}

#[test]
fn the_largest_event_fits_an_entry() {
    let long = |n: usize| format!("{n:03}{}", "\"".repeat(MAX_DESTINATION - 3));
    let name = name(&"\"\u{0}é".repeat(4_000));
    let largest = Event {
        session: Jti([255; 16]),
        server: "\"".repeat(MAX_NAME),
        what: What::Call(Box::new(Call {
            called: Called::Tool(name),
            size: (1 << 53) - 1,
            outside: vec![pointer(&"/\u{10ffff}\"".repeat(400)); MAX_OUTSIDE],
            destinations: Destinations::of((0..100).map(long)),
            marks: marks(&Mark::ALL.map(|mark| (mark, u32::MAX))),
            notification: true,
            ..call()
        })),
    };
    let body = Entry::seen(largest.clone(), (1 << 53) - 1).to_bytes();
    assert!(Written::read(&body).is_ok(), "{:?}", Written::read(&body));
    assert!(body.len() < 32_768, "{}", body.len());
}

#[test]
fn two_tools_whose_names_are_no_names_never_become_one() {
    let long = "n".repeat(1_000);
    let names = [name(""), name("a\u{7}"), name("a\u{8}"), name(&format!("{long}1")), name(&format!("{long}2"))];
    for (n, one) in names.iter().enumerate() {
        assert!(crate::claims::is_name(one), "{one}");
        assert!(names.iter().skip(n + 1).all(|other| other != one), "{one}");
    }
    assert_eq!(name("send_email"), "send_email");
    assert!(crate::claims::is_name(&name(&"\u{10ffff}".repeat(128))));
}

fn alert() -> Alert {
    Alert {
        action: Action::Hold,
        call: Some(Digest::of("call")),
        entries: vec![3, 9],
        reason: "a reason".to_owned(),
        rule: "server-asks".to_owned(),
        server: "mail".to_owned(),
        session: Jti([5; 16]),
        severity: Severity::High,
        tool: Some("send_email".to_owned()),
    }
}

#[test]
fn an_alert_is_read_as_it_was_written_and_not_with_a_member_of_another_form() {
    let body = Entry::alert(&alert(), 7).to_bytes();
    assert_eq!(Written::read(&body), Ok(Written::Alert { alert: Box::new(alert()), time: 7 }));
    assert!(alert().is_sound());
    let bare = Alert { call: None, tool: None, ..alert() };
    assert!(Written::read(&Entry::alert(&bare, 7).to_bytes()).is_ok());
    let bad = [
        (Alert { entries: vec![], ..alert() }, "entries"),
        (Alert { entries: vec![9, 3], ..alert() }, "entries"),
        (Alert { entries: vec![3, 3], ..alert() }, "entries"),
        (Alert { entries: (0..17).collect(), ..alert() }, "entries"),
        (Alert { reason: "a\u{1b}[2J".to_owned(), ..alert() }, "reason"),
        (Alert { reason: "n".repeat(MAX_TEXT * 5), ..alert() }, "reason"),
        (Alert { rule: "Rule".to_owned(), ..alert() }, "rule"),
        (Alert { server: String::new(), ..alert() }, "server"),
        (Alert { tool: Some(String::new()), ..alert() }, "tool"),
    ];
    for (bad, member) in bad {
        assert!(!bad.is_sound(), "{bad:?}");
        assert_eq!(Written::read(&Entry::alert(&bad, 7).to_bytes()), Err(EntryError::Invalid(member)));
    }
}

#[test]
fn a_trail_is_read_as_it_was_written() {
    let body = Entry::trail(Jti([5; 16]), "0.1.0", 7).to_bytes();
    assert_eq!(body, br#"{"session":"BQUFBQUFBQUFBQUFBQUFBQ","time":7,"type":"trail","version":"0.1.0"}"#);
    assert_eq!(Written::read(&body), Ok(Written::Trail { session: Jti([5; 16]), time: 7, version: "0.1.0".into() }));
}
