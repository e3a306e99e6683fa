//! The gate: verdict, entry, and only then the call. Independent of the transport.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use attest_core::digest::{Digest, Salt};
use attest_core::entry::Entry;
use attest_core::json::Value;
use attest_core::labels::Labels;
use attest_core::refusal::{Check, Reason, Refusal};
use attest_core::request;
use attest_core::seen::{Called, What};
use attest_core::status::Level;
use attest_core::verifier::{Accepted, CallId, Single};
use attest_log::{AppendError, Appended, Inclusion, Log, LogKey, Record, ReplayKey, Token};
use attest_trail::observer::Draft;
use attest_trail::{Recorder, Session};
use mcp_relay::Tasks;
use mcp_relay::http::Limits;

use crate::alerts::OpenAlerts;
use crate::held::Holds;
use crate::judge::{self, Case, Challenges, Desk, Passed, Refused, Verdict};
use crate::methods::Setting;
use crate::metrics::{LogState, Metrics};
use crate::open_calls::{Listed, Shown as OpenCalls};
use crate::rules::{Current, Rules};
use crate::status::Lists;
use crate::stores::Stores;
use crate::tally::{Due, Tally};
use crate::witness::Witnessing;
use attest_log::clock::{now, now_ms};

mod ending;
mod opening;
mod telling;

pub use opening::GateError;
pub(crate) use opening::{Running, warn_of_nobody};

/// A verifier with its log.
pub struct Gate {
    audience: String,
    pub(crate) rules: Current,
    log: Arc<Log>,
    /// Signs receipts and decisions.
    key: LogKey,
    receipts: bool,
    pub(crate) stores: Stores,
    challenges: Challenges,
    pub(crate) desk: Desk,
    /// Requests that wait for people.
    pub(crate) holds: Holds,
    limits: Limits,
    pub(crate) lists: Lists,
    /// What cannot change, and the keys that nobody else may have.
    pub(crate) running: tokio::sync::Mutex<Running>,
    tally: Mutex<Tally>,
    tasks: Mutex<Tasks<Call>>,
    witness: Option<Witnessing>,
    trail: Option<Trail>,
    alerts: Arc<OpenAlerts>,
    exchanges: AtomicU64,
    metrics: Metrics,
    /// Told of each call, where the agent behind does not hand on what it is told.
    open_calls: Option<OpenCalls>,
    /// Places for outcomes that wait for the log's database.
    owed: Arc<tokio::sync::Semaphore>,
}

/// The trail of what passes, besides the decisions.
struct Trail {
    recorder: Arc<Recorder>,
    session: Arc<Session>,
}

/// A call that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Hash of the call proof.
    pub call: Digest,
    /// Salt of the call's commitments; the outcome's too.
    pub salt: Salt,
    /// What shows that the log holds the decision; `None` where no receipt will be made.
    pub shown: Option<Arc<Shown>>,
    /// Labels of what its caller had seen.
    pub labels: Arc<Labels>,
    /// The tool.
    pub tool: Option<Arc<str>>,
    /// While the call is open, where somebody may ask.
    pub listed: Option<Arc<Listed>>,
}

/// A decision as its receipt will show it: the entry, and the proof that it is in the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    entry: Vec<u8>,
    index: u64,
    inclusion: Inclusion,
    /// The configuration it was judged by.
    policy: Digest,
}

impl Gate {
    /// The name that calls must be made out to.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// What passes is written down here, where there is a trail.
    pub(crate) fn trail(&self) -> Option<&Arc<Session>> {
        self.trail.as_ref().map(|trail| &trail.session)
    }

    /// A number for a new exchange.
    pub(crate) fn next_exchange(&self) -> u64 {
        self.exchanges.fetch_add(1, Ordering::Relaxed)
    }

    /// What is gone by now. Whoever takes it goes on by it, to the end of what he began.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.get()
    }

    /// Appends an entry of the verifier's own; says its index.
    pub(crate) async fn write(&self, entry: Entry) -> Result<u64, AppendError> {
        Ok(self.log.append(Record::new(entry.to_bytes()), now()).await?.index)
    }

    /// Sizes and times of this guard as an HTTP server.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether messages of this method do not simply pass.
    pub(crate) fn cares_for(&self, method: &str) -> bool {
        self.rules().methods.of(method) != Setting::Pass
    }

    /// The call that `message` is, if it is one that needs a proof; `None` where it passes.
    pub(crate) fn call<'m, 'v>(
        &self,
        rules: &Rules,
        message: &'m Value<'v>,
    ) -> Result<Option<request::Call<'m, 'v>>, Refusal> {
        if let request::Message::Call(call) = request::classify(message)? {
            return Ok(Some(call));
        }
        let method = message.as_object().and_then(|m| m.get("method")).and_then(Value::as_str);
        match method.map_or(Setting::Pass, |method| rules.methods.of(method)) {
            Setting::Pass => Ok(None),
            Setting::Deny => Err(Reason::MethodDenied.into()),
            Setting::Attested => Ok(Some(request::attested(message)?)),
        }
    }

    /// What is counted, as OpenMetrics writes it: for a page that Prometheus reads.
    pub fn metrics(&self) -> String {
        // The second line of a checkpoint (C2SP tlog-checkpoint).
        let size = self.log.checkpoint().lines().nth(1).and_then(|size| size.parse().ok());
        self.metrics.text(&LogState {
            entries: size.unwrap_or(0),
            published: self.log.published(),
            stopped: self.log.stopped().is_some(),
            witness: self.witness.as_ref().map(Witnessing::state),
            alerts: self.alerts.count(),
        })
    }

    /// What would become of this request if it came now: every check up to the log, and the policies. Nothing is let through, and
    /// the log and what is counted stay as they are. Where a policy asks for people, they are asked. Messages that need no proof are
    /// not refused.
    ///
    /// # Errors
    /// [`Refusal`], as its caller would be told.
    pub fn dry_run(&self, message: &Value<'_>) -> Result<(), Refusal> {
        let rules = self.rules();
        let Some(call) = self.call(&rules, message)? else { return Ok(()) };
        let accepted = self.checked(&rules, &call)?;
        self.judge(&rules, &call, &accepted).map_err(|refused| refused.refusal)?;
        Ok(())
    }

    /// Checks 1 to 10: everything up to the log.
    pub(crate) fn check(&self, rules: &Rules, call: &request::Call<'_, '_>) -> Result<Accepted, Refusal> {
        let begun = Instant::now();
        let checked = self.checked(rules, call);
        match &checked {
            Ok(accepted) => self.metrics.begun(call, &accepted.caller, begun),
            Err(refusal) => self.metrics.failed(call, refusal, begun),
        }
        checked
    }

    fn checked(&self, rules: &Rules, call: &request::Call<'_, '_>) -> Result<Accepted, Refusal> {
        // What could come of it says how fresh the lists must be that say what was taken back.
        let level = rules.judging.as_ref().map_or(Level::Critical, |policy| {
            judge::level(policy, &self.audience, self.trail().map(|trail| &**trail), call)
        });
        let accepted = rules.verifier.check_at(level, call, now(), |id| self.seen(id), &mut ())?;
        // What was signed before a log was taken over by hand may have been used: that part of the log is not known.
        // Nor is what a caller whose clock was ahead dated later than it was made.
        let known_from = match self.log.since() {
            0 => 0,
            since => since.saturating_add(rules.verifier.trust().skew()),
        };
        if accepted.proof.issued_at < known_from {
            return Err(refused(&accepted, Reason::Expired));
        }
        Ok(accepted)
    }

    /// Check 12: the policies. With a refusal comes what they were asked about, to be kept, and whether it waits for people.
    pub(crate) fn judge(
        &self,
        rules: &Rules,
        call: &request::Call<'_, '_>,
        accepted: &Accepted,
    ) -> Result<Passed, Refused> {
        if self.trail.is_none() && rules.judging.is_none() {
            return Ok(Passed::default());
        }
        // Also where no policy asks yet: one that comes while this runs goes by them.
        let alerts = self.alerts.meet(accepted);
        let Some(policy) = &rules.judging else { return Ok(Passed::default()) };
        let case = Case {
            policy,
            trust: rules.verifier.trust(),
            desk: &self.desk,
            challenges: &self.challenges,
            audience: &self.audience,
            alerts,
            trail: self.trail().map(|trail| &**trail),
        };
        let Verdict { passed, level, facts, pending } = judge::judge(&case, call, accepted);
        // Labels raise the level: what was fresh enough before need not be.
        if let Err(refusal) = rules.verifier.check_status(&accepted.evidence, level, now()) {
            let refusal = Refusal { caller: Some(Box::new(accepted.caller.clone())), ..refusal };
            return Err(Refused { refusal, facts, pending: None });
        }
        passed.map_err(|refusal| Refused { refusal, facts, pending })
    }

    fn seen(&self, id: &CallId) -> bool {
        // A key that cannot even be written down cannot be new.
        replay_key(id).is_none_or(|key| self.log.seen(&key))
    }

    /// Check 13: the entry and the replay key in one durable transaction. Nothing is forwarded unless this succeeds.
    /// `answered` says whether an outcome will follow, as it does not for a notification; if it will, what comes back is for
    /// the receipt.
    pub(crate) async fn admit(
        &self,
        rules: &Rules,
        accepted: &Accepted,
        passed: Passed,
        answered: bool,
    ) -> Result<Option<Arc<Shown>>, Refusal> {
        let Passed { facts, approvals, request } = passed;
        if let Some(witness) = &self.witness
            && !witness.permits().await
        {
            return Err(refused(accepted, Reason::NotWitnessed));
        }
        let declassified = accepted.flow.declassified.iter().map(|single| (single, Reason::DeclassificationUsed));
        let approved = approvals.iter().map(|single| (single, Reason::PolicyDenied));
        for (single, used) in declassified.chain(approved) {
            self.use_up(accepted, single, used).await?;
        }
        let facts = facts.map(|text| (Digest::of(&*text), text));
        let entry = Entry::allow(accepted, self.audience(), &rules.policy, now_ms()).of_notification(!answered);
        let entry = entry.over_facts(facts.as_ref().map(|(hash, _)| *hash));
        let entry = entry.approved(approvals.iter().map(|single| single.token));
        let proof = Token::hashed(accepted.caller.call.0, &*accepted.proof_text);
        let tokens = accepted.evidence.tokens().map(|(hash, text)| Token::hashed(hash.0, text.clone()));
        let seen = accepted.flow.seen.iter().map(|(hash, text)| Token::hashed(hash.0, &**text));
        let prove = answered && self.receipts;
        let body = entry.to_bytes();
        let entry = if prove { body.clone() } else { Vec::new() };
        let record = Record {
            body,
            tokens: tokens.chain(seen).chain(facts.map(|(hash, text)| Token::hashed(hash.0, text))).collect(),
            token: Some(proof),
            replay: replay_key(&accepted.call_id),
            opens: answered.then_some(accepted.caller.call.0),
            prove,
            ..Record::default()
        };
        let refused = |reason| refused(accepted, reason);
        match self.log.append(record, now()).await {
            Ok(Appended { index, inclusion }) => {
                if let Some(request) = request {
                    self.desk.end(request);
                }
                self.metrics.allowed(accepted.caller.call, answered);
                self.stores.written(&rules.flow, accepted.proof.tool.as_deref(), &accepted.flow.labels);
                Ok(inclusion.map(|inclusion| Arc::new(Shown { entry, index, inclusion, policy: rules.policy })))
            }
            Err(AppendError::Replay | AppendError::AlreadyOpen) => Err(refused(Reason::Replay)),
            Err(AppendError::Expired) => Err(refused(Reason::Expired)),
            Err(error) => {
                tracing::error!("the log takes no entry, so no call passes: {error}");
                Err(refused(Reason::LogUnavailable))
            }
        }
    }

    /// Writes down what serves this one call, before the call counts. If it fails afterwards, it is used up all the same. `used` says that
    /// it served another call before.
    async fn use_up(&self, accepted: &Accepted, single: &Single, used: Reason) -> Result<(), Refusal> {
        let Single { id, token, text } = single;
        let entry = Entry::used(*token, accepted.caller.call, self.audience(), now_ms());
        let token = Some(Token::hashed(token.0, &**text));
        let record = Record { token, replay: replay_key(id), ..Record::new(entry.to_bytes()) };
        let reason = match self.log.append(record, now()).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Replay) => used,
            Err(AppendError::Expired) => Reason::Expired,
            Err(error) => {
                tracing::error!("the log takes no entry, so no call passes: {error}");
                Reason::LogUnavailable
            }
        };
        Err(refused(accepted, reason))
    }

    /// The labels of the answer to a call: `None` in place of one that has no canonical form.
    pub(crate) fn labels_of(&self, call: &Call, answer: Option<&Value<'_>>) -> Labels {
        self.stores.of_answer(&self.rules().flow, call.tool.as_deref(), answer).and(&call.labels)
    }

    /// A call became a task: its outcome is the task's.
    pub(crate) async fn task_begun(&self, task: &str, call: Call) {
        let dropped = self.tasks().begin(task, call);
        if let Some(call) = dropped {
            tracing::warn!("more tasks than are waited for: the outcome of call {} is written as unknown", call.call);
            self.lost(&[call]).await;
        }
    }

    /// The salt of the call that `task` belongs to, while its end is waited for.
    pub(crate) fn salt_of_task(&self, task: &str) -> Option<Salt> {
        self.tasks().of(task).map(|call| call.salt)
    }

    /// Whether a call waits for the end of its task.
    pub(crate) fn awaits_tasks(&self) -> bool {
        !self.tasks().is_empty()
    }

    /// The call that `task` belongs to, which ended; for the first who asks.
    pub(crate) fn task_ended(&self, task: &str) -> Option<Call> {
        self.tasks().end(task)
    }

    /// Writes a refusal down. A refusal stands whether or not it can be written.
    ///
    /// What somebody without the agent's key can bring about as often as he likes (any message of his own, and any number of
    /// copies of a call that he saw) is counted: one entry at once, then one in ten seconds with the count.
    pub(crate) async fn refused(&self, rules: &Rules, refusal: &Refusal) {
        self.refused_over(rules, refusal, None).await;
    }

    /// [`Gate::refused`], with the facts that policies were asked about.
    pub(crate) async fn refused_over(&self, rules: &Rules, refusal: &Refusal, facts: Option<Arc<str>>) {
        self.metrics.refused(refusal);
        let anybodys = matches!(refusal.reason.check(), Check::Bindings | Check::Replay) || refusal.caller.is_none();
        let due = if anybodys { self.tally().add(refusal.reason, now_ms()) } else { None };
        if anybodys && due.is_none() {
            return;
        }
        tracing::warn!(reason = refusal.reason.code(), "call refused");
        if let (Some(trail), Some(caller)) = (self.trail(), &refusal.caller) {
            let called = match &caller.tool {
                Some(tool) => Called::Tool(tool.clone()),
                None => Called::Method(caller.method.clone()),
            };
            let what = What::Refused { call: Some(caller.call), called, reason: refusal.reason.code().to_owned() };
            // The refusal stands whether or not it can be written.
            let _ = trail.record(vec![Draft { what, kept: None }]).await;
        }
        let facts = facts.map(|text| Token::hashed(Digest::of(&*text).0, text));
        let entry = Entry::deny(refusal, self.audience(), &rules.policy, now_ms());
        let entry = entry.map(|entry| entry.over_facts(facts.as_ref().map(|facts| Digest(*facts.hash()))));
        // The one that has an entry of its own is not counted once more.
        let own = u64::from(entry.is_some());
        let counted = due.map(|due| Due { count: due.count - own, ..due }).filter(|due| due.count > 0);
        let counted = counted.map(|due| self.tallied(&due));
        if let Some(entry) = counted {
            self.note(Record::new(entry.to_bytes())).await;
        }
        if let Some(entry) = entry {
            self.note(Record { tokens: facts.into_iter().collect(), ..Record::new(entry.to_bytes()) }).await;
        }
    }

    /// Writes down what was only counted so far, and what will have no end that we see.
    pub async fn close(&self) {
        let open = self.tasks().drain();
        self.lost(&open).await;
        let rest = self.tally().rest(now_ms());
        for due in rest {
            self.note(Record::new(self.tallied(&due).to_bytes())).await;
        }
        if let Some(witness) = &self.witness {
            witness.close().await;
        }
        if let Some(trail) = &self.trail {
            trail.recorder.close().await;
        }
        self.metrics.close().await;
        if let Err(reason) = self.log.close() {
            tracing::error!("the log did not close in order: {reason}");
        }
    }

    async fn note(&self, record: Record) {
        if let Err(error) = self.log.append(record, now()).await {
            tracing::error!("a refusal is not written: {error}");
        }
    }

    fn tallied(&self, due: &Due) -> Entry {
        Entry::refused(due.reason, due.count, due.since, self.audience(), now_ms())
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Tasks<Call>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal of a call whose caller is known.
fn refused(accepted: &Accepted, reason: Reason) -> Refusal {
    Refusal { reason, about: None, caller: Some(Box::new(accepted.caller.clone())) }
}

fn replay_key(id: &CallId) -> Option<ReplayKey> {
    ReplayKey::new(id.key.as_str().as_bytes(), &id.id.0, id.until).ok()
}
