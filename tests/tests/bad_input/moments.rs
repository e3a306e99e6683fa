//! Bad moments: a full disk, a server or a client that goes away, a guard that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::forge::{Forge, Forged};
use attest_tests::world::{AUDIENCE, World, must, output};
use serde_json::{Value, json};

/// The hashes of the calls that the guard's log lets through, with the status of each one's outcome.
fn allowed(world: &World) -> BTreeMap<String, Option<String>> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let mut calls = BTreeMap::new();
    for entry in world.log("guard.db") {
        if entry["decision"] == "allow" {
            calls.insert(text(&entry, "call"), None);
        } else if entry["type"] == "outcome" {
            let open = calls.insert(text(&entry, "call"), Some(text(&entry, "status")));
            assert_eq!(open, Some(None), "an outcome without a call, or a second one: {entry}");
        }
    }
    calls
}

fn hold(forge: &Forge, world: &World, id: u64) -> Forged {
    forge.call(id, "hold", json!({ "until": world.text_path("go") }))
}

#[test]
fn an_id_that_is_in_flight_cannot_be_used_again_and_a_pings_answer_is_no_calls_outcome() {
    let world = World::new();
    let forge = Forge::of(&world);
    let held = hold(&forge, &world, 7);
    let mut client = world.start_guard();
    client.send(&held.line);
    eventually("the run", || world.runs().first().cloned());
    for again in ["7", "7.0", "70e-1"] {
        client.send(format!(r#"{{"jsonrpc":"2.0","id":{again},"method":"ping"}}"#));
        let refused = client.find("a refusal", |m| m.value.get("error").is_some());
        assert_eq!(reason(&refused.value), "malformed", "{again}");
    }
    client.send(forge.call(7, "echo", json!({})).line);
    let refused = client.find("a refusal", |m| m.value.get("error").is_some());
    assert_eq!(reason(&refused.value), "malformed");
    world.write("go", "");
    assert_eq!(text(&client.answer(7)), "held");
    client.end();
    assert_eq!(allowed(&world), [(held.call, Some("result".to_owned()))].into());
    assert_eq!(world.runs().len(), 1);
}

/// Calls until the log takes nothing more, then sees that the server lives and no further call runs.
fn calls_until_full(world: &World, client: &mut Client) -> usize {
    let forge = Forge::of(world);
    let mut ran = 0;
    for id in 1..10_000 {
        client.send(forge.call(id, "echo", json!({})).line);
        match reason(&client.answer(id)) {
            "" | "outcome-not-logged" => ran += 1,
            "log-unavailable" => {
                for id in 20_000..20_003 {
                    client.send(forge.call(id, "echo", json!({})).line);
                    assert_eq!(reason(&client.answer(id)), "log-unavailable");
                }
                assert!(client.ping());
                client.send(r#"{"jsonrpc":"2.0","id":"list","method":"tools/list"}"#);
                assert!(client.answer("list")["result"]["tools"].is_array());
                assert_eq!(world.runs().len(), ran);
                return ran;
            }
            other => panic!("{other}: {}", client.said()),
        }
    }
    panic!("the disk never filled up")
}

#[test]
fn a_log_that_cannot_grow_lets_no_call_through_and_the_server_lives_on() {
    let world = World::new();
    // 512 blocks of 512 bytes. Ignored, the signal becomes an error of write(2), as on a full disk.
    let mut words: Vec<OsString> =
        ["sh", "-c", r#"ulimit -f 512; trap "" XFSZ; exec "$@""#, "sh"].map(Into::into).into();
    words.extend(world.guard());
    let mut client = Client::start(world.command(&words));
    let ran = calls_until_full(&world, &mut client);
    client.end();
    // Nothing ran without its entry, and with room again the guard starts and closes what is open.
    assert!(ran > 0);
    assert!(allowed(&world).len() >= ran);
    let mut client = world.start_guard();
    client.send(Forge::of(&world).call(1, "echo", json!({})).line);
    assert_eq!(reason(&client.answer(1)), "");
    client.end();
    assert!(allowed(&world).values().all(Option::is_some));
}

#[test]
fn a_full_disk_under_the_log_lets_no_call_through_and_the_server_lives_on() {
    let world = World::new();
    world.edit("guard.toml", "log = \"guard.db\"", "log = \"disk/guard.db\"");
    std::fs::create_dir(world.path("disk")).unwrap();
    // The file system lives in a mount namespace of its own and goes with its last process.
    let in_namespace = |script: &str| {
        let mut command = world.place(Command::new("unshare"));
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command
    };
    let mount = "mount -t tmpfs -o size=512k,mode=700 attest-test disk";
    if !output(in_namespace(mount)).status.success() {
        println!("SKIPPED: no right to mount a file system");
        return;
    }
    let mut command = in_namespace(&format!("{mount} && exec \"$@\""));
    command.args(world.guard());
    let mut client = Client::start(command);
    let ran = calls_until_full(&world, &mut client);
    let mut list = world.place(Command::new("nsenter"));
    let pid = client.pid().to_string();
    list.args(["--target", &pid, "--mount"])
        .arg(attest_tests::binaries::attest())
        .args(["log", "list"])
        .arg(world.path("disk/guard.db"));
    let listed = String::from_utf8(must(list).stdout).unwrap();
    assert!(listed.matches("  allow ").count() >= ran, "{ran}: {listed}");
}

#[test]
fn a_server_that_dies_in_a_call_ends_the_call_as_unknown_and_the_chain_with_its_code() {
    let world = World::new();
    let mut client = world.start();
    let answer = client.call("die", json!({"code": 7}));
    assert_eq!(reason(&answer), "server-gone", "{answer}");
    assert_eq!(client.wait().code(), Some(7));
    let calls: Vec<_> = allowed(&world).into_iter().collect();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].1.as_deref(), Some("unknown"));
    let outcome = eventually("the caller's outcome", || world.entries("signer.db", &[("type", "outcome")]).pop());
    assert_eq!(outcome["call"], calls[0].0);
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_servers_last_answer_reaches_client_and_log_although_it_ends_at_once() {
    let world = World::new();
    let mut client = world.start();
    let answer = client.call("farewell", json!({"code": 3}));
    assert_eq!(text(&answer), "farewell");
    assert_eq!(client.wait().code(), Some(3));
    assert_eq!(allowed(&world).into_values().collect::<Vec<_>>(), [Some("result".to_owned())]);
}

#[test]
fn a_client_that_vanishes_leaves_no_call_open_and_no_process_behind() {
    let world = World::new();
    let held = hold(&Forge::of(&world), &world, 7);
    let mut chain = world.command(&world.guard());
    let mut chain = chain.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(chain.stdin.as_mut().unwrap(), "{}", held.line).unwrap();
    eventually("the run", || world.runs().first().cloned());
    drop(chain.stdin.take());
    drop(chain.stdout.take());
    eventually("the guard's end", || chain.try_wait().unwrap());
    assert_eq!(allowed(&world), [(held.call, Some("unknown".to_owned()))].into());
}

#[test]
fn a_call_that_ends_when_its_client_reads_no_more_is_logged_as_it_ended() {
    let world = World::new();
    let held = hold(&Forge::of(&world), &world, 7);
    let mut chain = world.command(&world.guard());
    let mut chain = chain.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(chain.stdin.as_mut().unwrap(), "{}", held.line).unwrap();
    eventually("the run", || world.runs().first().cloned());
    drop(chain.stdout.take());
    world.write("go", "");
    eventually("the guard's end", || chain.try_wait().unwrap());
    assert_eq!(allowed(&world), [(held.call, Some("result".to_owned()))].into());
}

#[test]
fn a_guard_killed_in_a_call_says_at_its_next_start_that_the_outcome_is_unknown() {
    let world = World::new();
    let held = hold(&Forge::of(&world), &world, 7);
    let mut client = world.start_guard();
    client.send(&held.line);
    eventually("the run", || world.runs().first().cloned());
    client.kill();
    assert_eq!(allowed(&world), [(held.call.clone(), None)].into());
    let mut client = world.start_guard();
    assert!(client.ping());
    assert_eq!(allowed(&world), [(held.call, Some("unknown".to_owned()))].into());
    client.send(&held.line);
    assert_eq!(reason(&client.answer(7)), "replay");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_in_the_log_and_nothing_ran_without_its_entry() {
    let rounds = if std::env::var_os("ATTEST_LONG").is_some() { 100 } else { 5 };
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    println!("seed {seed}");
    let mut random = seed | 1;
    let world = World::new();
    let forge = Forge::of(&world);
    let mut calls = BTreeMap::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds {
        let batch: Vec<(u64, Forged)> =
            (0..40).map(|n| round * 40 + n).map(|n| (n, forge.call(n, "echo", json!({ "n": n })))).collect();
        let mut client = world.start_guard();
        // Xorshift: so many answers are waited for, and then the guard dies within so many microseconds of the rest.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let (first, rest) = batch.split_at(usize::try_from(random % 36).unwrap());
        let lines = |calls: &[(u64, Forged)]| calls.iter().map(|(_, c)| &*c.line).collect::<Vec<_>>().join("\n");
        client.send(lines(first));
        for (id, _) in first {
            assert_eq!(reason(&client.answer(*id)), "");
        }
        client.send(lines(rest));
        thread::sleep(Duration::from_micros(u64::from(random >> 8) % 20_000));
        client.kill();
        client.drain();
        acknowledged
            .extend(client.kept().filter(|m| reason(&m.value).is_empty()).filter_map(|m| m.value["id"].as_u64()));
        acknowledged.extend(first.iter().map(|(id, _)| *id));
        calls.extend(batch);
    }
    // The last guard's server has ended, since its output has; so this is all that will ever have run.
    let in_log = allowed(&world);
    let ran: Vec<u64> = world.runs().iter().map(|run| run["arguments"]["n"].as_u64().unwrap()).collect();
    for id in &ran {
        assert!(in_log.contains_key(&calls[id].call), "call {id} ran without an entry (seed {seed})");
    }
    assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), ran.len(), "a call ran twice (seed {seed})");
    for id in &acknowledged {
        let outcome = in_log.get(&calls[id].call).cloned().flatten();
        assert_eq!(outcome.as_deref(), Some("result"), "call {id} was acknowledged (seed {seed})");
    }
    assert!(!acknowledged.is_empty());
    // One more start closes what is open, and knows every call that ever got in.
    let mut client = world.start_guard();
    for (id, call) in calls.iter().filter(|(_, call)| in_log.contains_key(&call.call)) {
        client.send(&call.line);
        assert_eq!(reason(&client.answer(*id)), "replay", "call {id} (seed {seed})");
    }
    client.end();
    assert!(allowed(&world).values().all(Option::is_some));
    assert_eq!(world.runs().len(), ran.len());
}

#[test]
fn through_wrap_and_guard_a_busy_server_is_told_from_a_call() {
    // The last answer has no canonical form, and so no receipt.
    let world = World::new().without_receipts();
    let mut client = world.start();
    let said = client.call("chatty", json!({}));
    assert_eq!(text(&said), "said");
    let methods: Vec<Value> = client.take_kept().into_iter().map(|m| m.value["method"].clone()).collect();
    assert_eq!(methods, ["notifications/message", "sampling/createMessage"]);
    // The client answers the server's own request, and nobody takes that for anything else.
    client.send(r#"{"jsonrpc":"2.0","id":"from-server","result":{}}"#);
    assert!(client.ping());
    assert!(client.said().contains("a word on standard error"));
    let big = client.ask_tool("big", json!({}));
    let line = client.answer_line(big).line;
    assert!(line.contains("9007199254740993"), "{line}");
    client.end();
    let outcomes = world.entries("guard.db", &[("type", "outcome"), ("audience", AUDIENCE)]);
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes[0]["result"].is_string() && outcomes[1]["result"].is_null());
}
