//! Properties of what is read and written about a log: nothing panics, what is written is read back as it was, no proof holds
//! for anything else than it was made for.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::collections::BTreeSet;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::cosignature;
use attest_core::log_policy::LogPolicy;
use attest_core::merkle::{EMPTY_ROOT, Growing, Hash, check_consistency, check_inclusion, leaf, node};
use attest_core::note::{self, Kind, Note, Vkey};
use attest_core::sign::{MemoryKey, Sign};
use attest_core::tile::{self, Resource, Tile};
use attest_core::tlog_proof::TlogProof;
use attest_core::witness::{AddCheckpoint, Declined, Record, read_answer, read_size, size_text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn key(seed: u8) -> MemoryKey {
    MemoryKey::from_seed(&[seed; 32])
}

fn vkey(name: &str, kind: Kind, seed: u8) -> Vkey {
    Vkey::new(name, kind, key(seed).public().clone()).unwrap()
}

fn log_keys() -> LogKeys {
    LogKeys::new(Vec::new(), vkey("log", Kind::Log, 5)).unwrap()
}

fn leaves(size: usize) -> Vec<Hash> {
    (0..size).map(|i| leaf(i.to_string().as_bytes())).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Growing::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

/// RFC 6962, section 2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let inside = index < left.len();
    let mut hashes = if inside { path(index, left) } else { path(index - left.len(), right) };
    hashes.push(root(if inside { right } else { left }));
    hashes
}

/// RFC 6962, section 2.1.2.
fn consistency(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        [consistency(old, left, whole), vec![root(right)]].concat()
    } else {
        [consistency(old - left.len(), right, false), vec![root(left)]].concat()
    }
}

fn checkpoint(size: usize) -> String {
    let checkpoint = Checkpoint { origin: "log".to_owned(), size: size as u64, root: root(&leaves(size)) };
    let Ok(note) = checkpoint.sign(&vkey("log", Kind::Log, 5), &key(5));
    note
}

/// Bytes that are nearly what a parser takes: pieces of its forms, and any others.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "c2sp.org/tlog-proof@v1\n",
        "extra ",
        "index ",
        "old ",
        "0",
        "1",
        "18446744073709551616",
        "\n",
        "\n\n",
        " ",
        "\u{2014} ",
        "log",
        "files+",
        "=",
        "OwFZLOinW4R1ldabsLSG6ag7OPmOYHLYr5J4XWfQ6Cg=",
        "AAAAAAAA",
        "tile/",
        "entries/",
        "x001/",
        "000",
        ".p/",
        "checkpoint",
        "quorum none\n",
        "group g any ",
        "witness a ",
        "#",
        "\t",
        "quorum ",
        " until ",
        "+",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// One change of a text.
fn changed(good: &[u8], at: Index, how: u8) -> Vec<u8> {
    let at = at.index(good.len());
    match how % 3 {
        0 => [&good[..at], &[good[at] ^ (1 << (how / 3 % 8))], &good[at + 1..]].concat(),
        1 => [&good[..at], &good[at + 1..]].concat(),
        _ => [&good[..at], &[how], &good[at..]].concat(),
    }
}

/// Reads bytes with every parser. What is read and written again has to be what it was.
fn read_with_all(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        let witness = vkey("log", Kind::Witness, 6);
        assert!(note.verify(&vkey("log", Kind::Log, 6)).is_err() && cosignature::check(&note, &witness).is_err());
        let _ = Checkpoint::parse(note.text());
    }
    let _ = log_keys().open(bytes);
    if let Ok(policy) = LogPolicy::parse(bytes) {
        assert!(policy.satisfied_by(|_, _| true));
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_text().as_bytes(), bytes);
        assert!(request.origin().is_ok());
        let _ = request.decide(Some(&log_keys()), None);
    }
    if let Some(size) = read_size(bytes) {
        assert_eq!(size_text(size).as_bytes(), bytes);
    }
    let _ = read_answer("log\n", bytes, &vkey("log", Kind::Witness, 6));
    for width in [0, 1, 2, 255, 256, 257, u16::MAX] {
        if let Some(entries) = tile::read_bundle(bytes, width) {
            assert_eq!(tile::write_bundle(&entries).unwrap(), bytes);
        }
        if let Some(hashes) = tile::read_hashes(bytes, width) {
            assert_eq!(hashes.concat(), bytes);
        }
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(key) = Vkey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    let _ = LogKeys::parse(&text.lines().collect::<Vec<_>>());
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_text(), text);
        assert!(proof.check(&log_keys()).is_err());
    }
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(resource.to_string(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_parser_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        read_with_all(&bytes);
    }

    #[test]
    fn no_parser_panics_on_what_is_nearly_right(bytes in nearly()) {
        read_with_all(&bytes);
    }

    #[test]
    fn a_proof_holds_for_its_entry_index_and_root_alone(size in 1..300_usize, at in any::<Index>(), which in any::<Index>(), bit in 0..256_usize) {
        let (leaves, index) = (leaves(size), at.index(size));
        let (path, root) = (path(index, &leaves), root(&leaves));
        let check = |leaf: &Hash, index: u64, path: &[Hash], root: &Hash| check_inclusion(leaf, index, size as u64, path, root).is_ok();
        let flip = |hash: &Hash| { let mut hash = *hash; hash[bit / 8] ^= 1 << (bit % 8); hash };
        prop_assert!(check(&leaves[index], index as u64, &path, &root));
        prop_assert!(!check(&flip(&leaves[index]), index as u64, &path, &root));
        prop_assert!(!check(&leaves[index], index as u64, &path, &flip(&root)));
        for other in (0..=size).filter(|other| *other != index) {
            prop_assert!(!check(&leaves[index], other as u64, &path, &root));
        }
        prop_assert!(!check(&leaves[index], index as u64, &[&path[..], &[root]].concat(), &root));
        if !path.is_empty() {
            let which = which.index(path.len());
            let mut flipped = path.clone();
            flipped[which] = flip(&path[which]);
            prop_assert!(!check(&leaves[index], index as u64, &flipped, &root));
            let mut dropped = path.clone();
            dropped.remove(which);
            prop_assert!(!check(&leaves[index], index as u64, &dropped, &root));
        }
        // A node is no entry: neither a shorter path nor a smaller tree makes it one.
        if size > 1 {
            let (at, sibling) = (index & !1, index | 1);
            if sibling < size {
                let parent = node(&leaves[at], &leaves[sibling]);
                prop_assert!(!check(&parent, index as u64 / 2, &path[1..], &root));
            }
        }
    }

    #[test]
    fn a_consistency_proof_holds_for_its_two_roots_alone(size in 1..300_usize, at in any::<Index>(), which in any::<Index>(), bit in 0..256_usize) {
        let (leaves, old) = (leaves(size), at.index(size + 1));
        let path = if old == 0 { Vec::new() } else { consistency(old, &leaves, true) };
        let (old_root, new_root) = (root(&leaves[..old]), root(&leaves));
        let check = |old_root: &Hash, root: &Hash, path: &[Hash]| check_consistency(old as u64, old_root, size as u64, root, path).is_ok();
        let flip = |hash: &Hash| { let mut hash = *hash; hash[bit / 8] ^= 1 << (bit % 8); hash };
        prop_assert!(check(&old_root, &new_root, &path));
        prop_assert!(!check(&flip(&old_root), &new_root, &path));
        // From the empty tree nothing is said about the new one.
        prop_assert_eq!(check(&old_root, &flip(&new_root), &path), old == 0);
        prop_assert!(!check(&old_root, &new_root, &[&path[..], &[new_root]].concat()));
        if !path.is_empty() {
            let which = which.index(path.len());
            let mut flipped = path.clone();
            flipped[which] = flip(&path[which]);
            prop_assert!(!check(&old_root, &new_root, &flipped));
            let mut dropped = path.clone();
            dropped.remove(which);
            prop_assert!(!check(&old_root, &new_root, &dropped));
        }
    }

    #[test]
    fn proofs_of_any_sizes_and_hashes_are_decided(a in any::<u64>(), b in any::<u64>(), shift in 0..64_u32, hashes in vec(any::<[u8; 32]>(), 0..70)) {
        let (a, b) = (a >> shift, b >> shift);
        let nothing = [0; 32];
        // The one leaf of a tree is its root, and that is proved by no hash.
        let alone = a == 0 && b == 1 && hashes.is_empty();
        prop_assert_eq!(check_inclusion(&nothing, a, b, &hashes, &nothing).is_err(), !alone);
        prop_assert!(check_consistency(a, &nothing, b, &EMPTY_ROOT, &hashes).is_err());
    }

    #[test]
    fn a_note_is_read_as_it_was_signed(text in "[^\\x00-\\x1f]{0,40}(\n[^\\x00-\\x1f]{0,40}){0,4}", seed in 1..9_u8) {
        let (text, name) = (format!("{text}\n"), vkey("log", Kind::Log, seed));
        let Ok(signed) = note::sign(&text, &name, &key(seed));
        let note = Note::parse(signed.as_bytes()).unwrap();
        prop_assert_eq!(note.text(), &text);
        prop_assert_eq!(note.verify(&name), Ok(()));
        prop_assert!(note.verify(&vkey("log", Kind::Log, seed + 1)).is_err());
        prop_assert_eq!(Vkey::parse(&name.to_string()), Ok(name));
    }

    #[test]
    fn a_changed_checkpoint_is_refused(size in 0..40_usize, at in any::<Index>(), how in any::<u8>()) {
        let good = checkpoint(size);
        let bad = changed(good.as_bytes(), at, how);
        prop_assert!(log_keys().open(good.as_bytes()).is_ok());
        // The same byte twice in a row, put in: the note is another, or the same where it was left out of a run and put in.
        prop_assert!(bad == good.as_bytes() || log_keys().open(&bad).is_err());
    }

    #[test]
    fn a_changed_proof_is_refused(size in 1..40_usize, of in any::<Index>(), at in any::<Index>(), how in any::<u8>()) {
        let index = of.index(size);
        let proof = TlogProof { entry: Some(index.to_string().into_bytes()), index: index as u64, path: path(index, &leaves(size)), checkpoint: checkpoint(size) };
        let good = proof.to_text();
        prop_assert_eq!(TlogProof::parse(&good), Ok(proof.clone()));
        prop_assert!(proof.check(&log_keys()).is_ok());
        let bad = changed(good.as_bytes(), at, how);
        let accepted = str::from_utf8(&bad).ok().and_then(|bad| TlogProof::parse(bad).ok()).is_some_and(|proof| proof.check(&log_keys()).is_ok());
        prop_assert!(bad == good.as_bytes() || !accepted);
    }

    #[test]
    fn a_cosignature_holds_at_its_time_and_for_its_text_alone(size in 0..40_usize, time in 1..=cosignature::MAX_TIME, at in any::<Index>(), how in any::<u8>()) {
        let signed = checkpoint(size);
        let witness = vkey("w", Kind::Witness, 6);
        let text = Note::parse(signed.as_bytes()).unwrap().text().to_owned();
        let line = cosignature::sign(&text, time, &witness, &key(6)).unwrap();
        let whole = signed + &line;
        let check = |note: &[u8]| Note::parse(note).and_then(|note| cosignature::check(&note, &witness)).ok();
        prop_assert_eq!(check(whole.as_bytes()), Some(time));
        prop_assert_eq!(read_answer(&text, line.as_bytes(), &witness), Ok((time, line.as_str())));
        let bad = changed(line.as_bytes(), at, how);
        prop_assert!(bad == line.as_bytes() || read_answer(&text, &bad, &witness).is_err());
        let at = at.index(text.len());
        let other = format!("{}0{}", &text[..at], &text[at..]);
        prop_assert!(other == text || read_answer(&other, line.as_bytes(), &witness).is_err());
    }

    #[test]
    fn a_witness_sees_every_log_only_grow(sizes in vec(0..30_usize, 1..12), lies in vec(any::<bool>(), 12)) {
        let keys = log_keys();
        let mut record: Option<Record> = None;
        for (size, lie) in sizes.into_iter().zip(lies) {
            let known = record.map_or(0, |record| usize::try_from(record.size).unwrap());
            let grown = leaves(size.max(known));
            // A lie forgets the first entry, and so has another root at every size.
            let tree = if lie { leaves(size.max(known) + 1)[1..].to_vec() } else { grown };
            let signed = Checkpoint { origin: "log".to_owned(), size: tree.len() as u64, root: root(&tree) };
            let Ok(note) = signed.sign(&vkey("log", Kind::Log, 5), &key(5));
            let proof = if known == 0 || known == tree.len() { Vec::new() } else { consistency(known, &tree, true) };
            let request = AddCheckpoint { old: known as u64, proof, checkpoint: note };
            prop_assert_eq!(AddCheckpoint::parse(request.to_text().as_bytes()), Ok(request.clone()));
            match request.decide(Some(&keys), record.as_ref()) {
                Ok(cosign) => {
                    // What was cosigned first may be anything; from then on there is one tree.
                    prop_assert!(record.is_none_or(|record| cosign.record.size >= record.size));
                    prop_assert!(record.is_none_or(|old| old.size != cosign.record.size || old.root == cosign.record.root));
                    record = Some(cosign.record);
                }
                Err(declined) => prop_assert_eq!(declined, Declined::Inconsistent),
            }
            prop_assert_eq!(request.decide(None, record.as_ref()), Err(Declined::UnknownLog));
            let other = LogKeys::new(Vec::new(), vkey("other", Kind::Log, 5)).unwrap();
            prop_assert_eq!(request.decide(Some(&other), record.as_ref()), Err(Declined::UnknownLog));
        }
    }

    #[test]
    fn more_cosignatures_never_make_a_policy_unsatisfied(tree in vec((0..4_usize, any::<Index>(), 1..5_usize), 1..8), signed in any::<u16>(), more in any::<u16>()) {
        let mut text = String::new();
        let mut free: Vec<String> = (0..8).map(|at| format!("w{at}")).collect();
        for at in 0..8_u8 {
            text += &format!("witness w{at} {}\n", vkey("w", Kind::Witness, 20 + at));
        }
        let mut last = "w0".to_owned();
        for (at, (needed, first, count)) in tree.into_iter().enumerate() {
            let start = first.index(free.len());
            let members: Vec<String> = free.drain(start..free.len().min(start + count)).collect();
            let needed = match needed { 0 => "any".to_owned(), 1 => "all".to_owned(), k => k.min(members.len()).to_string() };
            last = format!("g{at}");
            text += &format!("group {last} {needed} {}\n", members.join(" "));
            free.push(last.clone());
        }
        text += &format!("quorum {last}\n");
        let policy = LogPolicy::parse(text.as_bytes()).unwrap();
        let by = |set: u16| policy.satisfied_by(|at, _| set >> at & 1 == 1);
        prop_assert!(by(u16::MAX) && !by(0));
        prop_assert!(!by(signed) || by(signed | more));
    }

    #[test]
    fn each_tile_has_one_path(level in 0..=tile::MAX_LEVEL, index in any::<u64>(), shift in 0..64_u32, width in 1..=tile::FULL) {
        if let Some(tile) = Tile::new(level, index >> shift, width) {
            for resource in [Resource::Tile(tile), Resource::Entries(tile)] {
                let read = Resource::parse(&resource.to_string());
                match resource {
                    Resource::Entries(_) if level > 0 => {}
                    _ => prop_assert_eq!(read, Some(resource)),
                }
            }
        }
    }

    #[test]
    fn the_tiles_of_a_tree_hold_each_hash_once(size in 0..200_000_u64) {
        for level in 0..=tile::MAX_LEVEL {
            let tiles: Vec<Tile> = tile::tiles(size).filter(|tile| tile.level() == level).collect();
            let hashes: u64 = tiles.iter().map(|tile| u64::from(tile.width())).sum();
            prop_assert_eq!(hashes, size >> (8 * u32::from(level)));
            let indexes: BTreeSet<u64> = tiles.iter().map(Tile::index).collect();
            prop_assert_eq!(indexes.len(), tiles.len());
            prop_assert!(tiles.iter().rev().skip(1).all(Tile::is_full));
        }
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written(entries in vec(vec(any::<u8>(), 0..40), 1..=256), width in any::<u16>()) {
        let bundle = tile::write_bundle(&entries).unwrap();
        let right = u16::try_from(entries.len()).unwrap();
        let read = tile::read_bundle(&bundle, right).unwrap();
        prop_assert!(read.iter().zip(&entries).all(|(read, entry)| read == entry));
        prop_assert!(width == right || tile::read_bundle(&bundle, width).is_none());
    }
}

#[test]
fn a_root_that_is_read_entry_by_entry_is_that_of_the_definition() {
    fn definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split(more.len()));
                node(&definition(left), &definition(right))
            }
        }
    }
    let all = leaves(260);
    for size in 0..=all.len() {
        assert_eq!(root(&all[..size]), definition(&all[..size]), "{size}");
    }
}

#[test]
fn what_is_too_long_is_not_read() {
    let note = |length: usize| {
        let text = "x".repeat(length);
        let Ok(note) = note::sign(&format!("{text}\n"), &vkey("log", Kind::Log, 5), &key(5));
        note
    };
    let over = note(0).len();
    assert!(Note::parse(note(note::MAX_NOTE - over).as_bytes()).is_ok());
    assert!(Note::parse(note(note::MAX_NOTE - over + 1).as_bytes()).is_err());
    let zeros = vec![0; tile::MAX_ENTRY];
    assert!(tile::write_bundle(&[&zeros]).is_some());
    assert!(tile::write_bundle(&[[&zeros[..], &[0]].concat()]).is_none());
    assert!(tile::write_bundle(&[b"x"; 257]).is_none());
    assert!(tile::write_bundle::<&[u8]>(&[]).is_none());
    let proof = TlogProof {
        entry: Some(vec![0; tile::MAX_ENTRY]),
        index: 0,
        path: vec![[0; 32]; 63],
        checkpoint: note(note::MAX_NOTE - over),
    };
    assert!(TlogProof::parse(&proof.to_text()).is_ok(), "the longest entry with the longest checkpoint and proof");
    let entry = vec![0; 200_000];
    let root = leaf(&entry);
    let Ok(checkpoint) =
        Checkpoint { origin: "log".to_owned(), size: 1, root }.sign(&vkey("log", Kind::Log, 5), &key(5));
    let proof = TlogProof { entry: Some(entry), index: 0, path: Vec::new(), checkpoint };
    assert!(proof.check(&log_keys()).is_ok() && TlogProof::parse(&proof.to_text()).is_err());
    let witness = vkey("w", Kind::Witness, 6);
    let line = cosignature::sign("a\n", 1, &witness, &key(6)).unwrap();
    let with_another = |length: usize| format!("{line}\u{2014} x {}\n", "A".repeat(length));
    assert!(read_answer("a\n", with_another(130_000).as_bytes(), &witness).is_ok());
    assert!(read_answer("a\n", with_another(131_072).as_bytes(), &witness).is_err());
}

#[test]
fn only_a_witness_with_its_own_key_cosigns_and_never_at_no_time() {
    use cosignature::CosignError::{Name, Time};
    let sign = |time, name: &Vkey| cosignature::sign("log\n0\n", time, name, &key(6));
    let witness = vkey("w", Kind::Witness, 6);
    assert!(sign(1, &witness).is_ok());
    assert_eq!(sign(0, &witness), Err(Time));
    assert_eq!(sign(1 << 63, &witness), Err(Time));
    assert_eq!(sign(1, &vkey("w", Kind::Log, 6)), Err(Name));
    assert_eq!(sign(1, &vkey("w", Kind::Witness, 7)), Err(Name));
}
