//! The writer's side of a shared log: one transaction for each batch, and what is done when the database goes away.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use attest_core::checkpoint::LogKeys;
use attest_core::merkle::Hash;
use tokio_postgres::error::Severity;

use super::batch::{Batch, Statements};
use super::follow::Problem;
use super::instance::{self, Backend};
use super::session::{PostgresError, Session};
use crate::error::StopReason;
use crate::head::Head;
use crate::place::Shared;
use crate::record::Record;
use crate::sqlite::{HEAD_SYNC, KNOWN_TOKENS, WriterLock, head_failed};
use crate::store::{Failed, Found, Staged, Store};
use crate::tree::{Edge, Tile};

/// Pause after the first connection that could not be made; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long callers wait to be told whether a commit that was cut off went through.
const RESOLVE: Duration = Duration::from_secs(8);

/// A connection with what is prepared on it.
pub(super) struct Live {
    pub(super) session: Session,
    pub(super) statements: Statements,
    backend: Backend,
}

impl Live {
    pub(super) fn new(session: Session, backend: Backend) -> Result<Self, PostgresError> {
        let statements = session.wait(Statements::of(session.client()))?;
        Ok(Self { session, statements, backend })
    }
}

/// A commit that was cut off.
struct Unsure {
    number: i64,
    calls: Vec<Hash>,
}

/// The writer's side.
pub(crate) struct PostgresStore {
    shared: Shared,
    pub(super) keys: LogKeys,
    pub(super) keep: usize,
    pub(super) live: Option<Live>,
    /// The connection before this one, which its server may still hold.
    before: Option<Backend>,
    instance: i32,
    /// Number of this instance's last batch.
    number: i64,
    unsure: Option<Unsure>,
    batch: Batch,
    /// The last checkpoint that is known to be the log's.
    pub(super) note: String,
    known_tokens: HashSet<Hash>,
    pause: Duration,
    not_before: Option<Instant>,
    head: Option<Head>,
    /// When the record was synced last, in seconds since 1970.
    head_synced: u64,
    _lock: Option<WriterLock>,
}

impl PostgresStore {
    #[allow(clippy::too_many_arguments, reason = "what opening found, handed on once")]
    pub(super) fn new(
        shared: Shared,
        keys: LogKeys,
        keep: usize,
        live: Live,
        instance: i32,
        note: String,
        head: Option<Head>,
        lock: Option<WriterLock>,
    ) -> Self {
        Self {
            shared,
            keys,
            keep,
            live: Some(live),
            before: None,
            instance,
            number: 0,
            unsure: None,
            batch: Batch::default(),
            note,
            known_tokens: HashSet::new(),
            pause: PAUSE,
            not_before: None,
            head,
            head_synced: 0,
            _lock: lock,
        }
    }

    /// Connects where there is no connection. Does not try again before a pause is over, which grows.
    fn connect(&mut self) -> Result<(), Failed> {
        if self.live.as_ref().is_some_and(|live| !live.session.is_closed()) {
            return Ok(());
        }
        self.drop_live();
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(Failed::Away);
        }
        match self.reconnect() {
            Ok(()) => {
                tracing::info!("the log's database is there again");
                (self.pause, self.not_before) = (PAUSE, None);
                Ok(())
            }
            Err(error) => {
                tracing::error!("the log's database {} cannot be reached: {error}", self.shared);
                self.not_before = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Err(Failed::Away)
            }
        }
    }

    fn reconnect(&mut self) -> Result<(), PostgresError> {
        let session = Session::connect(&self.shared, true)?;
        if let Some(before) = &self.before {
            before.end(&session)?;
        }
        if let Some(Unsure { number, calls }) = &self.unsure {
            let calls: Vec<&[u8]> = calls.iter().map(<[u8; 32]>::as_slice).collect();
            if instance::settle(&session, self.instance, *number, &calls)? {
                tracing::warn!(
                    "a batch that was answered with \"try later\" is in the log all the same: {} calls that never ran are open, and are closed as unknown when a verifier opens the log",
                    calls.len()
                );
            }
            self.unsure = None;
        }
        self.go_live(session)
    }

    /// Takes the instance's lock on a new connection.
    fn go_live(&mut self, session: Session) -> Result<(), PostgresError> {
        let instance = instance::resume(&session, self.instance)?;
        if instance != self.instance {
            (self.instance, self.number) = (instance, 0);
        }
        let backend = Backend::of(&session)?;
        self.live = Some(Live::new(session, backend)?);
        self.before = None;
        Ok(())
    }

    fn drop_live(&mut self) {
        if let Some(live) = self.live.take() {
            self.before = Some(live.backend);
        }
    }

    /// Gives up a transaction of which nothing is committed.
    fn lost(&mut self, error: &PostgresError) -> Failed {
        let failed = error.failed();
        let Some(live) = &self.live else { return failed };
        if live.session.is_closed() || matches!(error, PostgresError::Slow) || live.session.execute("ROLLBACK").is_err()
        {
            self.drop_live();
        }
        if failed == Failed::Away {
            tracing::error!("the log's database takes nothing at the moment: {error}");
        }
        failed
    }

    /// After a commit whose answer did not come: callers wait until it is known what became of it, but not for long.
    fn resolve(&mut self) -> Result<(), Failed> {
        self.drop_live();
        let number = self.number;
        let end = Instant::now() + RESOLVE;
        let mut pause = PAUSE;
        while Instant::now() < end {
            match self.look(number) {
                Ok((session, true)) => {
                    // Without a connection the next batch looks for one.
                    if let Err(error) = self.go_live(session) {
                        tracing::error!("the log's database went away again: {error}");
                    }
                    return Ok(());
                }
                Ok((session, false)) => {
                    let _ = self.go_live(session);
                    return Err(Failed::Away);
                }
                Err(error) => tracing::error!("whether a commit went through cannot be told yet: {error}"),
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.unsure = Some(Unsure { number, calls: self.batch.opened() });
        Err(Failed::Away)
    }

    fn look(&self, number: i64) -> Result<(Session, bool), PostgresError> {
        let session = Session::connect(&self.shared, true)?;
        if let Some(before) = &self.before {
            before.end(&session)?;
        }
        let there = instance::settle(&session, self.instance, number, &[])?;
        Ok((session, there))
    }
}

/// The calls that records open or close.
fn calls_of(records: &mut dyn Iterator<Item = &Record>) -> Vec<Hash> {
    records.flat_map(|record| record.closes.into_iter().chain(record.opens)).collect()
}

impl Store for PostgresStore {
    fn begin(&mut self, edge: &mut Edge, records: &mut dyn Iterator<Item = &Record>) -> Result<Option<Found>, Failed> {
        self.batch = Batch::default();
        let calls = calls_of(records);
        // A connection that went while nobody used it is no reason to refuse: nothing was asked yet.
        let was_there = self.live.is_some();
        self.connect()?;
        let begin = |store: &Self| match &store.live {
            Some(live) => live.begin(edge.size(), &calls),
            None => Err(PostgresError::Slow),
        };
        let mut said = begin(self);
        if let Err(error) = &said
            && was_there
            && self.lost(error) == Failed::Away
            && self.live.is_none()
        {
            self.connect()?;
            said = begin(self);
        }
        let said = match said {
            Ok(said) => said,
            Err(error) => return Err(self.lost(&error)),
        };
        match self.follow(edge, said) {
            Ok(found) => Ok(Some(found)),
            Err(Problem::Database(error)) => Err(self.lost(&error)),
            Err(Problem::Stop(reason)) => Err(reason.into()),
        }
    }

    fn open_among(&mut self, records: &mut dyn Iterator<Item = &Record>) -> Result<HashSet<Hash>, Failed> {
        let calls = calls_of(records);
        let asked = match &self.live {
            Some(live) => live.open_among(&calls),
            None => Err(PostgresError::Slow),
        };
        asked.map_err(|error| self.lost(&error))
    }

    fn stage(&mut self, index: u64, record: &Record) -> Result<Staged, Failed> {
        self.batch.add(index, record, &self.known_tokens);
        Ok(Staged::Added)
    }

    /// Another verifier may have been faster: everybody knows everybody's keys.
    fn prune(&mut self, entries: &[u64], horizon: u64) -> Result<(), Failed> {
        self.batch.prune(entries, horizon);
        Ok(())
    }

    fn tree(&mut self, size: u64, tiles: &[Tile], checkpoint: &str) -> Result<(), Failed> {
        self.batch.tree(size, tiles, checkpoint);
        Ok(())
    }

    fn cosigned(&mut self, size: u64, note: &str) -> Result<(), Failed> {
        self.batch.cosigned(size, note);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failed> {
        let Some(live) = &self.live else { return Err(Failed::Away) };
        self.number += 1;
        let (client, session) = (live.session.client(), &live.session);
        session.was_warned();
        match session.wait(self.batch.write(client, &live.statements, self.instance, self.number)) {
            Ok(false) => return Err(StopReason::Inconsistent.into()),
            // A warning says that the commit is on this server's disk, and perhaps not on its standby's.
            Ok(true) if !session.was_warned() => {}
            Err(error) if is_refusal(&error) => return Err(self.lost(&error)),
            _ => self.resolve()?,
        }
        if let Some(note) = self.batch.checkpoint() {
            note.clone_into(&mut self.note);
        }
        if self.known_tokens.len() >= KNOWN_TOKENS {
            self.known_tokens.clear();
        }
        self.known_tokens.extend(self.batch.stored());
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Failed> {
        let Some(live) = &self.live else { return Ok(()) };
        // The verdicts stand, whatever becomes of this connection.
        if live.session.execute("ROLLBACK").is_err() {
            self.drop_live();
        }
        Ok(())
    }

    fn publish(&mut self, checkpoint: &str, now: u64) -> Result<(), StopReason> {
        let Some(head) = &mut self.head else { return Ok(()) };
        head.write(checkpoint).map_err(|e| head_failed(&e))?;
        if now >= self.head_synced.saturating_add(HEAD_SYNC) {
            head.sync().map_err(|e| head_failed(&e))?;
            self.head_synced = now;
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StopReason> {
        Ok(())
    }

    /// The transaction under way, with the row that every other verifier waits for.
    fn release(&mut self) {
        self.drop_live();
    }

    fn close(self: Box<Self>) -> Result<(), StopReason> {
        if let Some(live) = &self.live
            && let Err(error) = instance::retire(&live.session, self.instance)
        {
            // Whoever opens the log next does it.
            tracing::warn!("the log's database was not told that this verifier ends: {error}");
        }
        self.head.as_ref().map_or(Ok(()), |head| head.sync().map_err(|e| head_failed(&e)))
    }

    fn abandon(self: Box<Self>) {}
}

/// Whether the server itself said that the transaction is undone, and goes on.
fn is_refusal(error: &PostgresError) -> bool {
    let PostgresError::Server(error) = error else { return false };
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}
