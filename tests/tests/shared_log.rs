//! Several guards, each a process of its own, over one log in a real PostgreSQL: whatever is killed, every call that was
//! answered is in the log once, in one tree, and nothing ran twice.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::forge::{Forge, Forged};
use attest_tests::postgres::{Server, url};
use attest_tests::world::{World, must, must_fail};
use serde_json::{Value, json};

/// A world whose guards write the log at this address; `guard-0.toml` and so on, a folder for each.
fn world(url: &str, guards: usize) -> World {
    let world = World::new();
    let text = world.read("guard.toml");
    for n in 0..guards {
        let place = format!("log = \"{url}\"\nside = \"side-{n}\"");
        let changed = text.replacen("log = \"guard.db\"", &place, 1);
        assert_ne!(changed, text);
        world.write(&format!("guard-{n}.toml"), changed);
    }
    world
}

fn guard(world: &World, n: usize) -> Client {
    let mut words = world.guard();
    for word in &mut words {
        if word.to_str().is_some_and(|word| word.ends_with("guard.toml")) {
            *word = world.path(&format!("guard-{n}.toml")).into();
        }
    }
    Client::start(world.command(&words))
}

fn echo(forge: &Forge, id: u64, text: &str) -> Forged {
    forge.call(id, "echo", json!({ "text": text }))
}

/// The log's entries, once it has been verified as a whole.
fn verified(world: &World, url: &str) -> Vec<Value> {
    let key = String::from_utf8(must(world.attest(&["log", "key", url])).stdout).unwrap();
    must(world.attest(&["log", "verify", url, "--key", key.trim(), "--trust", "guard-0.toml"]));
    let listed = must(world.attest(&["log", "list", url, "--json"])).stdout;
    let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap()["entry"].take();
    String::from_utf8(listed).unwrap().lines().map(entry).collect()
}

fn with<'e>(entries: &'e [Value], members: &[(&str, &str)]) -> Vec<&'e Value> {
    entries.iter().filter(|entry| members.iter().all(|(name, value)| entry[*name] == *value)).collect()
}

/// Holds log and runs against what callers were told: by the hash of each call that was answered, the text that it echoed.
fn check(world: &World, url: &str, ledger: &BTreeMap<String, String>) {
    let entries = verified(world, url);
    let allowed = with(&entries, &[("type", "decision"), ("decision", "allow")]);
    for call in ledger.keys() {
        let decided = allowed.iter().filter(|entry| entry["call"] == *call).count();
        assert_eq!(decided, 1, "call {call} was answered");
        let ended = with(&entries, &[("type", "outcome"), ("call", call)]);
        assert_eq!(ended.len(), 1, "call {call} was answered");
        assert_eq!(ended[0]["status"], "result");
    }
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    for run in world.runs() {
        *ran.entry(run["arguments"]["text"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(ran.values().all(|times| *times == 1), "a call ran twice: {ran:?}");
    assert!(ledger.values().all(|text| ran.contains_key(text)));
    assert!(ran.len() <= allowed.len(), "a call ran that no entry lets through");
}

/// Sends calls to one guard, which it kills now and then and starts anew, until it is told to end. Says what was answered.
fn caller(
    world: &World,
    forge: &Forge,
    n: usize,
    kills: bool,
    ready: &AtomicUsize,
    over: &AtomicBool,
) -> BTreeMap<String, String> {
    let mut ledger = BTreeMap::new();
    let mut client = guard(world, n);
    client.send(echo(forge, 0, &format!("{n}-0")).line);
    client.answer(0);
    ready.fetch_add(1, Ordering::SeqCst);
    let mut id = 0;
    while !over.load(Ordering::SeqCst) {
        let sent: Vec<_> = (0..4)
            .map(|_| {
                id += 1;
                let text = format!("{n}-{id}");
                let call = echo(forge, id, &text);
                (id, text, call.call, client.send(call.line))
            })
            .collect();
        // Some of what was sent is under way then: in the queue, in a commit, at the server, on the way back.
        if kills && id % 12 == 0 {
            thread::sleep(Duration::from_millis(id * 7 % 23));
            client.kill();
            client = guard(world, n);
            continue;
        }
        for (id, text_sent, call, sent) in sent {
            assert!(sent, "the guard is gone: {}", client.said());
            let answer = client.answer(id);
            match reason(&answer) {
                "" if answer.get("result").is_some() => {
                    assert!(text(&answer).contains(&text_sent), "{answer}");
                    ledger.insert(call, text_sent);
                }
                // Said only while the database was away.
                "log-unavailable" | "outcome-not-logged" if !kills => thread::sleep(Duration::from_millis(20)),
                other => panic!("{other}: {answer}"),
            }
        }
    }
    client.end();
    ledger
}

fn together(world: &World, guards: usize, kills: bool, meanwhile: impl FnOnce()) -> BTreeMap<String, String> {
    let forges: Vec<_> = (0..guards).map(|_| Forge::of(world)).collect();
    let (ready, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut ledger = BTreeMap::new();
    thread::scope(|scope| {
        let (ready, over) = (&ready, &over);
        let callers: Vec<_> = forges
            .iter()
            .enumerate()
            .map(|(n, forge)| scope.spawn(move || caller(world, forge, n, kills, ready, over)))
            .collect();
        eventually("every guard", || (ready.load(Ordering::SeqCst) == guards).then_some(()));
        meanwhile();
        over.store(true, Ordering::SeqCst);
        for caller in callers {
            ledger.extend(caller.join().unwrap());
        }
    });
    ledger
}

#[test]
fn four_guards_that_are_killed_at_random_answer_nothing_that_is_not_in_the_one_log_once() {
    let server = Server::start();
    let url = server.url("log");
    let world = world(&url, 4);
    let ledger = together(&world, 4, true, || thread::sleep(Duration::from_secs(12)));
    assert!(ledger.len() > 40, "{}", ledger.len());
    check(&world, &url, &ledger);
    // What the killed ones left open is closed as unknown by the next that opens the log.
    let mut last = guard(&world, 0);
    last.send(echo(&Forge::of(&world), 1, "last").line);
    assert!(text(&last.answer(1)).contains("last"));
    last.end();
    let entries = verified(&world, &url);
    let decided = with(&entries, &[("type", "decision"), ("decision", "allow")]).len();
    let ended = with(&entries, &[("type", "outcome")]);
    assert_eq!(decided, ended.len());
    assert!(ended.iter().any(|entry| entry["status"] == "unknown"), "no call was cut off");
}

#[test]
fn a_proof_that_is_sent_to_two_guards_at_once_runs_once() {
    let server = Server::start();
    let url = server.url("log");
    let world = world(&url, 2);
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    for id in 1..=15 {
        let call = echo(&forge, id, &format!("{id}"));
        one.send(&call.line);
        other.send(&call.line);
        let answers = [one.answer(id), other.answer(id)];
        let ran = answers.iter().filter(|answer| answer.get("result").is_some()).count();
        let replays = answers.iter().filter(|answer| reason(answer) == "replay").count();
        assert_eq!((ran, replays), (1, 1), "{answers:?}");
    }
    one.end();
    other.end();
    assert_eq!(world.runs().len(), 15);
    let entries = verified(&world, &url);
    assert_eq!(with(&entries, &[("type", "decision"), ("decision", "allow")]).len(), 15);
}

#[test]
fn while_its_database_is_away_a_guard_refuses_and_it_goes_on_by_itself() {
    let server = Server::start();
    let url = server.url("log");
    let world = world(&url, 1);
    let forge = Forge::of(&world);
    let mut client = guard(&world, 0);
    client.send(echo(&forge, 1, "before").line);
    assert!(text(&client.answer(1)).contains("before"));
    // A call that is at the server while the database goes: it ran, and its outcome is written when the database is back.
    let held = forge.call(2, "hold", json!({}));
    client.send(&held.line);
    eventually("the call that is held", || world.runs().iter().any(|run| run["tool"] == "hold").then_some(()));
    server.down("fast");
    for id in 3..6 {
        let begun = Instant::now();
        client.send(echo(&forge, id, "away").line);
        let refused = client.answer(id);
        assert_eq!(reason(&refused), "log-unavailable", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("try again later"), "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    }
    let failed = must_fail(world.attest(&["log", "list", &url]));
    assert!(failed.contains("host="), "{failed}");
    server.up();
    let mut id = 10;
    eventually("a guard that goes on by itself", || {
        id += 1;
        client.send(echo(&forge, id, &format!("after {id}")).line);
        let answer = client.answer(id);
        assert!(matches!(reason(&answer), "" | "log-unavailable"), "{answer}");
        text(&answer).contains("after").then_some(())
    });
    client.end();
    let entries = verified(&world, &url);
    assert!(!world.runs().iter().any(|run| run["arguments"]["text"] == "away"), "what was refused never ran");
    let open = with(&entries, &[("type", "decision"), ("decision", "allow")]).len();
    assert_eq!(open, with(&entries, &[("type", "outcome")]).len(), "every call has its outcome");
}

#[test]
fn a_standby_that_takes_over_under_load_has_everything_that_was_acknowledged() {
    let primary = Server::start();
    let standby = primary.standby();
    let both = url(&[primary.socket(), standby.socket()], "log") + "&target_session_attrs=read-write";
    let world = world(&both, 2);
    let ledger = together(&world, 2, false, || {
        thread::sleep(Duration::from_secs(4));
        primary.kill();
        thread::sleep(Duration::from_millis(500));
        standby.promote();
        // Longer than the longest pause between two tries.
        thread::sleep(Duration::from_secs(8));
    });
    let url = standby.url("log");
    check(&world, &url, &ledger);
    let last = world.runs().len();
    assert!(ledger.len() > 20 && last >= ledger.len(), "{}", ledger.len());
}

#[test]
fn what_is_wrong_about_a_place_in_a_database_is_said() {
    let world = World::new();
    let text = world.read("guard.toml");
    let url = "log = \"postgresql://guard:s3cret@/log?host=/nowhere\"";
    for (change, said) in [
        (text.replacen("log = \"guard.db\"", url, 1), "set side"),
        (format!("side = \"x\"\n{text}"), "side is for a log in a database"),
        (
            text.replacen("log = \"guard.db\"", &format!("{url}\nside = \"x\""), 1).replacen(
                "log_key = ",
                "log_origin = \"tools\"\n#",
                1,
            ),
            "needs log_key",
        ),
        (text.replacen("log = \"guard.db\"", &format!("{url}\nside = \"x\""), 1), "postgresql://guard@/log"),
    ] {
        world.write("guard.toml", change);
        let failed = must_fail(world.command(&world.guard()));
        assert!(failed.contains(said), "{said}: {failed}");
        assert!(!failed.contains("s3cret"), "{failed}");
    }
}

/// The proof that entry `index` is in the log, as a file.
fn prove(world: &World, log: &str, index: &str, file: &str) {
    must(world.attest(&["log", "prove", log, index, "--out", file]));
}

#[test]
fn a_log_that_is_moved_into_a_database_and_back_keeps_its_proofs_its_replays_and_its_end() {
    let server = Server::start();
    let url = server.url("log");
    let world = world(&url, 2);
    let (forge, other) = (Forge::of(&world), Forge::of(&world));
    let key = |log: &str| String::from_utf8(must(world.attest(&["log", "key", log])).stdout).unwrap();

    let mut alone = Client::start(world.command(&world.guard()));
    let first = echo(&forge, 1, "in a file");
    alone.send(&first.line);
    assert!(text(&alone.answer(1)).contains("in a file"));
    // Its outcome is missing when the guard goes.
    alone.send(forge.call(2, "hold", json!({})).line);
    eventually("the call that is held", || world.runs().iter().any(|run| run["tool"] == "hold").then_some(()));
    let in_use = must_fail(world.attest(&["log", "move", "guard.db", &url]));
    assert!(in_use.contains("another process writes this log"), "{in_use}");
    alone.kill();
    prove(&world, "guard.db", "1", "before.tlog-proof");
    let vkey = key("guard.db");

    let moved = String::from_utf8(must(world.attest(&["log", "move", "guard.db", &url])).stdout).unwrap();
    assert!(moved.contains("1 calls have no outcome yet"), "{moved}");
    // A move whose last step nobody heard of is done again by the same command, whether or not it went through.
    assert_eq!(String::from_utf8(must(world.attest(&["log", "move", "guard.db", &url])).stdout).unwrap(), moved);
    server.sql("log", "DROP SCHEMA attest_log CASCADE");
    let elsewhere = must_fail(world.attest(&["log", "move", "guard.db", "other.db"]));
    assert!(elsewhere.contains("was moved to postgresql:"), "{elsewhere}");
    assert_eq!(String::from_utf8(must(world.attest(&["log", "move", "guard.db", &url])).stdout).unwrap(), moved);
    let mut two = [guard(&world, 0), guard(&world, 1)];
    for (n, client) in two.iter_mut().enumerate() {
        client.send(&first.line);
        assert_eq!(reason(&client.answer(1)), "replay");
        client.send(echo(&other, 10, &format!("in the database {n}")).line);
        assert!(text(&client.answer(10)).contains("in the database"));
    }
    let closed = must_fail(world.command(&world.guard()));
    assert!(closed.contains("was moved to postgresql:"), "{closed}");
    let busy = must_fail(world.attest(&["log", "move", &url, "again.db"]));
    assert!(busy.contains("2 verifiers write this log"), "{busy}");
    assert!(!world.path("again.db").exists());
    for client in &mut two {
        client.end();
    }
    assert_eq!(key(&url), vkey);
    must(world.attest(&["log", "check-proof", "before.tlog-proof", "--key", vkey.trim()]));
    let entries = verified(&world, &url);
    assert_eq!(with(&entries, &[("type", "outcome"), ("status", "unknown")]).len(), 1);
    prove(&world, &url, "5", "between.tlog-proof");

    must(world.attest(&["log", "move", &url, "again.db"]));
    let closed = must_fail(world.attest(&["log", "list", &url]));
    assert!(closed.contains("was moved to") && closed.contains("again.db"), "{closed}");
    let taken = must_fail(world.attest(&["log", "move", "again.db", &url]));
    assert!(taken.contains("is not empty") && taken.contains("drop schema"), "{taken}");
    world.write("guard.toml", world.read("guard.toml").replacen("guard.db", "again.db", 1));
    let mut alone = Client::start(world.command(&world.guard()));
    alone.send(&first.line);
    assert_eq!(reason(&alone.answer(1)), "replay");
    alone.send(echo(&forge, 20, "in a file again").line);
    assert!(text(&alone.answer(20)).contains("again"));
    alone.end();
    for proof in ["before.tlog-proof", "between.tlog-proof"] {
        must(world.attest(&["log", "check-proof", proof, "--key", vkey.trim()]));
    }
    must(world.attest(&["log", "verify", "again.db", "--key", vkey.trim(), "--trust", "guard.toml"]));
    let listed = String::from_utf8(must(world.attest(&["log", "list", "again.db", "--json"])).stdout).unwrap();
    assert!(listed.lines().count() > entries.len());
    // Whoever was told of the tree in the database finds it continued in the file.
    assert!(listed.contains(r#""shared":true"#), "{listed}");
}
