//! The same tricks with the guard in front.

use std::collections::BTreeMap;
use std::process::Stdio;

use attest_tests::client::eventually;
use attest_tests::forge::Forge;
use attest_tests::http_raw::exchange;
use attest_tests::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::servers::{NAMES, Process, Server, host, url_in};
use super::trick::{Behind, Call, HIDDEN, Trick, tricks, unsigned};
use super::{effect, send_all};

/// What a process speaks that is no HTTP server: the forgiving one of `tests/real/python/tool_server.py`.
const STDIO: &str = "stdio";

/// A guard over HTTP in front of a server.
struct Guarded {
    world: World,
    /// None where the guard starts the server itself, over stdio.
    server: Option<Server>,
    process: Process,
    url: String,
}

impl Guarded {
    fn start(name: &str) -> Self {
        let world = World::granting(&["count"]);
        let mut guard = world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0"]);
        let server = (name != STDIO).then(|| Server::start(name));
        match &server {
            Some(server) => guard.args(["--upstream", &server.url]),
            None => guard.arg("--").args(world.server()),
        };
        let mut process = Process::start({
            guard.stderr(Stdio::piped());
            guard
        });
        let url = url_in(process.stderr());
        Self { world, server, process, url }
    }

    /// What the tool was given so far.
    fn runs(&self) -> Vec<String> {
        let given = |run: &Value| run["arguments"]["who"].as_str().unwrap_or("?").to_owned();
        self.server.as_ref().map_or_else(|| self.world.runs().iter().map(given).collect(), Server::runs)
    }

    fn host(&self) -> &str {
        host(&self.url)
    }

    /// Ends the guard, so that its log tells of every refusal: by reason, how many.
    fn end(&mut self) -> BTreeMap<String, u64> {
        let pid = Pid::from_raw(i32::try_from(self.process.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        eventually("the guard ends", || self.process.0.try_wait().unwrap());
        let mut counts = BTreeMap::new();
        for entry in self.world.entries("guard.db", &[("type", "refused")]) {
            *counts.entry(entry["reason"].as_str().unwrap().to_owned()).or_insert(0) +=
                entry["count"].as_u64().unwrap();
        }
        counts
    }
}

/// The name of the trick that gave this to the tool.
fn named<'t>(all: &'t [Trick], who: &str) -> &'t str {
    let given = who.strip_prefix(HIDDEN).unwrap_or(who);
    all.iter().find(|trick| trick.who == given).map_or("none of them", |trick| trick.name)
}

fn no_trick_runs_anything(name: &str) {
    let mut guarded = Guarded::start(name);
    let all = tricks(guarded.host(), &unsigned);
    let answers = send_all(guarded.host(), &all);
    let mut wrong = Vec::new();
    for (trick, answer) in all.iter().zip(&answers) {
        let results = answer.responses.iter().map(|r| String::from_utf8_lossy(&r.body));
        // What the tool says; over stdio there is no such tool, and the server says that.
        wrong.extend(
            results
                .filter(|body| body.contains("counted") || body.contains("no such tool"))
                .map(|body| format!("{}: a result came back: {body}", trick.name)),
        );
        let message = answer.message();
        let told = message.pointer("/error/data/reason").and_then(Value::as_str).unwrap_or_default();
        // A stranger is told no more than this, whatever the log has.
        let wanted = match trick.behind {
            Behind::Counted("no-proof") => "unauthenticated",
            Behind::Refused if told == "unauthenticated" => continue,
            Behind::Refused => "malformed",
            Behind::Counted("no-id") | Behind::NoRequest | Behind::NoCall => continue,
            Behind::Counted(_) => "malformed",
        };
        if told != wanted {
            wrong.push(format!("{}: told {told:?}, not {wanted:?}: {} {message}", trick.name, answer.status()));
        }
    }
    let runs = guarded.runs();
    wrong.extend(runs.iter().map(|who| format!("{who} runs: {}", named(&all, who))));
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    // The guard is alive, and lets in what is signed: else none of the above would say anything.
    let forge = Forge::of(&guarded.world);
    let sign = |text: &str| forge.sign(text).line;
    let good = Call::of(guarded.host(), "good", &sign);
    // A process knows no header, so what serves it asks for those that 2026-07-28 requires, or for a session.
    let request = if name == STDIO {
        let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n";
        good.post(headers, good.modern())
    } else {
        good.post("", &good.text)
    };
    let answer = exchange(guarded.host(), &request, 1);
    assert_eq!(answer.status(), 200, "{}", answer.message());
    assert_eq!(guarded.runs(), ["good"], "{name}");
    let counted = guarded.end();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for trick in &all {
        if let Behind::Counted(reason) = trick.behind {
            *expected.entry(reason).or_default() += 1;
        }
    }
    for (reason, times) in expected {
        // More may come from those that are no request to everybody.
        let seen = counted.get(reason).copied().unwrap_or(0);
        assert!(seen >= times, "{name}: {reason}: {seen} refusals are in the log, not {times}; all: {counted:?}");
    }
    assert_eq!(guarded.world.entries("guard.db", &[("type", "decision")]).len(), 1);
}

/// A good call may open the way for what hides behind it: the same connection, the same bytes, another reader.
fn nothing_rides_on_a_signed_call(name: &str) {
    let guarded = Guarded::start(name);
    let forge = Forge::of(&guarded.world);
    let all = tricks(guarded.host(), &|text| forge.sign(text).line);
    send_all(guarded.host(), &all);
    let runs = guarded.runs();
    let decided = guarded.world.entries("guard.db", &[("type", "decision"), ("decision", "allow")]).len();
    // A server may still refuse what the guard let through.
    assert!(runs.len() <= decided, "{name}: {} runs, {decided} decisions", runs.len());
    // Of the tricks few name a session, or the version that needs none, so few get through to a process.
    assert!(name == STDIO || runs.len() > 10, "{name}: hardly anything got through that should have: {runs:?}");
    let effects = all.iter().map(|trick| (trick.name, effect(&runs, trick)));
    let wrong: Vec<_> = effects.filter(|(_, effect)| !matches!(effect.as_str(), "-" | "runs")).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?}");
}

#[test]
fn no_trick_runs_anything_in_typescript_behind_the_guard_and_each_that_reaches_it_is_counted() {
    no_trick_runs_anything(NAMES[0]);
}

#[test]
fn nothing_rides_on_a_signed_call_to_typescript() {
    nothing_rides_on_a_signed_call(NAMES[0]);
}

#[test]
fn no_trick_runs_anything_in_python_behind_the_guard_and_each_that_reaches_it_is_counted() {
    no_trick_runs_anything(NAMES[1]);
}

#[test]
fn nothing_rides_on_a_signed_call_to_python() {
    nothing_rides_on_a_signed_call(NAMES[1]);
}

#[test]
fn no_trick_runs_anything_in_rmcp_behind_the_guard_and_each_that_reaches_it_is_counted() {
    no_trick_runs_anything(NAMES[2]);
}

#[test]
fn nothing_rides_on_a_signed_call_to_rmcp() {
    nothing_rides_on_a_signed_call(NAMES[2]);
}

#[test]
fn no_trick_runs_anything_in_a_process_behind_the_guard_and_each_that_reaches_it_is_counted() {
    no_trick_runs_anything(STDIO);
}

#[test]
fn nothing_rides_on_a_signed_call_to_a_process() {
    nothing_rides_on_a_signed_call(STDIO);
}
