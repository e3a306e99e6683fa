//! What a log holds beside its entries, all of one moment: for whoever verifies it while it grows.

use crate::error::ReadError;
use crate::reader::Reader;
use crate::record::OpenCall;

/// The log at one moment. Entries below [`Snapshot::size`] and whole tiles over them never change any more; the rest of this
/// does, so it is taken at once. Nothing here was checked.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// One more than the index of the last entry.
    pub size: u64,
    /// Entries with an index below 0, which no log has.
    pub stray: u64,
    /// The last checkpoint: a signed note.
    pub checkpoint: String,
    /// The table of keys: the size beyond which each is in force, and the key.
    pub keys: Vec<(u64, String)>,
    /// The cosigned checkpoints with the sizes that they are stored under, smallest first.
    pub cosigned: Vec<(u64, String)>,
    /// Highest expiry among the replay keys that were forgotten, in seconds since 1970.
    pub horizon: u64,
    /// See [`crate::Log::since`].
    pub since: u64,
    /// The open calls; one whose hash is none has zeros in its place.
    pub open: Vec<OpenCall>,
    /// How many tiles are stored, by level.
    pub tiles: Vec<TileCount>,
}

/// How many tiles of a level are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileCount {
    /// The level.
    pub level: i64,
    /// How many.
    pub count: u64,
    /// Index of the last.
    pub last: i64,
}

/// A replay key as it is stored, with the entry that took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayRow<'a> {
    /// The entry.
    pub index: u64,
    /// The signing key.
    pub scope: &'a [u8],
    /// The token's identifier.
    pub jti: &'a [u8],
    /// Seconds since 1970.
    pub expires: u64,
}

impl Reader {
    /// Takes a snapshot. The replay keys, of which there may be many, go to `replay` one by one.
    ///
    /// # Errors
    /// The database's.
    pub fn snapshot(&self, mut replay: impl FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        self.rows().snapshot(&mut replay)
    }

    /// The bytes of a tile as they are stored, which may be of a larger tree; none where it is not stored.
    ///
    /// # Errors
    /// The database's.
    pub fn stored_tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.rows().tile(level, index.cast_signed())
    }
}
