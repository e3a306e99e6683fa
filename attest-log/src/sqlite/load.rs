//! What the writer keeps in memory, read from the file at opening.

use rusqlite::{Connection, Row};

use crate::error::ReadError;
use crate::load::{Read, next_index};
use crate::record::{OpenCall, ReplayKey};
use crate::rows::Rows as _;

/// `None` when the parts contradict each other.
pub(super) fn read(connection: &Connection) -> Result<Option<Read>, ReadError> {
    // Both ends come from the tree's edges; a count would read every page.
    let (first, last) =
        connection.query_row("SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)", [], |r| {
            Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
        })?;
    let Some(next) = next_index(first, last, &connection.sealed()?) else { return Ok(None) };
    let (horizon, since, checkpoint): (i64, i64, String) =
        connection.query_row("SELECT horizon, since, checkpoint FROM state WHERE id = 0", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?;
    // No log has times before 1970. To take one for 0 would free every key that was pruned for a replay.
    let (Ok(horizon), Ok(since)) = (u64::try_from(horizon), u64::try_from(since)) else { return Ok(None) };
    let mut read = Read { next, horizon, since, checkpoint, replay: Vec::new(), open: Vec::new(), others: Vec::new() };
    let mut statement = connection.prepare("SELECT idx, scope, jti, expires FROM replay ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A key that cannot be one is damage. Leaving it out would free it for a replay.
        let Some(key) = replay_key(row)?.filter(|(index, _)| *index < next) else { return Ok(None) };
        read.replay.push(key);
    }
    let mut statement = connection.prepare("SELECT hash, idx FROM open_call ORDER BY idx")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(hash), Ok(index)) = (
            row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?.try_into(),
            u64::try_from(row.get::<_, i64>(1)?),
        ) else {
            return Ok(None);
        };
        if index >= next {
            return Ok(None);
        }
        read.open.push(OpenCall { hash, index });
    }
    Ok(Some(read))
}

fn replay_key(row: &Row<'_>) -> rusqlite::Result<Option<(u64, ReplayKey)>> {
    let (Ok(index), Ok(expires)) = (u64::try_from(row.get::<_, i64>(0)?), u64::try_from(row.get::<_, i64>(3)?)) else {
        return Ok(None);
    };
    let key = ReplayKey::new(row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?, expires);
    Ok(key.ok().map(|key| (index, key)))
}
