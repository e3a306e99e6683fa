//! The official MCP conformance suite finds the same through attest as without it, check by check; and each run of a tool that
//! it caused was let in by an entry of the log. See `tests/conformance/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use attest_tests::binaries::{attest, conformance_client, conformance_server};
use attest_tests::listening::Listening;
use attest_tests::world::{AUDIENCE, World, output, tests_folder};
use serde_json::Value;

/// What the suite finds of the fixtures themselves. A suite that checks nothing cannot pass.
const SERVER: [&str; 2] = ["server 2025-11-25: 83 passed, 0 failed, ", "server 2026-07-28: 197 passed, 0 failed, "];
const CLIENT: [&str; 2] = ["client 2025-11-25: 20 passed, 0 failed, ", "client 2026-07-28: 64 passed, 0 failed, "];

/// One leg at a time, because some checks of the suite wait only half a second for an answer.
static ALONE: Mutex<()> = Mutex::new(());

/// Scenarios that wait for so many milliseconds and no longer.
const HURRIED: [&str; 2] = ["server-stateless", "sse-retry"];

/// Whether nothing failed but checks of such scenarios, which a machine that is busy with other things misses, with or without
/// attest. A leg gets one more chance then, and only then.
fn is_late_only(said: &str) -> bool {
    let mut failed =
        said.lines().filter(|line| line.starts_with("  failed: ") || line.starts_with("  no result: ")).peekable();
    let hurried = |line: &str| {
        let check = line.strip_prefix("  failed: ").and_then(|rest| rest.split(": ").next());
        check.is_some_and(|scenario| HURRIED.contains(&scenario))
    };
    failed.peek().is_some() && failed.all(hurried)
}

/// What the suite found: its line for each set, and the folder with what it found of each check.
struct Report {
    lines: String,
    folder: PathBuf,
}

impl Report {
    /// Runs both sets of the suite; nothing may fail, and nothing be missing.
    fn make(name: &str, leg: &[OsString]) -> Self {
        let installed = tests_folder().join("../.test-env/conformance/stamp");
        assert!(installed.exists(), "the suite is not installed; run scripts/conformance install");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name);
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = Self::run(&folder, leg);
        if let Err(said) = &outcome
            && is_late_only(said)
        {
            outcome = Self::run(&folder, leg);
        }
        let lines = outcome.unwrap_or_else(|said| panic!("{name}: {said}"));
        Self { lines, folder }
    }

    /// Its lines; or all that was said, where anything failed.
    fn run(folder: &Path, leg: &[OsString]) -> Result<String, String> {
        let _ = fs::remove_dir_all(folder);
        let mut command = Command::new(script());
        command.arg("--out").arg(folder).args(leg);
        let output = output(command);
        let lines = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(lines) } else { Err(format!("{lines}\n{said}")) }
    }

    fn of_server(name: &str, url: &str) -> Self {
        Self::make(name, &["server".into(), url.into()])
    }

    fn of_client(name: &str, command: &[OsString]) -> Self {
        Self::make(name, &[&["client".into()], command].concat())
    }

    fn says(&self, expected: [&str; 2]) {
        let lines: Vec<_> = self.lines.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{}", self.lines);
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}\nis not: {expected}");
        }
    }

    /// The checks that came out differently, as lines; the status must agree with them.
    fn differs_from(&self, other: &Self) -> Vec<String> {
        let mut compare = Command::new(script());
        compare.arg("compare").args([&other.folder, &self.folder]);
        let compared = output(compare);
        let lines: Vec<_> = String::from_utf8(compared.stdout).unwrap().lines().map(str::to_owned).collect();
        let said = String::from_utf8_lossy(&compared.stderr);
        assert_eq!(compared.status.code(), Some(i32::from(!lines.is_empty())), "{said}");
        lines
    }
}

fn script() -> PathBuf {
    tests_folder().join("../scripts/conformance")
}

/// The fixture as a command, which notes in `runs` what its tools did.
fn fixture(runs: &Path) -> Vec<OsString> {
    vec![conformance_server().into(), "--runs".into(), runs.into()]
}

/// What the suite finds of the server with nothing in front of it; looked at once.
static DIRECTLY: LazyLock<Report> = LazyLock::new(|| {
    let mut command = Command::new(conformance_server());
    command.args(["--listen", "127.0.0.1:0"]);
    let server = Listening::start(command);
    Report::of_server("server-directly", server.url())
});

/// An agent that is granted every tool of the fixture.
fn world() -> World {
    World::before(&[conformance_server().into(), "--stdio".into()])
}

/// How often each tool is named in these entries.
fn by_tool(entries: &[Value]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    // A method that was asked for with a proof has no tool.
    for tool in entries.iter().filter_map(|entry| entry.get("tool")?.as_str()) {
        *counted.entry(tool).or_default() += 1;
    }
    counted
}

/// There were runs, and for each an entry that let it in. What was let in and did not run is what the server itself refused.
fn each_run_was_allowed(world: &World) {
    let (runs, allowed) = (world.runs(), world.entries("guard.db", &[("type", "decision"), ("decision", "allow")]));
    let (runs, allowed) = (by_tool(&runs), by_tool(&allowed));
    assert!(runs.len() > 20, "the suite ran hardly anything: {runs:?}");
    for (tool, times) in &runs {
        assert!(allowed.get(tool) >= Some(times), "{tool}: {runs:?}\n{allowed:?}");
    }
    let errors = world.entries("guard.db", &[("type", "outcome"), ("status", "error")]).len();
    assert!(allowed.values().sum::<usize>() <= runs.values().sum::<usize>() + errors, "{runs:?}\n{allowed:?}");
}

#[test]
fn the_suite_checks_as_much_as_it_did() {
    DIRECTLY.says(SERVER);
}

#[test]
fn a_server_behind_guard_and_wrap_is_found_as_without_them() {
    let world = world();
    let server = Listening::start(world.command(&fixture(&world.path("runs"))));
    let guard = world.listening_guard(&["--upstream".into(), server.url().into()]);
    let wrap = world.listening_wrap(guard.url());
    let report = Report::of_server("server-guard", wrap.url());
    wrap.end();
    guard.end();
    assert_eq!(report.differs_from(&DIRECTLY), [""; 0]);
    each_run_was_allowed(&world);
}

#[test]
fn a_server_with_the_layer_in_it_is_found_as_without_it() {
    let world = world();
    let gate = ["--gate".into(), world.path("guard.toml").into()];
    let server = Listening::start(world.command(&[&fixture(&world.path("runs"))[..], &gate].concat()));
    let wrap = world.listening_wrap(server.url());
    let report = Report::of_server("server-layer", wrap.url());
    wrap.end();
    server.end();
    assert_eq!(report.differs_from(&DIRECTLY), [""; 0]);
    each_run_was_allowed(&world);
}

/// The suite opens several streams of one session in 2026-07-28, where there are no sessions, and notes what happened. It is
/// no verdict: it comes out as `INFO` where it is refused.
const OF_THE_GATEWAY: &str = "2026-07-28 server-sse-multiple-streams: server-sse-streams-functional \
     (ServerSSEStreamsFunctional): SUCCESS×1 | INFO";

#[test]
fn a_stdio_server_behind_a_guard_that_listens_is_found_as_over_http() {
    let world = world();
    let stdio = [&fixture(&world.path("runs"))[..], &["--stdio".into()]].concat();
    let guard = world.listening_guard(&[&["--".into()], &stdio[..]].concat());
    let wrap = world.listening_wrap(guard.url());
    let report = Report::of_server("server-gateway", wrap.url());
    wrap.end();
    guard.end();
    assert_eq!(report.differs_from(&DIRECTLY), [OF_THE_GATEWAY]);
    each_run_was_allowed(&world);
}

#[test]
fn a_client_behind_a_wrap_is_found_as_without_it() {
    let client: OsString = conformance_client().into();
    let directly = Report::of_client("client-directly", std::slice::from_ref(&client));
    directly.says(CLIENT);

    // There is no guard, and so nobody who could give a receipt.
    let world = world().without_receipts();
    let wrapped = tests_folder().join("conformance/wrapped");
    let words = [wrapped.into(), attest().into(), world.path("agent.toml").into(), AUDIENCE.into(), client];
    let place = [OsString::from("env"), format!("XDG_RUNTIME_DIR={}", world.text_path("run")).into()];
    let report = Report::of_client("client-wrap", &[&place[..], &words].concat());
    assert_eq!(report.differs_from(&directly), [""; 0]);
    assert!(!world.entries("signer.db", &[("type", "call")]).is_empty(), "no call was signed");
}
