//! What the writer keeps in memory, read at opening.

use std::path::Path;

use rusqlite::{Connection, Row};

use crate::error::OpenError;
use crate::record::{OpenCall, ReplayKey};
use crate::store::Loaded;

/// Reads counters, replay keys and open calls. The entries themselves are not walked: that is
/// [`crate::Reader::entries`], in bounded memory, when somebody asks.
pub(super) fn load(connection: &Connection, path: &Path) -> Result<Loaded, OpenError> {
    read(connection)
        .map_err(|source| OpenError::Sqlite { path: path.into(), source })?
        .ok_or_else(|| OpenError::Damaged { path: path.into() })
}

/// `None` when the parts contradict each other.
fn read(connection: &Connection) -> rusqlite::Result<Option<Loaded>> {
    // Both ends come from the tree's edges; a count would read every page.
    let (first, last) =
        connection.query_row("SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)", [], |r| {
            Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
        })?;
    let next = match (first, last) {
        (None, None) => 0,
        (Some(0), Some(last)) => last.cast_unsigned().saturating_add(1),
        _ => return Ok(None),
    };
    let horizon: i64 = connection.query_row("SELECT horizon FROM state WHERE id = 0", [], |r| r.get(0))?;

    let mut loaded =
        Loaded { next, horizon: u64::try_from(horizon).unwrap_or(0), replay: Vec::new(), open: Vec::new() };
    let mut statement = connection.prepare("SELECT scope, jti, expires FROM replay")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A key that cannot be one is damage. Leaving it out would free it for a replay.
        let Some(key) = replay_key(row)? else { return Ok(None) };
        loaded.replay.push(key);
    }
    let mut statement = connection.prepare("SELECT hash, idx FROM open_call ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(hash), Ok(index)) = (row.get_ref(0)?.as_blob()?.try_into(), u64::try_from(row.get::<_, i64>(1)?))
        else {
            return Ok(None);
        };
        if index >= next {
            return Ok(None);
        }
        loaded.open.push(OpenCall { hash, index });
    }
    Ok(Some(loaded))
}

fn replay_key(row: &Row<'_>) -> rusqlite::Result<Option<ReplayKey>> {
    let Ok(expires) = u64::try_from(row.get::<_, i64>(2)?) else {
        return Ok(None);
    };
    Ok(ReplayKey::new(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?, expires).ok())
}
