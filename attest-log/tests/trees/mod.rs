//! Logs that exist as hashes alone: any tree, any fork, signed by a key of the test's own.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside a #[test] function")]

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle::{EMPTY_ROOT, Hash, leaf, node};
use attest_core::note::{Kind, Vkey};
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::witness::AddCheckpoint;

/// A log's name and key.
pub struct Signed {
    pub vkey: Vkey,
    key: MemoryKey,
}

impl Signed {
    pub fn new(origin: &str, seed: u8) -> Self {
        let key = MemoryKey::from_seed(&[seed; 32]);
        Self { vkey: Vkey::new(origin, Kind::Log, key.public().clone()).unwrap(), key }
    }

    pub fn checkpoint(&self, size: u64, root: Hash) -> String {
        let Ok(note) = Checkpoint { origin: self.vkey.name().to_owned(), size, root }.sign(&self.vkey, &self.key);
        note
    }
}

/// The leaves of a tree.
#[derive(Clone)]
pub struct Tree(Vec<Hash>);

impl Tree {
    /// `common` leaves that every tree has, then those of `fork`.
    pub fn new(size: u64, common: u64, fork: &str) -> Self {
        let entry = |at| if at < common { format!("entry {at}") } else { format!("entry {at} of {fork}") };
        Self((0..size).map(|at| leaf(entry(at).as_bytes())).collect())
    }

    pub fn root(&self, size: u64) -> Hash {
        root(&self.0[..usize::try_from(size).unwrap()])
    }

    /// RFC 6962, section 2.1.2, as it is written there.
    pub fn consistency(&self, old: u64, size: u64) -> Vec<Hash> {
        if old == 0 || old == size {
            return Vec::new();
        }
        subproof(usize::try_from(old).unwrap(), &self.0[..usize::try_from(size).unwrap()], true)
    }

    /// A request from `old` to `size`.
    pub fn add(&self, log: &Signed, old: u64, size: u64) -> AddCheckpoint {
        let checkpoint = log.checkpoint(size, self.root(size));
        AddCheckpoint { old, proof: self.consistency(old.min(size), size), checkpoint }
    }
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m <= k {
        let mut proof = subproof(m, left, whole);
        proof.push(root(right));
        proof
    } else {
        let mut proof = subproof(m - k, right, false);
        proof.push(root(left));
        proof
    }
}
