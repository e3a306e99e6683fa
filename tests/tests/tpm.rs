//! A real signer with the quote of a TPM, and a real guard that asks for it. The TPM is swtpm, a TPM 2.0 in a process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use attest_core::measurement::Grade;
use attest_core::sign::Sign as _;
use attest_keys::SecretKey;
use attest_tests::client::{PATIENCE, reason};
use attest_tests::forge::Forge;
use attest_tests::world::{World, must, must_fail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A machine with a TPM. Both end with it.
struct Machine {
    _state: TempDir,
    process: Child,
    port: u16,
}

impl Machine {
    fn start() -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let machine = Self::on(two_ports());
            // Somebody else may have taken the ports meanwhile; then it ends at once.
            if machine.answers() {
                return machine;
            }
            assert!(Instant::now() < deadline, "swtpm does not start");
        }
    }

    fn on(port: u16) -> Self {
        let state = tempfile::tempdir().unwrap();
        let address = |kind: &str, port: u16| [format!("--{kind}"), format!("type=tcp,bindaddr=127.0.0.1,port={port}")];
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"]);
        command.arg(format!("dir={}", state.path().display()));
        // The stack looks for the second where the first is, plus one.
        command.args(address("server", port)).args(address("ctrl", port + 1));
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { _state: state, process: process.unwrap_or_else(|e| panic!("swtpm: {e}")), port }
    }

    /// Whether it still runs once its control port, which it opens last, is open.
    fn answers(&self) -> bool {
        (0..200).any(|_| {
            thread::sleep(Duration::from_millis(10));
            TcpStream::connect(("127.0.0.1", self.port + 1)).is_ok()
        })
    }

    fn name(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// One of the tools of tpm2-tools.
    fn tool(&self, words: &[&str]) {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("TPM2TOOLS_TCTI", self.name());
        must(command);
    }

    /// Its attestation key, made where it is not there yet.
    fn init(&self, world: &World) -> Value {
        let made = must(world.attest(&["platform", "init", "--tpm", &self.name(), "--json"]));
        serde_json::from_slice(&made.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two free ports, one after the other; the first.
fn two_ports() -> u16 {
    loop {
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A world whose signer runs on `machine`, and whose guard lets the agent in from the machine of this key only.
fn world_on(machine: &Machine) -> World {
    let world = World::new();
    let made = machine.init(&world);
    pin(&world, &made, made["pcrs"].as_str().unwrap());
    sign_on(&world, machine);
    world
}

fn sign_on(world: &World, machine: &Machine) {
    world.write("agent.toml", world.read("agent.toml") + &format!("\n[platform]\ntpm = \"{}\"\n", machine.name()));
}

fn pin(world: &World, made: &Value, pcrs: &str) {
    world.write("ak.pem", made["key"].as_str().unwrap());
    let platform = format!("[[platform]]\nkey = \"ak.pem\"\nagents = [\"tester\"]\npcrs = \"{pcrs}\"\n\n");
    world.edit("guard.toml", "[agents.\"tester\"]\n", &format!("{platform}[agents.\"tester\"]\nhardware = true\n"));
}

/// The reason why a new signer's call is refused; nothing where it is let in.
fn refused(world: &World) -> String {
    let mut client = world.start();
    let answer = client.call("echo", json!({"n": 1}));
    client.end();
    must(world.attest(&["signer", "stop"]));
    reason(&answer).to_owned()
}

#[test]
fn a_call_is_let_in_from_the_pinned_machine_and_nothing_is_let_in_without_its_word() {
    let machine = Machine::start();
    let world = World::new();
    let made = machine.init(&world);
    assert_eq!(made["made"], true);
    pin(&world, &made, made["pcrs"].as_str().unwrap());
    assert_eq!(refused(&world), "platform-missing");
    sign_on(&world, &machine);
    assert_eq!(refused(&world), "");
    assert_eq!(world.runs().len(), 1);

    let issued = must(world.attest(&["issue"])).stdout;
    world.write("token", &issued);
    let shown = must(world.attest(&["verify", "--config", "guard.toml", "token", "--json"])).stdout;
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["platform"], "hardware");
}

#[test]
fn a_quote_of_another_machine_is_refused_however_well_it_verifies_under_its_own_key() {
    let (pinned, other) = (Machine::start(), Machine::start());
    let world = World::new();
    let (made, others) = (pinned.init(&world), other.init(&world));
    assert_ne!(made["thumbprint"], others["thumbprint"]);
    pin(&world, &made, "any");
    sign_on(&world, &other);
    assert_eq!(refused(&world), "unknown-platform");
    // The other one under the name of the pinned one: somebody exchanged the key's file.
    world.write("ak.pem", others["key"].as_str().unwrap());
    assert_eq!(refused(&world), "");
}

#[test]
fn a_machine_that_was_started_in_another_way_is_refused_until_that_is_accepted() {
    let machine = Machine::start();
    let world = world_on(&machine);
    assert_eq!(refused(&world), "");
    machine.tool(&["tpm2_pcrextend", &format!("7:sha256={}", "5a".repeat(32))]);
    assert_eq!(refused(&world), "platform-state");
    let now = machine.init(&world);
    assert_eq!(now["made"], false);
    let accepted = world.read("guard.toml");
    let before = accepted.lines().find_map(|line| line.strip_prefix("pcrs = ")).unwrap();
    world.edit("guard.toml", before, &format!("[{before}, {}]", now["pcrs"]));
    assert_eq!(refused(&world), "");
    // A register that is not quoted.
    machine.tool(&["tpm2_pcrextend", &format!("16:sha256={}", "5a".repeat(32))]);
    assert_eq!(refused(&world), "");
}

#[test]
fn a_quote_serves_the_attestation_that_it_was_made_over_and_no_other() {
    let machine = Machine::start();
    let world = world_on(&machine);
    let refused = |change: fn(&mut Forge)| {
        let mut forge = Forge::of(&world);
        change(&mut forge);
        let mut client = world.start_guard();
        let call = forge.call(1, "echo", json!({}));
        client.send(&call.line);
        reason(&client.answer(1)).to_owned()
    };
    // The attester's key is the forger's, and the machine's is not: he signs anew what was quoted before.
    assert_eq!(refused(|forge| forge.ahead = 3), "platform-binding", "the same state and key, at another time");
    assert_eq!(refused(|forge| forge.attestation.measurements[0].grade = Grade::InUse), "platform-binding");
    assert_eq!(refused(|forge| forge.attestation.platform = None), "platform-missing");
    let another_key = |forge: &mut Forge| {
        forge.agent = SecretKey::generate().unwrap();
        forge.attestation.key = forge.agent.public().clone();
    };
    assert_eq!(refused(another_key), "platform-binding");
    assert_eq!(world.runs().len(), 0);
}

#[test]
fn a_guard_does_not_start_on_a_pin_that_it_cannot_hold() {
    let machine = Machine::start();
    let world = world_on(&machine);
    let says = |from: &str, to: &str| {
        let before = world.read("guard.toml");
        world.edit("guard.toml", from, to);
        let mut guard = world.guard();
        let said = must_fail(world.command(&std::mem::take(&mut guard)));
        world.write("guard.toml", before);
        said
    };
    assert!(says("hardware = true", "hardware = false").contains("hardware = true"));
    assert!(says("agents = [\"tester\"]\npcrs", "agents = []\npcrs").contains("no platform lists it"));
    assert!(says("key = \"ak.pem\"", "key = \"keys/root.key.pub\"").contains("attest platform init"));
    assert!(says("pcrs = \"", "pcrs = \"x").contains("attest platform show"));
    assert!(says("pcrs = \"", "pcr = \"").contains("pcr"));
}

#[test]
fn each_thing_that_can_be_wrong_with_a_tpm_is_said_with_what_to_do() {
    let machine = Machine::start();
    let world = world_on(&machine);
    let says = |words: &[&str]| must_fail(world.attest(&[&["platform"], words].concat()));
    let name = machine.name();
    let nobody = format!("swtpm:host=127.0.0.1,port={}", two_ports());
    assert!(says(&["show", "--tpm", &nobody]).contains("no TPM answers"));
    assert!(says(&["show", "--tpm", "usb"]).contains("says no TPM"));
    assert!(says(&["show", "--tpm", &name, "--handle", "0x81000001"]).contains("`attest platform init` makes"));
    assert!(says(&["show", "--tpm", &name, "--handle", "0x40000001"]).contains("no persistent handle"));
    assert!(says(&["show", "--tpm", &name, "--handle", "0x"]).contains("no handle"));

    // A storage key where the attestation key is looked for: not used, and not replaced.
    let context = world.text_path("primary.ctx");
    machine.tool(&["tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", &context]);
    machine.tool(&["tpm2_evictcontrol", "-Q", "-C", "o", "-c", &context, "0x81000001"]);
    machine.tool(&["tpm2_flushcontext", "-t"]);
    for verb in ["show", "init"] {
        let said = says(&[verb, "--tpm", &name, "--handle", "0x81000001"]);
        assert!(said.contains("no restricted signing key"), "{said}");
    }

    // A signer whose machine went away attests nothing, and says why.
    drop(machine);
    let said = must_fail(world.attest(&["issue"]));
    assert!(said.contains("no TPM answers") && said.contains(&name), "{said}");
}
