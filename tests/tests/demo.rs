//! `attest demo` as a person runs it: the built binary, in a folder with a blank and a quote in its name.
#![allow(clippy::unwrap_used, reason = "what a test rests on is there, or the test fails at that line")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use attest_tests::binaries;
use serde_json::Value;
use tempfile::TempDir;

/// What each line must say, blanks apart: the case, the verdict with its reason, the server's count afterwards.
const LINES: [&str; 12] = [
    "a signed call of read_note accepted tool runs: 1",
    "the same bytes sent once more refused replay tool runs: 1",
    "its arguments changed in transit refused params-mismatch tool runs: 1",
    "made out to another server refused wrong-audience tool runs: 1",
    "held back until its proof expired refused expired (caller told: stale) tool runs: 1",
    "a sentence added to the prompt refused state-mismatch (system-prompt) tool runs: 1",
    "one byte of the weights changed refused state-mismatch (model-weights) tool runs: 1",
    "prompt and weights as they were accepted tool runs: 2",
    "delete_note, which nobody granted refused tool-not-granted tool runs: 2",
    "`attest delegate` asked to grant it refused signs nothing wider than its parent tool runs: 2",
    "its chain widened by hand instead refused widened tool runs: 2",
    "a call without a proof refused no-proof (caller told: unauthenticated) tool runs: 2",
];

/// What the server's log must hold, in this order: the reason of a refusal, or the word for a call that ran.
const LOGGED: [&str; 11] = [
    "allow",
    "replay",
    "params-mismatch",
    "wrong-audience",
    "expired",
    "state-mismatch",
    "state-mismatch",
    "allow",
    "tool-not-granted",
    "widened",
    "no-proof",
];

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("the demo's folder ").tempdir().unwrap()
}

fn attest(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binaries::attest());
    // Where no session gives a folder for sockets, one in /tmp is made.
    command.args(words).current_dir(folder).env_remove("XDG_RUNTIME_DIR");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn cases(said: &str) -> Vec<String> {
    let squeezed = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|line| line.contains("tool runs:")).collect()
}

#[test]
fn each_case_comes_out_with_its_reason_and_the_count_moves_for_accepted_calls_only() {
    let here = folder();
    let output = attest(here.path(), &["demo"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert_eq!(cases(&said), LINES, "{said}");
    assert!(!said.contains('\u{1b}'), "no colours where nobody looks: {said:?}");

    let demo = here.path().join("attest-demo");
    assert_eq!(fs::read_to_string(demo.join("server/tool-runs")).unwrap().trim(), "2");
    assert!(demo.join("server/notes/meeting.txt").exists(), "deleted by a call that was refused");
    the_log_has_it_all(here.path());
    nothing_runs_any_more(here.path());
    the_commands_work(here.path(), &said);
}

fn the_log_has_it_all(here: &Path) {
    let listed = attest(here, &["log", "list", "--json", "attest-demo/guard.db"]);
    let entries = text(&listed.stdout);
    let words: Vec<String> = entries
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| {
            let word = |name: &str| line.pointer(&format!("/entry/{name}")).and_then(Value::as_str).map(str::to_owned);
            word("reason").or_else(|| word("decision"))
        })
        .collect();
    assert_eq!(words, LOGGED, "{entries}");
}

fn nothing_runs_any_more(here: &Path) {
    for config in ["agent.toml", "agent-hasty.toml", "agent-widened.toml"] {
        let status = attest(here, &["signer", "status", "--config", &format!("attest-demo/{config}")]);
        assert_eq!(status.status.code(), Some(3), "{config}: {}", text(&status.stdout));
    }
}

/// The lines that say how to play on are for a shell to read.
fn the_commands_work(here: &Path, said: &str) {
    let mut commands = said.lines().filter_map(|line| {
        let line = line.trim();
        let command = line.split_once("then: ").map_or(line, |(_, command)| command);
        // The program's path is quoted where the checkout's has a blank in it.
        command.starts_with(['/', '\'']).then(|| command.to_owned())
    });
    for expected in ["\"decision\": \"allow\"", "system-prompt"] {
        let command = commands.next().unwrap();
        let output = Command::new("sh").args(["-c", &command]).current_dir(here).output().unwrap();
        let shown = text(&output.stdout);
        assert!(output.status.success() && shown.contains(expected), "{command}: {shown}{}", text(&output.stderr));
    }
    let host = fs::read(here.join("attest-demo/mcp.json")).unwrap();
    let host: Value = serde_json::from_slice(&host).unwrap();
    let program = host.pointer("/mcpServers/notes.demo/command").and_then(Value::as_str).unwrap();
    assert!(Path::new(program).is_absolute(), "{host}");
}

#[test]
fn a_second_demo_takes_a_folder_of_its_own_and_a_used_one_is_left_as_it_is() {
    let here = folder();
    fs::create_dir(here.path().join("attest-demo")).unwrap();
    fs::write(here.path().join("attest-demo/agent.toml"), "somebody's").unwrap();

    let refused = attest(here.path(), &["demo", "--dir", "attest-demo"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("choose another --dir"), "{}", text(&refused.stderr));
    let left: Vec<_> = fs::read_dir(here.path().join("attest-demo")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read_to_string(here.path().join("attest-demo/agent.toml")).unwrap(), "somebody's");

    let fresh = attest(here.path(), &["demo"]);
    assert!(fresh.status.success(), "{}", text(&fresh.stdout));
    assert_eq!(cases(&text(&fresh.stdout)), LINES);
    assert!(here.path().join("attest-demo-2/guard.db").exists());
}

#[test]
fn a_demo_that_comes_out_otherwise_says_so_loudly_fails_and_still_leaves_nothing_running() {
    let here = folder();
    let mut command = Command::new(binaries::attest());
    command.args(["demo"]).current_dir(here.path()).env_remove("XDG_RUNTIME_DIR").stdout(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(demo.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // A real change of the agent, seconds before the demo expects its last call to be let in.
        if line.starts_with("a signed call") {
            fs::write(here.path().join("attest-demo/settings.toml"), "temperature = 2.0\n").unwrap();
        }
        said += &(line + "\n");
    }
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{said}");
    let seen = cases(&said);
    let spoilt = "prompt and weights as they were refused state-mismatch (config) tool runs: 1";
    assert!(seen.iter().any(|line| line == spoilt), "{said}");
    assert!(seen.iter().any(|line| line.contains("NOT AS EXPECTED")), "{said}");
    assert!(said.contains("did NOT come out as expected"), "{said}");
    nothing_runs_any_more(here.path());
}
