//! The tree over the entries, made anew, and the stored tiles above the first level held against it.

use attest_core::audit::{Fault, Finding};
use attest_core::merkle::{Growing, Hash};
use attest_log::{Reader, TILE_WIDTH, TileCount};

use super::{Findings, Unverified};

/// Binary levels of one level of tiles.
const HEIGHT: u32 = 8;

pub(super) struct Tree {
    /// Over whole tiles.
    whole: Growing,
    /// The leaves after them.
    rest: Vec<Hash>,
    /// Per level from 1 on: how many tiles are whole, and the hashes of the one that is not.
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { whole: Growing::new(), rest: Vec::new(), levels: Vec::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.whole.size() + self.rest.len() as u64
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        self.rest.push(leaf);
    }

    /// The next whole tile of level 0, whose leaves were pushed before.
    pub(super) fn tile(&mut self, root: Hash, reader: &Reader, findings: &mut Findings) -> Result<(), Unverified> {
        self.rest.drain(..TILE_WIDTH.min(self.rest.len()));
        self.whole.push_subtree(root, HEIGHT);
        let (mut hash, mut level) = (root, 0usize);
        loop {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            let Some((tiles, open)) = self.levels.get_mut(level) else { return Ok(()) };
            open.push(hash);
            if open.len() < TILE_WIDTH {
                return Ok(());
            }
            compare(reader, level + 1, *tiles, open, findings)?;
            let mut whole = Growing::new();
            open.drain(..).for_each(|hash| whole.push(hash));
            (hash, level, *tiles) = (whole.root(), level + 1, *tiles + 1);
        }
    }

    pub(super) fn root(&self) -> Hash {
        let mut all = self.whole.clone();
        self.rest.iter().for_each(|leaf| all.push(*leaf));
        all.root()
    }

    /// The root, and where the entries begin that no whole tile is over.
    pub(super) fn end(
        &self,
        reader: &Reader,
        stored: &[TileCount],
        findings: &mut Findings,
    ) -> Result<(Hash, u64), Unverified> {
        let mut expected = vec![self.whole.size() / TILE_WIDTH as u64];
        for (level, (tiles, open)) in self.levels.iter().enumerate() {
            if !open.is_empty() {
                compare(reader, level + 1, *tiles, open, findings)?;
            }
            expected.push(tiles + u64::from(!open.is_empty()));
        }
        for (level, count) in (0i64..).zip(&expected) {
            let of = stored.iter().find(|of| of.level == level);
            let fits = of.map_or(*count == 0, |of| of.count == *count && of.last.cast_unsigned() + 1 == *count);
            if !fits {
                findings.add(Finding::of_the_log(Fault::Tiles { level: u8::try_from(level).unwrap_or(u8::MAX) }));
            }
        }
        let known = 0..i64::try_from(expected.len()).unwrap_or(i64::MAX);
        if let Some(other) = stored.iter().find(|of| !known.contains(&of.level)) {
            let level = u8::try_from(other.level).unwrap_or(u8::MAX);
            findings.add(Finding::of_the_log(Fault::Tiles { level }));
        }
        Ok((self.root(), self.whole.size()))
    }
}

/// A stored tile may have grown since; what it had then is at its front.
fn compare(
    reader: &Reader,
    level: usize,
    index: u64,
    hashes: &[Hash],
    findings: &mut Findings,
) -> Result<(), Unverified> {
    let level = u8::try_from(level)?;
    let stored = reader.stored_tile(level, index)?.unwrap_or_default();
    if !stored.starts_with(hashes.as_flattened()) || stored.len() % 32 != 0 || stored.len() > 32 * TILE_WIDTH {
        findings.add(Finding::of_the_log(Fault::Tile { level, index }));
    }
    Ok(())
}
