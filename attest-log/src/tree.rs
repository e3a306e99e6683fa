//! The Merkle tree over the entries (RFC 6962): the writer's right edge, and proofs over stored nodes.
//!
//! The one place that uses `tlog_tiles`: which nodes a proof or a root is made of. What it makes is checked by
//! `attest_core::merkle`, which is another code.

use std::cell::RefCell;
use std::collections::VecDeque;

use attest_core::merkle::{self, Hash};
use tlog_tiles::tlog;

/// Leaves below one hash of a tile of the next level (C2SP tlog-tiles).
pub const TILE_WIDTH: usize = 256;
/// Levels of a binary tree in one level of tiles.
const TILE_HEIGHT: u8 = 8;
/// Heights that trees of up to 2^48 entries have.
const HEIGHTS: usize = 49;

/// Where the hashes of whole subtrees are had: node `index` of `height` is over the entries `index << height` to
/// `(index + 1) << height`, all of which exist.
pub(crate) trait Nodes {
    /// Why a node cannot be had.
    type Error;

    fn node(&self, height: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum Unproved<E> {
    /// The sizes ask for something outside the tree.
    Outside,
    /// A node cannot be had.
    Node(E),
}

/// The inclusion proof of entry `index` in the tree of the first `size` entries.
pub(crate) fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, Unproved<N::Error>> {
    if index >= size || size > merkle::MAX_SIZE {
        return Err(Unproved::Outside);
    }
    Reading::ask(nodes, |reading| tlog::prove_record(size, index, reading))
}

/// The consistency proof from the tree of the first `old` entries to that of the first `size`.
pub(crate) fn consistency<N: Nodes>(nodes: &N, old: u64, size: u64) -> Result<Vec<Hash>, Unproved<N::Error>> {
    if old > size || size > merkle::MAX_SIZE {
        return Err(Unproved::Outside);
    }
    // Nothing is to be shown of the empty tree.
    if old == 0 {
        return Ok(Vec::new());
    }
    Reading::ask(nodes, |reading| tlog::prove_tree(size, old, reading))
}

/// The root of the tree of the first `size` entries.
pub(crate) fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, Unproved<N::Error>> {
    if size > merkle::MAX_SIZE {
        return Err(Unproved::Outside);
    }
    let root = Reading::ask(nodes, |reading| tlog::tree_hash(size, reading).map(|hash| vec![hash]))?;
    root.first().copied().ok_or(Unproved::Outside)
}

/// [`Nodes`] as `tlog_tiles` asks for them, and the first error kept for us.
struct Reading<'a, N: Nodes> {
    nodes: &'a N,
    failed: RefCell<Option<N::Error>>,
}

impl<'a, N: Nodes> Reading<'a, N> {
    fn ask(
        nodes: &'a N,
        make: impl FnOnce(&Self) -> Result<Vec<tlog::Hash>, tlog::Error>,
    ) -> Result<Vec<Hash>, Unproved<N::Error>> {
        let reading = Self { nodes, failed: RefCell::new(None) };
        match (make(&reading), reading.failed.into_inner()) {
            (_, Some(error)) => Err(Unproved::Node(error)),
            (Ok(hashes), None) => Ok(hashes.into_iter().map(|hash| hash.0).collect()),
            (Err(_), None) => Err(Unproved::Outside),
        }
    }
}

impl<N: Nodes> tlog::HashReader for Reading<'_, N> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        let read = |index: &u64| {
            let (height, index) = tlog::split_stored_hash_index(*index);
            self.nodes.node(height, index).map(tlog::Hash)
        };
        indexes.iter().map(read).collect::<Result<_, _>>().map_err(|error| {
            *self.failed.borrow_mut() = Some(error);
            tlog::Error::IndexesNotInTree
        })
    }
}

/// Hashes of a tile that are to be written: full, or the partial one of a level above 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<u8>,
}

/// What a writer keeps of the tree: enough to append, to know the root, and to prove what was appended lately.
#[derive(Clone)]
pub(crate) struct Edge {
    size: u64,
    /// Per height, the last whole subtrees, and how many there are in all.
    heights: Vec<Recent>,
    /// Per level, the hashes of the tile that is not full yet.
    tiles: Vec<Open>,
    /// Leaves whose proofs can be made.
    keep: usize,
}

#[derive(Clone, Default)]
struct Recent {
    count: u64,
    last: VecDeque<Hash>,
}

#[derive(Clone, Default)]
struct Open {
    /// Tiles of this level that are full.
    full: u64,
    hashes: Vec<u8>,
    touched: bool,
}

/// A node that is no longer, or not yet, at hand.
#[derive(Debug)]
pub(crate) struct NotAtHand;

impl Edge {
    /// The edge of the tree of no entries.
    pub(crate) fn empty(keep: usize) -> Self {
        Self { size: 0, heights: vec![Recent::default(); HEIGHTS], tiles: vec![Open::default()], keep }
    }

    /// The edge of the tree of `size` entries in `nodes`. `open` has the hashes of the tile that is not full, of each
    /// level. Proofs can be made of the last `keep` entries that are appended from now on.
    pub(crate) fn load<N: Nodes>(
        nodes: &N,
        size: u64,
        keep: usize,
        mut open: impl FnMut(u8) -> Result<Vec<u8>, N::Error>,
    ) -> Result<Self, N::Error> {
        let mut heights = vec![Recent::default(); HEIGHTS];
        for (height, recent) in (0u8..).zip(&mut heights) {
            recent.count = size >> height;
            // A left sibling whose right one is still to come.
            if recent.count & 1 == 1 {
                recent.last.push_back(nodes.node(height, recent.count - 1)?);
            }
        }
        let mut tiles = Vec::new();
        let mut level = 0u8;
        while level == 0 || size >> (level * TILE_HEIGHT) > 0 {
            let hashes = open(level)?;
            tiles.push(Open { full: size >> (level * TILE_HEIGHT) >> TILE_HEIGHT, hashes, touched: false });
            level += 1;
        }
        Ok(Self { size, heights, tiles, keep })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry by its leaf hash. Tiles that it fills go to `full`.
    pub(crate) fn push(&mut self, leaf: Hash, full: &mut Vec<Tile>) {
        self.size += 1;
        let (mut hash, mut height) = (leaf, 0u8);
        loop {
            if height % TILE_HEIGHT == 0 {
                self.push_tile(height / TILE_HEIGHT, &hash, full);
            }
            let Some(recent) = self.heights.get_mut(usize::from(height)) else { return };
            recent.count += 1;
            let left = recent.last.back().copied();
            recent.last.push_back(hash);
            while recent.last.len() > (self.keep >> height) + 2 {
                recent.last.pop_front();
            }
            match left {
                Some(left) if recent.count & 1 == 0 => hash = merkle::node(&left, &hash),
                _ => return,
            }
            height += 1;
        }
    }

    fn push_tile(&mut self, level: u8, hash: &Hash, full: &mut Vec<Tile>) {
        if self.tiles.len() <= usize::from(level) {
            self.tiles.resize(usize::from(level) + 1, Open::default());
        }
        let Some(open) = self.tiles.get_mut(usize::from(level)) else { return };
        open.hashes.extend_from_slice(hash);
        open.touched = true;
        if open.hashes.len() == TILE_WIDTH * hash.len() {
            full.push(Tile { level, index: open.full, hashes: std::mem::take(&mut open.hashes) });
            open.full += 1;
            open.touched = false;
        }
    }

    /// The tiles above level 0 that grew since this was last asked and are not full: they are written too, since to make
    /// them anew would take reading every tile below.
    pub(crate) fn partial(&mut self) -> impl Iterator<Item = Tile> + '_ {
        (0u8..).zip(&mut self.tiles).skip(1).filter(|(_, open)| open.touched).map(|(level, open)| {
            open.touched = false;
            Tile { level, index: open.full, hashes: open.hashes.clone() }
        })
    }
}

impl Nodes for Edge {
    type Error = NotAtHand;

    fn node(&self, height: u8, index: u64) -> Result<Hash, NotAtHand> {
        let recent = self.heights.get(usize::from(height)).ok_or(NotAtHand)?;
        let back = recent.count.checked_sub(index + 1).and_then(|n| usize::try_from(n).ok()).ok_or(NotAtHand)?;
        let at = recent.last.len().checked_sub(back + 1).ok_or(NotAtHand)?;
        recent.last.get(at).copied().ok_or(NotAtHand)
    }
}

/// The nodes inside a tile: each is hashed once, however many proofs it is part of.
pub(crate) struct Within {
    /// The tile's own hashes, and above them a row for each height.
    rows: Vec<Vec<Hash>>,
}

impl Within {
    pub(crate) fn of(hashes: &[u8]) -> Self {
        let (hashes, _) = hashes.as_chunks::<32>();
        let mut rows = vec![hashes.to_vec()];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let (pairs, _) = row.as_chunks::<2>();
            rows.push(pairs.iter().map(|[left, right]| merkle::node(left, right)).collect());
        }
        Self { rows }
    }

    /// How many hashes the tile has.
    pub(crate) fn width(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// Node `at` of those at this height above the tile's hashes.
    pub(crate) fn node(&self, height: u8, at: usize) -> Option<Hash> {
        self.rows.get(usize::from(height))?.get(at).copied()
    }

    /// The node over the whole tile, which is one of the next level; `None` where the tile is not full.
    pub(crate) fn root(&self) -> Option<Hash> {
        self.node(TILE_HEIGHT, 0)
    }
}

/// Where a node is: tile level, tile index, height above the tile's hashes, and which of those there.
pub(crate) fn place_of(height: u8, index: u64) -> (u8, u64, u8, usize) {
    let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let a_tile = TILE_HEIGHT - within;
    // At most 255, and so within any usize.
    let at = usize::try_from(index & ((1 << a_tile) - 1)).unwrap_or(0);
    (level, index >> a_tile, within, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct All(Vec<Hash>);

    impl Nodes for All {
        type Error = ();

        fn node(&self, height: u8, index: u64) -> Result<Hash, ()> {
            let from = usize::try_from(index << height).unwrap();
            let leaves = self.0.get(from..from + (1 << height)).ok_or(())?;
            Within::of(leaves.as_flattened()).node(height, 0).ok_or(())
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| merkle::leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn the_edge_knows_every_root_and_proves_what_was_appended_lately() {
        let all = All(leaves(1_100));
        let mut edge = Edge::load(&all, 0, 300, |_| Ok(Vec::new())).unwrap();
        let mut full = Vec::new();
        for (size, leaf) in (1u64..).zip(&all.0) {
            edge.push(*leaf, &mut full);
            let root = root(&edge, size).unwrap();
            assert_eq!(root, super::root(&all, size).unwrap());
            for index in size.saturating_sub(300)..size {
                let path = inclusion(&edge, index, size).unwrap();
                let leaf = &all.0[usize::try_from(index).unwrap()];
                merkle::check_inclusion(leaf, index, size, &path, &root).unwrap();
            }
        }
        assert_eq!(full.iter().map(|t| (t.level, t.index)).collect::<Vec<_>>(), [(0, 0), (0, 1), (0, 2), (0, 3)]);
        assert!(full.iter().all(|tile| tile.hashes.len() == 8_192));
        let upper: Vec<_> = edge.partial().collect();
        assert_eq!(upper.iter().map(|t| (t.level, t.index, t.hashes.len())).collect::<Vec<_>>(), [(1, 0, 4 * 32)]);
        assert_eq!(edge.partial().count(), 0, "said once");
    }

    #[test]
    fn an_edge_that_was_loaded_goes_on_as_if_it_had_been_kept() {
        let all = All(leaves(800));
        for start in [0, 1, 2, 3, 255, 256, 257, 511, 512, 700] {
            let open = |level: u8| {
                let count = start >> (8 * level);
                let from = count & !0xff;
                Ok((from..count).flat_map(|n| all.node(8 * level, n).unwrap()).collect())
            };
            let mut edge = Edge::load(&all, start, 64, open).unwrap();
            let mut full = Vec::new();
            for size in start + 1..=800 {
                edge.push(all.0[usize::try_from(size - 1).unwrap()], &mut full);
                assert_eq!(root(&edge, size).unwrap(), root(&all, size).unwrap(), "{start} to {size}");
                inclusion(&edge, size - 1, size).unwrap();
            }
            for tile in full {
                let made: Vec<u8> =
                    (0..256).flat_map(|n| all.node(8 * tile.level, 256 * tile.index + n).unwrap()).collect();
                assert_eq!(tile.hashes, made);
            }
        }
    }

    #[test]
    fn consistency_holds_between_all_sizes() {
        let all = All(leaves(70));
        for size in 0..=70 {
            for old in 0..=size {
                let path = consistency(&all, old, size).unwrap();
                let roots = (root(&all, old).unwrap(), root(&all, size).unwrap());
                merkle::check_consistency(old, &roots.0, size, &roots.1, &path).unwrap();
            }
        }
        assert!(matches!(consistency(&all, 5, 4), Err(Unproved::Outside)));
        assert!(matches!(inclusion(&all, 4, 4), Err(Unproved::Outside)));
        assert!(matches!(inclusion(&all, 0, 71), Err(Unproved::Node(()))));
    }
}
