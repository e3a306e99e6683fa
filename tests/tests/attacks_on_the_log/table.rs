//! `attest log attack`, against the table of the specification.

use std::collections::{BTreeMap, BTreeSet};

use attest_tests::postgres::Server;
use attest_tests::world::{must_fail, output, tests_folder};
use serde_json::Value;

use super::{GUARD, GUARD_KEY, SIGNER, busy, told};

type Marks = BTreeSet<String>;

/// The rows of spec/attacks.md: attack, who, and what notices.
fn specified() -> BTreeMap<(String, String), Marks> {
    let page = std::fs::read_to_string(tests_folder().join("../spec/attacks.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("| writer |") || line.contains("| key holder |"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let marks = ["start", "verify", "receipt", "witness"].iter().zip(&cells[2..6]);
        let marks = marks.filter(|(_, cell)| **cell == "yes").map(|(name, _)| (*name).to_owned()).collect();
        ((cells[0].to_owned(), cells[1].to_owned()), marks)
    };
    rows.map(row).collect()
}

fn tried(rows: &Value) -> BTreeMap<(String, String), Marks> {
    let row = |row: &Value| {
        let who = row["who"].as_str().unwrap().replace('-', " ");
        let marks = row["caught_by"].as_array().unwrap().iter().map(|by| by.as_str().unwrap().to_owned()).collect();
        ((row["attack"].as_str().unwrap().to_owned(), who), marks)
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

/// What the table says of all edits in one row each.
fn is_generated(attack: &str) -> bool {
    attack.starts_with("edit ") && attack.contains(": ")
}

#[test]
fn every_attack_on_a_verifiers_log_is_noticed_by_what_the_specification_says() {
    // More than one tile, so that those of both levels are there.
    let world = busy(180);
    let before = std::fs::read(world.path(GUARD)).unwrap();
    let (code, rows) = told(output(world.attest(&[
        "log",
        "attack",
        GUARD,
        "--key-file",
        GUARD_KEY,
        "--trust",
        "guard.toml",
        "--json",
    ])));
    assert_eq!(code, 0, "{rows}");
    assert_eq!(std::fs::read(world.path(GUARD)).unwrap(), before, "the log itself is left alone");
    let (specified, tried) = (specified(), tried(&rows));
    for ((attack, who), caught) in &tried {
        if is_generated(attack) {
            // Every member of every type; what a verification alone finds of what the key's holder did differs from one to
            // the next, and that is no promise.
            let must = if who == "writer" { &["verify"][..] } else { &["receipt", "witness"] };
            assert!(must.iter().all(|by| caught.contains(*by)), "{attack} by a {who}: {caught:?}");
        } else {
            let says = specified.get(&(attack.clone(), who.clone()));
            assert_eq!(says, Some(caught), "{attack} by a {who}");
        }
    }
    let untried: Vec<_> = specified
        .keys()
        .filter(|(attack, who)| !attack.starts_with('*') && !tried.contains_key(&((*attack).clone(), (*who).clone())))
        .collect();
    assert!(untried.is_empty(), "{untried:?}");
    for kind in ["start", "allow", "deny", "outcome"] {
        assert!(tried.keys().any(|(attack, _)| attack.starts_with(&format!("edit {kind}: "))), "no edit of a {kind}");
    }
}

#[test]
fn every_attack_on_a_log_in_a_database_is_noticed_by_what_the_specification_says() {
    let server = Server::start();
    let url = server.url("log");
    let world = busy(180);
    let (code, rows) = told(output(world.attest(&[
        "log",
        "attack",
        GUARD,
        "--key-file",
        GUARD_KEY,
        "--trust",
        "guard.toml",
        "--through",
        &url,
        "--json",
    ])));
    assert_eq!(code, 0);
    let (specified, tried) = (specified(), tried(&rows));
    let mut differ = Vec::new();
    for ((attack, who), caught) in &tried {
        if is_generated(attack) {
            let must = if who == "writer" { &["verify"][..] } else { &["receipt", "witness"] };
            assert!(must.iter().all(|by| caught.contains(*by)), "{attack} by a {who}: {caught:?}");
        } else {
            let says = specified.get(&(attack.clone(), who.clone()));
            if says != Some(caught) {
                differ.push((attack, who, says, caught));
            }
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(tried.len() > 100, "{}", tried.len());
    let full = must_fail(world.attest(&["log", "attack", GUARD, "--through", &url]));
    assert!(full.contains("name an empty database"), "{full}");
}

#[test]
fn every_attack_on_a_callers_log_is_noticed_but_by_receipts_of_which_it_gives_none() {
    let world = busy(12);
    let (code, rows) = told(output(world.attest(&["log", "attack", SIGNER, "--key-file", "signer.db.key", "--json"])));
    assert_eq!(code, 0, "{rows}");
    let tried = tried(&rows);
    for kind in ["context", "call", "outcome", "receipt"] {
        assert!(tried.keys().any(|(attack, _)| attack.starts_with(&format!("edit {kind}: "))), "no edit of a {kind}");
    }
    let by_receipt: Vec<_> =
        tried.iter().filter(|(_, caught)| caught.contains("receipt")).map(|(row, _)| row).collect();
    assert_eq!(by_receipt.len(), 1, "only a proof that somebody holds: {by_receipt:?}");
}

#[test]
fn without_the_key_only_the_attacks_of_a_writer_are_tried() {
    let world = busy(8);
    let (code, rows) = told(output(world.attest(&["log", "attack", GUARD, "--json"])));
    assert_eq!(code, 0, "{rows}");
    assert!(tried(&rows).keys().all(|(_, who)| who == "writer"));
}

#[test]
fn a_log_that_is_not_whole_is_not_attacked() {
    let world = busy(8);
    let copy = super::copy(&world, GUARD, "bad.db");
    copy.set_body(1, b"{}").unwrap();
    drop(copy);
    let said = must_fail(world.attest(&["log", "attack", "bad.db"]));
    assert!(said.contains("not whole"), "{said}");
}
