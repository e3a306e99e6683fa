//! Tricks of HTTP: requests of which some reader on the way makes a call that another does not see. First against real servers
//! alone, which shows that they run; then through the guard, where nothing that nobody vouches for may run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "http_tricks/bodies.rs"]
mod bodies;
#[path = "http_tricks/framing.rs"]
mod framing;
#[path = "http_tricks/guarded.rs"]
mod guarded;
#[path = "http_tricks/headers.rs"]
mod headers;
#[path = "http_tricks/requests.rs"]
mod requests;
#[path = "http_tricks/servers.rs"]
mod servers;
#[path = "http_tricks/trick.rs"]
mod trick;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use attest_tests::http_raw::{Answer, exchange};
use attest_tests::world::tests_folder;
use servers::{NAMES, Server};
use trick::{Call, HIDDEN, Trick, tricks, unsigned};

/// Sends every trick to `host`, a few at a time, since some of them leave a server waiting.
pub fn send_all(host: &str, tricks: &[Trick]) -> Vec<Answer> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((at, trick)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, tricks.get(at)?)))
        {
            done.push((at, exchange(host, &trick.bytes, trick.responses)));
        }
        done
    };
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().for_each(|worker| answers.extend(worker.join().unwrap()));
    });
    answers.into_values().collect()
}

/// What a trick did to a server: whether the tool ran for it, and for the call hidden in it.
fn effect(runs: &[String], trick: &Trick) -> String {
    let times = |who: &str| runs.iter().filter(|run| *run == who).count();
    let part = |what: &str, n: usize| match n {
        0 => String::new(),
        1 => format!("{what} "),
        n => format!("{what} {n} times "),
    };
    let shown =
        part("runs", times(&trick.who)) + &part("runs the hidden one", times(&format!("{HIDDEN}{}", trick.who)));
    if shown.is_empty() { "-".to_owned() } else { shown.trim_end().to_owned() }
}

fn record() -> PathBuf {
    tests_folder().join("real/tricks/direct.txt")
}

/// The record: by trick, what it did to each server.
fn recorded() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(record()).unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.split(" | ").map(|cell| cell.trim().to_owned());
        let name = cells.next()?;
        // Behind the effect stands the status, for people: a library may well change its mind about that.
        Some((name, cells.map(|cell| cell.split(" (").next().unwrap_or_default().to_owned()).collect()))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(row).collect()
}

/// What the record says of a status; 0 where there was no answer.
fn status(answer: &Answer) -> String {
    match (answer.status(), answer.closed) {
        (0, true) => "closed".to_owned(),
        (0, false) => "waits".to_owned(),
        (status, _) => status.to_string(),
    }
}

/// Shows that the tests of the guard can fail, and tells when a new release of an SDK falls for something new.
/// `ATTEST_RECORD=1` writes the record anew.
#[test]
fn each_trick_does_to_each_server_alone_what_the_record_says() {
    let done = thread::scope(|scope| {
        let threads = NAMES.map(|name| {
            scope.spawn(move || {
                let server = Server::start(name);
                let tricks = tricks(server.host(), &unsigned);
                let answers = send_all(server.host(), &tricks);
                let last = Call::of(server.host(), "last", &unsigned);
                assert_eq!(exchange(server.host(), &last.post("", &last.text), 1).status(), 200, "{name} is well");
                let runs = server.runs();
                assert_eq!(runs.iter().filter(|run| *run == "last").count(), 1);
                let effects = tricks.iter().map(|trick| effect(&runs, trick));
                effects.zip(answers.iter().map(status)).collect::<Vec<_>>()
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    let mut text =
        format!("# What each trick does to each server alone. Made with ATTEST_RECORD=1.\n# {}\n", NAMES.join(" | "));
    let mut seen = BTreeMap::new();
    for (at, trick) in tricks("127.0.0.1:1", &unsigned).iter().enumerate() {
        let cells: Vec<_> = done.iter().map(|server| &server[at]).collect();
        let shown: Vec<String> = cells.iter().map(|(effect, status)| format!("{effect} ({status})")).collect();
        text.push_str(&format!("{} | {}\n", trick.name, shown.join(" | ")));
        let effects: Vec<String> = cells.iter().map(|(effect, _)| effect.clone()).collect();
        assert!(seen.insert(trick.name.to_owned(), effects).is_none(), "{}: two tricks of that name", trick.name);
    }
    if std::env::var_os("ATTEST_RECORD").is_some() {
        fs::write(record(), text).unwrap();
    }
    assert_eq!(seen, recorded());
}
