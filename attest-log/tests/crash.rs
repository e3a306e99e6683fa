//! `kill -9` at random points loses nothing that was acknowledged.

mod common;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{CHILD, Ledger, check, child_main, random, rounds, spawn};

#[test]
fn child() {
    child_main();
}

#[test]
fn kill_9_at_random_points_loses_nothing_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log.db");
    let mut all = BTreeMap::new();
    // Rounds share one log, so that each also starts on what a killed one left behind.
    for round in 0..rounds(12, 200) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (mut child, mut out) = spawn(command.args(CHILD), &path, round, None);
        let mut ledger = Ledger::default();
        let (wanted, pause) = (random(150), Duration::from_micros(random(3_000)));
        let (mut seen, mut line) = (0, String::new());
        while seen < wanted && out.read_line(&mut line).unwrap() > 0 {
            seen += u64::from(ledger.take(line.trim_end()));
            line.clear();
        }
        // Acknowledgements come at commits; the pause moves the kill off them.
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        ledger.drain(&mut out);
        assert_eq!((&ledger.violations, &ledger.stopped, &ledger.refused), (&vec![], &None, &None));
        all.append(&mut ledger.acknowledged);
        let entries = check(&path, &all);
        println!(
            "round {round}: killed after {seen} acknowledgements and {pause:?}; {entries} entries, {} acknowledged",
            all.len()
        );
    }
    assert!(!all.is_empty());
}
