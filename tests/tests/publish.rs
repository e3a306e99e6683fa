//! A log served and exported by processes, while it is written and however they end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle::{self, Growing};
use attest_core::sign::MemoryKey;
use attest_core::tile::{Resource, bundles, read_bundle, tiles};
use attest_log::{Log, LogKey, Options, Reader, Record};
use attest_tests::client::eventually;
use attest_tests::listening::Listening;
use attest_tests::world::{World, must, must_fail};
use serde_json::json;
use ureq::Agent;

/// Reads every resource of the checkpoint's tree by `get`, and puts the tree together from the entries.
fn read_all(keys: &LogKeys, mut get: impl FnMut(&str) -> Option<Vec<u8>>) -> Option<Checkpoint> {
    let checkpoint = keys.open(&get("checkpoint")?).unwrap();
    let mut tree = Growing::new();
    let mut leaves = Vec::new();
    for bundle in bundles(checkpoint.size) {
        let name = Resource::Entries(bundle).to_string();
        let bytes = get(&name).expect(&name);
        for entry in read_bundle(&bytes, bundle.width()).expect(&name) {
            leaves.extend_from_slice(&merkle::leaf(entry));
            tree.push(merkle::leaf(entry));
        }
    }
    assert_eq!((tree.size(), tree.root()), (checkpoint.size, checkpoint.root));
    for tile in tiles(checkpoint.size) {
        let name = Resource::Tile(tile).to_string();
        let bytes = get(&name).expect(&name);
        if tile.level() == 0 {
            let first = usize::try_from(tile.first_entry()).unwrap() * 32;
            assert_eq!(bytes, leaves[first..first + bytes.len()], "{name}");
        }
        assert_eq!(bytes.len(), 32 * usize::from(tile.width()), "{name}");
    }
    Some(checkpoint)
}

#[test]
fn a_log_is_served_while_the_guard_writes_it() {
    let world = World::new();
    let mut client = world.start();
    client.call("echo", json!({"text": "one"}));
    let serving = Listening::start(world.attest(&["log", "serve", "guard.db", "--listen", "127.0.0.1:0"]));
    let keys = Reader::open(world.path("guard.db")).unwrap().log_keys().unwrap();
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent: Agent = config.timeout_global(Some(Duration::from_secs(20))).build().into();
    let url = serving.url().to_owned();
    let get = |path: &str| {
        let mut answer = agent.get(format!("{url}/{path}")).call().unwrap();
        (answer.status() == 200).then(|| answer.body_mut().read_to_vec().unwrap())
    };
    let before = read_all(&keys, get).unwrap();
    for _ in 0..3 {
        client.call("echo", json!({"text": "more"}));
    }
    // Each call is two entries; the guard goes on writing all the while.
    assert_eq!(read_all(&keys, get).unwrap().size, before.size + 6);
    let head = agent.head(format!("{url}/checkpoint")).call().unwrap();
    assert_eq!(head.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(head.headers()["cache-control"], "no-store");
    let tile = agent.get(format!("{url}/tile/0/000.p/1")).call().unwrap();
    assert_eq!(tile.headers()["content-type"], "application/octet-stream");
    assert_eq!(tile.headers()["cache-control"], "public, max-age=31536000, immutable");
    for nothing in ["", "tile/0/000", "tile/0/001.p/1", "tile/0/000.p/255", "guard.db", "%2e%2e/guard.db"] {
        assert_eq!(agent.get(format!("{url}/{nothing}")).call().unwrap().status(), 404, "{nothing}");
    }
    assert_eq!(agent.post(format!("{url}/checkpoint")).send("x").unwrap().status(), 405);
    assert!(serving.end().success());
    client.end();
}

/// A log of many entries.
fn large(path: &Path, entries: usize) -> LogKeys {
    let key = LogKey::new("log.example", MemoryKey::from_seed(&[1; 32])).unwrap();
    let keys = LogKeys::new(Vec::new(), key.vkey().clone()).unwrap();
    let (log, recovery) = Log::open(path, key, Options::default()).unwrap();
    let left = entries - usize::try_from(recovery.next).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            let log = &log;
            scope.spawn(move || {
                for at in 0..left.div_ceil(50) {
                    log.append_blocking(Record::new(format!("{{\"at\":{at}}}")), 1).unwrap();
                }
            });
        }
    });
    log.close().unwrap();
    keys
}

#[test]
fn an_export_that_is_killed_leaves_a_whole_log_and_the_next_one_goes_on() {
    let world = World::new();
    let rounds = if std::env::var_os("ATTEST_LONG").is_some() { 200 } else { 10 };
    let from_files = |keys: &LogKeys| read_all(keys, |name| fs::read(world.path("public").join(name)).ok());
    let (mut size, mut seen) = (20_000, 0);
    let keys = large(&world.path("log.db"), size);
    for round in 0..rounds {
        let mut command = world.attest(&["log", "export", "log.db", "public"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(10 + (round * 53) % 400));
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(found) = from_files(&keys) {
            assert!(found.size >= seen);
            seen = found.size;
        }
        if round % 3 == 2 {
            size += 1_500;
            large(&world.path("log.db"), size);
        }
    }
    let said = must(world.attest(&["log", "export", "log.db", "public"]));
    let said = String::from_utf8(said.stdout).unwrap();
    let whole = from_files(&keys).unwrap();
    assert!(whole.size >= size as u64 && said.starts_with(&format!("{} entries", whole.size)), "{said}");
    let again = must(world.attest(&["log", "export", "log.db", "public"]));
    assert!(String::from_utf8(again.stdout).unwrap().ends_with(" 0 files written\n"));
}

#[test]
fn an_export_to_what_this_program_does_not_know_is_refused() {
    let world = World::new();
    large(&world.path("log.db"), 50);
    let said = must_fail(world.attest(&["log", "export", "log.db", "gs://bucket"]));
    assert!(said.contains("is no folder"), "{said}");
    let said = must_fail(world.attest(&["log", "export", "log.db", "public", "--cosigned"]));
    assert!(said.contains("cosigned by witnesses"), "{said}");
    let found = eventually("a folder", || Some(world.path("public").join("checkpoint").exists()));
    assert!(!found);
}
