//! Notes against `signed_note`, and checkpoints against `tlog_tiles`.

use std::collections::BTreeSet;
use std::fs;

use attest_core::checkpoint::Checkpoint;
use attest_core::note::{self, Kind, Note, Vkey};
use attest_core::sign::{MemoryKey, Sign};
use attest_tests::vectors::file::Vector;
use attest_tests::vectors::log::{self, ORIGIN, TYPE_LOG};
use attest_tests::vectors::{directory, points};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note as TheirNote, StandardSigner, StandardVerifier, VerifierList};

/// Whether they accept a note by this key.
fn theirs(note: &[u8], vkey: &str) -> bool {
    let Ok(verifier) = StandardVerifier::new(vkey) else { return false };
    TheirNote::from_bytes(note).is_ok_and(|note| note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok())
}

/// Whether we do.
fn ours(note: &[u8], vkey: &str) -> bool {
    let Ok(key) = Vkey::parse(vkey) else { return false };
    Note::parse(note).is_ok_and(|note| note.verify(&key).is_ok())
}

fn key(seed: u8) -> (MemoryKey, Vkey) {
    let key = MemoryKey::from_seed(&[seed; 32]);
    let vkey = Vkey::new(ORIGIN, Kind::Log, key.public().clone()).unwrap();
    (key, vkey)
}

/// Their form of a private key.
fn their_signer(seed: u8, vkey: &Vkey) -> StandardSigner {
    let id = vkey.to_string().split('+').nth(1).unwrap().to_owned();
    let secret = STANDARD.encode([&[TYPE_LOG], &[seed; 32][..]].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{secret}")).unwrap()
}

const TEXTS: [&str; 6] =
    ["a\n", "\n", "\n\n", "a\n\nb\n", "Ognuno sta solo\nsul cuor della terra è 日\n", "files\n3\nx\n"];

#[test]
fn what_either_signs_the_other_accepts_and_both_write_the_same_bytes() {
    for (seed, text) in (1..=20).flat_map(|seed| TEXTS.map(|text| (seed, text))) {
        let (secret, vkey) = key(seed);
        let Ok(by_us) = note::sign(text, &vkey, &secret);
        let mut their_note = TheirNote::new(text.as_bytes(), &[]).unwrap();
        their_note.add_sigs(&[&their_signer(seed, &vkey)]).unwrap();
        assert_eq!(by_us.as_bytes(), their_note.to_bytes());
        let name = vkey.to_string();
        assert!(theirs(by_us.as_bytes(), &name) && ours(&their_note.to_bytes(), &name), "{text:?}");
        let (_, other) = key(seed + 1);
        assert!(!theirs(by_us.as_bytes(), &other.to_string()) && !ours(by_us.as_bytes(), &other.to_string()));
    }
}

#[test]
fn both_refuse_a_note_with_any_bit_flipped() {
    let vkey = log::log_vkey();
    let good = log::note(&log::example_text(), log::LOG).into_bytes();
    assert!(ours(&good, &vkey) && theirs(&good, &vkey));
    for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        assert!(!ours(&bad, &vkey) && !theirs(&bad, &vkey), "byte {at}, bit {bit}");
    }
}

#[test]
fn both_agree_on_a_note_with_any_byte_left_out_or_doubled() {
    let vkey = log::log_vkey();
    let good = log::example_checkpoint().into_bytes();
    for at in 0..good.len() {
        let dropped = [&good[..at], &good[at + 1..]].concat();
        let doubled = [&good[..=at], &good[at..]].concat();
        for bad in [dropped, doubled] {
            assert_eq!(ours(&bad, &vkey), theirs(&bad, &vkey), "{}", String::from_utf8_lossy(&bad));
        }
    }
}

fn committed(kind: &str) -> Vec<Vector> {
    let paths = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let vectors = paths.filter(|path| path.extension().is_some_and(|e| e == "vec")).map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Vector::parse(&name, &fs::read(path).unwrap()).unwrap()
    });
    let all: Vec<Vector> = vectors.filter(|vector| vector.get("kind") == Some(kind)).collect();
    assert!(!all.is_empty());
    all
}

/// Compares their verdict with each vector's, and the names of those where it differs with `known`.
fn differing(kind: &str, known: &[&str], accepts: impl Fn(&Vector) -> bool) {
    let differs = |vector: &&Vector| accepts(vector) != (vector.get("expect") == Some("accept"));
    let found: BTreeSet<String> = committed(kind).iter().filter(differs).map(|vector| vector.name.clone()).collect();
    let known: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, known, "{kind}");
}

#[test]
fn signed_note_differs_from_the_vectors_only_where_it_is_known_to() {
    // What they accept and we do not.
    let laxer = ["note_65_lines", "note_name_too_long", "note_second_line", "note_small_order_r", "note_too_long"];
    differing("note", &laxer, |vector| theirs(&vector.body, vector.get("vkey").unwrap()));
}

#[test]
fn signed_note_reads_keys_as_the_vectors_say_only_where_it_is_known_to() {
    let different = [
        // Accepted by them.
        "note_vkey_id_upper_case",
        "note_vkey_mixed_order",
        "note_vkey_name_of_257_bytes",
        "note_vkey_name_with_delete",
        "note_vkey_name_with_escape",
        "note_vkey_second_spelling",
        "note_vkey_small_order",
        // Not known to them.
        "note_vkey_witness",
    ];
    differing("vkey", &different, |vector| StandardVerifier::new(str::from_utf8(&vector.body).unwrap()).is_ok());
}

#[test]
fn by_a_key_of_small_order_anybody_signs_for_signed_note_and_nobody_for_us() {
    // R is the identity and S zero. The equation then says that k·A is the identity, which it is for one text in eight.
    let point = points::small_order()[1];
    let vkey = log::vkey_of(ORIGIN, TYPE_LOG, &point);
    let signature = [&points::small_order()[0][..], &[0; 32]].concat();
    let forged = (0..64)
        .map(|n| format!("{n}\n\n{}", log::line_of(ORIGIN, log::key_id(ORIGIN, TYPE_LOG, &point), &signature)))
        .find(|note| theirs(note.as_bytes(), &vkey));
    let forged = forged.expect("signed_note refuses it now; take this trap out");
    assert!(!ours(forged.as_bytes(), &vkey));
}

#[test]
fn tlog_tiles_reads_the_same_checkpoints_but_for_those_it_is_known_to() {
    // Over our limit; the rest is about signatures, which it does not look at.
    let known: BTreeSet<&str> = ["checkpoint_too_large"].into();
    let differs = |vector: &&Vector| {
        let Ok(note) = Note::parse(&vector.body) else { return false };
        let (ours, theirs) =
            (Checkpoint::parse(note.text()), tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                (ours.origin.as_str(), ours.size, ours.root) != (theirs.origin(), theirs.size(), theirs.hash().0)
            }
            (ours, theirs) => ours.is_ok() != theirs.is_ok(),
        }
    };
    let all = committed("checkpoint");
    let found: BTreeSet<&str> = all.iter().filter(differs).map(|vector| vector.name.as_str()).collect();
    assert_eq!(found, known);
}
