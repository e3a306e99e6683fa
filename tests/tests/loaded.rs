//! A program that loads its model itself, with a signer in it, before a guard that wants the weights in use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use agent_signer::{Config, Signer};
use attest_core::{json, request};
use attest_measure::Loading;
use attest_tests::client::{Client, reason, text};
use attest_tests::world::{AUDIENCE, TOOLS, World, must};
use serde_json::{Value, json};

const REVIEWED: &str = "some weights";

/// The guard's answer to one call of a program that loaded these bytes.
fn call(world: &World, guard: &mut Client, id: u64, loaded: &str) -> Value {
    let mut config = Config::read(&world.path("agent.toml")).unwrap();
    let mut loading = Loading::default();
    loading.file("weights.bin", loaded.as_bytes()).unwrap();
    config.loaded = vec![loading.measurement().unwrap()];
    let params = json!({"name": "echo", "arguments": {"text": "hello"}});
    let line = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string();
    let message = json::parse(line.as_bytes()).unwrap();
    let call = request::attested(&message).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let signed = runtime.block_on(async {
        let signer = Signer::start(config).await.unwrap();
        let signed = signer.sign(&call, AUDIENCE, false).await.unwrap();
        signer.close().await;
        signed
    });
    assert!(guard.send(signed.full));
    guard.answer(id)
}

#[test]
fn the_bytes_in_a_programs_hands_are_what_a_guard_accepts_or_refuses_whatever_lies_on_disk() {
    let world = World::with(&TOOLS, &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
    // The folder of digests is this process's own, and no other's business.
    world.edit("agent.toml", "[measure]\n", "[measure]\ncache = false\n");
    world.write("weights.bin", REVIEWED);
    let references = String::from_utf8(must(world.attest(&["measure", "--references"])).stdout).unwrap();
    let in_use = |line: &str| match line.starts_with("model-weights") {
        true => line.replace("on-disk", "in-use") + "\n",
        false => line.to_owned() + "\n",
    };
    let references: String = references.lines().map(in_use).collect();
    assert!(references.contains("in-use"), "{references}");
    let guard = world.read("guard.toml");
    let (before, _) = guard.split_once("[agents.").unwrap();
    world.write("guard.toml", format!("{before}{references}"));

    let mut guard = world.start_guard();
    for (id, on_disk) in (1..).zip(["another", REVIEWED]) {
        world.write("weights.bin", on_disk);
        let answer = call(&world, &mut guard, id, REVIEWED);
        assert!(text(&answer).contains("hello"), "{on_disk} on disk: {answer}");
        let answer = call(&world, &mut guard, id + 10, "tampered");
        assert_eq!(reason(&answer), "state-mismatch", "{on_disk} on disk: {answer}");
        assert!(answer.to_string().contains("model-weights"), "the component is named: {answer}");
    }
    assert_eq!(world.runs().len(), 2);
    assert!(guard.end().success());
    // The same program without a word of what it loaded: what is on disk is not in use.
    let answer = world.start().call("echo", json!({"text": "hello"}));
    assert_eq!(reason(&answer), "grade-too-low", "{answer}");
}
