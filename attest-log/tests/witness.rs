//! A witness: every status of C2SP's tlog-witness, and one root at one size, whatever happens.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod trees;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use attest_core::cosignature;
use attest_core::merkle::Hash;
use attest_core::note::Note;
use attest_core::witness::AddCheckpoint;
use attest_keys::KeySource;
use attest_log::Answer;
use attest_log::witness::{Witness, WitnessError};
use sha2::{Digest as _, Sha256};
use trees::{Signed, Tree};

const NOW: u64 = 1_800_000_000;
const NAME: &str = "witness.example/one";

fn open(folder: &Path, logs: &[String]) -> Result<Witness, WitnessError> {
    Witness::open(&folder.join("state"), &KeySource::File(folder.join("key")), NAME, logs)
}

fn watching(folder: &Path, logs: &[&Signed]) -> Witness {
    let logs: Vec<String> = logs.iter().map(|log| log.vkey.to_string()).collect();
    open(folder, &logs).unwrap()
}

fn add(witness: &Witness, request: &AddCheckpoint) -> Answer {
    witness.add_checkpoint(request.to_text().as_bytes(), NOW)
}

fn hash_of(origin: &str) -> String {
    Sha256::digest(origin).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_checkpoint_that_continues_the_last_one_is_cosigned_and_shown_to_monitors() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree) = (Signed::new("log.example", 1), Tree::new(20, 20, ""));
    let witness = watching(folder.path(), &[&log]);
    let hash = hash_of("log.example");
    assert_eq!(witness.checkpoint(&hash).status, 404, "nothing was cosigned");
    for (old, size) in [(0, 3), (3, 8), (8, 8), (8, 20)] {
        let request = tree.add(&log, old, size);
        let answer = add(&witness, &request);
        assert_eq!((answer.status, answer.content_type), (200, "text/plain; charset=utf-8"));
        let shown = witness.checkpoint(&hash);
        assert_eq!(shown.status, 200);
        let expected = [request.checkpoint.as_bytes(), &answer.body].concat();
        assert_eq!(shown.body, expected, "the checkpoint, the log's line, and the cosignature that was answered");
        let note = Note::parse(&expected).unwrap();
        assert_eq!(cosignature::check(&note, witness.vkey()), Ok(NOW));
        note.verify(&log.vkey).unwrap();
    }
    assert_eq!(witness.checkpoint(&hash_of("other.example")).status, 404);
}

#[test]
fn each_way_of_being_wrong_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree) = (Signed::new("log.example", 1), Tree::new(20, 20, ""));
    let witness = watching(folder.path(), &[&log]);
    assert_eq!(add(&witness, &tree.add(&log, 0, 5)).status, 200);
    let good = tree.add(&log, 5, 9);

    assert_eq!(witness.add_checkpoint(b"hello", NOW).status, 400);
    assert_eq!(witness.add_checkpoint(&vec![b'a'; 200_000], NOW).status, 400);
    assert_eq!(add(&witness, &AddCheckpoint { old: 10, ..good.clone() }).status, 400, "old above the checkpoint's");
    assert_eq!(add(&witness, &tree.add(&Signed::new("other.example", 1), 0, 5)).status, 404);
    assert_eq!(add(&witness, &tree.add(&Signed::new("log.example", 2), 5, 9)).status, 403, "another key");
    let changed = good.checkpoint.replacen("log.example\n9\n", "log.example\n8\n", 1);
    assert_eq!(
        add(&witness, &AddCheckpoint { checkpoint: changed, ..good.clone() }).status,
        403,
        "not what was signed"
    );
    for old in [0, 4, 6] {
        let answer = add(&witness, &AddCheckpoint { old, ..good.clone() });
        assert_eq!((answer.status, answer.content_type, &*answer.body), (409, "text/x.tlog.size", &b"5\n"[..]));
    }
    let mut wrong = good.clone();
    wrong.proof[0][0] ^= 1;
    assert_eq!(add(&witness, &wrong).status, 422);
    assert_eq!(add(&witness, &AddCheckpoint { proof: Vec::new(), ..good.clone() }).status, 422);
    let other = Tree::new(20, 4, "a fork");
    assert_eq!(add(&witness, &other.add(&log, 5, 9)).status, 422, "a fork");
    assert_eq!(add(&witness, &other.add(&log, 5, 5)).status, 422, "a second root at one size");
    let empty = log.checkpoint(0, [7; 32]);
    let fresh = Signed::new("fresh.example", 3);
    drop(witness);
    let witness = watching(folder.path(), &[&log, &fresh]);
    let empty_of = |root| AddCheckpoint { old: 0, proof: Vec::new(), checkpoint: fresh.checkpoint(0, root) };
    assert_eq!(add(&witness, &empty_of([7; 32])).status, 422, "the empty tree has one root");
    let with_proof = AddCheckpoint { proof: vec![[1; 32]], ..tree.add(&fresh, 0, 5) };
    assert_eq!(add(&witness, &with_proof).status, 422, "a proof from nothing is empty");
    assert_eq!(add(&witness, &empty_of(tree.root(0))).status, 200);
    assert_eq!(add(&witness, &AddCheckpoint { old: 0, proof: Vec::new(), checkpoint: empty }).status, 409);
    // After all that the good one is good.
    assert_eq!(add(&witness, &good).status, 200);
}

#[test]
fn what_was_cosigned_is_remembered_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree) = (Signed::new("log.example", 1), Tree::new(20, 20, ""));
    let fork = Tree::new(20, 4, "a fork");
    let witness = watching(folder.path(), &[&log]);
    assert_eq!(add(&witness, &tree.add(&log, 0, 7)).status, 200);
    let (vkey, shown) = (witness.vkey().clone(), witness.checkpoint(&hash_of("log.example")));
    drop(witness);
    let witness = watching(folder.path(), &[&log]);
    assert_eq!(*witness.vkey(), vkey);
    assert_eq!(witness.checkpoint(&hash_of("log.example")), shown);
    assert_eq!(add(&witness, &tree.add(&log, 0, 9)).status, 409);
    assert_eq!(add(&witness, &fork.add(&log, 7, 7)).status, 422);
    assert_eq!(add(&witness, &fork.add(&log, 7, 9)).status, 422);
    assert_eq!(add(&witness, &tree.add(&log, 7, 9)).status, 200);
    drop(witness);
    // A log that is no longer watched is still shown, and no longer cosigned.
    let witness = watching(folder.path(), &[]);
    assert_eq!(witness.checkpoint(&hash_of("log.example")).status, 200);
    assert_eq!(add(&witness, &tree.add(&log, 9, 12)).status, 404);
}

#[test]
fn two_trees_at_once_never_get_two_roots_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let log = Signed::new("log.example", 1);
    let forks = ["left", "right"].map(|fork| Tree::new(24, 5, fork));
    let witness = watching(folder.path(), &[&log]);
    let ledger = Mutex::new(HashMap::<u64, Hash>::new());
    thread::scope(|scope| {
        for at in 0..8usize {
            let (witness, tree, log, ledger) = (&witness, &forks[at % 2], &log, &ledger);
            scope.spawn(move || {
                let mut old = 0;
                for step in 0..60u64 {
                    let size = (old + 1 + (step + at as u64) % 3).min(24);
                    let answer = add(witness, &tree.add(log, old.min(size), size));
                    match answer.status {
                        200 => {
                            let root = tree.root(size);
                            let before = ledger.lock().unwrap().insert(size, root);
                            assert!(before.is_none_or(|before| before == root), "two roots at {size}");
                            old = size;
                        }
                        409 => old = String::from_utf8(answer.body).unwrap().trim().parse().unwrap(),
                        422 => return,
                        other => panic!("{other}"),
                    }
                }
            });
        }
    });
    let ledger = ledger.into_inner().unwrap();
    assert!(ledger.len() > 5, "{}", ledger.len());
    let one = forks.iter().any(|tree| ledger.iter().all(|(size, root)| tree.root(*size) == *root));
    assert!(one, "all that was cosigned is of one tree");
}

#[test]
fn a_second_root_at_one_size_is_kept_as_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree, fork) = (Signed::new("log.example", 1), Tree::new(9, 9, ""), Tree::new(9, 4, "a fork"));
    let witness = watching(folder.path(), &[&log]);
    assert_eq!(add(&witness, &tree.add(&log, 0, 7)).status, 200);
    let kept = folder.path().join("state").join(hash_of("log.example") + ".fork");
    let mut wrong = tree.add(&log, 7, 9);
    wrong.proof.clear();
    assert_eq!(add(&witness, &wrong).status, 422);
    assert!(!kept.exists(), "a wrong proof shows nothing");
    let second = fork.add(&log, 7, 7);
    assert_eq!(add(&witness, &second).status, 422);
    let text = fs::read_to_string(&kept).unwrap();
    assert!(text.ends_with(&second.checkpoint) && text.contains(NAME), "{text}");
    assert_eq!(add(&witness, &Tree::new(9, 3, "another").add(&log, 7, 7)).status, 422);
    assert_eq!(fs::read_to_string(&kept).unwrap(), text, "the first is enough");
}

#[test]
fn a_witness_that_cannot_write_its_record_cosigns_nothing_until_it_is_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree) = (Signed::new("log.example", 1), Tree::new(9, 9, ""));
    let other = Signed::new("other.example", 2);
    let witness = watching(folder.path(), &[&log, &other]);
    assert_eq!(add(&witness, &tree.add(&log, 0, 3)).status, 200);
    let blocked = folder.path().join("state").join(hash_of("log.example") + ".new");
    fs::create_dir(&blocked).unwrap();
    let answer = add(&witness, &tree.add(&log, 3, 5));
    assert_eq!(answer.status, 500);
    assert!(!answer.body.windows(3).any(|at| at == "\u{2014}".as_bytes()), "no cosignature");
    fs::remove_dir(&blocked).unwrap();
    assert_eq!(add(&witness, &tree.add(&log, 3, 5)).status, 500);
    assert_eq!(add(&witness, &tree.add(&other, 0, 5)).status, 500);
    drop(witness);
    let witness = watching(folder.path(), &[&log, &other]);
    assert_eq!(add(&witness, &tree.add(&log, 3, 5)).status, 200);
}

#[test]
fn a_logs_retired_key_cosigns_no_later_size() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, tree) = (Signed::new("log.example", 1), Signed::new("log.example", 2), Tree::new(20, 20, ""));
    let witness = open(folder.path(), &[format!("{} until 6", old.vkey), new.vkey.to_string()]).unwrap();
    assert_eq!(add(&witness, &tree.add(&new, 0, 4)).status, 403, "not in force yet");
    assert_eq!(add(&witness, &tree.add(&old, 0, 6)).status, 200);
    assert_eq!(add(&witness, &tree.add(&old, 6, 9)).status, 403);
    assert_eq!(add(&witness, &tree.add(&new, 6, 9)).status, 200);
    assert_eq!(add(&witness, &tree.add(&old, 9, 12)).status, 403);
}

#[test]
fn a_state_folder_has_one_witness() {
    let folder = tempfile::tempdir().unwrap();
    let witness = watching(folder.path(), &[]);
    assert!(matches!(open(folder.path(), &[]), Err(WitnessError::InUse { .. })));
    drop(witness);
    watching(folder.path(), &[]);
}

#[test]
fn a_witness_that_has_lost_its_key_or_whose_records_are_anothers_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let (log, tree) = (Signed::new("log.example", 1), Tree::new(9, 9, ""));
    let logs = [log.vkey.to_string()];
    drop(watching(folder.path(), &[&log]));
    fs::remove_file(folder.path().join("key")).unwrap();
    // Nothing was cosigned yet, so nothing is lost.
    let witness = watching(folder.path(), &[&log]);
    assert_eq!(add(&witness, &tree.add(&log, 0, 3)).status, 200);
    drop(witness);
    let away = folder.path().join("away");
    fs::rename(folder.path().join("key"), &away).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::KeyLost { .. })));
    attest_keys::SecretKey::generate().unwrap().write(&folder.path().join("key"), attest_keys::Form::Pem).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Record { .. })), "another key's records");
    fs::rename(&away, folder.path().join("key")).unwrap();

    let record = folder.path().join("state").join(hash_of("log.example") + ".checkpoint");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replacen("\n3\n", "\n2\n", 1)).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Record { .. })), "a changed record");
    fs::write(&record, "").unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Record { .. })), "a record that was cut");
    fs::write(&record, &text).unwrap();
    let other = folder.path().join("state").join(hash_of("other.example") + ".checkpoint");
    fs::rename(&record, &other).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Record { .. })), "under another log's name");
    fs::rename(&other, &record).unwrap();
    fs::set_permissions(&record, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Mode { .. })));
    fs::set_permissions(&record, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path().join("state"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Mode { .. })));
    fs::set_permissions(folder.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a file away; for others the rule itself is tested beside its code.
    if std::os::unix::fs::chown(&record, Some(12_345), None).is_ok() {
        assert!(matches!(open(folder.path(), &logs), Err(WitnessError::Owner { owner: 12_345, .. })));
        std::os::unix::fs::chown(&record, Some(0), None).unwrap();
    }
    watching(folder.path(), &[&log]);
}

#[test]
fn a_log_does_not_witness_itself() {
    let folder = tempfile::tempdir().unwrap();
    let witness = watching(folder.path(), &[]);
    let own = witness.vkey().key().clone();
    drop(witness);
    let log = attest_core::note::Vkey::new("log.example", attest_core::note::Kind::Log, own).unwrap();
    assert!(matches!(open(folder.path(), &[log.to_string()]), Err(WitnessError::KeyTwice(_))));
    assert!(matches!(open(folder.path(), &["nonsense".to_owned()]), Err(WitnessError::LogKeys(_))));
}
