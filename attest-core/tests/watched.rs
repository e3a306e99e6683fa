//! What an audit makes of what was seen and of alerts, beside the vectors of the family `audit`: which fault it is, and what the
//! next entries are then held against.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use attest_core::alert::{Action, Alert, Severity};
use attest_core::audit::{Bases, Basis, Counts, Fault, Finding, Names, Sequence, Tables, look};
use attest_core::digest::{Digest, Jti};
use attest_core::entry::{Entry, Status};
use attest_core::refusal::{Reason, Token};
use attest_core::seen::{Answer, Destinations, Event, Marks, Read, Server, What};

const TIME: u64 = 1_800_000_000_000;

/// A store that has no token.
struct Empty;

impl Bases for Empty {
    fn basis(&mut self, _: &Digest, _: &[Digest]) -> Result<Arc<Basis>, Fault> {
        Err(Fault::TokenMissing(Token::Attestation))
    }
}

fn audit(entries: &[Entry], own: Option<&str>) -> (Vec<Finding>, Counts) {
    let (mut names, mut findings) = (Names::new(), Vec::new());
    let mut sequence = Sequence::new(Tables::default());
    for (entry, index) in entries.iter().zip(0..) {
        let noted = look(index, &entry.to_bytes(), own, &mut Empty, &mut names, &mut findings);
        sequence.next(&noted, |name| name, &mut findings);
    }
    let counts = sequence.end(&mut findings);
    (findings, counts)
}

fn faults(entries: &[Entry]) -> Vec<Finding> {
    audit(entries, None).0
}

fn trail(session: u8) -> Entry {
    Entry::trail(Jti([session; 16]), "0.1.0", TIME)
}

fn seen(session: u8, what: What) -> Entry {
    Entry::seen(Event { session: Jti([session; 16]), server: "mail".to_owned(), what }, TIME)
}

fn read(session: u8, call: &str) -> Entry {
    let (call, method) = (Digest::of(call), "resources/read".to_owned());
    let read = Read { call, method, name: Digest::of("uri"), size: 1, destinations: Destinations::default() };
    seen(session, What::Read(Box::new(read)))
}

fn answer(session: u8, call: &str) -> Entry {
    let answer = Answer {
        call: Digest::of(call),
        status: Status::Result,
        size: 1,
        latency: 1,
        result: None,
        marks: Marks::default(),
        destinations: Destinations::default(),
        held: false,
    };
    seen(session, What::Answer(Box::new(answer)))
}

fn alert(entries: &[u64]) -> Entry {
    let alert = Alert {
        action: Action::Note,
        call: None,
        entries: entries.to_vec(),
        reason: "a reason".to_owned(),
        rule: "a-rule".to_owned(),
        server: "mail".to_owned(),
        session: Jti([1; 16]),
        severity: Severity::Low,
        tool: None,
    };
    Entry::alert(&alert, TIME)
}

#[test]
fn an_answer_ends_one_call_of_its_session_and_nothing_else() {
    let log = [
        trail(1),
        trail(2),
        read(1, "a"),
        read(1, "b"),
        answer(1, "b"),
        answer(2, "a"),
        answer(1, "b"),
        answer(1, "a"),
    ];
    let wrong = |index| Finding::at(index, Fault::AnswerForNoCall);
    assert_eq!(faults(&log), [wrong(5), wrong(6)]);
}

#[test]
fn a_call_that_waits_is_not_seen_again_under_its_name_and_one_answer_ends_both() {
    let log = [trail(1), read(1, "a"), read(1, "a"), answer(1, "a"), answer(1, "a")];
    let twice = Finding::at(2, Fault::SeenTwice { first: 1 });
    assert_eq!(faults(&log), [twice, Finding::at(4, Fault::AnswerForNoCall)]);
}

#[test]
fn what_was_seen_and_never_answered_is_no_call_without_an_outcome() {
    let (findings, counts) = audit(&[trail(1), read(1, "a")], None);
    assert_eq!((findings, counts), (vec![], Counts::default()));
}

#[test]
fn an_event_stands_behind_the_trail_of_its_own_session() {
    let server = || seen(2, What::Server(Server::default()));
    assert_eq!(faults(&[trail(1), server(), trail(2), server()]), [Finding::at(1, Fault::NotStarted)]);
    assert_eq!(faults(&[server(), trail(2), server()]), [Finding::at(0, Fault::NotStarted)]);
}

#[test]
fn an_alert_rests_on_entries_before_it() {
    assert_eq!(faults(&[trail(1), alert(&[0]), alert(&[0, 1])]), []);
    for entries in [&[1][..], &[0, 2], &[u64::from(u32::MAX)]] {
        assert_eq!(faults(&[trail(1), alert(entries), trail(1)]), [Finding::at(1, Fault::AlertAhead)]);
    }
    assert_eq!(faults(&[alert(&[0])]), [Finding::at(0, Fault::NotStarted), Finding::at(0, Fault::AlertAhead)]);
}

#[test]
fn a_watched_hosts_log_has_no_entry_of_another_kind_of_log_and_no_other_log_has_a_trail() {
    let (audience, policy) = ("files".to_owned(), Digest::of("policy").to_b64());
    let start = Entry::Start { audience, policy, shared: false, time: TIME, version: "0.1.0".to_owned() };
    let others = [
        start.clone(),
        Entry::refused(Reason::NoProof, 1, TIME, "files", TIME),
        Entry::outcome(Digest::of("call"), Status::Unknown, None, None, TIME),
    ];
    for other in others {
        let found = faults(&[trail(1), other]);
        assert_eq!(found.first(), Some(&Finding::at(1, Fault::Side)));
        assert!(found.iter().all(|finding| finding.fault.check() == "context"), "{found:?}");
    }
    assert_eq!(faults(&[start, trail(1)]), [Finding::at(1, Fault::Side)]);
}

#[test]
fn nothing_stands_beside_what_was_seen() {
    let extra = [0, 1, 2].map(|index| Finding::at(index, Fault::OwnTokenExtra));
    assert_eq!(audit(&[trail(1), read(1, "a"), alert(&[1])], Some("text")).0, extra);
}
