//! `kill -9` of a witness, over and over, while two trees of each log want to be cosigned.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use attest_core::merkle::Hash;
use attest_core::note::{Note, Vkey};
use attest_core::witness::read_answer;
use attest_tests::world::World;

use super::trees::{Signed, Tree};
use super::{Watching, agent};

/// Logs that appear in each round; those of the round before are still asked about.
const LOGS: usize = 3;
/// Largest tree.
const LONGEST: u64 = 40;
/// Entries that both trees of a log have.
const COMMON: u64 = 3;

/// Every root that was cosigned, by log and size.
type Ledger = Mutex<HashMap<(usize, u64), Hash>>;

#[test]
fn a_witness_that_is_killed_at_any_moment_never_cosigns_two_roots_of_one_size() {
    let rounds = if std::env::var_os("ATTEST_LONG").is_some() { 200 } else { 10 };
    let world = World::new();
    let logs: Vec<Signed> = (0..rounds * LOGS).map(|at| Signed::new(&format!("log{at}.example"), 1)).collect();
    let vkeys: Vec<String> = logs.iter().map(|log| log.vkey.to_string()).collect();
    let forks = ["left", "right"].map(|fork| Tree::new(LONGEST, COMMON, fork));
    let ledger = Ledger::default();
    for round in 0..rounds {
        let mut witness = Watching::start(&world, "w", &vkeys);
        let (url, vkey) = (witness.url().to_owned(), Vkey::parse(witness.vkey()).unwrap());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let asked = (round.saturating_sub(1) * LOGS)..(round + 1) * LOGS;
            for (at, log) in logs.iter().enumerate().filter(|(at, _)| asked.contains(at)) {
                for tree in &forks {
                    let (ledger, stop, witness) = (&ledger, &stop, (&*url, &vkey));
                    scope.spawn(move || ask(at, log, tree, witness, ledger, stop));
                }
            }
            // From the first requests to long after the last tree is settled.
            thread::sleep(Duration::from_millis(5 + (round as u64 * 41) % 160));
            // While requests are under way.
            witness.process.as_ref().unwrap().kill_now();
            stop.store(true, Ordering::SeqCst);
        });
        witness.process.take().unwrap().kill();
    }
    let ledger = ledger.into_inner().unwrap();
    let seen: BTreeSet<usize> = ledger.keys().map(|(log, _)| *log).collect();
    println!("{} roots of {} logs", ledger.len(), seen.len());
    assert!(seen.len() > rounds, "{}", seen.len());
    for at in seen {
        let mut sizes = ledger.iter().filter(|((log, _), _)| *log == at);
        let one = forks.iter().any(|tree| sizes.clone().all(|((_, size), root)| tree.root(*size) == *root));
        assert!(one, "all that was cosigned of log {at} is of one tree");
        assert!(sizes.next().is_some());
    }
}

/// Asks for one tree of one log until the witness is gone: onwards, and where it has seen the other tree for a second root of
/// that size.
fn ask(at: usize, log: &Signed, tree: &Tree, (url, vkey): (&str, &Vkey), ledger: &Ledger, stop: &AtomicBool) {
    let agent = agent();
    let url = format!("{url}/add-checkpoint");
    let (mut old, mut step) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let size = (old + step).min(LONGEST);
        step = (step + 1) % 3;
        let request = tree.add(log, old, size);
        let Ok(mut answer) = agent.post(&url).send(request.to_text()) else { continue };
        let status = answer.status().as_u16();
        let Ok(body) = answer.body_mut().read_to_vec() else { continue };
        match status {
            200 => {
                let note = Note::parse(request.checkpoint.as_bytes()).unwrap();
                read_answer(note.text(), &body, vkey).unwrap();
                let root = tree.root(size);
                let before = ledger.lock().unwrap().insert((at, size), root);
                assert!(before.is_none_or(|before| before == root), "two roots of log {at} at {size}");
                old = size;
            }
            409 => old = String::from_utf8(body).unwrap().trim().parse().unwrap(),
            422 => {}
            other => panic!("{other}"),
        }
    }
}
