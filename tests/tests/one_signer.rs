//! One signer per agent: all wraps share it, it notices what changes, and it comes back when it is gone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use attest_core::b64;
use attest_core::jwk::PublicKey;
use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::world::{AUDIENCE, PROMPT, TOOLS, World, must, must_fail, output};
use serde_json::{Value, json};

/// The different values of a member among the entries of a type.
fn values(world: &World, log: &str, kind: &str, member: &str) -> BTreeSet<String> {
    let entries = world.entries(log, &[("type", kind)]);
    entries.iter().map(|e| e[member].as_str().unwrap().to_owned()).collect()
}

fn pid(signer: &Value) -> i32 {
    i32::try_from(signer["pid"].as_i64().unwrap()).unwrap()
}

/// Whether a process has let go of everything: gone, or a zombie without a thread left.
fn has_ended(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    stat.contains(") Z ") && threads <= 1
}

/// Processes that run a signer in this world.
fn signers(world: &World) -> usize {
    let wanted = ["signer".to_owned(), "run".to_owned(), world.text_path("agent.toml")];
    let command_line = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let is_signer = |line: &Vec<u8>| {
        let words: Vec<String> = line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
        wanted.iter().all(|word| words.contains(word))
    };
    fs::read_dir("/proc").unwrap().flatten().map(command_line).filter(is_signer).count()
}

#[test]
fn five_wraps_that_start_at_the_same_time_share_one_signer_and_one_context() {
    let world = World::new();
    let servers = ["s1", "s2", "s3", "s4", "s5"];
    thread::scope(|scope| {
        for server in servers {
            let world = &world;
            scope.spawn(move || {
                let mut client = Client::start(world.wrap(server, &world.server()));
                let shown = client.call("show", json!({ "of": server }));
                assert!(text(&shown).contains("io.github.agent-attest/proof"), "{shown}");
                client.end();
            });
        }
    });
    assert_eq!(signers(&world), 1);
    assert_eq!(world.entries("signer.db", &[("type", "call")]).len(), 5);
    assert_eq!(values(&world, "signer.db", "call", "audience"), servers.map(str::to_owned).into());
    let contexts = values(&world, "signer.db", "context", "context");
    assert_eq!(contexts.len(), 1);
    assert_eq!(values(&world, "signer.db", "call", "context"), contexts);
}

#[test]
fn the_proof_that_leaves_passes_every_check_of_the_verb_verify() {
    let world = World::new().without_receipts();
    let mut client = Client::start(world.wrap(AUDIENCE, &world.server()));
    let shown = client.call("show", json!({"a": 1}));
    world.write("request.json", text(&shown));
    must(world.attest(&["verify", "--config", "guard.toml", "request.json"]));
}

#[test]
fn a_prompt_edited_under_a_running_wrap_stops_the_next_call_until_it_is_restored() {
    let world = World::new();
    let mut client = world.start();
    assert_eq!(text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    world.write("prompt.txt", "You are careless.");
    let refused = client.call("echo", json!({"n": 2}));
    assert_eq!(reason(&refused), "state-mismatch", "{refused}");
    assert_eq!(refused["error"]["data"]["component"], "system-prompt");
    world.write("prompt.txt", PROMPT);
    assert_eq!(text(&client.call("echo", json!({"n": 3}))), r#"{"n": 3}"#);
    let ran: Vec<Value> = world.runs().iter().map(|run| run["arguments"]["n"].clone()).collect();
    assert_eq!(ran, [1, 3]);
    let denied = world.entries("guard.db", &[("decision", "deny")]);
    assert_eq!(denied.len(), 1);
    assert_eq!((&denied[0]["reason"], &denied[0]["about"]), (&json!("state-mismatch"), &json!("system-prompt")));
}

fn modified(world: &World, name: &str) -> SystemTime {
    fs::metadata(world.path(name)).unwrap().modified().unwrap()
}

/// Lets the agent's files grow old enough: what is younger than two seconds is read again at every call, so that no other
/// reason for reading it would show.
fn settle(world: &World) {
    let age = modified(world, "delegation.chain").elapsed().unwrap_or_default();
    thread::sleep(Duration::from_millis(2_100).saturating_sub(age));
}

#[test]
fn one_changed_byte_of_the_weights_stops_the_next_call_although_size_and_time_were_put_back() {
    let world = World::with(&TOOLS, &["--weights", "weights.bin"]);
    let written = modified(&world, "weights.bin");
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    settle(&world);
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    let attested = values(&world, "guard.db", "decision", "attestation");
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    assert_eq!(values(&world, "guard.db", "decision", "attestation"), attested, "no file was hashed again");

    world.write("weights.bin", "Some weights");
    fs::File::options().append(true).open(world.path("weights.bin")).unwrap().set_modified(written).unwrap();
    let refused = client.call("echo", json!({}));
    assert_eq!(reason(&refused), "state-mismatch");
    assert_eq!(refused["error"]["data"]["component"], "model-weights");
    assert_eq!(world.runs().len(), 3);
}

#[test]
fn a_narrower_delegation_put_in_its_place_counts_from_the_next_call_on() {
    let world = World::new();
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    let mut delegate = world.attest(&["delegate", "--key", "keys/agent.key", "--to", "keys/agent.key.pub"]);
    delegate.args(["--parent", "delegation.chain", "--tool", "tools#show", "--out", "narrower.chain"]);
    must(delegate);
    fs::rename(world.path("narrower.chain"), world.path("delegation.chain")).unwrap();
    assert_eq!(reason(&client.call("echo", json!({}))), "tool-not-granted");
    assert_eq!(reason(&client.call("show", json!({}))), "");
}

#[test]
fn a_prompt_that_cannot_be_read_any_more_stops_the_call_at_the_signer() {
    let world = World::new();
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    fs::remove_file(world.path("prompt.txt")).unwrap();
    assert_eq!(reason(&client.call("echo", json!({}))), "not-measured");
    world.write("prompt.txt", PROMPT);
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    assert_eq!(world.entries("guard.db", &[("type", "decision")]).len(), 2);
}

#[test]
fn an_attestation_is_renewed_before_it_expires_although_nothing_changed() {
    let world = World::with(&TOOLS, &["--model", "acme/m1@2026-01-01"]);
    world.set("agent.toml", "attestation_seconds = 4");
    world.set("guard.toml", "skew_seconds = 0");
    settle(&world);
    let mut client = world.start();
    eventually("a third attestation", || {
        let answer = client.call("echo", json!({}));
        assert_eq!(reason(&answer), "", "{answer}");
        (values(&world, "guard.db", "decision", "attestation").len() >= 3).then_some(())
    });
    assert!(world.runs().len() > 3, "each call was attested anew");
    assert_eq!(
        values(&world, "guard.db", "decision", "attestation"),
        values(&world, "signer.db", "call", "attestation")
    );
}

#[test]
fn the_shortest_life_of_an_attestation_is_a_second() {
    let world = World::new();
    world.set("agent.toml", "attestation_seconds = 1");
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    world.edit("agent.toml", "attestation_seconds = 1", "attestation_seconds = 0");
    let said = must_fail(world.wrap(AUDIENCE, &world.server()));
    assert!(said.contains("attestation_seconds"), "{said}");
    // The running signer is ended by way of a configuration that can be read.
    world.edit("agent.toml", "attestation_seconds = 0", "");
}

#[test]
fn a_signer_killed_under_a_running_wrap_is_replaced_with_a_new_context_and_closes_what_was_open() {
    let world = World::new();
    let mut client = world.start();
    let held = client.ask_tool("hold", json!({ "until": world.text_path("go") }));
    eventually("the held call's run", || world.runs().first().cloned());
    let first = world.signer().unwrap();
    let open = world.entries("signer.db", &[("type", "call")])[0]["call"].as_str().unwrap().to_owned();
    let process = rustix::process::Pid::from_raw(pid(&first)).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    eventually("the signer's death", || has_ended(pid(&first)).then_some(()));

    let answer = client.call("echo", json!({}));
    assert_eq!(reason(&answer), "", "{}", client.said());
    let second = world.signer().unwrap();
    assert_ne!(second["pid"], first["pid"]);
    assert_ne!(second["context"], first["context"]);
    assert_eq!(values(&world, "signer.db", "context", "context").len(), 2);
    let ended = world.entries("signer.db", &[("type", "outcome"), ("call", &open)]);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["status"], "unknown");
    // The guard kept its own book meanwhile: the call ends there as it ended.
    world.write("go", "");
    assert_eq!(text(&client.answer(held)), "held");
    assert_eq!(world.entries("guard.db", &[("call", &open), ("status", "result")]).len(), 1);
}

#[test]
fn each_call_ends_in_the_callers_log_as_its_client_saw_it() {
    let world = World::new();
    let mut client = world.start();
    for tool in ["echo", "fail", "big"] {
        client.call(tool, json!({}));
    }
    let outcomes = eventually("three outcomes", || {
        let outcomes = world.entries("signer.db", &[("type", "outcome")]);
        (outcomes.len() == 3).then_some(outcomes)
    });
    let theirs = world.entries("guard.db", &[("type", "outcome")]);
    for (ours, theirs) in outcomes.iter().zip(&theirs) {
        for member in ["call", "status", "result"] {
            assert_eq!(ours[member], theirs[member]);
        }
    }
    let statuses: Vec<&Value> = theirs.iter().map(|o| &o["status"]).collect();
    assert_eq!(statuses, ["result", "tool-error", "result"]);
}

#[test]
fn a_pings_answer_is_no_calls_outcome_in_the_callers_log_either() {
    let world = World::new();
    let mut client = world.start();
    let params = json!({ "name": "hold", "arguments": { "until": world.text_path("go") } });
    client.send(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }).to_string());
    eventually("the run", || world.runs().first().cloned());
    client.send(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
    client.find("a refusal", |m| m.value.get("error").is_some());
    world.write("go", "");
    assert_eq!(text(&client.answer(7)), "held");
    let outcome = eventually("the outcome", || world.entries("signer.db", &[("type", "outcome")]).pop());
    assert_eq!(outcome["status"], "result");
}

/// An `ssh-agent` with one new key, under the comment `call-key`.
struct SshAgent {
    process: Child,
    socket: OsString,
}

impl SshAgent {
    fn start(world: &World) -> Self {
        let socket = world.path("ssh.sock");
        let process = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ssh-agent is needed: apt-get install openssh-client");
        let agent = Self { process, socket: socket.into() };
        let mut keygen = world.place(Command::new("ssh-keygen"));
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "call-key", "-f", "ssh.key"]);
        must(keygen);
        eventually("the ssh-agent", || world.path("ssh.sock").exists().then_some(()));
        agent.add(world, &["-q", "ssh.key"]);
        agent
    }

    fn add(&self, world: &World, args: &[&str]) {
        let mut add = world.place(Command::new("ssh-add"));
        add.env("SSH_AUTH_SOCK", &self.socket).args(args);
        must(add);
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The public half of an OpenSSH key as a JWK: the last 32 bytes of the blob (RFC 8709).
fn jwk_of_openssh(line: &str) -> String {
    let blob = line.split(' ').nth(1).unwrap().replace('+', "-").replace('/', "_");
    let blob = b64::decode(blob.trim_end_matches('=')).unwrap();
    attest_keys::public_jwk(&PublicKey::from_bytes(blob.last_chunk().unwrap()).unwrap())
}

#[test]
fn a_key_in_an_ssh_agent_signs_calls_and_stops_signing_when_it_is_taken_out() {
    let world = World::new();
    let agent = SshAgent::start(&world);
    world.write("ssh.jwk", jwk_of_openssh(&world.read("ssh.key.pub")));
    let mut delegate = world.attest(&["delegate", "--key", "keys/root.key", "--to", "ssh.jwk", "--issuer", "self"]);
    delegate.args(["--tool", "tools#echo", "--out", "ssh.chain"]);
    must(delegate);
    world.edit("agent.toml", "keys/agent.key", "ssh-agent:call-key");
    world.edit("agent.toml", "delegation.chain", "ssh.chain");
    // Neither the key's file nor the one that `init` made is needed any more.
    fs::remove_file(world.path("ssh.key")).unwrap();
    fs::remove_file(world.path("keys/agent.key")).unwrap();

    let mut wrap = world.wrap(AUDIENCE, &world.guard());
    wrap.env("SSH_AUTH_SOCK", &agent.socket);
    let mut client = Client::start(wrap);
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    assert_eq!(reason(&client.call("fail", json!({}))), "tool-not-granted");
    agent.add(&world, &["-q", "-D"]);
    assert_eq!(reason(&client.call("echo", json!({}))), "not-signed");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_key_that_others_can_read_or_that_is_missing_stops_the_wrap_with_what_to_do() {
    for key in ["agent", "attester"] {
        let world = World::new();
        let file = format!("keys/{key}.key");
        fs::set_permissions(world.path(&file), Permissions::from_mode(0o644)).unwrap();
        let said = must_fail(world.wrap(AUDIENCE, &world.guard()));
        assert!(said.contains("open to other users") && said.contains("chmod 600"), "{said}");
        assert!(said.contains(&file), "{said}");

        fs::remove_file(world.path(&file)).unwrap();
        let said = must_fail(world.wrap(AUDIENCE, &world.guard()));
        assert!(said.contains(&file) && said.contains("attest keygen"), "{said}");
        // The server was not even started.
        assert!(!world.path("guard.db").exists());
        assert!(world.runs().is_empty());
    }
}

#[test]
fn a_delegation_to_another_key_stops_the_signer_and_says_whose_it_is() {
    let world = World::new();
    must(world.attest(&["keygen", "keys/other.key"]));
    world.edit("agent.toml", "keys/agent.key", "keys/other.key");
    let said = must_fail(world.wrap(AUDIENCE, &world.server()));
    assert!(said.contains("delegate to the agent's key"), "{said}");
}

#[test]
fn an_unknown_field_is_an_error_that_names_it() {
    let world = World::new();
    world.set("agent.toml", "atestation_seconds = 60");
    let said = must_fail(world.wrap(AUDIENCE, &world.server()));
    assert!(said.contains("atestation_seconds") && said.contains("agent.toml"), "{said}");
    world.edit("agent.toml", "atestation_seconds = 60", "");
    world.edit("agent.toml", "[measure]", "[measure]\nsystem_promt = \"x\"");
    let said = must_fail(world.wrap(AUDIENCE, &world.server()));
    assert!(said.contains("system_promt"), "{said}");
    world.set("guard.toml", "allow_all = true");
    let said = must_fail(world.command(&world.guard()));
    assert!(said.contains("allow_all") && said.contains("guard.toml"), "{said}");
    assert!(world.runs().is_empty());
}

#[test]
fn a_signer_ends_when_it_is_told_to_and_says_who_it_was() {
    let world = World::new().without_receipts();
    assert_eq!(output(world.attest(&["signer", "status"])).status.code(), Some(3));
    let mut client = Client::start(world.wrap(AUDIENCE, &world.server()));
    assert!(client.ping());
    let running = world.signer().unwrap();
    let stopped = must(world.attest(&["signer", "stop", "--json"]));
    assert_eq!(serde_json::from_slice::<Value>(&stopped.stdout).unwrap(), running);
    assert_eq!(world.signer(), None);
    // The next call starts it again.
    assert!(text(&client.call("show", json!({}))).contains("io.github.agent-attest/proof"));
    assert_ne!(world.signer().unwrap()["context"], running["context"]);
}
