//! The gate: verdict, entry, and only then the call. Independent of the transport.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use attest_core::cause::{Cause, Told};
use attest_core::checkpoint::{LogKeys, LogKeysError};
use attest_core::digest::{Digest, Salt};
use attest_core::entry::{Entry, Status, Written};
use attest_core::json::Value;
use attest_core::jwk::Thumbprint;
use attest_core::labels::Labels;
use attest_core::receipt::Receipt;
use attest_core::refusal::{Check, Reason, Refusal};
use attest_core::request;
use attest_core::response::Outcome;
use attest_core::seen::{Called, What};
use attest_core::sign::Sign as _;
use attest_core::status::Level;
use attest_core::tlog_proof::TlogProof;
use attest_core::trust::Trust;
use attest_core::verifier::{Accepted, CallId, Single};
use attest_log::{AppendError, Appended, Inclusion, Log, LogKey, LogKeyError, Reader, Record, ReplayKey, Token};
use attest_trail::observer::Draft;
use attest_trail::{Recorder, Session, Writing};
use mcp_relay::Tasks;
use mcp_relay::http::Limits;

use crate::alerts::OpenAlerts;
use crate::config::{Acceptance, Closing, Config, Fixed, accepted};
use crate::judge::{self, Case, Challenges, Desk, Passed, Verdict};
use crate::methods::Setting;
use crate::rules::{Current, Rules};
use crate::status::{Lists, warn_of_staleness};
use crate::stores::Stores;
use crate::tally::{Due, Tally};
use crate::witness::{Witnessing, WitnessingError};
use attest_log::clock::{now, now_ms};

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
    desk: Desk,
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
}

/// What a new configuration is held against.
pub(crate) struct Running {
    pub fixed: Fixed,
    pub log: PathBuf,
    pub key: LogKey,
    /// Names and keys.
    pub witnesses: Vec<(String, Thumbprint)>,
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

/// A receipt with its proof, as both travel.
pub(crate) struct Made {
    pub receipt: String,
    pub proof: String,
}

/// Why a gate cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] attest_log::OpenError),
    /// The log has no key.
    #[error(transparent)]
    Key(#[from] LogKeyError),
    /// The log's key is somebody's.
    #[error(
        "the log's key {0} is also an attester's, a root's, a declassifier's, another log's or a status list's: a key has one role; give the log one of its own"
    )]
    KeyTwice(Thumbprint),
    /// The configuration pins other keys for the log of this name.
    #[error(
        "[[server]] names the log {0:?}, which is this guard's own, with another key; add its present one, which `attest log key` prints, or take the entry out"
    )]
    OtherLog(String),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
    /// The log's key cannot be pinned.
    #[error("the log's key: {0}")]
    OwnKey(#[from] LogKeysError),
    /// A witness's key is somebody else's too.
    #[error("the key of the witness {0} is also the log's own, an attester's or a root's: a key has one role")]
    WitnessKey(String),
    /// The log cannot be read.
    #[error("cannot read the log: {0}")]
    Read(#[from] attest_log::ReadError),
    /// The trail.
    #[error(transparent)]
    Trail(#[from] attest_trail::OpenError),
    /// The trail takes no entry.
    #[error(transparent)]
    Unwritten(#[from] attest_trail::Unwritten),
    /// Witnesses cannot be asked.
    #[error(transparent)]
    Witness(#[from] WitnessingError),
    /// The log cannot be written.
    #[error("cannot write the log: {0}")]
    Append(#[from] AppendError),
}

impl Gate {
    /// Opens the log, marks calls that a crash left without an outcome, and writes down that it starts.
    pub async fn open(config: Config) -> Result<Self, GateError> {
        let key = LogKey::of_log(&config.log, config.log_key.as_ref(), &config.log_origin)?;
        let witnesses = config.witness.iter().flat_map(|witnesses| witnesses.policy.witnesses());
        let running = Running {
            fixed: config.fixed.clone(),
            log: config.log.clone(),
            key: key.clone(),
            witnesses: witnesses.map(|w| (w.name.clone(), w.vkey.key().thumbprint().clone())).collect(),
        };
        let trust = running.admits(config.trust)?;
        warn_of_staleness(&trust);
        let (log, recovery) = Log::open(&config.log, key.clone(), attest_log::Options::default())?;
        let skew = trust.skew();
        let audience = trust.audience().to_owned();
        let stores = Stores::default();
        stores.fill(&config.flow, &config.log)?;
        let rules =
            Current::new(Rules::new(trust, config.policy, config.deny_as, config.methods, config.flow, config.judging));
        let lists = Lists::open(&config.log, config.statuses, rules.clone()).await;
        let mut gate = Self {
            key,
            receipts: config.receipts,
            stores,
            audience,
            rules,
            lists,
            challenges: Challenges::new().map_err(GateError::Random)?,
            desk: Desk::beside(&config.log),
            running: tokio::sync::Mutex::new(running),
            log: Arc::new(log),
            limits: config.http.limits,
            tally: Mutex::default(),
            tasks: Mutex::default(),
            witness: None,
            trail: None,
            alerts: Arc::default(),
            exchanges: AtomicU64::new(0),
        };
        // The normal path: what a crash left open is closed by the same append as any outcome.
        let reader = Reader::open(&config.log)?;
        for open in recovery.open_calls {
            let body = reader.entry(open.index)?.unwrap_or_default();
            if let Ok(Written::Alert { alert, .. }) = Written::read(&body) {
                gate.alerts.restore(open.hash, &alert, open.index);
                continue;
            }
            gate.outcome(Digest(open.hash), Outcome { status: Status::Unknown, digest: None }).await?;
        }
        let start = Entry::Start {
            audience: gate.audience().to_owned(),
            policy: config.policy.to_b64(),
            time: now_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        gate.log.append(Record::new(start.to_bytes()), now()).await?;
        gate.write_accepted(&config.log, recovery.next, config.accepted).await?;
        gate.close_alerts(config.closed).await?;
        if let Some(table) = &config.trail {
            let how = Writing { account: Some(gate.alerts.clone()), ..Writing::default() };
            let recorder = Arc::new(attest_trail::open(&gate.log, table, how)?);
            if gate.rules().judging.is_some() {
                recorder.await_rules();
            }
            let session = Arc::new(Session::begin(recorder.clone(), gate.audience(), None).await?);
            gate.trail = Some(Trail { recorder, session });
        }
        if let Some(witnesses) = config.witness {
            gate.witness = Some(Witnessing::start(Arc::clone(&gate.log), witnesses, skew)?);
        }
        Ok(gate)
    }

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

    /// Writes what the log does not say yet of what persons accepted.
    pub(crate) async fn write_accepted(
        &self,
        log: &Path,
        end: u64,
        accepted: Vec<Acceptance>,
    ) -> Result<(), GateError> {
        for accepted in unwritten(log, end, accepted)? {
            self.write(accepted.entry(self.audience(), now_ms())).await?;
        }
        Ok(())
    }

    /// Writes who closed which of the open alerts. What is not open was closed before.
    async fn close_alerts(&self, closings: Vec<Closing>) -> Result<(), AppendError> {
        for closing in closings {
            let Some(closes) = self.alerts.closing(closing.alert) else { continue };
            let entry = closing.entry(self.audience(), now_ms());
            self.log.append(Record { closes: Some(closes), ..Record::new(entry.to_bytes()) }, now()).await?;
            self.alerts.closed(&closes);
        }
        Ok(())
    }

    /// Other rules are in force: policies that there are now go by the alerts, and what persons closed is written.
    pub(crate) async fn follow_alerts(&self, closings: Vec<Closing>) -> Result<(), AppendError> {
        if let (Some(trail), true) = (&self.trail, self.rules().judging.is_some()) {
            trail.recorder.await_rules();
        }
        self.close_alerts(closings).await
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

    /// Checks 1 to 10: everything up to the log.
    pub(crate) fn check(&self, rules: &Rules, call: &request::Call<'_, '_>) -> Result<Accepted, Refusal> {
        // What could come of it says how fresh the lists must be that say what was taken back.
        let level = rules.judging.as_ref().map_or(Level::Critical, |policy| judge::level(policy, &self.audience, call));
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

    /// Check 12: the policies. With a refusal comes what they were asked about, to be kept.
    pub(crate) fn judge(
        &self,
        rules: &Rules,
        call: &request::Call<'_, '_>,
        accepted: &Accepted,
    ) -> Result<Passed, (Refusal, Option<Arc<str>>)> {
        if self.trail.is_some() {
            self.alerts.called(accepted);
        }
        let Some(policy) = &rules.judging else { return Ok(Passed::default()) };
        let case = Case {
            policy,
            trust: rules.verifier.trust(),
            desk: &self.desk,
            challenges: &self.challenges,
            audience: &self.audience,
            alerts: self.alerts.on(accepted),
        };
        let Verdict { passed, level, facts } = judge::judge(&case, call, accepted);
        // Labels raise the level: what was fresh enough before need not be.
        if let Err(refusal) = rules.verifier.check_status(&accepted.evidence, level, now()) {
            return Err((Refusal { caller: Some(Box::new(accepted.caller.clone())), ..refusal }, facts));
        }
        passed.map_err(|refusal| (refusal, facts))
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

    /// The canonical request with what the server behind is to be told of a call that was let through; `None` where it is told nothing.
    pub(crate) async fn telling(&self, rules: &Rules, accepted: &Accepted) -> Result<Option<Vec<u8>>, Refusal> {
        if !rules.flow.tell_server {
            return Ok(None);
        }
        let now = now();
        let cause = Cause {
            audience: self.audience().to_owned(),
            call: accepted.caller.call,
            expires: now.saturating_add(CAUSE_SECONDS),
            issued_at: now,
            key: accepted.caller.key.clone(),
            labels: accepted.flow.labels.clone(),
            leaf: accepted.evidence.chain().leaf().token(),
            log: self.key.origin().to_owned(),
        };
        let key = self.key.clone();
        let signed = if key.may_wait() {
            tokio::task::spawn_blocking(move || cause.sign(&key))
                .await
                .map_err(|_| refused(accepted, Reason::LogUnavailable))?
        } else {
            cause.sign(&key)
        };
        let token = signed.map_err(|error| {
            tracing::error!("the server cannot be told of call {}: {error}", accepted.caller.call);
            refused(accepted, Reason::LogUnavailable)
        })?;
        let grant = accepted.flow.grant.iter().map(|token| &**token).collect();
        let told = Told { cause: &token, grant }.put(&accepted.forward);
        told.map(Some).ok_or_else(|| refused(accepted, Reason::BadRequest))
    }

    /// The labels of the answer to a call: `None` in place of one that has no canonical form.
    pub(crate) fn labels_of(&self, call: &Call, answer: Option<&Value<'_>>) -> Labels {
        self.stores.of_answer(&self.rules().flow, call.tool.as_deref(), answer).and(&call.labels)
    }

    /// Check 15: how a call ended. On an error the caller must be told that the outcome is not written.
    pub(crate) async fn outcome(&self, call: Digest, outcome: Outcome) -> Result<(), AppendError> {
        let entry = Entry::outcome(call, outcome.status, outcome.digest, Some(self.audience()), now_ms());
        let record = Record { closes: Some(call.0), ..Record::new(entry.to_bytes()) };
        self.log.append(record, now()).await.map(|_| ())
    }

    /// The receipt of a call, to be handed out once its outcome is durable. `None` where none is made; then its caller may
    /// refuse the answer.
    pub(crate) async fn receipt(&self, call: &Call, outcome: Outcome, labels: Labels) -> Option<Made> {
        let (key, shown) = (self.key.clone(), call.shown.as_ref()?);
        let receipt = Receipt {
            call: call.call,
            issued_at: now(),
            index: shown.index,
            labels,
            log: key.origin().to_owned(),
            policy: shown.policy,
            outcome,
        };
        let signed = if key.may_wait() {
            tokio::task::spawn_blocking(move || receipt.sign(&key)).await.ok()?
        } else {
            receipt.sign(&key)
        };
        let receipt =
            signed.inspect_err(|error| tracing::error!("call {} gets no receipt: {error}", call.call)).ok()?;
        let proof = TlogProof {
            entry: Some(shown.entry.clone()),
            index: shown.index,
            path: shown.inclusion.path.clone(),
            checkpoint: (*shown.inclusion.checkpoint).to_owned(),
        };
        Some(Made { receipt, proof: proof.to_text() })
    }

    /// Calls that will never be answered.
    pub(crate) async fn lost(&self, calls: &[Call]) {
        for call in calls {
            if let Err(error) = self.outcome(call.call, Outcome { status: Status::Unknown, digest: None }).await {
                tracing::error!("the outcome of call {} is not written: {error}", call.call);
            }
        }
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

/// Seconds for which an agent behind this guard can name a call as the cause of its own.
const CAUSE_SECONDS: u64 = 3_600;

impl Running {
    /// The trust with the gate's own log, if none of the gate's own keys is trusted in another role.
    pub(crate) fn admits(&self, trust: Trust) -> Result<Trust, GateError> {
        let own = self.key.public();
        // Named as the log of a server, with keys that were retired, it is this one and no other's.
        let trust = match trust.log(self.key.origin()) {
            Some(keys) if keys.all().last().is_some_and(|(last, _)| last.key() == own) => trust,
            Some(_) => return Err(GateError::OtherLog(self.key.origin().to_owned())),
            // No log has its name, so it is the key that can be wrong.
            None => trust
                .with_log(LogKeys::new(Vec::new(), self.key.vkey().clone())?)
                .map_err(|_| GateError::KeyTwice(own.thumbprint().clone()))?,
        };
        match self.witnesses.iter().find(|(_, key)| trust.has_role(key)) {
            Some((name, _)) => Err(GateError::WitnessKey(name.clone())),
            None => Ok(trust),
        }
    }
}

/// How many entries are looked through for what somebody accepted. What stands before them is written once more.
const LOOKED_THROUGH: u64 = 10_000;

/// What somebody accepted and the log's last entries do not say yet. The whole log would take its time with each start.
fn unwritten(log: &Path, end: u64, accepted: Vec<Acceptance>) -> Result<Vec<Acceptance>, GateError> {
    if accepted.is_empty() {
        return Ok(accepted);
    }
    let mut found = Vec::new();
    let from = end.saturating_sub(LOOKED_THROUGH);
    Reader::open(log)?.walk(from..end, |_, body, _| {
        if body.ends_with(b"\"type\":\"accepted\"}") {
            found.push(body.to_vec());
        }
        Ok::<_, attest_log::ReadError>(())
    })?;
    Ok(accepted::unwritten(accepted, &found))
}

/// A refusal of a call whose caller is known.
fn refused(accepted: &Accepted, reason: Reason) -> Refusal {
    Refusal { reason, about: None, caller: Some(Box::new(accepted.caller.clone())) }
}

fn replay_key(id: &CallId) -> Option<ReplayKey> {
    ReplayKey::new(id.key.as_str().as_bytes(), &id.id.0, id.until).ok()
}
