//! The family `merkle`: proofs of inclusion and of consistency.

use super::file::Vector;
use super::log::{Hash, base64, consistency, leaf, leaves, lines, path, root, root_of_path};

const LIMIT: u64 = 1 << 48;

/// An inclusion proof in the making.
#[derive(Clone)]
struct Inclusion {
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
    path: Vec<Hash>,
}

impl Inclusion {
    fn good(index: usize, size: usize) -> Self {
        let leaves = leaves(size);
        let path = path(index, &leaves);
        Self { leaf: leaves[index], index: index as u64, size: size as u64, root: root(&leaves), path }
    }

    /// In a tree too large to be made.
    fn huge(index: u64, size: u64, hashes: u8) -> Self {
        let path: Vec<Hash> = (0..hashes).map(|i| leaf([i])).collect();
        let leaf = leaf("x");
        Self { leaf, index, size, root: root_of_path(&leaf, index, size, &path), path }
    }

    fn vector(&self, name: &str, comment: &str, expect: &str) -> Vector {
        let body = format!(
            "leaf {}\nindex {}\nsize {}\nroot {}\n{}",
            base64(self.leaf),
            self.index,
            self.size,
            base64(self.root),
            lines(&self.path)
        );
        Vector::new("inclusion", format!("merkle_inclusion_{name}"), comment, body).with("expect", expect)
    }
}

/// A consistency proof in the making.
#[derive(Clone)]
struct Consistency {
    old: u64,
    old_root: Hash,
    size: u64,
    root: Hash,
    path: Vec<Hash>,
}

impl Consistency {
    fn good(old: usize, size: usize) -> Self {
        let leaves = leaves(size);
        Self {
            old: old as u64,
            old_root: root(&leaves[..old]),
            size: size as u64,
            root: root(&leaves),
            path: consistency(old, &leaves),
        }
    }

    fn vector(&self, name: &str, comment: &str, expect: &str) -> Vector {
        let (old_root, root) = (base64(self.old_root), base64(self.root));
        let body = format!("old {} {old_root}\nnew {} {root}\n{}", self.old, self.size, lines(&self.path));
        Vector::new("consistency", format!("merkle_consistency_{name}"), comment, body).with("expect", expect)
    }
}

fn flip(hash: &mut Hash) {
    hash[31] ^= 1;
}

/// One defect each in a list of hashes: name, comment, the list, the code.
fn mutations(path: &[Hash]) -> Vec<(String, String, Vec<Hash>, &'static str)> {
    let mut all = Vec::new();
    for at in 0..path.len() {
        let mut flipped = path.to_vec();
        flip(&mut flipped[at]);
        all.push((format!("flipped_{at}"), format!("a bit of hash {at} flipped"), flipped, "wrong-root"));
        let mut dropped = path.to_vec();
        dropped.remove(at);
        all.push((format!("dropped_{at}"), format!("hash {at} left out"), dropped, "proof-length"));
        let mut doubled = path.to_vec();
        doubled.insert(at, path[at]);
        all.push((format!("doubled_{at}"), format!("hash {at} twice"), doubled, "proof-length"));
        if at + 1 < path.len() {
            let mut swapped = path.to_vec();
            swapped.swap(at, at + 1);
            all.push((format!("swapped_{at}"), format!("hashes {at} and {} swapped", at + 1), swapped, "wrong-root"));
        }
    }
    let added = |hash: Hash| [path, &[hash]].concat();
    all.push(("added".to_owned(), "a hash too many behind".to_owned(), added([0; 32]), "proof-length"));
    all.push(("no_hashes".to_owned(), "no hashes at all".to_owned(), Vec::new(), "proof-length"));
    all
}

fn inclusion() -> Vec<Vector> {
    let mut all = Vec::new();
    for (size, indices) in [
        (1, &[0][..]),
        (2, &[0, 1]),
        (3, &[0, 1, 2]),
        (5, &[3, 4]),
        (7, &[0, 4, 6]),
        (8, &[0, 7]),
        (9, &[0, 8]),
        (21, &[15, 16, 20]),
        (64, &[63]),
        (65, &[63, 64]),
        (130, &[127, 128, 129]),
        (256, &[0, 255]),
        (257, &[255, 256]),
        (70_000, &[0, 65_535, 65_536, 69_999]),
    ] {
        for index in indices {
            let proof = Inclusion::good(*index, size);
            all.push(proof.vector(&format!("good_{index}_in_{size}"), &format!("entry {index} of {size}"), "good"));
        }
    }
    // Entry 5 of 13: a sibling on either side, and a border that is not full.
    let base = Inclusion::good(5, 13);
    all.push(base.vector("good_5_in_13", "the proof that those with a defect are made of", "good"));
    for (name, comment, path, code) in mutations(&base.path) {
        all.push(Inclusion { path, ..base.clone() }.vector(&name, &comment, code));
    }
    let with = |edit: fn(&mut Inclusion)| {
        let mut proof = base.clone();
        edit(&mut proof);
        proof
    };
    let last = Inclusion::good(12, 13);
    all.extend([
        with(|p| flip(&mut p.leaf)).vector("leaf", "another entry", "wrong-root"),
        with(|p| flip(&mut p.root)).vector("root", "another root", "wrong-root"),
        with(|p| p.index = 4).vector("index", "another index, with a path of the same length", "wrong-root"),
        with(|p| p.index = 12).vector("index_shape", "an index whose path has another length", "proof-length"),
        with(|p| p.index = 13).vector("index_is_size", "an index that is the size", "outside-tree"),
        with(|p| p.index = u64::MAX).vector("index_largest", "the largest index there is", "outside-tree"),
        with(|p| p.size = 5).vector("size_small", "a size up to which the entry is not there", "outside-tree"),
        with(|p| p.size = 8).vector("size_shorter", "a size with a shorter path", "proof-length"),
        with(|p| p.size = 17).vector("size_longer", "a size with a longer path", "proof-length"),
        with(|p| p.size = 0).vector("size_0", "the empty tree, which has no entry", "outside-tree"),
        with(|p| p.size = 14).vector(
            "size_of_the_same_shape",
            "another size of the same shape: a proof does not bind it",
            "good",
        ),
        Inclusion { size: 14, ..last.clone() }.vector(
            "size_at_the_border",
            "another size, where the path differs",
            "proof-length",
        ),
        Inclusion { path: vec![last.leaf], ..Inclusion::good(0, 1) }.vector(
            "one_entry_and_a_hash",
            "a hash in a tree of one",
            "proof-length",
        ),
        Inclusion::huge(0, LIMIT, 48).vector("good_first_of_2_48", "the first of 2^48", "good"),
        Inclusion::huge(LIMIT - 1, LIMIT, 48).vector("good_last_of_2_48", "the last of 2^48", "good"),
        Inclusion::huge(LIMIT - 2, LIMIT - 1, 47).vector("good_last_below_2_48", "the last of 2^48 - 1", "good"),
        Inclusion::huge(LIMIT, LIMIT + 1, 1).vector(
            "beyond_2_48",
            "a right proof in a tree of 2^48 + 1",
            "tree-too-large",
        ),
        Inclusion::huge(1 << 63, (1 << 63) + 1, 1).vector(
            "beyond_2_63",
            "a right proof in a tree of 2^63 + 1",
            "tree-too-large",
        ),
        with(|p| p.size = u64::MAX).vector("size_largest", "the largest size there is", "tree-too-large"),
    ]);
    all
}

fn consistencies() -> Vec<Vector> {
    let mut all = Vec::new();
    for (size, olds) in [
        (0, &[0][..]),
        (1, &[0, 1]),
        (2, &[1, 2]),
        (3, &[1, 2]),
        (5, &[3, 4]),
        (7, &[1, 3, 4, 6]),
        (8, &[4, 7, 8]),
        (13, &[0, 5, 8, 12, 13]),
        (65, &[1, 32, 64]),
        (130, &[63, 127, 128, 129]),
        (257, &[255, 256]),
        (70_000, &[1, 65_536, 69_999]),
    ] {
        for old in olds {
            let proof = Consistency::good(*old, size);
            all.push(proof.vector(&format!("good_{old}_{size}"), &format!("from {old} to {size}"), "good"));
        }
    }
    for (base, of) in [(Consistency::good(6, 13), ""), (Consistency::good(8, 13), "from_8_")] {
        if of.is_empty() {
            all.push(base.vector("good_6_13", "the proof that those with a defect are made of", "good"));
        }
        for (name, comment, path, code) in mutations(&base.path) {
            // From a power of two there is one hash fewer, so that leaving out, adding and emptying are other cases.
            all.push(Consistency { path, ..base.clone() }.vector(&format!("{of}{name}"), &comment, code));
        }
        let with = |edit: fn(&mut Consistency)| {
            let mut proof = base.clone();
            edit(&mut proof);
            proof
        };
        all.extend([
            with(|p| flip(&mut p.old_root)).vector(&format!("{of}old_root"), "another old root", "wrong-root"),
            with(|p| flip(&mut p.root)).vector(&format!("{of}new_root"), "another new root", "wrong-root"),
            with(|p| p.path.insert(0, p.old_root)).vector(
                &format!("{of}old_root_in_front"),
                "the old root in front",
                "proof-length",
            ),
        ]);
    }
    let with = |proof: Consistency, edit: fn(&mut Consistency)| {
        let mut proof = proof;
        edit(&mut proof);
        proof
    };
    let base = || Consistency::good(6, 13);
    all.extend([
        with(base(), |p| p.old = 5).vector("old_size_shape", "an old size with a longer proof", "proof-length"),
        with(base(), |p| p.old = 10).vector("old_size", "an old size with a proof of the same length", "wrong-root"),
        with(base(), |p| p.size = 8).vector("new_size_shape", "a new size with a shorter proof", "proof-length"),
        with(base(), |p| p.size = 5).vector("backwards", "a new size below the old one", "outside-tree"),
        with(base(), |p| (p.old, p.size, p.old_root, p.root) = (p.size, p.old, p.root, p.old_root)).vector(
            "exchanged",
            "old and new exchanged",
            "outside-tree",
        ),
        with(Consistency::good(0, 13), |p| flip(&mut p.old_root)).vector(
            "empty_old_root",
            "a root that is not the empty tree's",
            "wrong-root",
        ),
        with(Consistency::good(0, 13), |p| p.path.push([0; 32])).vector(
            "empty_and_a_hash",
            "a hash from the empty tree",
            "proof-length",
        ),
        with(Consistency::good(0, 0), |p| flip(&mut p.root)).vector(
            "empty_new_root",
            "a new root that is not the empty tree's",
            "wrong-root",
        ),
        with(Consistency::good(0, 0), |p| (flip(&mut p.root), flip(&mut p.old_root)).0).vector(
            "empty_both_roots",
            "two equal roots that are not the empty tree's",
            "wrong-root",
        ),
        with(Consistency::good(13, 13), |p| flip(&mut p.root)).vector(
            "same_size_other_root",
            "two roots of one size",
            "wrong-root",
        ),
        with(Consistency::good(13, 13), |p| p.path.push(p.root)).vector(
            "same_size_and_a_hash",
            "a hash between equal sizes",
            "proof-length",
        ),
        with(Consistency::good(13, 13), |p| (p.old, p.size) = (LIMIT, LIMIT)).vector(
            "good_2_48",
            "2^48 with itself",
            "good",
        ),
        with(Consistency::good(13, 13), |p| (p.old, p.size) = (LIMIT + 1, LIMIT + 1)).vector(
            "beyond_2_48",
            "2^48 + 1 with itself",
            "tree-too-large",
        ),
        with(base(), |p| p.size = u64::MAX).vector("size_largest", "the largest size there is", "tree-too-large"),
    ]);
    all
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [inclusion(), consistencies()].concat()
}
