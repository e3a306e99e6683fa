//! `attest log convert`.

use std::collections::BTreeMap;
use std::process::Command;

use attest_tests::real::{env, real};
use attest_tests::world::{World, must, must_fail};
use serde_json::{Value, json};

use crate::busy;

fn convert(world: &World, args: &[&str]) -> String {
    let done = must(world.attest(&[&["log", "convert", "guard.db"][..], args].concat()));
    String::from_utf8(done.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn ask(world: &World, file: &str, sql: &str) -> Value {
    let mut query = Command::new(env("export/bin/python"));
    query.arg(real("python/query_parquet.py")).arg(world.path(file)).arg(sql);
    serde_json::from_slice(&must(query).stdout).unwrap()
}

#[test]
fn a_line_for_each_entry_has_its_columns_and_all_of_it_and_no_argument() {
    let world = busy();
    let whole = world.log("guard.db");
    let text = convert(&world, &["--as", "jsonl"]);
    let passed = lines(&text);
    assert_eq!(passed.len(), whole.len());
    for (n, (line, entry)) in passed.iter().zip(&whole).enumerate() {
        assert_eq!(line["log"], "tools");
        assert_eq!(line["index"], n);
        assert_eq!(line["time"], entry["time"]);
        assert_eq!(line["entry"], *entry);
    }
    assert!(!text.contains("secret-argument"), "arguments stay where they are");
    let denied = passed.iter().find(|line| line["kind"] == "decision" && line["verdict"] == "deny").unwrap();
    assert_eq!((&denied["agent"], &denied["tool"]), (&json!("tester"), &json!("show")));
    assert_eq!(denied["reason"], "tool-not-granted");

    // Only those of a time, and a file is written whole and never over another.
    assert_eq!(convert(&world, &["--as", "jsonl", "--until", "1h"]), "");
    assert_eq!(lines(&convert(&world, &["--as", "jsonl", "--since", "1h"])).len(), whole.len());
    convert(&world, &["--as", "jsonl", "--out", "entries.jsonl"]);
    assert_eq!(world.read("entries.jsonl"), text);
    let again = must_fail(world.attest(&["log", "convert", "guard.db", "--as", "jsonl", "--out", "entries.jsonl"]));
    assert!(again.contains("never replaced"), "{again}");
}

#[test]
fn of_a_log_that_was_changed_no_form_is_written() {
    let world = busy();
    let database = rusqlite::Connection::open(world.path("guard.db")).unwrap();
    let changed = "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '\"tester\"', '\"nobody\"') AS BLOB) \
                   WHERE idx = (SELECT min(idx) FROM entry WHERE CAST(body AS TEXT) LIKE '%\"tester\"%')";
    assert_eq!(database.execute(changed, []).unwrap(), 1);
    drop(database);
    let files = || std::fs::read_dir(world.path(".")).unwrap().count();
    let before = files();
    for form in ["jsonl", "ocsf", "parquet"] {
        let said = must_fail(world.attest(&["log", "convert", "guard.db", "--as", form, "--out", "converted"]));
        assert!(said.contains("is not what its checkpoint is over"), "{form}: {said}");
        assert_eq!(files(), before, "{form}: nothing is left, whole or half");
    }
    // Nor where the entry is missing at the end.
    let database = rusqlite::Connection::open(world.path("guard.db")).unwrap();
    assert_eq!(database.execute("DELETE FROM entry WHERE idx = (SELECT max(idx) FROM entry)", []).unwrap(), 1);
    drop(database);
    must_fail(world.attest(&["log", "convert", "guard.db", "--as", "jsonl", "--out", "converted"]));
}

#[test]
fn duckdb_reads_the_table_and_counts_as_the_log_does() {
    let world = busy();
    convert(&world, &["--as", "parquet", "--out", "log.parquet"]);
    let log = world.log("guard.db");
    let mut counts = BTreeMap::<(String, String), u64>::new();
    for entry in log.iter().filter(|entry| entry["type"] == "decision") {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        *counts.entry((text("agent"), text("decision"))).or_default() += 1;
    }
    assert_eq!(counts.len(), 2, "allowed and denied: {counts:?}");
    let asked = ask(
        &world,
        "log.parquet",
        "SELECT agent, verdict, count(*) FROM entries WHERE kind = 'decision' GROUP BY ALL ORDER BY ALL",
    );
    let expected: Vec<Value> = counts.into_iter().map(|((agent, verdict), n)| json!([agent, verdict, n])).collect();
    assert_eq!(asked, Value::from(expected));

    // Every column of every row is the line's of the same entry.
    let lines = lines(&convert(&world, &["--as", "jsonl"]));
    let columns = "log, index, epoch_ms(time), kind, agent, server, tool, verdict, reason, severity, call, labels, destinations, commitments, words";
    let rows = ask(&world, "log.parquet", &format!("SELECT {columns}, entry FROM entries ORDER BY index"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        for (n, name) in columns.split(", ").enumerate() {
            let name = if name == "epoch_ms(time)" { "time" } else { name };
            let empty = if name.ends_with('s') && row[n].is_array() { json!([]) } else { Value::Null };
            assert_eq!(row[n], *line.get(name).unwrap_or(&empty), "{name} of {line}");
        }
        assert_eq!(serde_json::from_str::<Value>(row[15].as_str().unwrap()).unwrap(), line["entry"]);
    }
    let types = ask(&world, "log.parquet", "SELECT column_name, column_type FROM (DESCRIBE entries)");
    let types: BTreeMap<&str, &str> = types
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap()))
        .collect();
    assert_eq!((types["time"], types["index"], types["labels"]), ("TIMESTAMP WITH TIME ZONE", "UBIGINT", "VARCHAR[]"));
}

#[test]
fn events_hold_to_the_published_schema_of_ocsf_and_there_is_one_for_each_decision_outcome_and_alert() {
    let world = busy();
    let text = convert(&world, &["--as", "ocsf", "--out", "events.jsonl"]);
    assert_eq!(text, "");
    let mut check = Command::new(env("export/bin/python"));
    check.arg(real("python/check_ocsf.py")).stdin(std::fs::File::open(world.path("events.jsonl")).unwrap());
    let checked = check.output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let counts: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let of = |kind: &str| world.entries("guard.db", &[("type", kind)]).len();
    assert_eq!(counts["6003"], of("decision") + of("outcome") + of("refused"));
    assert_eq!(counts["2004"], of("alert"));

    let events = lines(&world.read("events.jsonl"));
    let denied = events.iter().find(|event| event["action_id"] == 2).unwrap();
    assert_eq!((&denied["disposition_id"], &denied["status_id"]), (&json!(2), &json!(2)));
    assert_eq!(denied["status_code"], "tool-not-granted");
    assert_eq!((&denied["actor"]["app_name"], &denied["api"]["operation"]), (&json!("tester"), &json!("show")));
    // An outcome says only the call; who made it comes from its decision.
    let failed = events.iter().find(|event| event["status_code"] == "tool-error").unwrap();
    assert_eq!((&failed["actor"]["app_name"], &failed["api"]["operation"]), (&json!("tester"), &json!("fail")));
    assert_eq!((&failed["status_id"], &failed["metadata"]["event_code"]), (&json!(2), &json!("outcome")));
}
