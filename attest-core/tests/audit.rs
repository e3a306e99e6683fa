//! What is checked of entries about what was seen, in order: `spec/audit.md`, rows `context`, `seen` and `alert`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test rests on is there, or the test fails at that line")]

use std::sync::Arc;

use attest_core::alert::{Action, Alert, Severity};
use attest_core::audit::{Bases, Basis, Fault, Names, Sequence, Tables, look};
use attest_core::digest::{Digest, Jti};
use attest_core::entry::{Entry, Status};
use attest_core::refusal::Token;
use attest_core::seen::*;

struct NoTokens;

impl Bases for NoTokens {
    fn basis(&mut self, _: &Digest, _: &[Digest]) -> Result<Arc<Basis>, Fault> {
        Err(Fault::TokenMissing(Token::Attestation))
    }
}

/// What is wrong with a log of these entries, by index.
fn faults(entries: &[Entry]) -> Vec<(u64, Fault)> {
    let (mut sequence, mut names, mut faults) = (Sequence::new(Tables::default()), Names::new(), Vec::new());
    for (index, entry) in (0..).zip(entries) {
        let noted = look(index, &entry.to_bytes(), None, &mut NoTokens, &mut names, &mut faults);
        sequence.next(&noted, |name| name, &mut faults);
    }
    sequence.end(&mut faults);
    faults.into_iter().map(|finding| (finding.index.unwrap(), finding.fault)).collect()
}

fn trail(session: u8) -> Entry {
    Entry::trail(Jti([session; 16]), "0.1.0", 1)
}

fn seen(session: u8, what: What) -> Entry {
    Entry::seen(Event { session: Jti([session; 16]), server: "mail".to_owned(), what }, 1)
}

fn read(session: u8) -> Entry {
    seen(
        session,
        What::Read(Box::new(Read {
            call: Digest::of("call"),
            method: "resources/read".to_owned(),
            name: Digest::of("uri"),
            size: 1,
            destinations: Destinations::default(),
        })),
    )
}

fn answer(session: u8) -> Entry {
    seen(
        session,
        What::Answer(Box::new(Answer {
            call: Digest::of("call"),
            status: Status::Result,
            size: 1,
            latency: 1,
            result: None,
            marks: Marks::default(),
            destinations: Destinations::default(),
            held: false,
        })),
    )
}

fn alert(entries: &[u64]) -> Entry {
    let alert = Alert {
        action: Action::Note,
        call: None,
        entries: entries.to_vec(),
        reason: "a reason".to_owned(),
        rule: "opaque".to_owned(),
        server: "mail".to_owned(),
        session: Jti([1; 16]),
        severity: Severity::Low,
        tool: None,
    };
    Entry::alert(&alert, 1)
}

fn start() -> Entry {
    let (audience, version) = ("files".to_owned(), "0.1.0".to_owned());
    Entry::Start { audience, policy: Digest::of("policy").to_b64(), time: 1, version }
}

fn context() -> Entry {
    let context = Digest::of("context").to_b64().chars().take(21).chain(['A']).collect();
    Entry::Context { agent: "a1".to_owned(), context, time: 1, version: "0.1.0".to_owned() }
}

#[test]
fn what_was_seen_stands_in_each_kind_of_log_behind_whoever_wrote_it() {
    for first in [trail(1), start(), context()] {
        assert_eq!(faults(&[first, read(1), answer(1), alert(&[1, 2]), read(1)]), []);
    }
    assert_eq!(faults(&[read(1)]), [(0, Fault::NotStarted)]);
    assert_eq!(faults(&[trail(1), read(2)]), [(1, Fault::Context("session"))]);
    assert_eq!(faults(&[start(), trail(1)]), [(1, Fault::Side)]);
    assert_eq!(faults(&[trail(1), context()]), [(1, Fault::Side)]);
}

#[test]
fn an_answer_follows_its_call_once_in_its_session() {
    assert_eq!(faults(&[trail(1), answer(1)]), [(1, Fault::AnswerForNoCall)]);
    assert_eq!(faults(&[trail(1), read(1), answer(1), answer(1)]), [(3, Fault::AnswerForNoCall)]);
    assert_eq!(faults(&[trail(1), trail(2), read(1), answer(2)]), [(3, Fault::AnswerForNoCall)]);
    assert_eq!(faults(&[trail(1), read(1), read(1)]), [(2, Fault::OpenTwice { first: 1 })]);
}

#[test]
fn an_alert_rests_on_entries_before_it() {
    assert_eq!(faults(&[trail(1), alert(&[0, 1])]), [(1, Fault::AlertAhead)]);
    assert_eq!(faults(&[trail(1), alert(&[7])]), [(1, Fault::AlertAhead)]);
}
