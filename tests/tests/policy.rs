//! The operator's policies, asked of real calls: what passes, what has to be proved anew, what is forbidden, and what the log keeps of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use attest_tests::client::{reason, text};
use attest_tests::forge::Forge;
use attest_tests::world::{World, must};
use serde_json::{Value, json};

/// A guard under the four levels, for which `echo` is harmless and `show` is of high risk.
fn levelled(policy: &str) -> World {
    let world = World::new();
    let risk = String::from_utf8(must(world.attest(&["policy", "show-default", "--risk"])).stdout).unwrap();
    // The default rules, with this server's tools in classes of their own.
    world.write("risk.toml", format!("{risk}\n[classes.shown]\nrisk = \"high\"\ntools = [\"tools#show\"]\n[classes.plain]\nrisk = \"low\"\ntools = [\"tools#echo\"]\n"));
    world.write("guard.toml", format!("{}\n[policy]\nrisk = \"risk.toml\"\n{policy}\n", world.read("guard.toml")));
    world
}

#[test]
fn a_call_of_high_risk_is_proven_and_measured_anew_and_the_host_sees_nothing_of_it() {
    let world = levelled("default = true");
    let mut client = world.start();
    assert!(text(&client.call("echo", json!({"text": "hello"}))).contains("hello"));
    let before = world.entries("guard.db", &[("type", "decision")]);
    assert_eq!(before.len(), 1, "low risk: at once");
    let shown = client.call("show", json!({}));
    assert!(shown["result"].is_object(), "{shown}");
    client.end();
    let decisions = world.entries("guard.db", &[("type", "decision")]);
    let said: Vec<_> =
        decisions.iter().map(|d| (d["tool"].clone(), d["decision"].clone(), d["reason"].clone())).collect();
    assert_eq!(
        said[1..],
        [(json!("show"), json!("deny"), json!("step-up-required")), (json!("show"), json!("allow"), Value::Null)]
    );
    assert_ne!(decisions[0]["attestation"], decisions[2]["attestation"], "made for this call");
    assert!(decisions.iter().all(|decision| decision["facts"].is_string()), "each with what was asked about");
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn what_a_policy_forbids_does_not_run_and_the_log_says_which() {
    let world = levelled("files = [\"mine.cedar\"]");
    world.write(
        "mine.cedar",
        "@id(\"all\")\npermit (principal, action, resource);\n\
         @id(\"no-secrets\")\nforbid (principal, action, resource)\n\
         when { context.texts.hasTag(\"/text\") && context.texts.getTag(\"/text\") like \"*secret*\" };\n",
    );
    let mut client = world.start();
    assert!(text(&client.call("echo", json!({"text": "hello"}))).contains("hello"));
    assert_eq!(reason(&client.call("echo", json!({"text": "the secret"}))), "policy-denied");
    // A policy that cannot read what it asks about refuses; it is not skipped.
    assert_eq!(reason(&client.call("echo", json!({"text": 1.5}))), "policy-error");
    client.end();
    assert_eq!(world.runs().len(), 1);
    let denied = world.entries("guard.db", &[("reason", "policy-denied")]);
    assert_eq!(denied[0]["about"], "no-secrets");
    let key = must(world.attest(&["log", "key", "guard.db"])).stdout;
    let key = String::from_utf8(key).unwrap();
    must(world.attest(&["log", "verify", "guard.db", "--key", key.trim(), "--trust", "guard.toml"]));
}

#[test]
fn a_nonce_of_another_key_or_none_does_not_do() {
    let world = levelled("default = true");
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    let call = forge.call(1, "show", json!({}));
    client.send(&call.line);
    let refused = client.answer(1);
    assert_eq!(reason(&refused), "step-up-required");
    let asked = &refused["error"]["data"];
    assert_eq!(asked["required"], json!(["nonce", "reattest"]));
    assert_eq!(asked["nonce"].as_str().unwrap().len(), 43);
    client.end();
    assert!(world.runs().is_empty());
}
