//! A guard that takes a publisher's word for the weights, and only for those.

use attest_core::digest::Digest;
use attest_tests::client::reason;
use attest_tests::world::{World, must, must_fail};
use serde_json::Value;

use super::publisher::Publisher;

/// An agent on the publisher's model, in front of a guard that accepts endorsed weights alone.
fn world(publisher: &Publisher) -> World {
    publisher.sign("m.sig", &[]);
    let weights = publisher.path("m");
    let world = World::with(&["echo"], &["--weights", weights.to_str().unwrap(), "--prompt", "prompt.txt"]);
    for name in ["m.sig", "key.pub"] {
        std::fs::copy(publisher.path(name), world.path(name)).unwrap();
    }
    must(world.attest(&["measure", "--manifest-out", "m.manifest.json"]));
    world
}

/// The line of the weights in `guard.toml`, and what follows its component's name.
fn reference(world: &World) -> String {
    let toml = world.read("guard.toml");
    toml.lines().find(|line| line.starts_with("model-weights")).unwrap().to_owned()
}

/// The digest of the weights that a manifest tells.
fn weights(world: &World, manifest: &str) -> String {
    let manifest: Value = serde_json::from_str(&world.read(manifest)).unwrap();
    let mut components = manifest["components"].as_array().unwrap().iter();
    let weights = components.find(|row| row["component"] == "model-weights").unwrap();
    weights["digest"].as_str().unwrap().to_owned()
}

const ENDORSED: &str =
    "endorsed = { bundle = \"m.sig\", key = \"key.pub\", manifest = \"m.manifest.json\" }, grade = \"endorsed\"";

fn endorsed_alone(world: &World) {
    world.edit("guard.toml", &reference(world), &format!("model-weights = {{ {ENDORSED} }}"));
}

fn refused(world: &World) -> String {
    must_fail(world.command(&world.guard()))
}

fn answer(world: &World) -> Value {
    world.start().call("echo", serde_json::json!({"text": "hello"}))
}

#[test]
fn endorsed_weights_are_let_in_and_one_changed_byte_is_not() {
    let publisher = Publisher::new();
    let world = world(&publisher);
    endorsed_alone(&world);
    assert!(answer(&world).get("result").is_some());
    publisher.write("m/a.bin", "weightz");
    let refused = answer(&world);
    assert_eq!(reason(&refused), "state-mismatch", "{refused}");
}

#[test]
fn weights_that_only_the_operator_lists_are_not_endorsed() {
    let publisher = Publisher::new();
    let world = world(&publisher);
    // The manifest's own digest, without the bundle: the operator's word is not the publisher's.
    let listed = weights(&world, "m.manifest.json");
    publisher.write("m/a.bin", "weights, retrained");
    must(world.attest(&["measure", "--manifest-out", "now.json"]));
    let now = weights(&world, "now.json");
    assert_ne!(listed, now);
    let line = format!("model-weights = {{ digests = [\"{now}\"], {ENDORSED} }}");
    world.edit("guard.toml", &reference(&world), &line);
    let refused = answer(&world);
    assert_eq!(reason(&refused), "grade-too-low", "{refused}");
    world.edit("guard.toml", "grade = \"endorsed\"", "grade = \"on-disk\"");
    assert!(answer(&world).get("result").is_some());
}

#[test]
fn verify_says_which_grade_was_seen() {
    let publisher = Publisher::new();
    let world = world(&publisher);
    endorsed_alone(&world);
    let token = must(world.attest(&["issue", "--config", "agent.toml"]));
    world.write("token", token.stdout);
    let shown = String::from_utf8(must(world.attest(&["verify", "token"])).stdout).unwrap();
    let line = shown.lines().find(|line| line.contains("model-weights")).unwrap();
    assert!(line.ends_with("on-disk, endorsed"), "{shown}");
    let prompt = shown.lines().find(|line| line.contains("system-prompt")).unwrap();
    assert!(prompt.ends_with("on-disk"), "{shown}");
    let shown: Value = serde_json::from_slice(&must(world.attest(&["verify", "token", "--json"])).stdout).unwrap();
    assert_eq!(shown["components"][0]["endorsed"], true, "{shown}");
}

#[test]
fn a_guard_whose_bundle_does_not_hold_does_not_start_and_says_what_differs() {
    let publisher = Publisher::new();
    let world = world(&publisher);
    endorsed_alone(&world);
    let (bundle, manifest) = (world.read("m.sig"), world.read("m.manifest.json"));

    publisher.write("m/a.bin", "weightz");
    publisher.write("m/new", "");
    must(world.attest(&["measure", "--manifest-out", "changed.json"]));
    world.write("m.manifest.json", world.read("changed.json"));
    let said = refused(&world);
    assert!(said.contains("other bytes in \"a.bin\"; not signed for: \"new\""), "{said}");
    world.write("m.manifest.json", manifest.replacen("\"size\":7", "\"size\":8", 1));
    assert!(refused(&world).contains("changed by hand"));
    world.write("m.manifest.json", "{}");
    assert!(refused(&world).contains("attest-manifest/1"));
    std::fs::remove_file(world.path("m.manifest.json")).unwrap();
    assert!(refused(&world).contains("m.manifest.json does not exist"));
    world.write("m.manifest.json", &manifest);

    world.write("m.sig", &bundle[..bundle.len() / 2]);
    let said = refused(&world);
    assert!(said.contains("agents.tester.model-weights") && said.contains("not strict JSON"), "{said}");
    world.write("m.sig", &bundle);
    publisher.key("other", "prime256v1");
    world.write("key.pub", std::fs::read(publisher.path("other.pub")).unwrap());
    assert!(refused(&world).contains("signed with another key"));
    publisher.key("other", "secp384r1");
    world.write("key.pub", std::fs::read(publisher.path("other.pub")).unwrap());
    assert!(refused(&world).contains("P-384"));
}

#[test]
fn the_entries_name_what_publishers_endorsed_beside_the_configuration() {
    let publisher = Publisher::new();
    let world = world(&publisher);
    endorsed_alone(&world);
    assert!(answer(&world).get("result").is_some());
    let toml = world.read("guard.toml");
    let endorsed = Digest::from_b64(&weights(&world, "m.manifest.json")).unwrap();
    let policy = Digest::of([toml.as_bytes(), &endorsed.0].concat()).to_b64();
    let entries = world.log("guard.db");
    assert!(entries.iter().any(|entry| entry["policy"] == policy.as_str()), "{entries:?}");
}
