//! Several logs at once: what `attest log verify`, `list`, `show` and `prove` say of which, and what they refuse to guess.

use attest_core::note::{Kind, Vkey};
use attest_core::sign::{MemoryKey, Sign as _};
use attest_tests::world::{World, must, must_fail, output};
use serde_json::{Value, json};

use super::{GUARD, SIGNER, busy, checks, copy, find, keys, with};

/// Exit code and what is said for machines, a line each.
fn lines(world: &World, words: &[&str]) -> (i32, Vec<Value>) {
    let out = output(world.attest(words));
    let text = String::from_utf8(out.stdout).unwrap();
    let said = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    (out.status.code().expect("it was not killed"), said.collect())
}

/// `attest log verify` of these logs.
fn verified(world: &World, logs: &[&str], more: &[&str]) -> (i32, Vec<Value>) {
    lines(world, &[&["log", "verify", "--json"][..], logs, more].concat())
}

fn of<'v>(said: &'v [Value], member: &str) -> Vec<&'v str> {
    said.iter().map(|said| said[member].as_str().unwrap_or_default()).collect()
}

/// The only key of a log.
fn key(world: &World, log: &str) -> String {
    keys(world, log).remove(0)
}

#[test]
fn each_is_verified_by_itself_and_the_worst_counts() {
    let world = busy(4);
    let at = find(&world, GUARD, &[("decision", "allow")]);
    let entry = &world.log(GUARD)[usize::try_from(at).unwrap()];
    copy(&world, GUARD, "edited.db").set_body(at, &with(entry, "tool", json!("big"))).unwrap();
    let (of_guard, of_signer) = (key(&world, GUARD), key(&world, SIGNER));
    let pins = ["--key", &of_guard, "--key", &of_signer];

    let (code, said) = verified(&world, &["nowhere.db", "edited.db", GUARD, SIGNER], &pins);
    assert_eq!(of(&said, "verdict"), ["not checked", "wrong", "whole", "whole"], "{said:?}");
    assert_eq!(of(&said, "file"), ["nowhere.db", "edited.db", GUARD, SIGNER]);
    assert_eq!(of(&said[1..3], "log"), ["tools", "tools"]);
    assert_eq!((code, said[1]["findings"][0]["index"].as_u64()), (1, Some(at)), "wrong counts before not checked");
    assert!(of(&said, "what")[0].contains("nowhere.db"), "{said:?}");
    assert_eq!(verified(&world, &[GUARD, "nowhere.db"], &pins[..2]).0, 2);
    assert_eq!(verified(&world, &[GUARD, SIGNER], &pins).0, 0);
    assert_eq!(verified(&world, &[SIGNER, GUARD], &["--unpinned"]).0, 0);

    // For a person: under each log's name what is said of it.
    let out = output(world.attest(&[&["log", "verify", GUARD, "nowhere.db", "edited.db"][..], &pins[..2]].concat()));
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8(out.stdout).unwrap();
    let sections: Vec<&str> = text.split("\n\n").collect();
    let [whole, missing, edited] = sections[..] else { panic!("{text}") };
    assert!(whole.starts_with("guard.db  (tools)\n") && whole.ends_with("the log is whole"), "{text}");
    assert!(missing.starts_with("nowhere.db\nNOT CHECKED  "), "{text}");
    assert!(edited.starts_with("edited.db  (tools)\nWRONG  ") && edited.contains("NOT whole"), "{text}");
}

#[test]
fn a_pinned_key_is_for_the_log_of_its_name_and_for_one_that_is_there() {
    let world = busy(4);
    let (of_guard, of_signer) = (key(&world, GUARD), key(&world, SIGNER));
    let (code, said) = verified(&world, &[GUARD, SIGNER], &["--key", &of_guard]);
    assert_eq!((code, of(&said, "verdict")), (2, vec!["whole", "not pinned"]), "one key is not the other's");
    // From a file with the keys of both.
    world.write("all.vkey", format!("{of_signer}\n{of_guard}\n"));
    assert_eq!(verified(&world, &[GUARD, SIGNER], &["--key", "all.vkey"]).0, 0);

    // A key of the right name which is not the log's.
    let stranger = Vkey::new("tools", Kind::Log, MemoryKey::from_seed(&[9; 32]).public().clone()).unwrap().to_string();
    let (code, said) = verified(&world, &[GUARD, SIGNER], &["--key", &stranger, "--key", &of_signer]);
    assert_eq!((code, of(&said, "verdict")), (1, vec!["wrong", "whole"]));
    assert!(checks(&said[0]).contains(&"pinned-key".to_owned()), "{said:?}");
    // Which of two is the log's, nobody can tell.
    let (code, said) = verified(&world, &[GUARD, SIGNER], &["--key", &stranger, "--key", &of_guard]);
    assert_eq!((code, said.len()), (2, 0));

    // In the place of one log stands another, whole one: the key that is left over tells, also where any log's word is taken.
    drop(copy(&world, SIGNER, "exchanged.db"));
    let pins = ["--key", &of_guard, "--key", &of_signer, "--unpinned"];
    for pins in [&pins[..4], &pins] {
        let (code, said) = verified(&world, &["exchanged.db", SIGNER], pins);
        assert_eq!((code, of(&said, "verdict")), (1, vec!["whole", "whole", "wrong"]), "{said:?}");
        assert_eq!(said[2]["log"], "tools", "{said:?}");
    }
    let out = output(world.attest(&[&["log", "verify", "exchanged.db", SIGNER][..], &pins].concat()));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("\n\n--key  (tools)\nWRONG  a key of this name is pinned"), "{text}");
    // It may be the one that could not be opened.
    let (code, said) = verified(&world, &["nowhere.db", SIGNER], &pins);
    assert_eq!((code, of(&said, "verdict")), (2, vec!["not checked", "whole", "not checked"]), "{said:?}");
}

#[test]
fn entries_of_several_logs_are_listed_in_the_order_of_time_each_with_its_logs_name() {
    let world = busy(8);
    let (code, said) = lines(&world, &["log", "list", GUARD, SIGNER, "--json"]);
    assert_eq!(code, 0);
    let times: Vec<u64> = said.iter().map(|said| said["entry"]["time"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for (log, name) in [(GUARD, "tools"), (SIGNER, "tester/calls")] {
        let mine: Vec<&Value> = said.iter().filter(|said| said["file"] == log).collect();
        assert!(mine.iter().all(|said| said["log"] == name), "{mine:?}");
        let entries: Vec<&Value> = mine.iter().map(|said| &said["entry"]).collect();
        assert_eq!(entries, world.log(log).iter().collect::<Vec<_>>());
        assert!((0..).zip(&mine).all(|(n, said)| said["index"] == n));
    }
    assert!(said.windows(2).filter(|two| two[0]["file"] != two[1]["file"]).count() > 8, "they take turns: {said:?}");
    // The last of all, whichever log they are of.
    assert_eq!(lines(&world, &["log", "list", SIGNER, GUARD, "--json"]).1.len(), said.len());
    assert_eq!(lines(&world, &["log", "list", GUARD, SIGNER, "--json", "--last", "5"]).1, said[said.len() - 5..]);

    let text = |words: &[&str]| String::from_utf8(must(world.attest(words)).stdout).unwrap();
    let shown = text(&["log", "list", GUARD, SIGNER]);
    for (line, said) in shown.lines().zip(&said) {
        let place = format!("{}#{:<6} 2", said["log"].as_str().unwrap(), said["index"].as_u64().unwrap());
        assert!(line.starts_with(&place), "{line}");
    }
    // Of one log as ever.
    let one = text(&["log", "list", GUARD]);
    assert!((0..).zip(one.lines()).all(|(n, line)| line.starts_with(&format!("{n:>6}  2"))), "{one}");
    let members = |said: &Value| said.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&lines(&world, &["log", "list", GUARD, "--json"]).1[0]), ["index", "entry"]);
    assert!(must_fail(world.attest(&["log", "list", GUARD, "nowhere.db"])).contains("nowhere.db"));
}

#[test]
fn an_entry_is_found_by_its_call_in_whichever_log_has_it() {
    let world = busy(4);
    let at = find(&world, GUARD, &[("decision", "allow")]);
    let call = world.log(GUARD)[usize::try_from(at).unwrap()]["call"].as_str().unwrap().to_owned();
    let show = |words: &[&str]| {
        let out = must(world.attest(&[&["log", "show"][..], words].concat()));
        let shown: Value = serde_json::from_slice(&out.stdout).unwrap();
        (shown, String::from_utf8(out.stderr).unwrap())
    };
    // The server's decision first, in whichever order, by all of the name or its beginning.
    for words in [[GUARD, SIGNER, &call], [SIGNER, GUARD, &call[..8]]] {
        let (shown, others) = show(&words);
        assert_eq!((&shown["index"], &shown["entry"]["type"]), (&json!(at), &json!("decision")), "{shown}");
        assert_eq!((&shown["log"], &shown["file"]), (&json!("tools"), &json!(GUARD)));
        assert!(!shown["tokens"].as_object().unwrap().is_empty(), "{shown}");
        assert!(others.contains("signer.db#") && others.contains("(outcome)"), "{others}");
    }
    let (shown, _) = show(&[SIGNER, &call]);
    assert_eq!(
        (&shown["entry"]["type"], &shown["log"]),
        (&json!("call"), &Value::Null),
        "of one log, as ever: {shown}"
    );
    let (shown, _) = show(&[GUARD, SIGNER, "signer.db#0"]);
    assert_eq!((&shown["entry"]["type"], &shown["log"]), (&json!("context"), &json!("tester/calls")), "{shown}");

    must(world.attest(&["log", "prove", SIGNER, GUARD, &call, "--out", "call.proof"]));
    let checked = must(world.attest(&["log", "check-proof", "call.proof", "--key", &key(&world, GUARD), "--json"]));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&checked["origin"], &checked["index"]), (&json!("tools"), &json!(at)), "{checked}");
    assert_eq!(checked["entry"]["call"], call.as_str());
}

#[test]
fn an_index_is_of_one_log_and_nothing_is_guessed() {
    let world = busy(2);
    for verb in ["show", "prove"] {
        let refused = |words: &[&str]| must_fail(world.attest(&[&["log", verb][..], words].concat()));
        let said = refused(&[GUARD, SIGNER, "1"]);
        assert!(said.contains("LOG#1") && said.contains("its call"), "{said}");
        must(world.attest(&["log", verb, GUARD, "1"]));
        must(world.attest(&["log", verb, GUARD, SIGNER, "guard.db#1"]));
        // Names of calls are base64url, which has a hyphen.
        for unknown in ["AAAAAAAA", "-AAAAAAA"] {
            let said = refused(&[GUARD, SIGNER, "--", unknown]);
            assert!(said.contains(&format!("nothing at hand has a call {unknown:?}")), "{said}");
        }
        assert!(refused(&[GUARD, "none"]).contains("at least 8 characters"));
        assert!(!output(world.attest(&["log", verb, "1"])).status.success(), "no log is named");
    }
}
