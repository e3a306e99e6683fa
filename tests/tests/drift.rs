//! A state that differs from the accepted one: within a rule, accepted by a person, or refused; and compared over time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs;

use attest_tests::client::{reason, text};
use attest_tests::world::{TOOLS, World, must, must_fail};
use serde_json::{Value, json};

/// A world whose guard accepts what these lines say, and whose agent discloses these components.
fn with_rules(world: World, references: &str, disclose: &str) -> World {
    let guard = world.read("guard.toml");
    let (before, _) = guard.split_once("[agents.").unwrap();
    world.write("guard.toml", format!("{before}[agents.tester]\n{references}"));
    world.edit("agent.toml", "[measure]\n", &format!("[measure]\n{disclose}\n"));
    world
}

/// One call through a wrap and a guard of its own.
fn call(world: &World) -> Value {
    let mut client = world.start();
    let answer = client.call("echo", json!({"text": "hello"}));
    client.end();
    answer
}

fn passes(world: &World) {
    let answer = call(world);
    assert!(text(&answer).contains("hello"), "{answer}");
}

fn is_refused(world: &World, component: &str) {
    let answer = call(world);
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    assert!(answer.to_string().contains(component), "{answer}");
}

#[test]
fn a_prompt_with_todays_date_passes_its_template_and_another_sentence_does_not() {
    let references = "system-prompt = { template = \"prompt.template\" }\n";
    let world = with_rules(World::new(), references, "disclose = [\"system-prompt\"]");
    world.write("prompt.template", "Today is {{date}}. You are careful.\n");
    world.write("prompt.txt", "Today is 2026-11-27. You are careful.\n");
    passes(&world);
    // The same tokens to the next guard, which remembers nothing, and twice to one that does.
    let mut client = world.start();
    for text_of_call in ["one", "two"] {
        assert!(text(&client.call("echo", json!({"text": text_of_call}))).contains(text_of_call));
    }
    world.write("prompt.txt", "Today is 2026-11-28. You are careful.\n");
    assert!(text(&client.call("echo", json!({"text": "tomorrow"}))).contains("tomorrow"));
    world.write("prompt.txt", "Today is 2026-11-28. You are careless.\n");
    let answer = client.call("echo", json!({"text": "x"}));
    assert_eq!(reason(&answer), "state-mismatch", "{answer}");
    client.end();
    // Neither log holds a word of it.
    for log in ["guard.db", "signer.db"] {
        let said = Value::from(world.log(log)).to_string();
        assert!(!said.contains("You are care") && said.contains("echo"), "{log}: {said}");
        let file = fs::read(world.path(log)).unwrap();
        assert!(!file.windows(12).any(|bytes| bytes == b"You are care"), "{log} keeps what was disclosed");
    }
}

#[test]
fn a_prompt_within_the_template_that_is_not_disclosed_is_refused() {
    let world = with_rules(World::new(), "system-prompt = { template = \"prompt.template\" }\n", "");
    world.write("prompt.template", "Today is {{date}}. You are careful.\n");
    world.write("prompt.txt", "Today is 2026-11-27. You are careful.\n");
    is_refused(&world, "system-prompt");
    // What is not measured cannot be disclosed.
    world.edit("agent.toml", "[measure]\n", "[measure]\ndisclose = [\"harness\"]\n");
    assert!(must_fail(world.attest(&["measure"])).contains("disclose names harness"));
}

/// A safetensors file of two F16 tensors.
fn model(adapter: &[u8; 4], weight: &[u8; 4]) -> Vec<u8> {
    let header = r#"{"a.lora_A":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"a.weight":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), adapter, weight].concat()
}

#[test]
fn an_adapters_tensor_may_differ_where_the_rule_says_so_and_no_other_nor_another_file() {
    let world = World::with(&TOOLS, &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
    fs::remove_file(world.path("weights.bin")).unwrap();
    fs::create_dir(world.path("weights.bin")).unwrap();
    world.write("weights.bin/model.safetensors", model(b"base", b"base"));
    world.write("weights.bin/tokenizer.json", "{}");
    let references = "system-prompt = \"any\"\n\
        model-tensors = { manifest = \"base.manifest.json\", may_differ = [\"*lora*\"] }\n\
        model-weights = { manifest = \"base.manifest.json\", may_differ = [\"*.safetensors\"] }\n";
    let disclose = "tensors = true\ndisclose = [\"model-tensors\", \"model-weights\"]";
    let world = with_rules(world, references, disclose);
    must(world.attest(&["measure", "--manifest-out", "base.manifest.json"]));
    passes(&world);
    world.write("weights.bin/model.safetensors", model(b"tune", b"base"));
    passes(&world);
    world.write("weights.bin/model.safetensors", model(b"tune", b"evil"));
    is_refused(&world, "model-tensors");
    world.write("weights.bin/model.safetensors", model(b"tune", b"base"));
    world.write("weights.bin/tokenizer.json", "[]");
    is_refused(&world, "model-weights");
}

#[test]
fn a_person_accepts_the_state_of_a_refused_call_and_the_log_says_who_and_why() {
    let world = World::new();
    passes(&world);
    world.write("prompt.txt", "You are very careful.");
    is_refused(&world, "system-prompt");
    let calls = world.log("signer.db");
    let last = calls.iter().rposition(|entry| entry["type"] == "call").unwrap().to_string();
    let add = |from: &str, entry: &str, by: &str| {
        let who = ["--agent", "tester", "--component", "system-prompt", "--by", by, "--reason", "it was reviewed"];
        let mut command = world.attest(&["reference", "add", "--from", from, "--entry", entry]);
        command.args(who);
        command
    };
    // What a server refused it keeps no attestation of.
    let before = world.read("guard.toml");
    let denied = world.log("guard.db").iter().rposition(|entry| entry["decision"] == "deny").unwrap().to_string();
    assert!(must_fail(add("guard.db", &denied, "alice")).contains("the caller's log has it"));
    assert!(must_fail(add("signer.db", "0", "alice")).contains("is of no call"));
    assert!(must_fail(add("signer.db", &last, "two\nlines")).contains("by is a text"));
    assert_eq!(world.read("guard.toml"), before, "nothing half-written");

    must(add("signer.db", &last, "alice@example.com"));
    assert!(must_fail(add("signer.db", &last, "alice")).contains("accepts this digest already"));
    let after = world.read("guard.toml");
    let comments =
        |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(comments(&before), comments(&after));
    passes(&world);
    passes(&world);
    let accepted = world.entries("guard.db", &[("type", "accepted")]);
    let [accepted] = &accepted[..] else { panic!("written once: {accepted:?}") };
    assert_eq!(accepted["by"], "alice@example.com");
    assert_eq!(accepted["reason"], "it was reviewed");
    assert_eq!(accepted["component"], "system-prompt");
    let listed = String::from_utf8(must(world.attest(&["reference", "list"])).stdout).unwrap();
    assert!(listed.contains("by alice@example.com at ") && listed.contains("it was reviewed"), "{listed}");
    must(world.attest(&["log", "verify", "guard.db", "--unpinned"]));
}

#[test]
fn two_moments_of_a_log_are_compared_by_the_attestations_of_their_calls() {
    let world = World::new();
    passes(&world);
    passes(&world);
    world.write("prompt.txt", "You are very careful.");
    is_refused(&world, "system-prompt");
    let calls = world.log("signer.db");
    let calls: Vec<String> =
        calls.iter().enumerate().filter(|(_, e)| e["type"] == "call").map(|(n, _)| format!("signer.db#{n}")).collect();
    let diff = |a: &str, b: &str| {
        let output = world.attest(&["diff", a, b]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    assert_eq!(diff(&calls[0], &calls[1]).0, 0);
    let (code, said) = diff(&calls[0], &calls[2]);
    assert!(code == 1 && said.contains("system-prompt  CHANGED"), "{said}");
    let (code, said) = diff(&calls[1], "signer.db@2100-01-01T00:00:00Z");
    assert!(code == 1 && said.contains("system-prompt  CHANGED"), "{said}");
    let (code, said) = diff(&calls[1], "signer.db@2001-01-01T00:00:00Z");
    assert!(code == 2 && said.contains("has no call until 2001"), "{said}");
    let (code, said) = diff(&calls[1], "signer.db#0");
    assert!(code == 2 && said.contains("is of no call"), "{said}");
    let other = world.attest(&["diff", &calls[0], &calls[1], "--agent", "somebody"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
}
