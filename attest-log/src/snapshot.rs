//! What a log holds beside its entries, all of one moment: for whoever verifies it while it grows.

use rusqlite::{Connection, OptionalExtension};

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
    /// [`ReadError::Sqlite`].
    pub fn snapshot(&self, replay: impl FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
        let transaction = self.connection.unchecked_transaction()?;
        let snapshot = take(&transaction, replay)?;
        transaction.finish()?;
        Ok(snapshot)
    }

    /// The bytes of a tile as they are stored, which may be of a larger tree; none where it is not stored.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn stored_tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2")?;
        Ok(statement.query_row((level, index.cast_signed()), |row| row.get(0)).optional()?)
    }
}

fn take(connection: &Connection, mut replay: impl FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError> {
    let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let last: Option<i64> = connection.query_row("SELECT max(idx) FROM entry", [], |row| row.get(0))?;
    let (horizon, since, checkpoint) =
        connection.query_row("SELECT horizon, since, checkpoint FROM state WHERE id = 0", [], |row| {
            Ok((number(row, 0)?, number(row, 1)?, row.get(2)?))
        })?;
    let mut statement = connection.prepare("SELECT since, vkey FROM log_key ORDER BY since")?;
    let keys = statement.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare("SELECT size, note FROM cosigned ORDER BY size")?;
    let cosigned = statement.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare("SELECT hash, idx FROM open_call ORDER BY idx")?;
    let open = statement.query_map([], |row| {
        let hash = row.get_ref(0)?.as_blob().unwrap_or_default().try_into().unwrap_or_default();
        Ok(OpenCall { hash, index: number(row, 1)? })
    })?;
    let open = open.collect::<Result<_, _>>()?;
    let mut statement =
        connection.prepare("SELECT level, count(*), max(idx) FROM tile GROUP BY level ORDER BY level")?;
    let tiles = statement
        .query_map([], |row| Ok(TileCount { level: row.get(0)?, count: number(row, 1)?, last: row.get(2)? }))?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare("SELECT idx, scope, jti, expires FROM replay ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        replay(ReplayRow {
            index: number(row, 0)?,
            scope: row.get_ref(1)?.as_blob().unwrap_or_default(),
            jti: row.get_ref(2)?.as_blob().unwrap_or_default(),
            expires: number(row, 3)?,
        });
    }
    Ok(Snapshot {
        size: last.and_then(|last| u64::try_from(last).ok()).map_or(0, |last| last.saturating_add(1)),
        stray: connection.query_row("SELECT count(*) FROM entry WHERE idx < 0", [], |row| number(row, 0))?,
        checkpoint,
        keys,
        cosigned,
        horizon,
        since,
        open,
        tiles,
    })
}
