//! While a guard takes calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use attest_log::{Hash, ReadError, Reader};
use attest_tests::client::{Client, eventually};
use attest_tests::forge::Forge;
use attest_tests::world::must_fail;
use serde_json::json;

use super::common::{Stage, Store, calls, calls_until};

/// Everything that is read and proved of the first `size` entries.
fn all_of(stage: &Stage, size: u64, call: &str) -> Vec<String> {
    let reader = stage.reader();
    let mut all: Vec<String> = reader.entries(0..size).map(|entry| format!("{:?}", entry.unwrap())).collect();
    assert_eq!(all.len() as u64, size);
    let mut walked = 0;
    reader
        .walk(0..size, |index, body, token| -> Result<(), ReadError> {
            assert_eq!(index, walked);
            assert_eq!(reader.entry(index)?.as_deref(), Some(body));
            assert_eq!(reader.own_token(index)?.as_deref(), token);
            walked += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(walked, size);
    all.extend((0..size).step_by(37).map(|index| proofs(&reader, index, size)));
    // Until a time before anything that comes later, so that the same is asked.
    let listed = stage.said(&["log", "list", "LOG"]);
    let until = listed.lines().nth(usize::try_from(size).unwrap() - 1).unwrap().split_whitespace().nth(1).unwrap();
    all.push(stage.said(&["log", "search", "LOG", "--tool", "echo", "--until", until, "--last", "100000", "--json"]));
    // It names the size of the log that it was read from, which grows.
    let trace = stage.said(&["trace", call, "LOG", "--json"]);
    let mut parts = trace.split("\"size\":");
    all.extend(parts.next().map(str::to_owned));
    all.extend(parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned()));
    all.push(stage.said(&["log", "convert", "LOG", "--as", "jsonl", "--until", until]));
    for index in [1, 5, 255, 256, size - 1] {
        all.push(stage.said(&["log", "show", "LOG", &index.to_string()]));
    }
    all
}

fn proofs(reader: &Reader, index: u64, size: u64) -> String {
    let sizes = [index + 1, size];
    let all: Vec<(Hash, Vec<Hash>, Vec<Hash>)> = sizes
        .iter()
        .map(|of| {
            let old = reader.consistency(index + 1, *of).unwrap();
            (reader.root(*of).unwrap(), reader.inclusion(index, *of).unwrap(), old)
        })
        .collect();
    format!("{all:?}")
}

fn same(after: &[String], before: &[String]) {
    assert_eq!(after.len(), before.len());
    for (n, (after, before)) in after.iter().zip(before).enumerate() {
        let at = after.bytes().zip(before.bytes()).position(|(a, b)| a != b).unwrap_or(after.len().min(before.len()));
        let around = |text: &str| text.get(at.saturating_sub(200)..text.len().min(at + 200)).map(str::to_owned);
        assert!(after == before, "{n} at {at}: {:?} was {:?}", around(after), around(before));
    }
}

/// Has the caller end also where a test fails meanwhile.
struct Ends<'o>(&'o AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn the_same_before_and_after(store: Store) {
    let stage = Stage::new(store);
    let forge = Forge::of(&stage.world);
    let mut client = stage.guard();
    calls(&mut client, &forge, 1..701);
    let size = stage.reader().len().unwrap();
    assert!(size > 1_400, "{size}");
    let allowed = stage.entries(&[("decision", "allow")]).remove(0);
    let call = allowed["call"].as_str().unwrap();
    let before = all_of(&stage, size, call);
    let (over, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    let (made, longest) = thread::scope(|scope| {
        let _ends = Ends(&over);
        let calling = scope.spawn(|| {
            begun.store(true, Ordering::SeqCst);
            calls_until(&mut client, &forge, 1_000, &over)
        });
        eventually("calls", || begun.load(Ordering::SeqCst).then_some(()));
        let half = stage.seal(&["--before", "600"]);
        assert_eq!(half, (0, 512));
        same(&all_of(&stage, size, call), &before);
        let (first, until) = stage.seal(&[]);
        assert!(first == 512 && until > 1_200, "{first} to {until}");
        assert_eq!(stage.rows().1, until);
        thread::sleep(Duration::from_millis(100));
        over.store(true, Ordering::SeqCst);
        calling.join().unwrap()
    });
    assert!(made > 20, "{made} calls were made while the log was sealed");
    // The writer gives up after five seconds; a sealing holds it up for much less.
    assert!(longest < Duration::from_secs(2), "a call took {longest:?}");
    same(&all_of(&stage, size, call), &before);
    // The guard that was there all the time goes on, and so does one that opens the log as it is now.
    calls(&mut client, &forge, 5_000..5_040);
    client.end();
    let mut client = stage.guard();
    calls(&mut client, &forge, 6_000..6_200);
    client.end();
    let timeline = stage.said(&["timeline", "LOG", "--json"]);
    stage.seal(&[]);
    assert_eq!(stage.said(&["timeline", "LOG", "--json"]), timeline);
    let report = stage.verified();
    assert_eq!(report["entries"].as_u64(), Some(stage.reader().len().unwrap()));
    same(&all_of(&stage, size, call), &before);
    // Nothing is left to seal, and nothing is done again.
    let (first, until) = stage.seal(&["--older-than", "1h"]);
    assert_eq!(first, until);
    // The whole log to another place, from where it is sealed.
    let exported = stage.said(&["log", "export", "LOG", "public"]);
    assert!(exported.contains(" entries, "), "{exported}");
    for file in ["checkpoint", "tile/entries/002", "tile/0/002"] {
        let of = |folder: &str| std::fs::read(stage.world.path(&format!("{folder}/{file}"))).unwrap();
        assert!(file == "checkpoint" || of("sealed") == of("public"), "{file}");
    }
}

#[test]
fn a_file_is_sealed_under_a_guard_and_nothing_reads_different() {
    the_same_before_and_after(Store::File);
}

#[test]
fn a_database_is_sealed_under_a_guard_and_nothing_reads_different() {
    the_same_before_and_after(Store::Database);
}

#[test]
fn a_guard_that_slept_while_others_wrote_and_somebody_sealed_goes_on() {
    let stage = Stage::new(Store::Database);
    let forge = Forge::of(&stage.world);
    stage.world.write("other.toml", stage.world.read("guard.toml").replace("side = \"side\"", "side = \"other\""));
    let mut words = stage.world.guard();
    for word in &mut words {
        if word.to_str().is_some_and(|word| word.ends_with("guard.toml")) {
            *word = stage.world.path("other.toml").into();
        }
    }
    let mut asleep = Client::start(stage.world.command(&words));
    calls(&mut asleep, &forge, 1..5);
    let mut busy = stage.guard();
    calls(&mut busy, &forge, 100..400);
    assert_eq!(stage.seal(&[]), (0, 512));
    // What it would learn of one by one is no row any more.
    calls(&mut asleep, &forge, 5..9);
    calls(&mut busy, &forge, 400..404);
    asleep.end();
    busy.end();
    stage.verified();
}

#[test]
fn a_call_whose_decision_is_sealed_is_closed_by_the_next_guard() {
    for store in [Store::File, Store::Database] {
        let stage = Stage::new(store);
        let forge = Forge::of(&stage.world);
        let mut client = stage.guard();
        let held = forge.call(1, "hold", json!({}));
        client.send(&held.line);
        eventually("the call that is held", || (!stage.world.runs().is_empty()).then_some(()));
        calls(&mut client, &forge, 10..200);
        client.kill();
        assert_eq!(stage.seal(&[]), (0, 256));
        let mut client = stage.guard();
        calls(&mut client, &forge, 300..310);
        client.end();
        let ended = stage.entries(&[("type", "outcome"), ("call", &held.call)]);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0]["status"], "unknown");
        stage.verified();
    }
}

#[test]
fn a_file_gives_back_what_sealed_entries_took() {
    let stage = Stage::new(Store::File);
    let forge = Forge::of(&stage.world);
    let mut client = stage.guard();
    calls(&mut client, &forge, 1..1_501);
    let refused = must_fail(stage.world.attest(&["log", "seal", "guard.db", "--shrink"]));
    assert!(refused.contains("another process writes this log"), "{refused}");
    client.end();
    let size = || std::fs::metadata(stage.world.path("guard.db")).unwrap().len();
    let before = size();
    stage.seal(&[]);
    stage.seal(&["--shrink"]);
    let after = size();
    println!("{before} bytes before, {after} after");
    assert!(after * 2 < before, "{before} bytes before, {after} after");
    stage.verified();
}
