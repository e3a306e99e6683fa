//! `attest log reconcile`: the caller's log against the server's.

use attest_keys::KeySource;
use attest_log::LogKey;
use attest_tests::world::{World, output};
use serde_json::{Value, json};

use super::{GUARD, GUARD_KEY, SIGNER, busy, copy, find, told, with};

fn compare(world: &World, caller: &str, server: &str) -> (i32, Value) {
    told(output(world.attest(&["log", "reconcile", caller, server, "--json"])))
}

fn differences(said: &Value) -> Vec<String> {
    let all = said["differences"].as_array().unwrap();
    all.iter().map(|found| found["difference"].as_str().unwrap().to_owned()).collect()
}

fn key(world: &World, log: &str, file: &str, origin: &str) -> LogKey {
    LogKey::of_log(world.path(log), Some(&KeySource::File(world.path(file))), origin).unwrap()
}

#[test]
fn the_logs_of_both_sides_agree() {
    let world = busy(24);
    let (code, said) = compare(&world, SIGNER, GUARD);
    assert_eq!((code, said["verdict"].as_str()), (0, Some("agree")), "{said}");
    assert_eq!((said["both"].as_u64(), said["receipts"].as_u64()), (Some(24), Some(18)), "{said}");
}

#[test]
fn a_call_that_the_server_forgot_is_found_with_its_proof_and_its_receipt() {
    let world = busy(16);
    let at = find(&world, GUARD, &[("type", "outcome")]);
    let copy = copy(&world, GUARD, "less.db");
    // Decision and outcome stand side by side where one caller waits for each answer.
    copy.delete(at).unwrap();
    copy.delete(at - 1).unwrap();
    copy.sign_anew(&key(&world, GUARD, GUARD_KEY, "tools")).unwrap();
    drop(copy);
    let (code, said) = compare(&world, SIGNER, "less.db");
    assert_eq!(code, 1, "{said}");
    let found = differences(&said);
    assert!(found.contains(&"only-caller".to_owned()), "{said}");
    assert_eq!(
        found.iter().filter(|kind| *kind == "receipt").count(),
        12,
        "every receipt is of a tree that had it: {said}"
    );
    let only = said["differences"].as_array().unwrap().iter().find(|d| d["difference"] == "only-caller").unwrap();
    let proof = only["caller"]["proof"].as_str().unwrap();
    world.write("caller.proof", proof);
    let key = super::keys(&world, SIGNER).remove(0);
    let (code, _) = told(output(world.attest(&["log", "check-proof", "caller.proof", "--key", &key, "--json"])));
    assert_eq!(code, 0, "what is shown of a difference can be checked by anybody");
}

#[test]
fn a_call_that_the_caller_does_not_know_is_found() {
    let world = busy(16);
    let at = find(&world, SIGNER, &[("type", "call")]);
    let copy = copy(&world, SIGNER, "less.db");
    copy.delete(at).unwrap();
    copy.sign_anew(&key(&world, SIGNER, "signer.db.key", "tester/calls")).unwrap();
    drop(copy);
    let (code, said) = compare(&world, "less.db", GUARD);
    assert_eq!((code, differences(&said)), (1, vec!["only-server".to_owned()]), "{said}");
}

#[test]
fn answers_that_differ_are_found() {
    let world = busy(16);
    let signing = key(&world, GUARD, GUARD_KEY, "tools");
    let at = find(&world, GUARD, &[("status", "result")]);
    let entry = world.log(GUARD)[usize::try_from(at).unwrap()].clone();
    for (file, member, value, difference) in
        [("status.db", "status", json!("error"), "status"), ("result.db", "result", entry["call"].clone(), "result")]
    {
        let copy = copy(&world, GUARD, file);
        copy.set_body(at, &with(&entry, member, value)).unwrap();
        copy.sign_anew(&signing).unwrap();
        drop(copy);
        let (code, said) = compare(&world, SIGNER, file);
        assert_eq!(code, 1, "{said}");
        assert!(differences(&said).contains(&difference.to_owned()), "{said}");
        assert!(differences(&said).contains(&"receipt".to_owned()), "the receipt names the end too: {said}");
    }
}

#[test]
fn a_refusal_of_what_was_answered_is_found() {
    let world = busy(16);
    let at = find(&world, GUARD, &[("decision", "allow")]);
    let log = world.log(GUARD);
    let allow = &log[usize::try_from(at).unwrap()];
    let deny = json!({
        "agent": allow["agent"], "audience": allow["audience"], "call": allow["call"], "decision": "deny",
        "key": allow["key"], "policy": allow["policy"], "reason": "replay", "time": allow["time"],
        "tool": allow["tool"], "type": "decision",
    });
    let copy = copy(&world, GUARD, "denied.db");
    copy.set_body(at, &with(&deny, "type", json!("decision"))).unwrap();
    copy.sign_anew(&key(&world, GUARD, GUARD_KEY, "tools")).unwrap();
    drop(copy);
    let (code, said) = compare(&world, SIGNER, "denied.db");
    assert_eq!(code, 1, "{said}");
    assert!(differences(&said).contains(&"refused".to_owned()), "{said}");
}

#[test]
fn what_cannot_be_read_is_compared_with_nothing() {
    let world = busy(4);
    assert_eq!(compare(&world, "nowhere.db", GUARD).0, 2);
    assert_eq!(compare(&world, GUARD, SIGNER).0, 2, "the wrong way round");
    let copy = copy(&world, GUARD, "edited.db");
    copy.set_body(1, b"{}").unwrap();
    drop(copy);
    assert_eq!(compare(&world, SIGNER, "edited.db").0, 2, "a log that is not what it signed");
}

#[test]
fn a_call_that_was_refused_before_it_was_logged_is_no_difference() {
    let world = busy(8);
    // The signer's key is unknown to this guard from here on: its calls are counted, and not logged.
    let config = world.read("guard.toml");
    let attester = config.find("x = \"").unwrap();
    let mut other = config.clone();
    other.replace_range(attester + 5..attester + 48, "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w");
    world.write("guard.toml", other);
    let mut client = world.start();
    let answer = client.call("echo", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    client.end();
    let (code, said) = compare(&world, SIGNER, GUARD);
    assert_eq!((code, said["unlogged"].as_u64()), (0, Some(1)), "{said}");
}
