//! A log says the same when it is gone through again, and what is remembered stays bounded.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a test fails there")]

#[allow(dead_code, reason = "each test uses its part")]
mod common;

use attest_core::entry::Entry;
use attest_core::seen::*;
use attest_watch::{Finding, Rules, replay};
use common::*;

fn busy(log: &mut Log) -> Vec<Finding> {
    let mut all = Vec::new();
    for n in 0..600u64 {
        let server = ["mail", "web", "files"][n as usize % 3];
        let of: &[Mark] = if n % 41 == 0 { &[Mark::Addressed] } else { &[] };
        let to = format!("h{}.example", n % 50);
        all.extend(log.at(server, tool(&format!("t{}", n % 7), &(n / 200).to_string(), OUT, of)));
        all.extend(log.at(server, calls(n, &format!("t{}", n % 7), &[&to])));
        all.extend(log.at(server, answer(n, of, &[])));
        if n % 5 == 0 {
            all.extend(log.at(server, refused(n)));
        }
    }
    all
}

#[test]
fn a_replay_comes_to_what_was_found_live_with_alerts_in_between_or_not() {
    let mut log = Log::new("");
    let live = busy(&mut log);
    assert!(live.len() > 100, "{}", live.len());
    let again: Vec<Finding> = replay(Rules::default(), log.entries.clone()).map(|found| found.unwrap().1).collect();
    assert_eq!(again, live);
    let alert = Entry::alert(&live[0], 1).to_bytes();
    let with = log.entries.iter().cloned().flat_map(|entry| [entry, (0, alert.clone())]);
    let again: Vec<Finding> = replay(Rules::default(), with).map(|found| found.unwrap().1).collect();
    assert_eq!(again, live);
}

#[test]
fn an_entry_that_cannot_be_read_is_named_and_the_rest_gone_through() {
    let mut log = Log::new("");
    log.at("mail", refused(1));
    let mut entries = log.entries.clone();
    entries.insert(0, (0, b"{}".to_vec()));
    let found: Vec<_> = replay(Rules::default(), entries).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].as_ref().unwrap_err().0, 0);
    assert_eq!(found[1].as_ref().unwrap().1.rule, "refused");
}
