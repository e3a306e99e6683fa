//! Who comes to the signer's socket without being a wrap: too many, too long, or for another's calls.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_tests::client::{Client, PATIENCE, eventually, reason, text};
use attest_tests::world::{AUDIENCE, World, must, output};
use serde_json::{Value, json};

use super::{call, of_type};

const HELLO: u8 = 1;
const CALL: u8 = 2;
const SIGNED: u8 = 3;
const REFUSED: u8 = 4;
const ENDED: u8 = 5;

/// A connection that speaks the frames of agent-signer/src/wire.rs: length, kind, number, payload.
struct Raw(UnixStream);

impl Raw {
    fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, kind: u8, payload: impl AsRef<[u8]>) -> io::Result<()> {
        let payload = payload.as_ref();
        let length = u32::try_from(payload.len() + 5).unwrap();
        let mut frame = [&length.to_be_bytes()[..], &[kind], &[0; 4]].concat();
        frame.extend(payload);
        self.0.write_all(&frame)
    }

    fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes(*head.first_chunk().unwrap()) as usize - 5];
        self.0.read_exact(&mut payload)?;
        Ok((head[4], payload))
    }

    /// Whether the signer answers a Hello: everything that was sent before has been handled by then. It hangs up otherwise.
    fn hello(&mut self, audience: &str) -> bool {
        let hello = json!({"version": env!("CARGO_PKG_VERSION"), "audience": audience});
        let answer = self.send(HELLO, hello.to_string()).and_then(|()| self.read());
        match answer {
            Ok((kind, _)) => kind == HELLO,
            Err(error) => {
                // Not the end of our patience.
                assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    }

    /// Asks for a signature: an exchange's number (8 bytes) stands before the message.
    fn call(&mut self, tool: &str) -> io::Result<()> {
        self.send(CALL, [&[0; 8], call(1, tool, json!({})).as_bytes()].concat())
    }

    /// Has a call signed: the hash of its proof.
    fn sign(&mut self, tool: &str) -> Digest {
        self.call(tool).unwrap();
        let (kind, payload) = self.read().unwrap();
        assert_eq!(kind, SIGNED);
        Digest(*payload.first_chunk().unwrap())
    }

    fn ended(&mut self, call: Digest, status: &str) {
        let result = Digest::of(status).to_b64();
        self.send(ENDED, json!({"call": call.to_b64(), "status": status, "result": result}).to_string()).unwrap();
    }
}

/// Runs a signer with `limits` set by a shell first; its socket comes back when it listens.
fn run_signer(world: &World, limits: &str) -> (Client, PathBuf) {
    world.edit("agent.toml", "log = ", "socket = \"signer.sock\"\nlog = ");
    let script = format!("{limits} exec \"$@\"");
    let attest = attest_tests::binaries::attest();
    let mut words: Vec<std::ffi::OsString> = vec!["sh".into(), "-c".into(), script.into(), "sh".into(), attest.into()];
    words.extend(["signer", "run"].map(Into::into));
    let mut signer = Client::start(world.command(&words));
    signer.find("its word that it listens", |m| m.line == "attest signer ready");
    (signer, world.path("signer.sock"))
}

#[test]
fn more_connections_than_the_signer_has_descriptors_do_not_end_it() {
    let world = World::new();
    let (signer, socket) = run_signer(&world, "ulimit -n 64;");
    let crowd: Vec<Raw> = (0..100).map(|_| Raw::connect(&socket)).collect();
    eventually("the want of descriptors", || signer.said().contains("could not be taken").then_some(()));
    drop(crowd);
    let mut client = world.start();
    assert_eq!(reason(&client.call("echo", json!({}))), "", "{}", client.said());
    assert_eq!(world.signer().unwrap()["pid"], signer.pid());
}

#[test]
fn of_one_users_connections_the_129th_is_turned_away_until_another_ends() {
    let world = World::new();
    let (_signer, socket) = run_signer(&world, "");
    let mut guests: Vec<Raw> = (0..128).map(|_| Raw::connect(&socket)).collect();
    assert!(guests.iter_mut().all(|guest| guest.hello(AUDIENCE)));
    for _ in 0..20 {
        assert!(!Raw::connect(&socket).hello(AUDIENCE));
    }
    // Those who are there are still served.
    guests[127].sign("echo");
    drop(guests.pop());
    eventually("a place", || Raw::connect(&socket).hello(AUDIENCE).then_some(()));
}

#[test]
fn a_guest_who_says_nothing_of_his_server_has_his_calls_in_the_trail_all_the_same() {
    let world = World::new();
    world.write("agent.toml", format!("{}\n[trail]\n", world.read("agent.toml")));
    let (_signer, socket) = run_signer(&world, "");
    let mut guest = Raw::connect(&socket);
    assert!(guest.hello(AUDIENCE));
    let call = guest.sign("echo").to_b64();
    must(world.attest(&["signer", "stop"]));
    let seen = world.log("signer.db").into_iter().find(|entry| entry["event"]["what"] == "call").unwrap();
    assert_eq!(seen["event"]["call"], *call);
}

#[test]
fn a_name_without_end_is_refused_and_costs_no_later_call_its_tokens() {
    let world = World::new();
    let (_signer, socket) = run_signer(&world, "");
    let mut long = Raw::connect(&socket);
    assert!(!long.hello(&"A".repeat(70_000)));
    let mut guest = Raw::connect(&socket);
    assert!(guest.hello(AUDIENCE));
    guest.call(&"t".repeat(70_000)).unwrap();
    assert_eq!(guest.read().unwrap().0, REFUSED);

    let hashes = [(); 2].map(|()| guest.sign("echo").to_b64());
    must(world.attest(&["signer", "stop"]));
    let log = world.log("signer.db");
    for hash in hashes {
        let index = log.iter().position(|e| e["type"] == "call" && e["call"] == *hash).unwrap();
        let shown = must(world.attest(&["log", "show", "signer.db", &index.to_string()])).stdout;
        let shown: Value = serde_json::from_slice(&shown).unwrap();
        let entry = &shown["entry"];
        let chain = entry["delegation"].as_array().unwrap();
        assert!(!chain.is_empty());
        for token in [&entry["call"], &entry["attestation"]].into_iter().chain(chain) {
            assert!(shown["tokens"].get(token.as_str().unwrap()).is_some(), "{token} is not in {shown}");
        }
    }
}

#[test]
fn how_a_call_ended_is_for_the_connection_to_say_that_had_it_signed() {
    let world = World::new();
    let (_signer, socket) = run_signer(&world, "");
    let (mut owner, mut other) = (Raw::connect(&socket), Raw::connect(&socket));
    assert!(owner.hello(AUDIENCE) && other.hello("other-server"));
    let hash = owner.sign("echo");
    other.ended(hash, "result");
    assert!(other.hello("other-server"));
    // Nor does its going away end what is not its own.
    drop(other);
    owner.ended(hash, "error");
    owner.ended(hash, "result");
    assert!(owner.hello(AUDIENCE));
    must(world.attest(&["signer", "stop"]));
    let outcomes = of_type(&world, "signer.db", "outcome");
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0]["status"], "error");
    assert_eq!((&outcomes[0]["call"], &outcomes[0]["audience"]), (&json!(hash.to_b64()), &json!(AUDIENCE)));
}

#[test]
fn a_signer_that_is_stopped_right_after_a_wrap_ended_has_written_how_every_call_ended() {
    const CALLS: u64 = 300;
    let world = World::new().without_receipts();
    let mut client = Client::start(world.wrap(AUDIENCE, &world.server()));
    let lines: Vec<String> = (1..=CALLS).map(|id| call(id, "echo", json!({ "id": id }))).collect();
    client.send(lines.join("\n"));
    client.end();
    assert!(output(world.attest(&["signer", "stop"])).status.success());
    for id in 1..=CALLS {
        assert_eq!(text(&client.answer(id)), json!({ "id": id }).to_string().replace(':', ": "));
    }
    let names = |kind| -> Vec<String> {
        let mut names: Vec<String> =
            of_type(&world, "signer.db", kind).iter().map(|e| e["call"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("call").len(), 300);
    assert_eq!(names("call"), names("outcome"));
    assert_eq!(world.entries("signer.db", &[("type", "outcome"), ("status", "result")]).len(), 300);
}
