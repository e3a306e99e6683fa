//! What logs say, found again: real servers and agents, and then nothing but their logs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "flow/company.rs"]
#[allow(dead_code, reason = "shared with the tests of flow")]
mod company;

use attest_tests::client::text;
use company::Company;
use serde_json::{Value, json};

const CFO: &str = "cfo@example.org";
const LOGS: [&str; 5] = ["a.db", "b.db", "finance.db", "assistant.db", "mail.db"];

/// A read the report and had B send it, as the owner of the data allowed.
fn sent() -> Company {
    let company = Company::new("honest");
    company.grant_jointly(CFO);
    let mut host = company.host_of_a();
    host.finance.call("read_report", json!({}));
    assert_eq!(text(&host.assistant.call("ask", json!({"to": CFO, "body": "revenue: 7"}))), "done");
    host.end();
    for config in ["a.toml", "b.toml"] {
        company.stop_signer(config);
    }
    company
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_call_is_found_and_traced_over_all_logs_to_whoever_asked_and_to_the_data_in_it() {
    let company = sent();
    let (code, found) =
        company.run(&[&["log", "search", "--type", "decision", "--tool", "send", "--json"][..], &LOGS].concat());
    let found = lines(&found);
    assert_eq!((code, found.len()), (Some(0), 1));
    let call = found[0]["entry"]["call"].as_str().unwrap();
    let (code, said) = company.run(&[&["trace", call][..], &LOGS].concat());
    println!("{said}");
    assert_eq!(code, Some(0), "{said}");
    let (_, traced) = company.run(&[&["trace", &call[..8], "--json", "--trust", "mail.toml"][..], &LOGS].concat());
    let traced: Value = serde_json::from_str(&traced).unwrap();
    let calls = traced["calls"].as_object().unwrap();
    let tool = |call: &str| {
        let says = calls[call]["says"].as_array().unwrap();
        says.iter().find_map(|said| said["row"]["tool"].as_str()).unwrap().to_owned()
    };
    let edges: Vec<_> = traced["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            (
                tool(edge["from"].as_str().unwrap()),
                edge["how"].as_str().unwrap().to_owned(),
                tool(edge["to"].as_str().unwrap()),
            )
        })
        .collect();
    assert_eq!(edges.len(), 2, "{edges:?}");
    assert!(edges.contains(&("ask".to_owned(), "cause".to_owned(), "send".to_owned())), "{edges:?}");
    assert!(edges.contains(&("read_report".to_owned(), "data".to_owned(), "ask".to_owned())), "{edges:?}");
    let of = &calls[call];
    assert_eq!(of["says"].as_array().unwrap().len(), 5, "the caller's log and the server's");
    assert_eq!(of["state"]["agent"], "b");
    let checks: Vec<&Value> = of["chain"]
        .as_array()
        .unwrap()
        .iter()
        .chain([&of["state"], &of["proof"]])
        .map(|token| &token["signature"]["check"])
        .collect();
    assert!(checks.len() == 4 && checks.iter().all(|check| **check == "holds"), "{checks:?}");

    // The other way round: what came of reading the report.
    let (_, found) =
        company.run(&[&["log", "search", "--type", "decision", "--tool", "read_report", "--json"][..], &LOGS].concat());
    let read = lines(&found)[0]["entry"]["call"].as_str().unwrap().to_owned();
    let (_, said) = company.run(&[&["trace", &read][..], &LOGS].concat());
    println!("{said}");
    let led = said.split("led to").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert!(led.contains("assistant#ask") && led.contains("mail#send"), "{said}");

    // Names of calls are base64url, which has a hyphen.
    for unknown in ["AAAAAAAA", "-AAAAAAA"] {
        let nothing = format!("nothing at hand has a call \"{unknown}\"");
        for words in
            [vec!["trace", unknown, "mail.db"], vec!["bundle", "mail.db", "--out", "no.json", "--trace", unknown]]
        {
            let (code, said) = company.run(&words);
            assert!(code == Some(1) && said.contains(&nothing), "{said}");
        }
    }
    let dash = format!("-{}", "A".repeat(42));
    let (code, said) = company.run(&["log", "search", "mail.db", "--call", &dash]);
    assert!(code == Some(1) && said.contains("0 entries"), "{said}");
}

#[test]
fn entries_are_found_by_each_thing_that_they_hold_and_only_those_that_hold_all_of_it() {
    let company = sent();
    let search = |of: &[&str]| {
        let (_, found) = company.run(&[&["log", "search", "--json"][..], of, &LOGS].concat());
        lines(&found).len()
    };
    assert_eq!(search(&[]), 20, "all there is");
    assert_eq!(search(&["--agent", "a"]), 9, "seven of its own log, and two decisions");
    assert_eq!(search(&["--server", "mail", "--verdict", "allow"]), 1);
    assert_eq!(search(&["--label", "financial"]), 2);
    assert_eq!(search(&["--label", "financial", "--tool", "send"]), 1);
    assert_eq!(search(&["--type", "decision", "--type", "start"]), 6);
    assert_eq!(search(&["--verdict", "deny"]), 0);
    assert_eq!(search(&["--since", "1h"]), 20);
    assert_eq!(search(&["--until", "1h"]), 0);
    assert_eq!(search(&["--since", "2100-01-01T00:00:00Z"]), 0);
    assert_eq!(search(&["--last", "3"]), 3);
    assert_eq!(search(&["--agent", "nobody"]), 0);
    let (_, timeline) = company.run(&[&["timeline", "--changes"][..], &LOGS].concat());
    assert_eq!(timeline.matches("shows system-prompt").count(), 2, "{timeline}");
}

#[test]
fn a_bundle_is_checked_and_followed_where_there_is_nothing_else_and_any_change_of_it_is_found() {
    let company = sent();
    let (_, found) =
        company.run(&[&["log", "search", "--type", "decision", "--tool", "send", "--json"][..], &LOGS].concat());
    let call = lines(&found)[0]["entry"]["call"].as_str().unwrap().to_owned();
    let (code, said) = company.run(&[&["bundle", "--trace", &call, "--out", "case.json"][..], &LOGS].concat());
    assert_eq!(code, Some(0), "{said}");
    let bundle = std::fs::read_to_string(company.path("case.json")).unwrap();

    // Another machine, with the bundle and the keys of two logs.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(attest_tests::binaries::attest());
        let output = command.args(words).current_dir(elsewhere.path()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    std::fs::write(elsewhere.path().join("case.json"), &bundle).unwrap();
    let (code, said) = run(&["verify", "case.json"]);
    assert_eq!(code, Some(2), "nobody pins a key: {said}");
    let (code, said) = run(&["verify", "case.json", "--unpinned"]);
    assert_eq!(code, Some(0), "{said}");
    let keys: Vec<String> = LOGS.iter().map(|log| company.run(&["log", "key", log]).1.trim().to_owned()).collect();
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
    let (code, said) = run(&[&["verify", "case.json"][..], &keys].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("key pinned") && !said.contains("NOT PINNED"), "{said}");
    let (code, trace) = run(&["trace", &call[..8], "case.json"]);
    assert_eq!(code, Some(0), "{trace}");
    let (_, whole) = company.run(&[&["trace", &call[..8]][..], &LOGS].concat());
    let known: std::collections::BTreeSet<&str> = whole.lines().map(str::trim_end).collect();
    assert!(
        trace.contains("finance#read_report")
            && trace.lines().all(|line| line.is_empty() || known.contains(line.trim_end())),
        "{trace}"
    );

    let change = |what: &str, from: &str, to: &str| {
        assert!(bundle.contains(from), "{what}");
        std::fs::write(elsewhere.path().join("case.json"), bundle.replacen(from, to, 1)).unwrap();
        let (code, said) = run(&[&["verify", "case.json"][..], &keys].concat());
        assert_ne!(code, Some(0), "{what}: {said}");
        said
    };
    assert!(change("an entry says something else", "read_report", "read_secret").contains("not in the tree"));
    assert!(change("an entry is of another place", "\"index\":1", "\"index\":9").contains("not in the tree"));
    let token = bundle.split("\"tokens\":[\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(change("a token is missing", &format!("\"{token}\","), "").contains("is not here"));
    assert!(change("a token is another", &token[token.len() - 8..], "AAAAAAAA").contains("is not here"));
    change("a checkpoint is another", "finance\\n3\\n", "finance\\n2\\n");
    change("it is said to be another log", "\"origin\":\"finance\"", "\"origin\":\"mail\"");
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else_and_names_the_command_for_each_statement() {
    let company = sent();
    let (_, found) =
        company.run(&[&["log", "search", "--type", "decision", "--tool", "send", "--json"][..], &LOGS].concat());
    let call = lines(&found)[0]["entry"]["call"].as_str().unwrap().to_owned();
    let title = "<script>alert(1)</script>";
    let (code, said) =
        company.run(&[&["report", "--title", title, "--trace", &call, "--trust", "mail.toml"][..], &LOGS].concat());
    assert_eq!(code, Some(0), "{said}");
    let page = std::fs::read_to_string(company.path("report.html")).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "names are text");
    assert!(!page.contains("src=") && !page.contains("href="), "nothing from elsewhere");
    assert!(!page.contains('\u{1b}'), "no colours of a terminal");
    assert!(page.contains("finance#read_report") && page.contains("attest trace ") && page.contains("system-prompt"));
    let key = company.run(&["log", "key", "mail.db"]).1;
    let verify = format!("attest log verify mail.db --key &#39;{}&#39;", key.trim());
    assert!(page.contains(&verify) || page.contains(&verify.replace("&#39;", "'")), "{verify}");
    if let Ok(folder) = std::env::var("ATTEST_PICTURES") {
        std::fs::copy(company.path("report.html"), format!("{folder}/report.html")).unwrap();
    }
}

/// Changes a log's file behind its back.
fn tampered(company: &Company, file: &str, sql: &str) {
    let path = company.path(file);
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn an_entry_that_was_changed_in_the_file_is_shown_by_nobody() {
    let company = sent();
    let found = |of: &[&str]| company.run(&[&["log", "search", "mail.db", "--json"][..], of].concat());
    assert_eq!(found(&["--tool", "send"]).0, Some(0), "the index is made");
    tampered(
        &company,
        "mail.db",
        "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '\"agent\":\"b\"', '\"agent\":\"x\"') AS BLOB)",
    );
    let (code, said) = found(&["--tool", "send"]);
    assert!(code == Some(1) && said.contains("is not what the log's checkpoint is over"), "{said}");
    let (code, said) = company.run(&["trace", "mail.db#1"]);
    assert!(code == Some(1) && said.contains("is not what the log's checkpoint is over"), "{said}");
    let (code, said) = company.run(&["bundle", "mail.db", "--all", "--out", "all.json"]);
    assert!(code == Some(1) && said.contains("is not what") && !company.path("all.json").exists(), "{said}");
}

#[test]
fn an_index_that_hides_entries_beside_a_copied_log_is_not_believed() {
    let company = sent();
    assert_eq!(company.run(&["log", "search", "mail.db", "--tool", "send"]).0, Some(0));
    tampered(&company, "mail.db.index", "DELETE FROM entry WHERE idx = 1");
    let of = ["--type", "decision", "--json"];
    assert_eq!(company.run(&[&["log", "search", "mail.db"][..], &of].concat()).0, Some(1), "on the spot it hides it");
    std::fs::create_dir(company.path("copy")).unwrap();
    for file in ["mail.db", "mail.db.index"] {
        std::fs::copy(company.path(file), company.path(&format!("copy/{file}"))).unwrap();
    }
    let (code, said) = company.run(&[&["log", "search", "copy/mail.db"][..], &of].concat());
    assert!(code == Some(0) && said.contains("send"), "{said}");
    // What is no file of ours under that name is left alone.
    std::fs::remove_file(company.path("copy/mail.db.index")).unwrap();
    std::fs::write(company.path("mine"), "").unwrap();
    std::os::unix::fs::symlink(company.path("mine"), company.path("copy/mail.db.index")).unwrap();
    assert_eq!(company.run(&[&["log", "search", "copy/mail.db"][..], &of].concat()).0, Some(0));
    assert_eq!(std::fs::read(company.path("mine")).unwrap(), b"");
}

#[test]
fn a_disclosed_text_is_held_against_the_commitment_in_an_entry() {
    let company = Company::new("honest");
    company.edit("finance.toml", "[flow]", "[trail]\n[flow]");
    let mut host = company.host_of_a();
    host.finance.call("read_report", json!({"quarter": "third"}));
    host.end();
    company.stop_signer("a.toml");
    let (code, said) = company.run(&["bundle", "finance.db", "--all", "--disclose", "--out", "told.json"]);
    assert_eq!(code, Some(0), "{said}");
    let check = || company.run(&["verify", "told.json", "--unpinned", "--config", "finance.toml", "--json"]);
    let (code, said) = check();
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(0) && report["disclosed"].as_u64() > Some(0), "{said}");
    assert_eq!(report["unpinned"], 0, "attesters and roots stand in the guard's file: {said}");
    let bundle = std::fs::read_to_string(company.path("told.json")).unwrap();
    assert!(bundle.contains("third"), "{bundle}");
    std::fs::write(company.path("told.json"), bundle.replacen("third", "fourth", 1)).unwrap();
    let (code, said) = check();
    assert!(code == Some(2) && said.contains("a disclosed text is not what"), "{said}");
    // Words are found in what was kept; blanks find everything.
    assert_eq!(company.run(&["log", "search", "finance.db", "--text", "third"]).0, Some(0));
    assert_eq!(company.run(&["log", "search", "finance.db", "--text", "fourth"]).0, Some(1));
    assert_eq!(company.run(&["log", "search", "finance.db", "--text", " "]).0, Some(0));
}
