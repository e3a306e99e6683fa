//! A guard whose log is witnessed.

use std::fs;
use std::net::TcpListener;

use attest_core::log_policy::LogPolicy;
use attest_core::note::Note;
use attest_tests::client::{Client, eventually, reason};
use attest_tests::world::{World, must, must_fail};
use serde_json::json;

use super::{Watching, keys_of};

/// A guard's log, and its record of what it published.
const LOG_FILES: [&str; 2] = ["guard.db", "guard.db.head"];
/// Its key, where `attest init` puts it.
const LOG_KEY: &str = "keys/guard-log.key";

/// A world whose guard has started once, so that its log has a key, and that key as a witness is told it.
fn world() -> (World, [String; 1]) {
    let world = World::new();
    let mut client = world.start_guard();
    assert!(client.ping());
    client.end();
    let key = keys_of(&world.path("guard.db"));
    (world, [key])
}

/// Writes the policy, and says in guard.toml how it is used.
fn witnessed(world: &World, needed: usize, lines: &[String], settings: &str) {
    let names: Vec<&str> = lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    world.write("witness.policy", format!("{}\ngroup g {needed} {}\nquorum g\n", lines.join("\n"), names.join(" ")));
    let text = world.read("guard.toml");
    let before = text.split("\n[witness]").next().unwrap();
    world.write("guard.toml", format!("{before}\n[witness]\npolicy = \"witness.policy\"\n{settings}\n"));
}

const REQUIRED: &str = "required = true\nevery_seconds = 1\nwithin_seconds = 60";
const SHORTLY: &str = "required = true\nevery_seconds = 1\nwithin_seconds = 1";

fn call(client: &mut Client) -> serde_json::Value {
    client.call("echo", json!({"text": "hello"}))
}

fn passes(client: &mut Client) {
    let answer = call(client);
    assert!(answer.get("result").is_some(), "{answer}; {}", client.said());
}

fn is_refused(client: &mut Client) {
    let answer = call(client);
    assert_eq!(reason(&answer), "not-witnessed", "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("try again later"), "{answer}");
}

/// Size and number of cosignatures of the newest cosigned checkpoint in the log.
fn cosigned(world: &World) -> Option<(u64, usize)> {
    let policy = LogPolicy::parse(world.read("witness.policy").as_bytes()).unwrap();
    let (size, note) = attest_log::Reader::open(world.path("guard.db")).unwrap().last_cosigned().unwrap()?;
    let witnessed = policy.witnessed(&Note::parse(note.as_bytes()).unwrap()).unwrap();
    assert!(witnessed.met);
    Some((size, witnessed.cosigned.len()))
}

/// A line for a witness that is not there.
fn nobody(name: &str, vkey: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("witness {name} {vkey} http://{}", listener.local_addr().unwrap())
}

#[test]
fn two_of_three_witnesses_are_enough_when_one_is_down_or_lies() {
    let (world, keys) = world();
    let (a, b, mut c) =
        (Watching::start(&world, "a", &keys), Watching::start(&world, "b", &keys), Watching::start(&world, "c", &keys));
    // Down: the address of nobody. Lying: one of the same name answers, with a key of its own.
    let lying = Watching::start(&world, "c2", &keys);
    let down = nobody("c", c.vkey());
    let liar = format!("witness c {} {}", c.vkey(), lying.url());
    c.stop();
    for third in [down, liar] {
        let lines = [a.line.clone(), b.line.clone(), third];
        witnessed(&world, 2, &lines, REQUIRED);
        let mut client = world.start();
        passes(&mut client);
        passes(&mut client);
        assert!(eventually("a word about c", || client
            .said()
            .contains("the witness c does not cosign")
            .then_some(true)));
        client.end();
        let entries = attest_log::Reader::open(world.path("guard.db")).unwrap().len().unwrap();
        assert_eq!(cosigned(&world), Some((entries, 2)), "the end of the log is seen too");
        witnessed(&world, 3, &lines, REQUIRED);
        let mut client = world.start();
        is_refused(&mut client);
        client.end();
    }
    let denied = world.entries("guard.db", &[("decision", "deny"), ("reason", "not-witnessed")]);
    assert_eq!(denied.len(), 2, "each refusal is written down");
    assert_eq!(world.runs().len(), 4, "and nothing of them ran");
}

#[test]
fn without_witnesses_calls_wait_where_they_are_required_and_pass_again_when_they_are_back() {
    let (world, keys) = world();
    let (mut a, mut b) = (Watching::start(&world, "a", &keys), Watching::start(&world, "b", &keys));
    witnessed(&world, 1, &[a.line.clone(), b.line.clone()], SHORTLY);
    let mut client = world.start();
    passes(&mut client);
    a.stop();
    b.stop();
    // What was seen a moment ago is good for a moment.
    eventually("a refusal", || (reason_of(&call(&mut client)) == Some("not-witnessed")).then_some(()));
    is_refused(&mut client);
    assert!(client.ping(), "other messages pass");
    // One is enough.
    b.again(&world);
    eventually("a call that passes", || call(&mut client).get("result").is_some().then_some(()));
    client.end();
    b.stop();
    // A guard that starts without witnesses starts, and takes no calls.
    let mut client = world.start();
    assert!(client.ping());
    is_refused(&mut client);
    a.again(&world);
    eventually("a call that passes", || call(&mut client).get("result").is_some().then_some(()));
    client.end();
}

fn reason_of(answer: &serde_json::Value) -> Option<&str> {
    answer["error"]["data"]["reason"].as_str()
}

#[test]
fn a_guard_that_has_rested_asks_at_once_when_a_call_comes() {
    let (world, keys) = world();
    let a = Watching::start(&world, "a", &keys);
    let settings = "required = true\nevery_seconds = 1\nwithin_seconds = 1";
    witnessed(&world, 1, std::slice::from_ref(&a.line), settings);
    let mut client = world.start();
    passes(&mut client);
    for _ in 0..2 {
        // Far longer than a checkpoint is good for, and nothing grows meanwhile.
        std::thread::sleep(std::time::Duration::from_millis(3_500));
        passes(&mut client);
    }
    client.end();
}

#[test]
fn where_witnesses_are_not_required_calls_pass_without_them() {
    let (world, keys) = world();
    let mut a = Watching::start(&world, "a", &keys);
    a.stop();
    witnessed(&world, 1, std::slice::from_ref(&a.line), "every_seconds = 1");
    let mut client = world.start();
    passes(&mut client);
    eventually("a word about it", || client.said().contains("too few witnesses").then_some(()));
    a.again(&world);
    passes(&mut client);
    eventually("a cosigned checkpoint", || cosigned(&world));
    client.end();
}

#[test]
fn a_log_that_was_set_back_with_all_that_belongs_to_it_is_refused_by_its_witnesses() {
    let (world, keys) = world();
    let (a, b) = (Watching::start(&world, "a", &keys), Watching::start(&world, "b", &keys));
    witnessed(&world, 2, &[a.line.clone(), b.line.clone()], REQUIRED);
    let mut client = world.start();
    passes(&mut client);
    client.end();
    let saved = world.path("saved");
    fs::create_dir(&saved).unwrap();
    for file in LOG_FILES {
        fs::copy(world.path(file), saved.join(file)).unwrap();
    }
    let mut client = world.start();
    for _ in 0..3 {
        passes(&mut client);
    }
    client.end();
    // The whole machine as it was: the log itself finds nothing wrong.
    for file in LOG_FILES {
        fs::copy(saved.join(file), world.path(file)).unwrap();
    }
    let mut client = world.start();
    is_refused(&mut client);
    let said = client.said();
    assert!(said.contains("was set back"), "{said}");
    // It goes on, and gets as long as what they saw: now it is another tree.
    eventually("another tree", || {
        is_refused(&mut client);
        client.said().contains("another tree").then_some(())
    });
    client.end();
}

#[test]
fn a_forked_log_gets_cosignatures_for_one_of_its_trees_alone() {
    let (world, keys) = world();
    let (a, b) = (Watching::start(&world, "a", &keys), Watching::start(&world, "b", &keys));
    for file in LOG_FILES {
        fs::copy(world.path(file), world.path(&format!("fork-{file}"))).unwrap();
    }
    // One tree is shown to a; the other, which grew from the same beginning, to b, and then to a.
    witnessed(&world, 1, std::slice::from_ref(&a.line), REQUIRED);
    let mut client = world.start();
    passes(&mut client);
    client.end();
    for file in LOG_FILES {
        fs::rename(world.path(&format!("fork-{file}")), world.path(file)).unwrap();
    }
    witnessed(&world, 1, std::slice::from_ref(&b.line), REQUIRED);
    let mut client = world.start();
    passes(&mut client);
    passes(&mut client);
    client.end();
    witnessed(&world, 2, &[a.line.clone(), b.line.clone()], REQUIRED);
    let mut client = world.start();
    is_refused(&mut client);
    assert!(client.said().contains("another tree"), "{}", client.said());
    client.end();
}

#[test]
fn a_log_that_nobody_writes_is_witnessed_by_hand() {
    let (world, keys) = world();
    let mut a = Watching::start(&world, "a", &keys);
    witnessed(&world, 1, std::slice::from_ref(&a.line), "");
    let said = must(world.attest(&["log", "witness", "guard.db", "--key", LOG_KEY]));
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("a  cosigned "), "{said}");
    let entries = attest_log::Reader::open(world.path("guard.db")).unwrap().len().unwrap();
    assert_eq!(cosigned(&world), Some((entries, 1)));
    a.stop();
    let said = must_fail(world.attest(&["log", "witness", "guard.db", "--key", LOG_KEY]));
    assert!(said.contains("too few witnesses"), "{said}");
    let mut client = world.start_guard();
    assert!(client.ping());
    let said = must_fail(world.attest(&["log", "witness", "guard.db", "--key", LOG_KEY]));
    assert!(said.contains("another process writes this log"), "{said}");
    client.end();
}

#[test]
fn a_witness_with_a_key_of_the_guards_own_stops_it_from_starting() {
    let (world, keys) = world();
    let log_key = attest_core::note::Vkey::parse(&keys[0]).unwrap();
    let own = attest_core::note::Vkey::new("own", attest_core::note::Kind::Witness, log_key.key().clone()).unwrap();
    witnessed(&world, 1, &[nobody("own", &own.to_string())], REQUIRED);
    let words = world.guard();
    let said = must_fail(world.command(&words));
    assert!(said.contains("a key has one role"), "{said}");
}
