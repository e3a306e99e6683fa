//! Has the log seen by witnesses: in the background, as it grows; and says whether calls may pass.
//!
//! The promise of `required`: a call passes only where enough witnesses cosigned this log within the last `within_seconds`, by
//! our clock and by theirs. Who sets the log back later, or shows somebody another one, contradicts what they saw.
//!
//! Witnesses are asked at most every `every_seconds` while the log grows. A log that rests is not asked about; the first call
//! after a rest has them asked at once, and waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use attest_log::witness::client::{Client, ClientError, Failed, Round, Times};
use attest_log::{Log, OpenError, Reader, clock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::config::Witnesses;

/// How long a call waits for a round of questions. Longer than a round takes, so that the round's own end is what ends it.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long the last round may take, when the guard ends.
const LAST: Duration = Duration::from_secs(2);

/// Why witnesses cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessingError {
    /// The client.
    #[error("[witness]: {0}")]
    Client(#[from] ClientError),
    /// The log for reading.
    #[error(transparent)]
    Log(#[from] OpenError),
}

/// The witnesses at work.
pub(crate) struct Witnessing {
    every: Duration,
    within: Duration,
    required: bool,
    rounds: watch::Receiver<Rounds>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    /// A call wants to know now.
    wanted: Notify,
    /// The guard ends.
    last: Notify,
}

/// What came of the rounds so far.
#[derive(Clone, Copy, Default)]
struct Rounds {
    /// When the last one began that got enough cosignatures.
    met: Option<Moment>,
    /// When the last one ended that did not.
    failed: Option<Instant>,
}

/// By two clocks: one cannot be set, the other goes on while the machine sleeps.
#[derive(Clone, Copy)]
struct Moment {
    instant: Instant,
    seconds: u64,
}

impl Moment {
    fn now() -> Self {
        Self { instant: Instant::now(), seconds: clock::now() }
    }

    fn age(&self) -> Duration {
        self.instant.elapsed().max(Duration::from_secs(clock::now().saturating_sub(self.seconds)))
    }
}

impl Witnessing {
    /// Begins to ask, at once. `skew` is by how many seconds the witnesses' clocks may differ from ours.
    pub(crate) fn start(log: Arc<Log>, witnesses: Witnesses, skew: u64) -> Result<Self, WitnessingError> {
        let Witnesses { policy, roots, every, within, required } = witnesses;
        let client = Client::new(policy, roots.as_deref(), Times { skew, ..Times::default() })?;
        let reader = Arc::new(Mutex::new(Reader::open(log.place())?));
        let (told, rounds) = watch::channel(Rounds::default());
        let shared = Arc::new(Shared { wanted: Notify::new(), last: Notify::new() });
        let keeper = Keeper { log, client, reader, told, seen: None, failures: HashMap::new() };
        let task = tokio::spawn(keeper.work(every, Arc::clone(&shared)));
        Ok(Self { every, within, required, rounds, shared, task })
    }

    /// Whether calls may pass; where they may not as things stand, and the witnesses were not asked in vain just now, they are
    /// asked first.
    pub(crate) async fn permits(&self) -> bool {
        if !self.required || self.is_fresh(&self.rounds.borrow()) {
            return true;
        }
        let failed_lately = |rounds: &Rounds| rounds.failed.is_some_and(|at| at.elapsed() < self.every);
        if failed_lately(&self.rounds.borrow()) {
            return false;
        }
        let mut rounds = self.rounds.clone();
        self.shared.wanted.notify_one();
        let over = rounds.wait_for(|rounds| self.is_fresh(rounds) || failed_lately(rounds));
        let _ = tokio::time::timeout(PATIENCE, over).await;
        self.is_fresh(&self.rounds.borrow())
    }

    /// When they last cosigned, in seconds since 1970 (0 for never since the start), and whether calls may pass as things stand.
    pub(crate) fn state(&self) -> (u64, bool) {
        let rounds = self.rounds.borrow();
        (rounds.met.map_or(0, |met| met.seconds), !self.required || self.is_fresh(&rounds))
    }

    fn is_fresh(&self, rounds: &Rounds) -> bool {
        rounds.met.is_some_and(|met| met.age() <= self.within)
    }

    /// Has the end of the log seen, if that does not take long, and stops asking.
    pub(crate) async fn close(&self) {
        self.shared.last.notify_one();
        let mut rounds = self.rounds.clone();
        // The other end goes with the task.
        let _ = tokio::time::timeout(LAST, async { while rounds.changed().await.is_ok() {} }).await;
        self.task.abort();
    }
}

impl Drop for Witnessing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    log: Arc<Log>,
    client: Client,
    reader: Arc<Mutex<Reader>>,
    told: watch::Sender<Rounds>,
    /// The last checkpoint that enough of them cosigned.
    seen: Option<Arc<str>>,
    /// What is wrong with each witness, so that it is said once and not in every round.
    failures: HashMap<String, Failed>,
}

impl Keeper {
    async fn work(mut self, every: Duration, shared: Arc<Shared>) {
        loop {
            if self.seen.as_ref() != Some(&self.log.checkpoint()) {
                self.round().await;
            }
            let begun = Instant::now();
            loop {
                tokio::select! {
                    () = shared.last.notified() => {
                        if self.seen.as_ref() != Some(&self.log.checkpoint()) {
                            self.round().await;
                        }
                        return;
                    }
                    () = shared.wanted.notified() => self.round().await,
                    () = tokio::time::sleep(every.saturating_sub(begun.elapsed())) => break,
                }
            }
        }
    }

    async fn round(&mut self) {
        let begun = Moment::now();
        let checkpoint = self.log.checkpoint();
        let round = self.client.round(&checkpoint, &self.reader, begun.seconds).await;
        self.say(&round);
        let kept = match round.note {
            Some(note) => match self.log.keep_cosigned(round.size, note).await {
                Ok(()) => true,
                Err(reason) => {
                    tracing::error!("a cosigned checkpoint is not kept: {reason}");
                    false
                }
            },
            None => false,
        };
        if kept {
            self.seen = Some(checkpoint);
        }
        self.told.send_modify(|rounds| {
            if kept {
                *rounds = Rounds { met: Some(begun), failed: None };
            } else {
                rounds.failed = Some(Instant::now());
            }
        });
    }

    fn say(&mut self, round: &Round) {
        let size = round.size;
        for (name, said) in &round.answers {
            match said {
                Ok(_) => {
                    if self.failures.remove(name).is_some() {
                        tracing::warn!("the witness {name} cosigns again");
                    }
                }
                // Each time: this is what witnesses are there for.
                Err(failed) if failed.is_alarm() => tracing::error!("the witness {name} of this log: {failed}"),
                Err(failed) if self.failures.get(name).is_some_and(|before| same(before, failed)) => {}
                Err(failed) => tracing::warn!("the witness {name} does not cosign: {failed}"),
            }
            if let Err(failed) = said {
                self.failures.insert(name.clone(), failed.clone());
            }
        }
        if round.note.is_none() {
            tracing::warn!("too few witnesses cosigned the log at {size} entries");
        }
    }
}

/// Whether two failures are of one sort, whatever times and words are in them.
fn same(one: &Failed, other: &Failed) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
