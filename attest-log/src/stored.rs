//! The tree as a database holds it: tiles, and below the last full one the entries themselves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use attest_core::merkle::{self, Hash};

use crate::error::ReadError;
use crate::rows::Rows;
use crate::tree::{Nodes, TILE_WIDTH, Within, place_of};

/// Tiles that are remembered: those that proofs have in common, up to tens of millions of entries, and some more. 4 MiB.
const REMEMBERED: usize = 256;

/// Tiles that were read, by level and index, with the nodes inside them. What is in a tile never changes, there only comes
/// more at its end.
#[derive(Default)]
pub(crate) struct Tiles(RefCell<HashMap<(u8, u64), Arc<Within>>>);

/// Nodes of the tree of the first `size` entries.
pub(crate) struct Stored<'c> {
    rows: &'c dyn Rows,
    tiles: &'c Tiles,
    size: u64,
}

impl<'c> Stored<'c> {
    pub(crate) fn new(rows: &'c dyn Rows, tiles: &'c Tiles, size: u64) -> Self {
        Self { rows, tiles, size }
    }

    /// How many hashes tile `index` of `level` has in this tree.
    fn width(&self, level: u8, index: u64) -> usize {
        let hashes = self.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let here = hashes.saturating_sub(index.saturating_mul(TILE_WIDTH as u64));
        usize::try_from(here).unwrap_or(TILE_WIDTH).min(TILE_WIDTH)
    }

    /// The hashes of a tile as far as this tree has them; empty where it has none.
    pub(crate) fn hashes(&self, level: u8, index: u64) -> Result<Vec<u8>, ReadError> {
        match self.width(level, index) {
            0 => Ok(Vec::new()),
            width => self.read(level, index, width),
        }
    }

    fn tile(&self, level: u8, index: u64) -> Result<Arc<Within>, ReadError> {
        let width = self.width(level, index);
        let mut tiles = self.tiles.0.borrow_mut();
        if let Some(tile) = tiles.get(&(level, index)).filter(|tile| tile.width() >= width) {
            return Ok(Arc::clone(tile));
        }
        let tile = Arc::new(Within::of(&self.read(level, index, width)?));
        if tiles.len() >= REMEMBERED {
            // The many below make room; the few above them are in every proof.
            tiles.retain(|(level, _), _| *level > 0);
        }
        if tiles.len() >= REMEMBERED {
            tiles.clear();
        }
        tiles.insert((level, index), Arc::clone(&tile));
        Ok(tile)
    }

    fn read(&self, level: u8, index: u64, width: usize) -> Result<Vec<u8>, ReadError> {
        let missing = ReadError::Tile { level, index };
        let Ok(key) = i64::try_from(index) else { return Err(missing) };
        let stored = self.rows.tile(level, key)?;
        match stored {
            // The log may have grown since: what was there stays at the front.
            Some(mut hashes) if hashes.len() >= 32 * width => {
                hashes.truncate(32 * width);
                Ok(hashes)
            }
            None if level == 0 && width < TILE_WIDTH => self.leaves(index, width),
            _ => Err(missing),
        }
    }

    fn leaves(&self, index: u64, width: usize) -> Result<Vec<u8>, ReadError> {
        let first = index.saturating_mul(TILE_WIDTH as u64);
        let (from, to) = (first.cast_signed(), first.saturating_add(width as u64).cast_signed());
        let mut hashes = Vec::with_capacity(32 * width);
        self.rows.walk(from, to, &mut |_, body, _| {
            hashes.extend_from_slice(&merkle::leaf(body));
            true
        })?;
        if hashes.len() == 32 * width { Ok(hashes) } else { Err(ReadError::Tile { level: 0, index }) }
    }
}

impl Nodes for Stored<'_> {
    type Error = ReadError;

    fn node(&self, height: u8, index: u64) -> Result<Hash, ReadError> {
        let (level, tile, within, at) = place_of(height, index);
        self.tile(level, tile)?.node(within, at).ok_or(ReadError::Tile { level, index: tile })
    }
}
