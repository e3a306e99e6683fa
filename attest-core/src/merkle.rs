//! RFC 6962 Merkle trees for whoever checks: hashing and the two proofs. `spec/merkle.md`.
//!
//! This is the independent half: a log builds its proofs with another code (attest-log, over `tlog_tiles`), and what it
//! hands out is checked with this one, which is small enough to be read whole.

use sha2::{Digest as _, Sha256};

/// SHA-256: a leaf, a node or a root.
pub type Hash = [u8; 32];

/// Largest tree that is looked at. Some implementations loop or overflow near 2^63; no log gets near this.
pub const MAX_SIZE: u64 = 1 << 48;

/// Root of the empty tree: the hash of nothing (RFC 6962, section 2.1).
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// A tree of more than [`MAX_SIZE`] entries.
    #[error("a tree of more than 2^48 entries is not looked at")]
    TooLarge,
    /// The index is not below the size, or the old size above the new.
    #[error("the proof is for something outside the tree")]
    Outside,
    /// Too many or too few hashes for these sizes.
    #[error("the proof has the wrong number of hashes for these sizes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof does not lead to this root")]
    Root,
}

impl ProofError {
    /// The code of this in `spec/merkle.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "tree-too-large",
            Self::Outside => "outside-tree",
            Self::Length => "proof-length",
            Self::Root => "wrong-root",
        }
    }
}

/// Hash of an entry: `SHA-256(0x00 ‖ entry)`.
pub fn leaf(entry: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(entry);
    hash.finalize().into()
}

/// Hash of two subtrees: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// Whether `path` shows that the entry with this leaf hash stands at `index` of the tree of `size` entries with this root
/// (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if size > MAX_SIZE {
        return Err(ProofError::TooLarge);
    }
    if index >= size {
        return Err(ProofError::Outside);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            // A node without a right sibling is its own parent's hash, as often as it has none.
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Whether `path` shows that the tree of `old` entries is a beginning of the tree of `size` entries (RFC 9162, section
/// 2.1.4.2). From the empty tree, and between equal sizes, the proof is empty.
///
/// # Errors
/// [`ProofError`].
pub fn check_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> Result<(), ProofError> {
    if size > MAX_SIZE {
        return Err(ProofError::TooLarge);
    }
    if old > size {
        return Err(ProofError::Outside);
    }
    if old == 0 || old == size {
        // The empty tree has one root; from it, nothing is said about a larger tree's.
        let same = (old > 0 || *old_root == EMPTY_ROOT) && (old < size || old_root == root);
        return match (path.is_empty(), same) {
            (false, _) => Err(ProofError::Length),
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::Root),
        };
    }
    // A perfect old tree is itself a node of the new one, and is left out of the proof.
    let (first, rest) =
        if old.is_power_of_two() { (old_root, path) } else { path.split_first().ok_or(ProofError::Length)? };
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old_hash, mut hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node(sibling, &old_hash);
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last, old_hash == *old_root && hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// The root of a tree that is read from its beginning, kept in a hash per level: for whoever goes through a log or a tile
/// entry by entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growing {
    size: u64,
    /// Roots of the perfect subtrees that make up the tree, the largest first: one per set bit of the size.
    subtrees: Vec<Hash>,
}

impl Growing {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the hash of the next entry.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(leaf, 0);
    }

    /// Adds the root of the next 2^`height` entries, of which the size so far must be a multiple: somebody has hashed these
    /// already.
    pub fn push_subtree(&mut self, root: Hash, height: u32) {
        debug_assert!(self.size.trailing_zeros() >= height, "a subtree begins at a multiple of its size");
        let mut hash = root;
        // As in adding one to a binary number: each set bit at the end is a subtree of the new one's size, and carries.
        for _ in 0..self.size.checked_shr(height).unwrap_or(0).trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size = self.size.saturating_add(1u64.checked_shl(height).unwrap_or(u64::MAX));
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.subtrees.iter().rev().copied().reduce(|right, left| node(&left, &right)).unwrap_or(EMPTY_ROOT)
    }
}
