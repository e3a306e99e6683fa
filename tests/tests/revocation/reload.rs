//! A guard goes on with another configuration while calls run.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use attest_tests::http::Served;
use attest_tests::world::{AUDIENCE, World, must};
use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// Times a guard has said that another configuration is in force.
fn in_force(said: &str) -> usize {
    said.matches("is in force\n").count()
}

/// In one step, as a deployment would.
fn replace(world: &World, text: &str) {
    world.write("guard.toml.next", text);
    fs::rename(world.path("guard.toml.next"), world.path("guard.toml")).unwrap();
}

fn hang_up(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::HUP).unwrap();
}

#[test]
fn twenty_reloads_under_a_stream_of_calls_lose_none_and_a_revoked_key_is_refused_from_then_on() {
    let world = World::new();
    let server = world.server();
    let mut guard = world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--"]);
    guard.args(server);
    let mut guard = Served::attest(guard);
    let wrap = ["wrap", "--config", "agent.toml", "--audience", AUDIENCE, "--upstream", &guard.url];
    let (stop, passed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let good = world.read("guard.toml");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = Client::start(world.attest(&wrap));
                initialize(&mut client);
                while !stop.load(Ordering::Relaxed) {
                    // With a receipt, which names the configuration that the call was judged by.
                    passes(&mut client);
                    passed.fetch_add(1, Ordering::Relaxed);
                }
                client.end();
            });
        }
        for n in 1..=20 {
            let before = passed.load(Ordering::Relaxed);
            replace(&world, &format!("{good}\n# {n}\n"));
            if n % 2 == 0 {
                guard.hang_up();
            }
            eventually("a reload", || (in_force(&guard.said()) >= n).then_some(()));
            eventually("calls go on", || (passed.load(Ordering::Relaxed) > before + 3).then_some(()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let passed = passed.into_inner();
    assert_eq!(world.runs().len(), passed, "each call ran once");
    assert_eq!(world.entries("guard.db", &[("decision", "allow")]).len(), passed);
    assert_eq!(world.entries("guard.db", &[("type", "config")]).len(), 20);
    assert!(world.entries("guard.db", &[("decision", "deny")]).is_empty());
    // The attester's key goes, and another comes in its place.
    let mut client = Client::start(world.attest(&wrap));
    initialize(&mut client);
    passes(&mut client);
    let key = attest_keys::read_public(&world.path("keys/attester.key.pub")).unwrap().x();
    let other = SecretKey::generate().unwrap().public().x();
    replace(&world, &good.replace(&key, &other));
    comes_to(&mut client, "unauthenticated");
    thread::sleep(Duration::from_millis(300));
    for _ in 0..5 {
        assert_eq!(reason(&call(&mut client)), "unauthenticated");
    }
    client.end();
    assert!(guard.end().success(), "{}", guard.said());
    must(world.attest(&["log", "verify", "guard.db", "--unpinned"]));
}

#[test]
fn a_configuration_with_anything_wrong_keeps_the_one_before_and_is_named_once() {
    let world = World::new();
    let good = world.read("guard.toml");
    let mut client = world.start();
    passes(&mut client);
    let wrong = |client: &Client| client.said().matches("stays in force").count();
    let log_key = attest_keys::read_public(&world.path("keys/guard-log.key.pub")).unwrap().x();
    let attester = attest_keys::read_public(&world.path("keys/attester.key.pub")).unwrap().x();
    let broken = [
        ("no TOML", "audience = \"tools\nthis is no configuration".to_owned(), "guard.toml"),
        ("an unknown setting", format!("colour = 1\n{good}"), "colour"),
        ("an empty file", String::new(), "audience"),
        ("the log's own key", good.replace(&attester, &log_key), "a key has one role"),
    ];
    for (n, (what, text, named)) in broken.into_iter().enumerate() {
        replace(&world, &text);
        eventually(what, || (wrong(&client) > n).then_some(()));
        assert!(client.said().contains(named), "{what}: {}", client.said());
        passes(&mut client);
        // Touched again, and wrong in the same way: nothing new to say.
        replace(&world, &text);
        thread::sleep(Duration::from_millis(600));
        assert_eq!(wrong(&client), n + 1, "{what}: {}", client.said());
    }
    fs::remove_file(world.path("guard.toml")).unwrap();
    eventually("no file", || (wrong(&client) > 4).then_some(()));
    passes(&mut client);
    replace(&world, &good);
    hang_up(guard_of(&client));
    eventually("in order", || client.said().contains("is in order again").then_some(()));
    passes(&mut client);
    client.end();
    assert!(world.entries("guard.db", &[("type", "config")]).is_empty(), "nothing else was ever in force");
    must(world.attest(&["log", "verify", "guard.db", "--unpinned"]));
}

#[test]
fn what_cannot_change_is_named_and_stays_and_the_rest_takes_effect() {
    let world = World::new();
    let good = world.read("guard.toml");
    let mut client = world.start();
    passes(&mut client);
    let changed = good.replace("log = \"guard.db\"", "log = \"other.db\"\ndeny_as = \"tool-result\"");
    let changed = changed.replace(&format!("audience = \"{AUDIENCE}\""), "audience = \"elsewhere\"");
    assert_ne!(changed, good);
    replace(&world, &changed);
    eventually("a word", || client.said().contains("stays as it was: audience, log\n").then_some(()));
    // Still the same server and log; refusals have their new shape.
    passes(&mut client);
    let refused = client.call("nothing of the kind", json!({}));
    assert_eq!(reason(&refused), "tool-not-granted");
    assert!(refused.get("result").is_some(), "{refused}");
    client.end();
    assert!(!world.path("other.db").exists());
    let config = world.entries("guard.db", &[("type", "config")]);
    assert_eq!(config.len(), 1);
    assert_eq!(config[0]["audience"], AUDIENCE);
    let after = world.entries("guard.db", &[("decision", "deny")]);
    assert_eq!(after[0]["policy"], config[0]["policy"]);
}
