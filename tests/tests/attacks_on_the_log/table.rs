//! `attest log attack`, against the table of the specification.

use std::collections::{BTreeMap, BTreeSet};

use attest_tests::postgres::Server;
use attest_tests::world::{World, must, must_fail, output, tests_folder};
use serde_json::Value;

use super::{GUARD, GUARD_KEY, SIGNER, busy, told};

type Marks = BTreeSet<String>;

type Rows = BTreeMap<(String, String), Marks>;

/// The rows of spec/attacks.md: attack, who, and what notices; those of a log that has sealed parts too, or not.
fn specified(sealed: bool) -> Rows {
    let page = std::fs::read_to_string(tests_folder().join("../spec/attacks.md")).unwrap();
    let (others, _) = page.split_once("## Where entries are sealed").unwrap();
    let rows = if sealed { &*page } else { others };
    let rows = rows
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

fn tried(rows: &Value) -> Rows {
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

/// Tries everything on the guard's log, whose rows differ from these in nothing. Answers them.
fn hold(world: &World, specified: &Rows, more: &[&str]) -> Rows {
    let words = ["log", "attack", GUARD, "--key-file", GUARD_KEY, "--trust", "guard.toml", "--json"];
    let (code, rows) = told(output(world.attest(&[&words[..], more].concat())));
    let tried = tried(&rows);
    let mut differ = Vec::new();
    for ((attack, who), caught) in &tried {
        if is_generated(attack) {
            // Every member of every type; what a verification alone finds of what the key's holder did differs from one to
            // the next, and that is no promise.
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
    assert_eq!(code, 0, "{rows}");
    tried
}

fn all_are_tried(specified: &Rows, tried: &Rows) {
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
fn every_attack_on_a_verifiers_log_is_noticed_by_what_the_specification_says() {
    // More than one tile, so that those of both levels are there.
    let world = busy(180);
    let before = std::fs::read(world.path(GUARD)).unwrap();
    let specified = specified(false);
    let tried = hold(&world, &specified, &[]);
    assert_eq!(std::fs::read(world.path(GUARD)).unwrap(), before, "the log itself is left alone");
    all_are_tried(&specified, &tried);
}

#[test]
fn every_attack_on_a_log_in_a_database_is_noticed_by_what_the_specification_says() {
    let server = Server::start();
    let url = server.url("log");
    let world = busy(180);
    let tried = hold(&world, &specified(false), &["--through", &url]);
    assert!(tried.len() > 100, "{}", tried.len());
    let full = must_fail(world.attest(&["log", "attack", GUARD, "--through", &url]));
    assert!(full.contains("name an empty database"), "{full}");
}

/// A guard's log of two sealed parts and some entries that are not.
fn sealed() -> World {
    let world = busy(300);
    for before in ["256", "512"] {
        must(world.attest(&["log", "seal", GUARD, "--to", "sealed", "--before", before]));
    }
    world
}

fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let names = ["tile/entries/000", "tile/entries/001", "token/001", "part/256-512.parquet"];
    let all = names.map(|name| format!("sealed/{name}")).into_iter().chain([GUARD.to_owned()]);
    all.map(|name| (name.clone(), std::fs::read(world.path(&name)).unwrap())).collect()
}

#[test]
fn every_attack_on_a_log_that_has_sealed_parts_is_noticed_by_what_the_specification_says() {
    let world = sealed();
    let before = files(&world);
    let specified = specified(true);
    let tried = hold(&world, &specified, &[]);
    assert!(files(&world) == before, "the log itself is left alone, and what it has sealed");
    all_are_tried(&specified, &tried);
    let server = Server::start();
    let url = server.url("log");
    let through = hold(&world, &specified, &["--through", &url]);
    assert!(through.keys().any(|(attack, _)| attack.contains("sealed")) && through.len() > 100, "{}", through.len());

    // One whose first tokens were let go.
    must(world.attest(&["log", "forget", GUARD, "--before", "256", "--yes", "--key", GUARD_KEY]));
    let (code, rows) = told(output(world.attest(&["log", "attack", GUARD, "--trust", "guard.toml", "--json"])));
    assert_eq!(code, 0, "{rows}");
    let writer = |(attack, who): &&(String, String)| who == "writer" && !attack.starts_with('*');
    let (specified, tried) = (specified.keys().filter(writer), self::tried(&rows));
    let untried: Vec<_> = specified.filter(|row| !tried.contains_key(row)).collect();
    assert!(untried.is_empty(), "{untried:?}");

    // Of a log that is not whole where it is sealed nothing is tried.
    let path = world.path("sealed/tile/entries/001");
    let mut file = std::fs::read(&path).unwrap();
    file[100] ^= 1;
    std::fs::write(&path, file).unwrap();
    let said = must_fail(world.attest(&["log", "attack", GUARD]));
    assert!(said.contains("not whole"), "{said}");
    std::fs::remove_file(path).unwrap();
    let said = must_fail(world.attest(&["log", "attack", GUARD]));
    assert!(said.contains("entries 256 to 511 are sealed at"), "{said}");
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
