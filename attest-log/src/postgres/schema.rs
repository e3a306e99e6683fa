//! The tables, their making, and telling ours from others.

use std::collections::BTreeSet;
use std::time::Duration;

use attest_core::checkpoint::Checkpoint;
use attest_core::merkle::EMPTY_ROOT;
use tokio_postgres::types::Type;

use super::session::{PostgresError, Session};
use super::{CLASS, refused};
use crate::error::OpenError;
use crate::key::LogKey;
use crate::place::Shared;

/// What makes each version of the one before it; the first, of nothing. One is added with any change to the tables.
///
/// They are those of a log's file, and three things more that several writers need: `state` has the size, and is the row
/// that whoever appends takes for himself; a `jti` is unique in its scope, by the hash of both; `instance` has a row for each verifier that opened the log,
/// whose number is in the calls that it opened. Texts that come from outside are bytes, since PostgreSQL's texts cannot hold
/// every character. `side_file` is no part of the log: see `side.rs`. An entry's row is not compressed: that took PostgreSQL as long as all
/// else that it does for the entry, of which every other verifier waits for the end.
const MIGRATIONS: [&str; 5] = [
    "
CREATE SCHEMA attest_log;
CREATE TABLE attest_log.meta (id smallint PRIMARY KEY CHECK (id = 0), version integer NOT NULL);
CREATE TABLE attest_log.state (id smallint PRIMARY KEY CHECK (id = 0), size bigint NOT NULL, horizon bigint NOT NULL,
    since bigint NOT NULL, checkpoint text NOT NULL);
CREATE TABLE attest_log.log_key (since bigint PRIMARY KEY, vkey text NOT NULL);
CREATE TABLE attest_log.entry (idx bigint PRIMARY KEY, body bytea NOT NULL, token bytea);
CREATE TABLE attest_log.token (hash bytea PRIMARY KEY, text bytea NOT NULL);
CREATE TABLE attest_log.tile (level smallint NOT NULL, idx bigint NOT NULL, hashes bytea NOT NULL, PRIMARY KEY (level, idx));
CREATE TABLE attest_log.replay (idx bigint PRIMARY KEY, scope bytea NOT NULL, jti bytea NOT NULL, expires bigint NOT NULL,
    UNIQUE (scope, jti));
CREATE INDEX replay_expires ON attest_log.replay (expires);
CREATE TABLE attest_log.open_call (hash bytea PRIMARY KEY, idx bigint NOT NULL, instance integer NOT NULL);
CREATE TABLE attest_log.cosigned (size bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE attest_log.instance (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, batch bigint NOT NULL DEFAULT 0,
    touched timestamptz NOT NULL DEFAULT now());
INSERT INTO attest_log.meta (id, version) VALUES (0, 1);
",
    "
CREATE TABLE attest_log.sealed (first bigint PRIMARY KEY, until bigint NOT NULL, place text NOT NULL,
    forgotten boolean NOT NULL DEFAULT false);
",
    "
CREATE TABLE attest_log.side_file (folder text NOT NULL, name text NOT NULL, bytes bytea NOT NULL,
    changed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (folder, name));
",
    "
ALTER TABLE attest_log.entry ALTER body SET STORAGE EXTERNAL, ALTER token SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160);
DROP INDEX attest_log.replay_expires;
",
    "
ALTER TABLE attest_log.replay DROP CONSTRAINT replay_scope_jti_key, ADD hash uuid, ADD hash_rest uuid;
UPDATE attest_log.replay r SET hash = left(h, 32)::uuid, hash_rest = right(h, 32)::uuid
    FROM (SELECT idx, encode(sha256(set_byte('\\x00', 0, length(scope)) || scope || jti), 'hex') AS h FROM attest_log.replay) AS hashed
    WHERE r.idx = hashed.idx;
ALTER TABLE attest_log.replay ALTER hash SET NOT NULL, ALTER hash_rest SET NOT NULL, ADD UNIQUE (hash, hash_rest);
",
];

/// How long a change to tables may take, which may rewrite all replay keys: 600,000 of them took ten seconds.
const CHANGE: Duration = Duration::from_secs(1_800);

/// What stands in the version's place once the log was moved elsewhere.
const MOVED: i64 = -1;

/// Columns, constraints, triggers, rules and policies of the schema, in words: what could change what an append does.
const OBJECTS: &str = r#"
SELECT coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), '') FROM (
    SELECT format('%s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN ' not null' END) AS line
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = to_regnamespace('attest_log') AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT format('%s: %s', c.relname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = to_regnamespace('attest_log') AND k.contype <> 'n'
    UNION ALL SELECT format('%s: trigger %s', c.relname, t.tgname)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = to_regnamespace('attest_log') AND NOT t.tgisinternal
    UNION ALL SELECT format('%s: rule %s', c.relname, r.rulename)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE c.relnamespace = to_regnamespace('attest_log')
    UNION ALL SELECT format('%s: row security', c.relname)
    FROM pg_class c WHERE c.relnamespace = to_regnamespace('attest_log') AND c.relrowsecurity
    UNION ALL SELECT format('%s: unlogged or temporary', c.relname)
    FROM pg_class c WHERE c.relnamespace = to_regnamespace('attest_log') AND c.relkind = 'r' AND c.relpersistence <> 'p'
) AS objects"#;

/// What each version's tables say to that, beside those of the versions before it; a line of one before it that they no longer
/// say has a `-`.
const EXPECTED: [&str; MIGRATIONS.len()] = [
    "\
cosigned.note text not null
cosigned.size bigint not null
cosigned: PRIMARY KEY (size)
entry.body bytea not null
entry.idx bigint not null
entry.token bytea
entry: PRIMARY KEY (idx)
instance.batch bigint not null
instance.id integer not null
instance.touched timestamp with time zone not null
instance: PRIMARY KEY (id)
log_key.since bigint not null
log_key.vkey text not null
log_key: PRIMARY KEY (since)
meta.id smallint not null
meta.version integer not null
meta: CHECK ((id = 0))
meta: PRIMARY KEY (id)
open_call.hash bytea not null
open_call.idx bigint not null
open_call.instance integer not null
open_call: PRIMARY KEY (hash)
replay.expires bigint not null
replay.idx bigint not null
replay.jti bytea not null
replay.scope bytea not null
replay: PRIMARY KEY (idx)
replay: UNIQUE (scope, jti)
state.checkpoint text not null
state.horizon bigint not null
state.id smallint not null
state.since bigint not null
state.size bigint not null
state: CHECK ((id = 0))
state: PRIMARY KEY (id)
tile.hashes bytea not null
tile.idx bigint not null
tile.level smallint not null
tile: PRIMARY KEY (level, idx)
token.hash bytea not null
token.text bytea not null
token: PRIMARY KEY (hash)",
    "\
sealed.first bigint not null
sealed.forgotten boolean not null
sealed.place text not null
sealed.until bigint not null
sealed: PRIMARY KEY (first)",
    "\
side_file.bytes bytea not null
side_file.changed timestamp with time zone not null
side_file.folder text not null
side_file.name text not null
side_file: PRIMARY KEY (folder, name)",
    "",
    "\
replay.hash uuid not null
replay.hash_rest uuid not null
replay: UNIQUE (hash, hash_rest)
-replay: UNIQUE (scope, jti)",
];

/// Version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Makes a log where there is none, or brings an older one to this version: all or nothing, and one verifier at a time.
pub(super) fn ensure(session: &Session, shared: &Shared, key: &LogKey) -> Result<(), OpenError> {
    let failed = |source| refused(shared, source);
    if version(session, shared)?.is_some_and(|version| version == VERSION || version == MOVED) {
        return judge(session, shared);
    }
    session.execute("BEGIN").map_err(failed)?;
    let made = make(session, shared, key);
    session.execute(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(failed)?;
    made?;
    judge(session, shared)
}

fn make(session: &Session, shared: &Shared, key: &LogKey) -> Result<(), OpenError> {
    let failed = |source| refused(shared, source);
    session.execute(&format!("SELECT pg_advisory_xact_lock({CLASS}, 0)")).map_err(failed)?;
    // Once more: another verifier may have been faster.
    let found = version(session, shared)?;
    if found.is_some() {
        judge(session, shared)?;
    }
    let done = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    migrate(session, done).map_err(failed)?;
    if found.is_none() {
        let empty = Checkpoint { origin: key.origin().to_owned(), size: 0, root: EMPTY_ROOT };
        let note = key.checkpoint(&empty);
        let note = note.map_err(|source| OpenError::KeyFailed { path: shared.name(), source })?;
        session
            .rows(
                "INSERT INTO attest_log.state (id, size, horizon, since, checkpoint) VALUES (0, 0, 0, 0, $1)",
                &[(&note, Type::TEXT)],
            )
            .map_err(failed)?;
        let vkey = key.vkey().to_string();
        session
            .rows("INSERT INTO attest_log.log_key (since, vkey) VALUES (0, $1)", &[(&vkey, Type::TEXT)])
            .map_err(failed)?;
    }
    if done < MIGRATIONS.len() {
        session.execute(&format!("UPDATE attest_log.meta SET version = {VERSION}")).map_err(failed)?;
    }
    Ok(())
}

fn migrate(session: &Session, done: usize) -> Result<(), PostgresError> {
    let change = |migration| session.wait_for(session.client().batch_execute(migration), CHANGE);
    MIGRATIONS.iter().skip(done).try_for_each(|migration| change(migration))
}

/// Makes the tables of a log in the running transaction; `false` where something is there already, a log that was moved away too.
pub(super) fn make_tables(session: &Session, shared: &Shared) -> Result<bool, OpenError> {
    let failed = |source| refused(shared, source);
    session.execute(&format!("SELECT pg_advisory_xact_lock({CLASS}, 0)")).map_err(failed)?;
    if version(session, shared)?.is_some() {
        return Ok(false);
    }
    migrate(session, 0).map_err(failed)?;
    session.execute(&format!("UPDATE attest_log.meta SET version = {VERSION}")).map_err(failed)?;
    Ok(true)
}

/// Says for good that the log is elsewhere, in the running transaction. The row `state` tells those who had it open.
pub(super) fn retire(session: &Session, to: &str) -> Result<(), PostgresError> {
    session.execute(&format!(
        "CREATE TABLE IF NOT EXISTS moved (place text NOT NULL); DELETE FROM moved;
         UPDATE meta SET version = {MOVED}; UPDATE state SET size = -1"
    ))?;
    session.rows("INSERT INTO moved (place) VALUES ($1)", &[(&to, Type::TEXT)]).map(drop)
}

/// Refuses what is no log of this version or one before it. Changes nothing.
pub(super) fn judge(session: &Session, shared: &Shared) -> Result<(), OpenError> {
    let Some(version) = version(session, shared)? else { return Err(OpenError::NotALog { path: shared.name() }) };
    if version == MOVED {
        let to: Option<String> =
            session.one("SELECT place FROM attest_log.moved", &[]).map_err(|source| refused(shared, source))?;
        return Err(OpenError::Moved { path: shared.name(), to: to.unwrap_or_default() });
    }
    let versions = usize::try_from(version).unwrap_or_default();
    if objects(session).map_err(|source| refused(shared, source))? == expected(versions) {
        return Ok(());
    }
    Err(OpenError::Altered { path: shared.name() })
}

fn expected(versions: usize) -> String {
    let mut lines = BTreeSet::new();
    for line in EXPECTED.iter().take(versions).flat_map(|lines| lines.lines()) {
        match line.strip_prefix('-') {
            Some(gone) => lines.remove(gone),
            None => lines.insert(line),
        };
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// Refuses what is no log of this very version. Changes nothing.
pub(super) fn judge_newest(session: &Session, shared: &Shared) -> Result<(), OpenError> {
    judge(session, shared)?;
    match version(session, shared)? {
        Some(VERSION) => Ok(()),
        found => Err(OpenError::Older { path: shared.name(), found: found.unwrap_or_default(), known: VERSION }),
    }
}

/// The version of the log that is there; an error where it is newer than this program, or something else has the name.
fn version(session: &Session, shared: &Shared) -> Result<Option<i64>, OpenError> {
    let failed = |source| refused(shared, source);
    // From the tables themselves: `to_regclass` and the like may answer by what was so before a lock was waited for.
    let there: Option<i64> = session
        .one(
            "SELECT count(*) + count(c.oid) FROM pg_namespace n
             LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'meta' WHERE n.nspname = 'attest_log'",
            &[],
        )
        .map_err(failed)?;
    match there {
        Some(0) | None => return Ok(None),
        Some(1) => return Err(OpenError::NotALog { path: shared.name() }),
        Some(_) => {}
    }
    let version: Option<i64> = session.one("SELECT version::int8 FROM attest_log.meta", &[]).map_err(failed)?;
    match version {
        Some(found) if found > VERSION => Err(OpenError::Schema { path: shared.name(), found, known: VERSION }),
        Some(found) => Ok(Some(found)),
        None => Err(OpenError::NotALog { path: shared.name() }),
    }
}

fn objects(session: &Session) -> Result<String, PostgresError> {
    Ok(session.one(OBJECTS, &[])?.unwrap_or_default())
}
