//! What is attested is what the agent is given and runs with, and a change of it shows with the next call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use attest_core::digest::Digest;
use attest_core::json;
use attest_tests::binaries::attest;
use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::world::{AUDIENCE, TOOLS, World, must_fail, tests_folder};
use serde_json::{Value, json};

fn open(client: &mut Client) -> Value {
    let id = client.ask(
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}),
    );
    client.answer(id);
    list(client)
}

fn list(client: &mut Client) -> Value {
    let id = client.ask("tools/list", json!({}));
    client.answer(id)["result"]["tools"].take()
}

/// The digest of the tool manifest, by the rules of `spec/measurement.md` and by nobody's code.
fn manifest(tools: &Value) -> String {
    let mut tools: Vec<&Value> = tools.as_array().unwrap().iter().collect();
    tools.sort_by_key(|tool| tool["name"].as_str().unwrap());
    let lines: Vec<String> = tools.into_iter().map(line).collect();
    Digest::of(format!("[{}]", lines.join(","))).to_b64()
}

fn line(tool: &Value) -> String {
    let schema = tool["inputSchema"].to_string();
    let schema = Digest::of(json::parse(schema.as_bytes()).unwrap().to_canonical()).to_b64();
    let description = Digest::of(tool["description"].as_str().unwrap()).to_b64();
    let name = tool["name"].as_str().unwrap();
    format!(r#"{{"description":"{description}","name":"{name}","schema":"{schema}","server":"{AUDIENCE}"}}"#)
}

#[test]
fn a_tool_that_changes_under_its_name_changes_the_state_with_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let script = tests_folder().join("tests/trail/poisoned_server.py");
    let server: Vec<OsString> = vec!["python3".into(), "-SE".into(), script.into(), folder.path().join("runs").into()];
    let world = World::before(&server);
    world.edit("agent.toml", "[measure]\n", "[measure]\ntools = true\n");
    world.write("agent.toml", world.read("agent.toml") + "\n[trail]\n");
    let guard: Vec<OsString> =
        [attest().into(), "guard".into(), "--config".into(), world.path("guard.toml").into(), "--".into()]
            .into_iter()
            .chain(server)
            .collect();

    // A reference that nobody knows yet.
    let (none, agents) = ("A".repeat(43), "[agents.\"tester\"]\n");
    let reference = |digest: &str| format!("tool-manifest = {{ digests = [\"{digest}\"], grade = \"in-use\" }}\n");
    world.edit("guard.toml", agents, &format!("{agents}{}", reference(&none)));
    let mut client = Client::start(world.wrap(AUDIENCE, &guard));
    let id = client.ask_tool("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&client.answer(id)), "component-missing", "nothing was listed yet");
    let tools = open(&mut client);
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    client.end();

    world.edit("guard.toml", &none, &manifest(&tools));
    // After files that were written just now everything is attested anew at each call, which would hide whether the tools are looked at.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let mut client = Client::start(world.wrap(AUDIENCE, &guard));
    open(&mut client);
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert!(text(&answer).contains("Bern"), "{answer}");
    // Listed again, nothing is different.
    list(&mut client);
    assert!(text(&client.call("approve", json!({}))).contains("done"));
    let changed = list(&mut client);
    assert_ne!(manifest(&changed), manifest(&tools));
    let answer = client.call("weather", json!({"city": "Bern"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    assert!(answer.to_string().contains("tool-manifest"), "the component is named: {answer}");
}

/// An agent of two shards and a prompt, whose guard wants them in use; `attest run` in front of a shell command that ends in a wrap.
struct Running {
    world: World,
}

impl Running {
    fn new() -> Self {
        let world = World::with(&TOOLS, &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
        fs::remove_file(world.path("weights.bin")).unwrap();
        fs::create_dir(world.path("weights.bin")).unwrap();
        world.write("weights.bin/model-00001-of-00002.safetensors", [1; 5000]);
        world.write("weights.bin/model-00002-of-00002.safetensors", [2; 5000]);
        let measured = attest_tests::world::must(world.attest(&["measure", "--references"])).stdout;
        let measured = String::from_utf8(measured).unwrap();
        assert!(measured.contains("model-weights") && measured.contains("system-prompt"), "{measured}");
        let guard = world.read("guard.toml");
        let (before, _) = guard.split_once("[agents.").unwrap();
        world.write("guard.toml", format!("{before}{}", measured.replace("on-disk", "in-use")));
        Self { world }
    }

    fn command(&self, script: &str) -> Command {
        let words = [OsString::from(attest()), "wrap".into(), "--audience".into(), AUDIENCE.into(), "--".into()];
        let words = words.into_iter().chain(self.world.guard());
        let mut command = self.world.attest(&["run", "--config", "agent.toml", "--", "sh", "-c"]);
        command.arg(format!("{script}; exec \"$@\"")).arg("sh").args(words);
        command
    }

    fn start(&self, script: &str) -> Client {
        Client::start(self.command(script))
    }
}

#[test]
fn what_takes_the_place_of_a_measured_file_is_not_what_the_agent_loads() {
    let running = Running::new();
    let world = &running.world;
    let without = Client::start(world.wrap(AUDIENCE, &world.guard())).call("echo", json!({"text": "a"}));
    assert_eq!(reason(&without), "grade-too-low", "on disk is not in use");
    attest_tests::world::must(world.attest(&["signer", "stop"]));

    world.write("evil", [9; 5000]);
    // Between measuring and loading both files are swapped; what is loaded is what was measured.
    let script = "mv evil weights.bin/model-00001-of-00002.safetensors; echo Evil > prompt.txt; \
        cat \"$ATTEST_WEIGHTS\"/* {system_prompt} > loaded";
    let mut client = running.start(script);
    let answer = client.call("echo", json!({"text": "hello"}));
    assert!(text(&answer).contains("hello"), "{answer}");
    let loaded = world.read("loaded");
    assert!(loaded.as_bytes().starts_with(&[1; 5000]) && loaded.ends_with("You are careful."));
    assert!(client.end().success());
    assert!(world.signer().is_none(), "the signer ends with the agent");
    assert_eq!(
        fs::read_dir(world.path("run/attest")).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count(),
        0
    );
}

#[test]
fn one_byte_of_one_shard_that_changes_under_a_running_agent_refuses_the_next_call() {
    let running = Running::new();
    let mut client = running.start("true");
    assert!(text(&client.call("echo", json!({"text": "one"}))).contains("one"));
    let shard = running.world.path("weights.bin/model-00002-of-00002.safetensors");
    let mut file = fs::File::options().write(true).open(shard).unwrap();
    file.seek(SeekFrom::Start(4000)).unwrap();
    file.write_all(&[3]).unwrap();
    drop(file);
    let answer = client.call("echo", json!({"text": "two"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    assert!(answer.to_string().contains("model-weights"), "{answer}");
    assert_eq!(running.world.runs().len(), 1);
}

#[test]
fn an_agent_is_not_started_beside_a_signer_that_measured_the_disk_and_its_code_is_passed_on() {
    let running = Running::new();
    let world = &running.world;
    let mut other = Client::start(world.wrap(AUDIENCE, &world.guard()));
    other.call("echo", json!({"text": "a"}));
    let said = must_fail(running.command("true"));
    assert!(said.contains("attest signer stop"), "{said}");
    other.end();
    attest_tests::world::must(world.attest(&["signer", "stop"]));
    let code = world.attest(&["run", "--", "sh", "-c", "exit 7"]).status().unwrap().code();
    assert_eq!(code, Some(7));
}

/// Waits for the entry that says that a component changed.
fn changed(world: &World, component: &str) {
    eventually("an entry of the change", || {
        let seen = world.log("signer.db").into_iter().filter(|entry| entry["event"]["what"] == "state");
        seen.into_iter().find(|entry| entry["event"]["components"].to_string().contains(component))
    });
}

#[test]
fn a_change_is_written_down_before_anybody_calls() {
    let running = Running::new();
    let world = &running.world;
    world.write("agent.toml", world.read("agent.toml") + "\n[trail]\n");
    let mut client = running.start("true");
    assert!(text(&client.call("echo", json!({"text": "one"}))).contains("one"));
    let shard = world.path("weights.bin/model-00001-of-00002.safetensors");
    fs::File::options().write(true).open(shard).unwrap().write_all(&[7]).unwrap();
    changed(world, "model-weights");
    assert_eq!(reason(&client.call("echo", json!({"text": "two"}))), "state-mismatch");
}

/// Writes into a file by way of memory that it shares with it: once, so that the page is dirty, and again for each line.
const MAPPED: &str = "
import mmap, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), 0)
for at in range(1000):
    memory[at] = 9
    print(flush=True)
    if not sys.stdin.readline(): break
";

#[test]
fn a_file_that_changes_without_a_trace_in_its_times_is_found_out_by_reading_it_again() {
    let running = Running::new();
    let world = &running.world;
    world.write("agent.toml", world.read("agent.toml") + "\n[trail]\n");
    world.edit("agent.toml", "[measure]\n", "[measure]\nrecheck_seconds = 1\n");
    let shard = world.path("weights.bin/model-00001-of-00002.safetensors");
    let mut writer = Command::new("python3")
        .args(["-c", MAPPED])
        .arg(&shard)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(writer.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    // What was written just now is measured again at each call.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let mut client = running.start("true");
    assert_eq!(reason(&client.call("echo", json!({"text": "one"}))), "state-mismatch", "the first byte is another");
    let times = |path: &Path| fs::metadata(path).map(|m| (m.mtime_nsec(), m.ctime_nsec())).unwrap();
    let before = times(&shard);
    writer.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    said.read_line(&mut String::new()).unwrap();
    assert_eq!(times(&shard), before, "this file system tells of such writes at once; there is nothing to test");
    changed(world, "model-weights");
    drop(writer.stdin.take());
    writer.wait().unwrap();
}

#[test]
fn a_signer_ends_with_whoever_held_its_files_however_that_one_ended() {
    let running = Running::new();
    let mut client = running.start("true");
    assert!(text(&client.call("echo", json!({"text": "one"}))).contains("one"));
    assert!(running.world.signer().is_some());
    client.kill();
    eventually("the end of the signer", || running.world.signer().is_none().then_some(()));
}
