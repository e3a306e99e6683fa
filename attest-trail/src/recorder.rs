//! Events into the log, findings out of it.
//!
//! One task takes what was seen in order: it appends the events, many at once, shows each to the rules as soon as it is
//! durable, appends what they find, and passes that on to the sinks. Who says something need not wait for that, unless the
//! trail is `strict`, or a rule may stop the message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::alert::Action;
use attest_core::digest::Jti;
use attest_core::entry::Entry;
use attest_core::seen::{Event, What};
use attest_log::clock::now_ms;
use attest_log::{AppendError, Log, Record};
use attest_watch::{Finding, Watch};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::keep::Keep;
use crate::observer::{Draft, Kept};
use crate::sinks::{self, Sinks};

/// Messages that wait to be written; beyond it whoever says more waits.
const QUEUE: usize = 1_024;
/// Most messages of one turn.
const TURN: usize = 128;
/// How long events that nobody waits for wait for others, to be written in one transaction with them.
const GROUP: Duration = Duration::from_millis(20);

/// Why a message may not pass: the trail cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the trail takes no entry: {0}")]
pub struct Unwritten(pub Arc<str>);

/// What the rules want done, strongest first.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The rule that wants it, and what it wants; `None` where nothing is to be done.
    pub wanted: Option<(Action, String)>,
}

impl Verdict {
    fn add(&mut self, finding: &Finding) {
        let action = finding.action;
        if action != Action::Note && self.wanted.as_ref().is_none_or(|(strongest, _)| action > *strongest) {
            self.wanted = Some((action, finding.rule.clone()));
        }
    }
}

/// What was given to a recorder and is perhaps not written yet.
#[derive(Default)]
pub struct Recording {
    verdict: Option<oneshot::Receiver<Result<Verdict, Unwritten>>>,
    failed: Option<Unwritten>,
}

impl Recording {
    /// What is to be done.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub async fn verdict(self) -> Result<Verdict, Unwritten> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        match self.verdict {
            Some(verdict) => verdict.await.unwrap_or_else(|_| Err(closed())),
            None => Ok(Verdict::default()),
        }
    }
}

fn closed() -> Unwritten {
    Unwritten("it is closed".into())
}

struct Turn {
    server: Arc<str>,
    session: Jti,
    /// When it was seen, in milliseconds since 1970.
    time: u64,
    drafts: Vec<Draft>,
    answer: Option<oneshot::Sender<Result<Verdict, Unwritten>>>,
}

/// How a trail is written.
#[derive(Clone, Default)]
pub struct Writing {
    /// A call waits until its event is durable.
    pub strict: bool,
    /// The log holds nothing but the trail: it belongs to no agent and no verifier.
    pub alone: bool,
    /// Who is told which alerts there are.
    pub account: Option<Arc<dyn Account>>,
}

/// Writes what is seen. One for each log; its sessions share the rules' memory.
pub struct Recorder {
    inbox: Mutex<Option<mpsc::Sender<Turn>>>,
    worker: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    strict: bool,
    /// Whether the log holds nothing but the trail.
    alone: bool,
    /// Whether a rule may stop a call or an answer, so that these wait for the rules.
    may_stop: bool,
    /// Whether somebody goes by the alerts, so that everything waits for the rules.
    awaited: AtomicBool,
}

struct Shared {
    log: Arc<Log>,
    failed: Mutex<Option<Unwritten>>,
}

impl Recorder {
    /// Starts with rules that have seen what is to be remembered of the log.
    pub(crate) fn start(log: Arc<Log>, watch: Watch, keep: Option<Keep>, sinks: Sinks, how: Writing) -> Self {
        let may_stop = watch.rules().strongest() > Action::Note;
        let Writing { strict, alone, account } = how;
        let (inbox, turns) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared { log, failed: Mutex::default() });
        let worker = Worker { shared: shared.clone(), watch, keep, sinks, refusing: Vec::new(), account };
        let worker = tokio::spawn(worker.run(turns));
        Self {
            inbox: Mutex::new(Some(inbox)),
            worker: Some(worker).into(),
            shared,
            strict,
            alone,
            may_stop,
            awaited: false.into(),
        }
    }

    /// From here on everything waits until the rules have seen it, whatever they want done: somebody goes by the alerts.
    pub fn await_rules(&self) {
        self.awaited.store(true, Ordering::Relaxed);
    }

    /// A session begins. In a log that holds nothing but a trail it has an entry, before any of its events.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub async fn session(&self, session: Jti) -> Result<(), Unwritten> {
        if !self.alone {
            return Ok(());
        }
        let entry = Entry::trail(session, env!("CARGO_PKG_VERSION"), now_ms());
        let appended = self.shared.log.append(Record::new(entry.to_bytes()), now_ms() / 1_000).await;
        appended.map(|_| ()).map_err(|error| self.shared.failed(&error))
    }

    /// Writes events, and answers what is to be done about the message that they are of. Waits for the disk where the trail
    /// is strict, and for the rules where one may stop a message; else for a place in the queue alone.
    ///
    /// # Errors
    /// [`Unwritten`]: the message must not pass.
    pub async fn record(&self, server: &Arc<str>, session: Jti, drafts: Vec<Draft>) -> Result<Verdict, Unwritten> {
        self.recording(server, session, drafts).await.verdict().await
    }

    /// The first half of [`Recorder::record`]: what is given here before something else stands before it in the log.
    pub async fn recording(&self, server: &Arc<str>, session: Jti, drafts: Vec<Draft>) -> Recording {
        if drafts.is_empty() {
            return Recording::default();
        }
        let failed = locked(&self.shared.failed).clone();
        let failed = failed.or_else(|| self.shared.log.stopped().map(|reason| self.shared.failed(&reason)));
        if failed.is_some() {
            return Recording { failed, ..Recording::default() };
        }
        let calls = drafts.iter().any(|draft| matches!(draft.what, What::Call(_)));
        let stoppable = self.may_stop && drafts.iter().any(may_be_stopped);
        let waits = (self.strict && calls) || stoppable || self.awaited.load(Ordering::Relaxed);
        let (answer, verdict) = if waits { Some(oneshot::channel()).unzip() } else { (None, None) };
        let inbox = locked(&self.inbox).clone();
        let turn = Turn { server: server.clone(), session, time: now_ms(), drafts, answer };
        let sent = match inbox {
            Some(inbox) => inbox.send(turn).await.is_ok(),
            None => false,
        };
        Recording { verdict, failed: (!sent).then(closed) }
    }

    /// Whether messages wait for the rules: one may stop a call or an answer, or somebody goes by the alerts.
    pub fn is_awaited(&self) -> bool {
        self.may_stop || self.awaited.load(Ordering::Relaxed)
    }

    /// Writes what is waiting, and nothing after it.
    pub async fn close(&self) {
        drop(locked(&self.inbox).take());
        if let Some(worker) = self.worker.lock().await.take() {
            let _ = worker.await;
        }
    }
}

fn may_be_stopped(draft: &Draft) -> bool {
    matches!(draft.what, What::Call(_) | What::Answer(_))
}

impl Shared {
    fn failed(&self, reason: &impl ToString) -> Unwritten {
        let unwritten = Unwritten(reason.to_string().into());
        tracing::error!("{unwritten}");
        locked(&self.failed).get_or_insert(unwritten).clone()
    }
}

/// Takes more of what comes, until somebody waits for it or its time is up.
async fn gather(turns: &mut mpsc::Receiver<Turn>, waiting: &mut Vec<Turn>) {
    let until = tokio::time::Instant::now() + GROUP;
    while waiting.len() < TURN && waiting.iter().all(|turn| turn.answer.is_none()) {
        match tokio::time::timeout_at(until, turns.recv_many(waiting, TURN)).await {
            Ok(more) if more > 0 => {}
            // Time is up, or nothing will come any more.
            _ => return,
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    watch: Watch,
    keep: Option<Keep>,
    sinks: Sinks,
    /// Sessions whose next call is refused, and the rule that wants it.
    refusing: Vec<(Jti, String)>,
    account: Option<Arc<dyn Account>>,
}

impl Worker {
    async fn run(mut self, mut turns: mpsc::Receiver<Turn>) {
        let mut waiting = Vec::new();
        while turns.recv_many(&mut waiting, TURN).await > 0 {
            gather(&mut turns, &mut waiting).await;
            for (turn, verdict) in self.write(&mut waiting).await {
                if let Some(answer) = turn {
                    let _ = answer.send(verdict);
                }
            }
        }
        if let Some(keep) = &mut self.keep {
            keep.flush();
        }
        self.sinks.close(sinks::PATIENCE).await;
    }

    /// One turn: all events appended at once, then judged in the order of the log.
    async fn write(
        &mut self,
        turns: &mut Vec<Turn>,
    ) -> Vec<(Option<oneshot::Sender<Result<Verdict, Unwritten>>>, Result<Verdict, Unwritten>)> {
        let (mut answers, mut events, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for turn in turns.drain(..) {
            for Draft { what, kept } in turn.drafts {
                let event = Event { session: turn.session, server: turn.server.to_string(), what };
                self.keep(kept, &event, turn.time);
                events.push((event, turn.time));
                of.push(answers.len());
            }
            answers.push((turn.answer, Ok(Verdict::default())));
        }
        let now = now_ms() / 1_000;
        let bodies = events.iter().map(|(event, time)| Entry::seen(event.clone(), *time).to_bytes());
        let appends = bodies.map(|body| self.shared.log.append(Record::new(body), now));
        let appended = futures_util::future::join_all(appends).await;
        let mut alerts = Vec::new();
        for (((event, time), of), appended) in events.iter().zip(of).zip(appended) {
            let Some((_, verdict)) = answers.get_mut(of) else { continue };
            match appended {
                Ok(appended) => {
                    if let (What::Call(_), Ok(verdict)) = (&event.what, &mut *verdict) {
                        verdict.wanted = self.take_refusal(event.session).map(|rule| (Action::Refuse, rule));
                    }
                    for finding in self.watch.see(appended.index, *time, event) {
                        self.act(&finding, event);
                        if let Ok(verdict) = verdict {
                            verdict.add(&finding);
                        }
                        alerts.push(finding);
                    }
                }
                Err(error) => *verdict = Err(self.shared.failed(&error)),
            }
        }
        self.alert(alerts).await;
        answers
    }

    fn keep(&mut self, kept: Option<Kept>, event: &Event, time: u64) {
        if let (Some(keep), Some(kept)) = (&mut self.keep, kept) {
            keep.put(&kept, event, time);
        }
    }

    /// What stops the message itself is in its verdict; a rule that wants a refusal over anything but a call has the next
    /// call of the session refused.
    fn act(&mut self, finding: &Finding, event: &Event) {
        let is_call = matches!(event.what, What::Call(_));
        if finding.action == Action::Refuse && !is_call && self.refusing.iter().all(|(of, _)| *of != event.session) {
            self.refusing.push((event.session, finding.rule.clone()));
        }
    }

    fn take_refusal(&mut self, session: Jti) -> Option<String> {
        let at = self.refusing.iter().position(|(of, _)| *of == session)?;
        Some(self.refusing.swap_remove(at).1)
    }

    async fn alert(&self, alerts: Vec<Finding>) {
        let time = now_ms();
        let account = self.account.as_ref();
        let opened: Vec<_> = alerts.iter().map(|alert| account.and_then(|account| account.raised(alert))).collect();
        let records = alerts.iter().zip(&opened).map(|(alert, opens)| {
            let body = Entry::alert(alert, time).to_bytes();
            Record { opens: *opens, ..Record::new(body) }
        });
        let appends = records.map(|record| self.shared.log.append(record, time / 1_000));
        let appended: Vec<Result<_, AppendError>> = futures_util::future::join_all(appends).await;
        for ((alert, opened), appended) in alerts.iter().zip(opened).zip(appended) {
            // A sink is told also of what could not be written: then it is the only trace.
            self.sinks.send(sinks::alert(alert, time));
            match appended {
                Ok(appended) => {
                    if let (Some(account), Some(opened)) = (account, opened) {
                        account.written(&opened, appended.index);
                    }
                }
                Err(error) => drop(self.shared.failed(&error)),
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
