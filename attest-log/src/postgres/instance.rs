//! Which verifiers are at work. Each has a row, and holds an advisory lock of its number for as long as its connection
//! lives; PostgreSQL drops it with the connection, however that ends.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};

use super::CLASS;
use super::session::{PostgresError, Session};

/// How often the lock of a connection that was lost is tried for, with a pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// A connection of ours as its server names it.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pid: i32,
    begun: String,
}

impl Backend {
    pub(super) fn of(session: &Session) -> Result<Self, PostgresError> {
        let rows =
            session.rows("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()", &[])?;
        let Some(row) = rows.first() else { return Err(PostgresError::Slow) };
        Ok(Self { pid: row.try_get(0)?, begun: row.try_get(1)? })
    }

    /// Ends that connection where it is still there: the server may not have noticed that nobody is at its other end.
    pub(super) fn end(&self, session: &Session) -> Result<(), PostgresError> {
        let given: [(&(dyn ToSql + Sync), Type); 2] = [(&self.pid, Type::INT4), (&self.begun, Type::TEXT)];
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
        session.rows(sql, &given).map(drop)
    }
}

/// Makes a row for this verifier. Its lock is held before anybody can see it.
pub(super) fn register(session: &Session) -> Result<i32, PostgresError> {
    let sql = format!(
        "WITH made AS (INSERT INTO instance DEFAULT VALUES RETURNING id)
         SELECT id, pg_advisory_lock({CLASS}, id)::text FROM made"
    );
    session.one(&sql, &[])?.ok_or(PostgresError::Slow)
}

/// Takes the lock of `id` again, on a new connection; makes a new row where that one is gone, or somebody else has taken
/// this verifier for dead.
pub(super) fn resume(session: &Session, id: i32) -> Result<i32, PostgresError> {
    let sql = format!("SELECT pg_try_advisory_lock({CLASS}, id) FROM instance WHERE id = $1");
    for _ in 0..TRIES {
        match session.one(&sql, &[(&id, Type::INT4)])? {
            Some(true) => return Ok(id),
            Some(false) => thread::sleep(PAUSE),
            None => break,
        }
    }
    register(session)
}

/// The verifiers that are dead, their locks now held here, so that nobody else closes their calls as well. Rows that nothing
/// hangs on any more are removed.
pub(super) fn dead(session: &Session, own: i32) -> Result<BTreeSet<i32>, PostgresError> {
    let sql = format!("SELECT id, pg_try_advisory_lock({CLASS}, id) FROM instance WHERE id <> $1 ORDER BY id");
    // Calls of nobody: see `disown`.
    let mut dead = BTreeSet::from([0]);
    for row in session.rows(&sql, &[(&own, Type::INT4)])? {
        if row.try_get(1)? {
            dead.insert(row.try_get(0)?);
        }
    }
    let ids: Vec<i32> = dead.iter().copied().collect();
    session.rows(
        "DELETE FROM instance WHERE id = ANY($1) AND touched < now() - interval '1 hour'
         AND NOT EXISTS (SELECT FROM open_call WHERE instance = id)",
        &[(&ids, Type::INT4_ARRAY)],
    )?;
    Ok(dead)
}

/// How many verifiers are at work. The locks of all others are held here from then on.
pub(super) fn alive(session: &Session) -> Result<usize, PostgresError> {
    let sql = format!("SELECT pg_try_advisory_lock({CLASS}, id) FROM instance");
    let mut count = 0;
    for row in session.rows(&sql, &[])? {
        count += usize::from(!row.try_get::<_, bool>(0)?);
    }
    Ok(count)
}

/// Whether this verifier's batch `number` is committed, and stays so. Calls that were opened in it, and that nobody was told
/// of, are nobody's from here on, so that whoever opens the log next closes them; where somebody still waits, `calls` is empty.
pub(super) fn settle(session: &Session, id: i32, number: i64, calls: &[&[u8]]) -> Result<bool, PostgresError> {
    // Waits until the transaction in question has ended, whichever way.
    session.execute("BEGIN; SELECT FROM state WHERE id = 0 FOR UPDATE")?;
    let batch: Option<i64> = session.one("SELECT batch FROM instance WHERE id = $1", &[(&id, Type::INT4)])?;
    let there = batch.is_some_and(|batch| batch >= number);
    if there && !calls.is_empty() {
        session.rows("UPDATE open_call SET instance = 0 WHERE hash = ANY($1)", &[(&calls, Type::BYTEA_ARRAY)])?;
    }
    session.rows("UPDATE instance SET touched = now() WHERE id = $1", &[(&id, Type::INT4)])?;
    session.was_warned();
    // What a synchronous standby has of this commit it has of all before it. Without that, what is seen here may be lost.
    session.execute("COMMIT")?;
    if session.was_warned() { Err(PostgresError::Slow) } else { Ok(there) }
}

/// Goes in good order: nothing of it is left, where it has no open calls.
pub(super) fn retire(session: &Session, id: i32) -> Result<(), PostgresError> {
    let sql = "DELETE FROM instance WHERE id = $1 AND NOT EXISTS (SELECT FROM open_call WHERE instance = $1)";
    session.rows(sql, &[(&id, Type::INT4)]).map(drop)
}
