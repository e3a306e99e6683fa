//! A log as static files (C2SP tlog-tiles): paths, tiles of hashes, bundles of entries. `spec/tile.md`.
//!
//! Paths are read and written here, because `tlog_tiles` panics on some and writes Go's form of them.

use core::fmt;

use crate::merkle::{Hash, MAX_SIZE};

/// Hashes of a full tile, and entries of a full bundle.
pub const FULL: u16 = 256;
/// Longest entry of a bundle, in bytes: its length has 16 bits.
pub const MAX_ENTRY: usize = 65_535;
/// Longest bundle, in bytes.
pub const MAX_BUNDLE: usize = FULL as usize * (2 + MAX_ENTRY);
/// Highest level of a tile in a tree of at most 2^48 entries.
pub const MAX_LEVEL: u8 = 6;
/// Longest path that is read: `tile/entries/`, an index of 16 digits, `.p/255`.
const MAX_PATH: usize = 64;

/// Part of a level: the `index`-th run of 256 hashes (or, at the end of a tree, fewer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// A file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `checkpoint`.
    Checkpoint,
    /// `tile/<level>/<index>`: hashes.
    Tile(Tile),
    /// `tile/entries/<index>`: the entries behind the tile of level 0 with this index and width.
    Entries(Tile),
}

impl Tile {
    /// A tile of `width` hashes, 1 to 256. `None` where no tree of at most 2^48 entries has it.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        if level > MAX_LEVEL || !(1..=FULL).contains(&width) {
            return None;
        }
        let hashes = index.checked_mul(u64::from(FULL))?.checked_add(u64::from(width))?;
        let entries = hashes.checked_mul(span(level))?;
        (entries <= MAX_SIZE).then_some(Self { level, index, width })
    }

    /// The tile at this place of the tree of `size` entries, as wide as it is there; `None` where there is none.
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level > MAX_LEVEL || size > MAX_SIZE {
            return None;
        }
        let before = index.checked_mul(u64::from(FULL))?;
        let width = (size / span(level)).checked_sub(before)?.min(u64::from(FULL));
        Self::new(level, index, u16::try_from(width).ok()?)
    }

    /// The level: 0 for the hashes of entries.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The place in its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Number of hashes, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all 256, and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// Index of the first entry below it.
    pub fn first_entry(&self) -> u64 {
        // In range: `new` looked at the end, which is not before the beginning.
        self.index * u64::from(FULL) * span(self.level)
    }

    fn write_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:03}", self.index);
        let first = match digits.len() % 3 {
            0 => 3,
            few => few,
        };
        let mut rest = digits.as_str();
        let mut take = first;
        while let Some((part, behind)) = rest.split_at_checked(take).filter(|(_, behind)| !behind.is_empty()) {
            write!(f, "x{part:0>3}/")?;
            (rest, take) = (behind, 3);
        }
        f.write_str(rest)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Entries below one hash of this level.
fn span(level: u8) -> u64 {
    1 << (8 * u32::from(level.min(MAX_LEVEL)))
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Tile(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile.write_path(f)
            }
            Self::Entries(tile) => {
                f.write_str("tile/entries/")?;
                tile.write_path(f)
            }
        }
    }
}

impl Resource {
    /// The bundle of entries at this place; `None` where no tree has it.
    pub fn entries(index: u64, width: u16) -> Option<Self> {
        Tile::new(0, index, width).map(Self::Entries)
    }

    /// Reads a path without the log's prefix and without a slash before it. Each resource has one path.
    pub fn parse(path: &str) -> Option<Self> {
        if path.len() > MAX_PATH {
            return None;
        }
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, number(width).filter(|width| *width < FULL)?),
            None => (rest, FULL),
        };
        let index = read_index(index)?;
        if level == "entries" {
            Self::entries(index, width)
        } else {
            Tile::new(number(level)?, index, width).map(Self::Tile)
        }
    }
}

/// A small decimal number without leading zeros.
fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    crate::checkpoint::decimal(text).and_then(|n| T::try_from(n).ok())
}

/// `x001/x234/067` is 1234067.
fn read_index(text: &str) -> Option<u64> {
    let (before, last) = match text.rsplit_once('/') {
        Some((before, last)) => (Some(before), last),
        None => (None, text),
    };
    let mut index = 0;
    for (at, part) in before.into_iter().flat_map(|before| before.split('/')).enumerate() {
        let part = three_digits(part.strip_prefix('x')?)?;
        if at == 0 && part == 0 {
            return None;
        }
        index = append(index, part)?;
    }
    append(index, three_digits(last)?)
}

fn append(index: u64, part: u64) -> Option<u64> {
    index.checked_mul(1_000)?.checked_add(part)
}

fn three_digits(text: &str) -> Option<u64> {
    let plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// All tiles of the tree of `size` entries, level by level, each as wide as it is in that tree.
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..=MAX_LEVEL).flat_map(move |level| (0..).map_while(move |index| Tile::of_tree(level, index, size)))
}

/// All bundles of the tree of `size` entries.
pub fn bundles(size: u64) -> impl Iterator<Item = Tile> {
    (0..).map_while(move |index| Tile::of_tree(0, index, size))
}

/// The hashes of a tile's bytes; `None` where they are not as many as `width` says.
pub fn read_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && !hashes.is_empty() && hashes.len() == usize::from(width.min(FULL))).then(|| hashes.to_vec())
}

/// A bundle of entries; `None` where there are none, over 256, or one is over [`MAX_ENTRY`] bytes.
pub fn write_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Option<Vec<u8>> {
    if entries.is_empty() || entries.len() > usize::from(FULL) {
        return None;
    }
    let mut bundle = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        bundle.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Some(bundle)
}

/// The entries of a bundle; `None` where they are not exactly as many as `width` says.
pub fn read_bundle(bundle: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    if !(1..=FULL).contains(&width) {
        return None;
    }
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bundle;
    while entries.len() < usize::from(width) {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (entry, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = behind;
    }
    rest.is_empty().then_some(entries)
}
