//! Calls that wait for people.

use std::time::{Duration, Instant};

use attest_tests::client::{eventually, reason, text};
use attest_tests::forge::Forge;
use attest_tests::world::{must, must_fail};
use serde_json::{Value, json};

use super::*;

pub(super) const REQUESTS: &str = "side_file WHERE folder LIKE 'approvals/%' AND name = 'request.json'";
pub(super) const LYING: &str = "side_file WHERE folder LIKE 'approvals/%'";

/// Guards over one log whose calls of `show` one person of the treasury has to approve: Ada, with `Ada.key`. `more` stands in `[policy]`.
pub(super) fn office(server: &Server, more: &str) -> World {
    let world = World::new();
    let risk = String::from_utf8(must(world.attest(&["policy", "show-default", "--risk"])).stdout).unwrap();
    let classes = "[classes.shown]\nrisk = \"high\"\ntools = [\"tools#show\"]\n[classes.plain]\nrisk = \"low\"\ntools = [\"tools#echo\"]\n";
    world.write("risk.toml", format!("{risk}\n{classes}"));
    world.write(
        "mine.cedar",
        "@id(\"all\")\npermit (principal, action, resource);\n\
         @id(\"asked\")\n@step_up(\"approval\")\n@approval(\"1 of treasury\")\n\
         forbid (principal, action, resource) when { context.risk.contains(Risk::\"high\") };\n",
    );
    let policy = format!("[policy]\nrisk = \"risk.toml\"\nfiles = [\"mine.cedar\"]\n{more}\n");
    let ada = format!("[[approver]]\nname = \"Ada\"\ngroups = [\"treasury\"]\njwks = [{}]\n", key(&world, "Ada.key"));
    world.write("guard.toml", format!("{}\n{policy}\n{ada}", world.read("guard.toml")));
    share(&world, &server.url("log"), 2);
    world
}

/// Calls `show`, and says what came of it.
pub(super) fn show(forge: &Forge, client: &mut Client, id: u64, what: &str) -> Value {
    client.send(forge.call(id, "show", json!({"what": what})).line);
    client.answer(id)
}

pub(super) fn waits(forge: &Forge, client: &mut Client, id: u64, what: &str) {
    let refused = show(forge, client, id, what);
    assert_eq!(reason(&refused), "step-up-required", "{refused}; {}", client.said());
}

/// `attest approvals`, with the configuration of one guard.
fn approvals(world: &World, n: usize, args: &[&str]) -> String {
    let config = format!("guard-{n}.toml");
    let all = [&["approvals", "--config", &config][..], args].concat();
    String::from_utf8(must(world.attest(&all)).stdout).unwrap()
}

fn approve(world: &World, n: usize) {
    // The empty beginning is that of the one open request.
    approvals(world, n, &["approve", "", "--key", "Ada.key"]);
}

#[test]
fn a_call_that_waits_at_one_guard_goes_through_at_another_once_somebody_approved_it() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    waits(&forge, &mut one, 1, "this");
    waits(&forge, &mut other, 1, "this");
    assert_eq!(count(&server, REQUESTS), 1, "the same call has one name at both");
    // By somebody who has no guard's configuration but his own copy, and the database's address.
    world.write("mine.toml", world.read("guard.toml"));
    let url = server.url("log");
    let mine = ["approvals", "--config", "mine.toml", "--log", &url];
    let listed = String::from_utf8(must(world.attest(&[&mine[..], &["list"]].concat())).stdout).unwrap();
    assert!(listed.contains("tools#show") || listed.contains("show"), "{listed}");
    must(world.attest(&[&mine[..], &["approve", "", "--key", "Ada.key"]].concat()));
    assert!(approvals(&world, 1, &["show", ""]).contains("Ada"), "the other guard's people see it");
    waits(&forge, &mut other, 2, "that");
    let shown = show(&forge, &mut other, 3, "this");
    assert!(shown["result"].is_object(), "{shown}; {}", other.said());
    // It served once, and the arguments are gone with it; what else waits goes on waiting.
    assert_eq!(count(&server, REQUESTS), 1);
    assert!(!approvals(&world, 0, &["show", ""]).contains("\"this\""));
    waits(&forge, &mut one, 4, "this");
    for client in [&mut one, &mut other] {
        client.end();
    }
    assert_eq!(world.runs().len(), 1);
    for n in 0..2 {
        assert!(!world.path(&format!("side-{n}/log.approvals")).exists(), "nothing lies in a folder");
    }
}

#[test]
fn one_approval_lets_one_call_through_whichever_guards_it_is_sent_to_at_once() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    let mut raced = 0;
    for round in 0..12 {
        let (what, id) = (format!("{round}"), round * 10);
        waits(&forge, &mut one, id, &what);
        approve(&world, 1);
        // Two proofs, so that it is not the replay of one that stops the other.
        let lines = [1, 2].map(|n| forge.call(id + n, "show", json!({"what": what})).line);
        one.send(&lines[0]);
        other.send(&lines[1]);
        let answers = [one.answer(id + 1), other.answer(id + 2)];
        let passed = answers.iter().filter(|answer| answer.get("result").is_some()).count();
        assert_eq!(passed, 1, "{answers:?}");
        raced += answers.iter().filter(|answer| reason(answer) == "policy-denied").count();
        // Who came second may have asked anew.
        if count(&server, REQUESTS) > 0 {
            approvals(&world, 0, &["refuse", ""]);
            show(&forge, &mut one, id + 3, &what);
        }
    }
    one.end();
    other.end();
    assert_eq!(world.runs().len(), 12);
    assert!(raced > 0, "no two of them had both seen the approval");
}

#[test]
fn a_refusal_counts_at_every_guard() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    waits(&forge, &mut one, 1, "this");
    approvals(&world, 0, &["refuse", ""]);
    let refused = show(&forge, &mut other, 1, "this");
    assert_eq!(reason(&refused), "policy-denied", "{refused}");
    assert_eq!(count(&server, LYING), 0, "it is over");
    one.end();
    other.end();
}

#[test]
fn a_call_that_is_held_goes_on_within_moments_of_what_was_said_elsewhere() {
    let server = Server::start();
    let world = office(&server, "hold = \"60s\"");
    let forge = Forge::of(&world);
    let mut client = guard(&world, 0);
    client.send(forge.call(9, "echo", json!({"text": "begun"})).line);
    assert!(text(&client.answer(9)).contains("begun"));
    for (id, word) in [(1, "approve"), (2, "refuse")] {
        client.send(forge.call(id, "show", json!({"what": "this"})).line);
        eventually("a request", || (count(&server, REQUESTS) == 1).then_some(()));
        std::thread::sleep(Duration::from_millis(700));
        let more: &[&str] = if word == "approve" { &["approve", "", "--key", "Ada.key"] } else { &["refuse", ""] };
        approvals(&world, 1, more);
        let said = Instant::now();
        let answer = client.answer(id);
        // Sooner than it would be looked at in any case.
        assert!(said.elapsed() < Duration::from_secs(3), "{:?}", said.elapsed());
        let wanted = if word == "approve" { "" } else { "policy-denied" };
        assert_eq!(reason(&answer), wanted, "{answer}");
    }
    client.end();
    assert_eq!(count(&server, LYING), 0);
}

#[test]
fn an_agent_has_no_more_requests_at_two_guards_than_at_one() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    for id in 0..32 {
        waits(&forge, &mut one, id, &format!("one {id}"));
        waits(&forge, &mut other, id, &format!("other {id}"));
    }
    for client in [&mut one, &mut other] {
        let refused = show(&forge, client, 100, "more");
        assert_eq!(reason(&refused), "policy-error", "{refused}");
        waits(&forge, client, 101, "one 0");
    }
    assert_eq!(count(&server, REQUESTS), 64);
    one.end();
    other.end();
}

#[test]
fn while_the_database_is_away_a_call_is_to_be_tried_later_and_what_was_said_is_not_lost() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let mut client = guard(&world, 0);
    waits(&forge, &mut client, 1, "this");
    approve(&world, 0);
    server.down("fast");
    for id in 2..5 {
        let begun = Instant::now();
        let refused = show(&forge, &mut client, id, "this");
        assert_eq!(reason(&refused), "log-unavailable", "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    }
    let failed = must_fail(world.attest(&["approvals", "--config", "guard-0.toml", "list"]));
    assert!(failed.contains("postgresql://"), "{failed}");
    server.up();
    let mut id = 10;
    eventually("a call that passes", || {
        id += 1;
        let answer = show(&forge, &mut client, id, "this");
        assert!(matches!(reason(&answer), "" | "log-unavailable"), "{answer}");
        answer.get("result").is_some().then_some(())
    });
    client.end();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_log_that_was_made_before_there_was_a_table_for_it_gets_one() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let mut client = guard(&world, 0);
    client.send(forge.call(1, "echo", json!({"text": "before"})).line);
    assert!(text(&client.answer(1)).contains("before"));
    client.end();
    server.set_back(2);
    let failed = must_fail(world.attest(&["approvals", "--config", "guard-0.toml", "list"]));
    assert!(failed.contains("format 2"), "{failed}");
    let mut client = guard(&world, 1);
    waits(&forge, &mut client, 2, "this");
    client.end();
    assert_eq!(count(&server, REQUESTS), 1);
}
