//! `attest policy replay`: other policies are asked about the calls of a past log.

use attest_tests::client::{reason, text};
use attest_tests::world::{World, must, output};
use serde_json::{Value, json};

use super::levelled;

const LENIENT: &str = "@id(\"all\")\npermit (principal, action, resource);\n";
const STRICT: &str = "@id(\"all\")\npermit (principal, action, resource);\n\
    @id(\"no-echo\")\nforbid (principal, action, resource) when { context.risk == [Risk::\"low\"] };\n\
    @id(\"asked\")\n@step_up(\"approval\")\n@approval(\"1 of treasury\")\n\
    forbid (principal, action, resource) when { context.risk.contains(Risk::\"high\") };\n";
const READING: &str = "@id(\"all\")\npermit (principal, action, resource);\n\
    @id(\"no-secrets\")\nforbid (principal, action, resource)\n\
    when { context.texts.hasTag(\"/text\") && context.texts.getTag(\"/text\") like \"*secret*\" };\n";

fn replayed(world: &World, of: &[&str]) -> (i32, Vec<Value>) {
    let output = output(world.attest(&[&["policy", "replay", "guard.db", "--json", "--all"], of].concat()));
    let said = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert!(code < 2, "{}", String::from_utf8_lossy(&output.stderr));
    (code, said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn came(replayed: &[Value]) -> Vec<&str> {
    replayed.iter().map(|call| call["came"].as_str().unwrap()).collect()
}

#[test]
fn the_old_policies_say_again_what_they_said_and_others_say_what_would_have_been_otherwise() {
    let world = levelled("files = [\"mine.cedar\"]");
    world.write("mine.cedar", STRICT.replace("==", "!="));
    world.write("lenient.cedar", LENIENT);
    world.write("strict.cedar", STRICT);
    world.write("reading.cedar", READING);
    let mut client = world.start();
    assert!(text(&client.call("echo", json!({"text": "hello"}))).contains("hello"));
    assert_eq!(reason(&client.call("show", json!({}))), "policy-denied");
    client.end();

    let (code, again) = replayed(&world, &["--config", "guard.toml"]);
    assert_eq!((code, came(&again)), (0, vec!["same", "same"]), "byte for byte");
    let (code, lenient) = replayed(&world, &["--policy", "lenient.cedar"]);
    assert_eq!((code, came(&lenient)), (1, vec!["same", "changed"]));
    assert_eq!(lenient[1]["was"], json!({"reason": "policy-denied", "about": "no-echo"}));
    assert_eq!(lenient[1]["now"], json!({"reason": null, "about": ""}));
    let (code, strict) = replayed(&world, &["--policy", "strict.cedar"]);
    assert_eq!((code, came(&strict)), (1, vec!["changed", "changed"]));
    assert_eq!(strict[0]["now"], json!({"reason": "policy-denied", "about": "no-echo"}));
    assert_eq!(strict[1]["now"], json!({"reason": "step-up-required", "about": "asked"}));
    let (_, reading) = replayed(&world, &["--policy", "reading.cedar"]);
    assert_eq!(came(&reading), ["unknown", "unknown"], "nobody kept what the calls passed");

    let said =
        String::from_utf8(output(world.attest(&["policy", "replay", "--policy", "lenient.cedar"])).stdout).unwrap();
    assert!(said.contains("show: policy-denied by no-echo -> allow"), "{said}");
    assert!(said.ends_with("1 as before, 1 otherwise\n       1  policy-denied -> allow\n"), "{said}");
    let nothing = output(world.attest(&["policy", "replay", "guard.db"]));
    assert!(!nothing.status.success() && String::from_utf8_lossy(&nothing.stderr).contains("--policy"));
}

#[test]
fn what_the_trail_kept_of_arguments_is_read_if_nothing_in_it_was_redacted() {
    let world = levelled("files = [\"mine.cedar\"]\n[trail]");
    world.write("mine.cedar", LENIENT);
    world.write("reading.cedar", READING);
    let mut client = world.start();
    // The second one has a text that redaction takes out.
    for said in ["the secret", "AKIAIOSFODNN7EXAMPLE", "hello"] {
        assert!(client.call("echo", json!({"text": said}))["result"].is_object());
    }
    client.end();
    let (code, reading) = replayed(&world, &["--policy", "reading.cedar"]);
    assert_eq!((code, came(&reading)), (1, vec!["changed", "unknown", "same"]));
    assert_eq!(reading[0]["now"]["about"], "no-secrets");
}

#[test]
fn what_persons_refused_is_no_change_of_the_policies() {
    let world = levelled("files = [\"mine.cedar\"]");
    world.write("mine.cedar", STRICT.replace("context.risk == [Risk::\"low\"]", "false"));
    let person = super::approver(&world);
    let mut client = world.start();
    assert_eq!(reason(&client.call("show", json!({}))), "step-up-required");
    let listed = String::from_utf8(must(world.attest(&["approvals", "list"])).stdout).unwrap();
    let id = listed.split_whitespace().find(|word| word.len() >= 8 && !word.contains(['.', ':'])).unwrap().to_owned();
    must(world.attest(&["approvals", "refuse", &id]));
    assert_eq!(reason(&client.call("show", json!({}))), "policy-denied", "{person}");
    client.end();
    let (code, again) = replayed(&world, &["--config", "guard.toml"]);
    assert_eq!((code, came(&again)), (0, vec!["same", "not-theirs"]));
}
