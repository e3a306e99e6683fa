//! How a gate comes to be: its log, what that says of before, and what the configuration has persons say.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use attest_core::checkpoint::{LogKeys, LogKeysError};
use attest_core::digest::Digest;
use attest_core::entry::{Entry, Status, Written};
use attest_core::jwk::{PublicKey, Thumbprint};
use attest_core::response::Outcome;
use attest_core::sign::Sign as _;
use attest_core::trust::Trust;
use attest_log::clock::{now, now_ms};
use attest_log::{AppendError, Log, LogKey, LogKeyError, Place, Reader, Record};
use attest_policy::{Need, Policy};
use attest_trail::{Session, Writing};

use super::ending::OWED;
use super::{Gate, Trail};
use crate::config::{Acceptance, Closing, Config, Fixed, TelemetryTable, accepted};
use crate::held::Holds;
use crate::judge::{Challenges, Desk};
use crate::metrics::Metrics;
use crate::open_calls::Shown as OpenCalls;
use crate::rules::{Current, Rules};
use crate::status::{Lists, warn_of_staleness};
use crate::stores::Stores;
use crate::telemetry::Telemetry;
use crate::witness::{Witnessing, WitnessingError};

/// What a new configuration is held against.
pub(crate) struct Running {
    pub fixed: Fixed,
    pub log: Place,
    pub key: LogKey,
    /// Names and keys.
    pub witnesses: Vec<(String, Thumbprint)>,
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
    /// Others write the log.
    #[error(
        "a guard does not see what others let into a store ([[flow.store]]), so none can be named while its log is in a database"
    )]
    Stores,
    /// The log's key is somebody's.
    #[error(
        "the log's key {0} is also an attester's, a root's, a declassifier's, another log's, a status list's or of [shared]: a key has one role; give the log one of its own"
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
    /// Nobody can be told which calls are open.
    #[error("[open_calls]: cannot listen on {path}: {source}", path = path.display())]
    OpenCalls {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Witnesses cannot be asked.
    #[error(transparent)]
    Witness(#[from] WitnessingError),
    /// Where spans go.
    #[error("[telemetry]: {0}")]
    Telemetry(attest_sinks::SinksError),
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
        let trust = running.admits(config.trust, config.shared.as_ref())?;
        warn_of_staleness(&trust);
        warn_of_nobody(&trust, config.judging.as_ref());
        let (log, recovery) = Log::open(&config.log, key.clone(), attest_log::Options::default())?;
        let open_calls = config.open_calls.as_ref().map(|table| {
            let failed = |source| GateError::OpenCalls { path: table.socket.clone(), source };
            OpenCalls::start(table).map_err(failed)
        });
        let open_calls = open_calls.transpose()?;
        let skew = trust.skew();
        let audience = trust.audience().to_owned();
        let stores = Stores::default();
        stores.fill(&config.flow, &config.log)?;
        let TelemetryTable { otlp, header_file, roots } = &config.telemetry;
        let telemetry =
            otlp.as_ref().map(|url| Telemetry::start(url, header_file.as_deref(), roots.as_deref(), &audience));
        let telemetry = telemetry.transpose().map_err(GateError::Telemetry)?;
        let metrics = Metrics::new(&audience, config.witness.is_some(), telemetry);
        let rules =
            Current::new(Rules::new(trust, config.policy, config.deny_as, config.methods, config.flow, config.judging));
        let lists = Lists::open(&config.beside, config.statuses, rules.clone()).await;
        let mut gate = Self {
            key,
            receipts: config.receipts,
            stores,
            audience,
            rules,
            lists,
            challenges: Challenges::new().map_err(GateError::Random)?,
            desk: Desk::of(&config.log),
            holds: Holds::default(),
            running: tokio::sync::Mutex::new(running),
            log: Arc::new(log),
            limits: config.http.limits,
            tally: Mutex::default(),
            tasks: Mutex::default(),
            witness: None,
            trail: None,
            alerts: Arc::default(),
            exchanges: AtomicU64::new(0),
            metrics,
            open_calls,
            owed: Arc::new(tokio::sync::Semaphore::new(OWED)),
        };
        let reader = Reader::open(&config.log)?;
        let ours = recovery.open_calls.into_iter().map(|open| (open, true));
        for (open, ours) in ours.chain(recovery.others.into_iter().map(|open| (open, false))) {
            let body = reader.entry(open.index)?.unwrap_or_default();
            if let Ok(Written::Alert { alert, .. }) = Written::read(&body) {
                gate.alerts.restore(open.hash, &alert, open.index);
                continue;
            }
            if ours {
                // The normal path: what a crash left open is closed by the same append as any outcome.
                match gate.outcome(Digest(open.hash), Outcome { status: Status::Unknown, digest: None }).await {
                    // Of a shared log: a verifier that was taken for dead was only cut off, and has closed it itself.
                    Err(AppendError::NotOpen) => {}
                    written => written?,
                }
            }
        }
        let start = Entry::Start {
            audience: gate.audience().to_owned(),
            policy: config.policy.to_b64(),
            shared: matches!(config.log, Place::Shared(_)),
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

    /// Writes what the log does not say yet of what persons accepted.
    pub(crate) async fn write_accepted(
        &self,
        log: &Place,
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
}

impl Running {
    /// The trust with the gate's own log, if none of the gate's own keys is trusted in another role.
    pub(crate) fn admits(&self, trust: Trust, shared: Option<&PublicKey>) -> Result<Trust, GateError> {
        let own = self.key.public();
        if shared == Some(own) {
            return Err(GateError::KeyTwice(own.thumbprint().clone()));
        }
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

/// Says of policies that ask for the word of more people than there are: a call that needs it waits for ever.
pub(crate) fn warn_of_nobody(trust: &Trust, policy: Option<&Policy>) {
    for need in policy.iter().flat_map(|policy| policy.policies.needs()) {
        let Need::Approval { persons, group } = need else { continue };
        let there = trust.approvers().iter().filter(|approver| approver.groups.contains(group)).count();
        if there < *persons as usize {
            tracing::warn!(
                "the policies ask for {need}, and {there} are configured: such calls wait for ever; [[approver]] names people"
            );
        }
    }
}

/// How many entries are looked through for what somebody accepted. What stands before them is written once more.
const LOOKED_THROUGH: u64 = 10_000;

/// What somebody accepted and the log's last entries do not say yet. The whole log would take its time with each start.
fn unwritten(log: &Place, end: u64, accepted: Vec<Acceptance>) -> Result<Vec<Acceptance>, GateError> {
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
