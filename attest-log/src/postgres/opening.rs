//! How a shared log is opened for writing.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tokio_postgres::types::Type;

use super::instance::{self, Backend};
use super::session::{PostgresError, Session};
use super::store::{Live, PostgresStore};
use super::{refused, schema};
use crate::error::OpenError;
use crate::head::Head;
use crate::key::LogKey;
use crate::load::{self, Doubt, Read};
use crate::place::Shared;
use crate::record::{OpenCall, ReplayKey};
use crate::rows::Rows as _;
use crate::sealed::SealedPart;
use crate::sqlite::WriterLock;
use crate::store::Loaded;

/// Connects, makes the log where there is none, and loads what the writer keeps in memory.
pub(crate) fn open(
    shared: &Shared,
    key: &LogKey,
    keep: usize,
    doubt: Doubt,
) -> Result<(PostgresStore, Loaded), OpenError> {
    let path = shared.name();
    let failed = |source| refused(shared, source);
    let side = shared.side().map(Side::open).transpose()?;
    let session = Session::connect(shared, true).map_err(failed)?;
    schema::ensure(&session, shared, key)?;
    let keys = load::keys(&session, &path, key)?;
    let own = instance::register(&session).map_err(failed)?;
    // Before anything is read: what is open then and is of none of these, is of somebody who was at work since.
    let dead = instance::dead(&session, own).map_err(failed)?;
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(failed)?;
    let sealed = session.sealed().map_err(|error| load::of_read(error, &path))?;
    let read = read(&session, &sealed, |instance| dead.contains(&instance)).map_err(failed)?;
    let read = read.ok_or_else(|| OpenError::Damaged { path: path.clone() })?;
    let mut loaded = load::load(&session, &path, read, &keys, keep)?;
    if let (Doubt::Refuse, Some(side)) = (doubt, &side) {
        load::compare_with_head(&session, &path, &side.head, &keys, loaded.edge.size(), true)?;
    }
    session.execute("COMMIT").map_err(failed)?;
    if let Doubt::Accept { now } = doubt {
        session
            .rows("UPDATE state SET since = $1 WHERE id = 0", &[(&now.cast_signed(), Type::INT8)])
            .map_err(failed)?;
        loaded.since = now;
    }
    let head = match &side {
        Some(side) => {
            let head = Head::open(&side.head, &loaded.checkpoint);
            Some(head.map_err(|source| OpenError::Io { path: side.head.clone(), source })?)
        }
        None => None,
    };
    let backend = Backend::of(&session).map_err(failed)?;
    let live = Live::new(session, backend).map_err(failed)?;
    let lock = side.map(|side| side.lock);
    let note = loaded.checkpoint.clone();
    Ok((PostgresStore::new(shared.clone(), keys, keep, live, own, note, head, lock), loaded))
}

/// The folder beside a shared log: one verifier's.
struct Side {
    head: PathBuf,
    lock: WriterLock,
}

impl Side {
    fn open(folder: &Path) -> Result<Self, OpenError> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                return Err(OpenError::Io { path: folder.into(), source });
            }
            _ => {}
        }
        let lock = WriterLock::take(&folder.join("log"))?;
        Ok(Self { head: folder.join("log.head"), lock })
    }
}

/// `None` when the parts contradict each other.
fn read(
    session: &Session,
    sealed: &[SealedPart],
    is_dead: impl Fn(i32) -> bool,
) -> Result<Option<Read>, PostgresError> {
    let ends = session.rows("SELECT min(idx), max(idx) FROM entry", &[])?;
    let Some(ends) = ends.first() else { return Ok(None) };
    let Some(next) = load::next_index(ends.try_get(0)?, ends.try_get(1)?, sealed) else { return Ok(None) };
    let state = session.rows("SELECT size, horizon, since, checkpoint FROM state WHERE id = 0", &[])?;
    let Some(state) = state.first() else { return Ok(None) };
    let (size, horizon, since): (i64, i64, i64) = (state.try_get(0)?, state.try_get(1)?, state.try_get(2)?);
    let (Ok(horizon), Ok(since)) = (u64::try_from(horizon), u64::try_from(since)) else { return Ok(None) };
    if size.cast_unsigned() != next {
        return Ok(None);
    }
    let checkpoint = state.try_get(3)?;
    let mut read = Read { next, horizon, since, checkpoint, replay: Vec::new(), open: Vec::new(), others: Vec::new() };
    let mut whole = true;
    session.replay_keys(&mut |index, scope, jti, expires| {
        let key = match (u64::try_from(index), u64::try_from(expires)) {
            (Ok(index), Ok(expires)) if index < next => {
                ReplayKey::new(scope, jti, expires).ok().map(|key| (index, key))
            }
            _ => None,
        };
        whole = key.is_some();
        read.replay.extend(key);
        whole
    })?;
    for row in session.rows("SELECT hash, idx, instance FROM open_call ORDER BY idx", &[])? {
        let (hash, index): (&[u8], i64) = (row.try_get(0)?, row.try_get(1)?);
        let (Ok(hash), Ok(index)) = (hash.try_into(), u64::try_from(index)) else { return Ok(None) };
        let call = OpenCall { hash, index };
        whole &= index < next;
        if is_dead(row.try_get(2)?) { read.open.push(call) } else { read.others.push(call) }
    }
    Ok(whole.then_some(read))
}
