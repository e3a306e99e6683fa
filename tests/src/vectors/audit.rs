//! The family `audit`: logs that hold no tokens, with what is wrong between their entries.

mod tokens;

use serde_json::{Value, json};

use self::tokens::{of_uses, of_what_was_let_go};
use super::file::Vector;
use super::log::{log_vkey, next_vkey};
use super::token::canonical;
use super::watched::{CALL, DIGEST, alert, answer, call, read, seen, trail, with, without};

const OTHER: &str = "BgYGBgYGBgYGBgYGBgYGBg";
/// The digest of another configuration.
const ROOT: &str = "IngmSD6TOSQJ35uOkgH18H0jp9LADM8WBeK55weMMg8";
const TIME: u64 = 1_800_000_000_000;

fn start() -> Value {
    json!({"audience": "files", "policy": DIGEST, "time": TIME, "type": "start", "version": "0.1.0"})
}

/// Of one of several verifiers that write a log.
fn shared_start() -> Value {
    with(start(), &json!({"shared": true}))
}

/// Under the other configuration.
fn shared_start_after() -> Value {
    with(shared_start(), &json!({"policy": ROOT}))
}

fn deny() -> Value {
    json!({"agent": "a1", "audience": "files", "call": CALL, "decision": "deny", "key": DIGEST, "policy": DIGEST,
        "reason": "replay", "time": TIME, "tool": "read_file", "type": "decision"})
}

fn refused() -> Value {
    json!({"audience": "files", "count": 1, "reason": "no-proof", "since": TIME, "time": TIME, "type": "refused"})
}

fn accepted() -> Value {
    json!({"agent": "a1", "audience": "files", "by": "alice", "component": "model-tensors", "digest": DIGEST,
        "reason": "the adapter of November", "since": TIME, "time": TIME, "type": "accepted"})
}

fn closed(alert: u64) -> Value {
    json!({"alert": alert, "audience": "files", "by": "alice", "reason": "looked at", "since": TIME, "time": TIME,
        "type": "closed"})
}

fn config(audience: &str) -> Value {
    json!({"audience": audience, "policy": ROOT, "time": TIME, "type": "config"})
}

/// A decision under that configuration.
fn deny_after() -> Value {
    with(deny(), &json!({"policy": ROOT}))
}

fn context() -> Value {
    json!({"agent": "a1", "context": "BQUFBQUFBQUFBQUFBQUFBQ", "time": TIME, "type": "context", "version": "0.1.0"})
}

fn outcome() -> Value {
    json!({"call": CALL, "status": "unknown", "time": TIME, "type": "outcome"})
}

fn key() -> Value {
    json!({"key": next_vkey(), "previous": log_vkey(), "time": TIME, "type": "key"})
}

fn server() -> Value {
    seen("server", &json!({}))
}

/// The same in another session.
fn other(entry: Value) -> Value {
    with(entry, &json!({"session": OTHER}))
}

fn on(entries: &[u64]) -> Value {
    with(alert(), &json!({"entries": entries}))
}

fn at(mut entry: Value, time: u64) -> Value {
    entry["time"] = json!(time);
    entry
}

fn notification() -> Value {
    with(without(call(), "tool"), &json!({"method": "notifications/progress", "notification": true}))
}

/// A declassification; what it is for stands nowhere in a log.
fn log(name: &str, comment: &str, entries: &[Value]) -> Vector {
    let lines = entries.iter().flat_map(|entry| [canonical(entry), b"\n".to_vec()].concat()).collect::<Vec<u8>>();
    Vector::new("audit", format!("audit_{name}"), comment, lines)
}

fn whole(name: &str, comment: &str, entries: &[Value]) -> Vector {
    log(name, comment, entries).with("expect", "whole")
}

fn wrong(name: &str, comment: &str, entries: &[Value], check: &str, index: u64) -> Vector {
    log(name, comment, entries).with("expect", check).with("index", &index.to_string())
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let mut all = good();
    all.extend(of_the_kind_of_log());
    all.extend(of_answers());
    all.extend(of_alerts());
    all.extend(of_uses());
    all.extend(of_what_was_let_go());
    all.extend([
        wrong(
            "entry_unknown_type",
            "an entry of no type that there is",
            &[trail(), with(trail(), &json!({"type": "note"})), server()],
            "entry",
            1,
        ),
        wrong("config_first", "another configuration before any start", &[config("files"), start()], "context", 0),
        wrong("config_audience", "a configuration of another audience", &[start(), config("mail")], "context", 1),
        wrong(
            "config_too_early",
            "a decision under a configuration before it is in force",
            &[start(), deny_after(), config("files")],
            "context",
            1,
        ),
        wrong(
            "config_forgotten",
            "a decision under a configuration of before the last start",
            &[start(), config("files"), start(), deny_after()],
            "context",
            3,
        ),
        wrong(
            "shared_start_alone",
            "a decision under the configuration of the one verifier that wrote the log before several do",
            &[start(), shared_start_after(), deny()],
            "context",
            2,
        ),
        wrong(
            "shared_start_over",
            "a decision under the configuration of one of several, after the log has one writer again",
            &[shared_start(), with(start(), &json!({"policy": ROOT})), deny()],
            "context",
            2,
        ),
        wrong(
            "shared_start_other_audience",
            "one of several verifiers that serves another audience",
            &[shared_start(), with(shared_start(), &json!({"audience": "mail"}))],
            "context",
            1,
        ),
        wrong(
            "time_back",
            "dated more than 360 s before an earlier entry",
            &[at(trail(), TIME + 360_001), at(server(), TIME)],
            "time",
            1,
        ),
    ]);
    all
}

fn good() -> Vec<Vector> {
    vec![
        whole(
            "watched_host",
            "the log of a host whose servers are only watched",
            &[trail(), server(), call(), answer(), on(&[1, 3]), read(), answer()],
        ),
        whole(
            "two_sessions",
            "two sessions at once, each with a call of the same name",
            &[trail(), other(trail()), call(), other(call()), answer(), other(answer())],
        ),
        whole("caller", "in a caller's log", &[context(), server(), call(), answer(), on(&[3])]),
        whole("verifier", "in a verifier's log", &[start(), deny(), call(), answer(), refused(), on(&[1])]),
        whole(
            "call_again",
            "a call's name used again after its answer",
            &[trail(), call(), answer(), call(), answer()],
        ),
        whole("never_answered", "a call and a notification without an answer", &[trail(), notification(), call()]),
        whole("trail_twice", "a session that starts again", &[trail(), server(), trail(), server()]),
        whole("alert_on_the_last", "an alert on the entry before it", &[trail(), on(&[0])]),
        whole("accepted", "a state that somebody accepted, behind the start", &[start(), accepted(), deny()]),
        whole("closed", "an alert that somebody closed", &[start(), server(), on(&[1]), closed(2)]),
        whole(
            "config",
            "another configuration, and a call that was under way",
            &[start(), deny(), config("files"), deny_after(), deny()],
        ),
        whole(
            "shared_start",
            "two verifiers that write one log, each under its configuration",
            &[shared_start(), deny(), shared_start_after(), deny(), deny_after(), deny()],
        ),
        whole("key", "a change of keys before anything else", &[key(), trail(), server()]),
        whole(
            "time_within_skew",
            "dated 360 s before an earlier entry",
            &[at(trail(), TIME + 360_000), at(server(), TIME)],
        ),
    ]
}

fn of_the_kind_of_log() -> Vec<Vector> {
    vec![
        wrong("seen_first", "something was seen before anybody said who writes", &[server(), trail()], "context", 0),
        wrong(
            "seen_before_its_trail",
            "something was seen in a session that had not started",
            &[trail(), other(server()), other(trail())],
            "context",
            1,
        ),
        wrong("start_in_a_watched_host", "a verifier starts", &[trail(), start()], "context", 1),
        wrong("context_in_a_watched_host", "a signer starts", &[trail(), context()], "context", 1),
        wrong("decision_in_a_watched_host", "a verifier decides", &[trail(), deny()], "context", 1),
        wrong("refused_in_a_watched_host", "a verifier counts refusals", &[trail(), refused()], "context", 1),
        wrong("outcome_in_a_watched_host", "an attested call ends", &[trail(), outcome()], "context", 1),
        wrong("trail_in_a_verifier", "a watched session in a verifier's log", &[start(), trail()], "context", 1),
        wrong("trail_in_a_caller", "a watched session in a caller's log", &[context(), trail()], "context", 1),
        wrong("alert_first", "an alert before anybody said who writes", &[key(), on(&[0]), trail()], "context", 1),
        wrong(
            "start_other_audience",
            "a verifier that starts as another",
            &[start(), with(start(), &json!({"audience": "mail"}))],
            "context",
            1,
        ),
        wrong(
            "context_other_agent",
            "a signer that starts for another agent",
            &[context(), with(context(), &json!({"agent": "a2"}))],
            "context",
            1,
        ),
        wrong(
            "decision_other_policy",
            "a decision under another configuration than that of the start",
            &[start(), with(deny(), &json!({"policy": CALL}))],
            "context",
            1,
        ),
        wrong(
            "accepted_before_start",
            "a state accepted before anything started",
            &[accepted(), start()],
            "context",
            0,
        ),
        wrong("closed_in_a_caller", "an alert closed in a caller's log", &[context(), closed(0)], "context", 1),
        wrong("closed_ahead", "an alert closed that is not there yet", &[start(), closed(1)], "alert", 1),
        wrong("accepted_in_a_caller", "a state accepted in a caller's log", &[context(), accepted()], "context", 1),
        wrong("decision_before_start", "a decision before anything started", &[deny(), start()], "context", 0),
        wrong("outcome_of_no_call", "the outcome of a call that nobody made", &[context(), outcome()], "outcome", 1),
    ]
}

fn of_answers() -> Vec<Vector> {
    vec![
        wrong("answer_without_call", "an answer to nothing", &[trail(), answer()], "seen", 1),
        wrong("answer_twice", "a second answer", &[trail(), call(), answer(), answer()], "seen", 3),
        wrong("answer_to_a_read_twice", "a second answer", &[trail(), read(), answer(), answer()], "seen", 3),
        wrong("answer_before_its_call", "an answer before its call", &[trail(), answer(), call()], "seen", 1),
        wrong(
            "answer_of_another_call",
            "an answer to another call than that which waits",
            &[trail(), call(), with(answer(), &json!({"call": DIGEST}))],
            "seen",
            2,
        ),
        wrong(
            "answer_in_another_session",
            "an answer in another session than its call",
            &[trail(), other(trail()), call(), other(answer())],
            "seen",
            3,
        ),
        wrong(
            "answer_to_a_notification",
            "an answer to what has none",
            &[trail(), notification(), answer()],
            "seen",
            2,
        ),
        wrong("call_twice", "a call under the name of one that waits", &[trail(), call(), call()], "seen", 2),
        wrong("read_after_call", "a read under the name of a call that waits", &[trail(), call(), read()], "seen", 2),
        wrong("answer_in_a_caller", "an answer to nothing", &[context(), answer()], "seen", 1),
        wrong("answer_in_a_verifier", "an answer to nothing", &[start(), answer()], "seen", 1),
    ]
}

fn of_alerts() -> Vec<Vector> {
    vec![
        wrong("alert_on_itself", "an alert that rests on itself", &[trail(), on(&[0, 1])], "alert", 1),
        wrong(
            "alert_on_a_later_entry",
            "an alert that rests on a later entry",
            &[trail(), on(&[2]), server()],
            "alert",
            1,
        ),
        wrong(
            "alert_on_no_entry",
            "an alert that rests on an entry that is not there",
            &[trail(), on(&[0, 9])],
            "alert",
            1,
        ),
        wrong("alert_on_nothing", "an alert that rests on nothing", &[trail(), on(&[])], "entry", 1),
    ]
}
