//! The tree as the file holds it: tiles, and below the last full one the entries themselves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use attest_core::merkle::{self, Hash};
use rusqlite::{Connection, OptionalExtension};

use crate::error::ReadError;
use crate::tree::{Nodes, TILE_WIDTH, place_of, root_of_run};

/// Tiles that are remembered: those that proofs of one tree have in common, and some more. Half a mebibyte.
const REMEMBERED: usize = 64;

/// Tiles by level and index.
type Tiles = HashMap<(u8, u64), Rc<[u8]>>;

/// Nodes of the tree of the first `size` entries.
pub(crate) struct Stored<'c> {
    connection: &'c Connection,
    size: u64,
    tiles: RefCell<Tiles>,
}

impl<'c> Stored<'c> {
    pub(crate) fn new(connection: &'c Connection, size: u64) -> Self {
        Self { connection, size, tiles: RefCell::default() }
    }

    /// How many hashes tile `index` of `level` has in this tree.
    fn width(&self, level: u8, index: u64) -> usize {
        let hashes = self.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let here = hashes.saturating_sub(index.saturating_mul(TILE_WIDTH as u64));
        usize::try_from(here).unwrap_or(TILE_WIDTH).min(TILE_WIDTH)
    }

    /// The hashes of a tile as far as this tree has them; empty where it has none.
    pub(crate) fn tile(&self, level: u8, index: u64) -> Result<Rc<[u8]>, ReadError> {
        if let Some(tile) = self.tiles.borrow().get(&(level, index)) {
            return Ok(Rc::clone(tile));
        }
        let width = self.width(level, index);
        let tile: Rc<[u8]> = if width == 0 { Rc::default() } else { self.read(level, index, width)?.into() };
        let mut tiles = self.tiles.borrow_mut();
        if tiles.len() >= REMEMBERED {
            tiles.clear();
        }
        tiles.insert((level, index), Rc::clone(&tile));
        Ok(tile)
    }

    fn read(&self, level: u8, index: u64, width: usize) -> Result<Vec<u8>, ReadError> {
        let missing = ReadError::Tile { level, index };
        let Ok(key) = i64::try_from(index) else { return Err(missing) };
        let mut statement = self.connection.prepare_cached("SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2")?;
        let stored: Option<Vec<u8>> = statement.query_row((level, key), |row| row.get(0)).optional()?;
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
        let mut statement =
            self.connection.prepare_cached("SELECT body FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
        let mut rows = statement.query([from, to])?;
        let mut hashes = Vec::with_capacity(32 * width);
        while let Some(row) = rows.next()? {
            hashes.extend_from_slice(&merkle::leaf(row.get_ref(0)?.as_blob().unwrap_or_default()));
        }
        if hashes.len() == 32 * width { Ok(hashes) } else { Err(ReadError::Tile { level: 0, index }) }
    }
}

impl Nodes for Stored<'_> {
    type Error = ReadError;

    fn node(&self, height: u8, index: u64) -> Result<Hash, ReadError> {
        let (level, tile, range) = place_of(height, index);
        let hashes = self.tile(level, tile)?;
        let run = hashes.get(32 * range.start..32 * range.end);
        run.and_then(root_of_run).ok_or(ReadError::Tile { level, index: tile })
    }
}
