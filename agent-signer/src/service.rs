//! The signer itself: calls in, signed calls out.

use std::future::{Future as _, poll_fn};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use attest_core::b64;
use attest_core::delegation::Delegation;
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::entry::{Entry, Status};
use attest_core::jws::Unverified;
use attest_core::measurement::{Component, Grade};
use attest_core::nonce::Nonce;
use attest_core::receipt::{self, Verdict};
use attest_core::refusal::{Reason, Refusal};
use attest_core::request::Call;
use attest_core::response::Outcome;
use attest_core::seen::What;
use attest_core::sign::Sign as _;
use attest_core::signing::{Credentials, Form, Lineage, Particulars, Signed, SigningError, sign_call};
use attest_keys::Key;
use attest_log::clock::{now, now_ms};
use attest_log::{AppendError, Log, LogKey, Record, Token};
use attest_trail::observer::Draft;
use attest_trail::{Recorder, Session, Writing};
use bytes::Bytes;
use tokio::sync::{Mutex, MutexGuard};

use crate::attesting::{Current, Presented, attest, credentials, measurements, random, random_bits};
use crate::config::Config;
pub use crate::error::StartError;
use crate::given::Given;
use crate::grant::Grant;
use crate::judge::{Asks, Case, Judge, Step};
use crate::lineage::{self, Context, Saw};
use crate::open_calls;
use crate::state::State;
use crate::subgrant::{SubgrantFailure, Subgrants};
use crate::wire;

/// What a verifier asked for in a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// To be signed now.
    pub nonce: Nonce,
    /// Whether the agent is to be measured and attested again for it.
    pub reattest: bool,
}

/// One agent's signer.
pub struct Signer {
    config: Config,
    key: Key,
    attester: Key,
    context: Jti,
    log: Arc<Log>,
    trail: Option<Arc<Recorder>>,
    /// What is not of one server goes here.
    own: Option<Session>,
    given: Given,
    judge: Option<Judge>,
    subgrants: Subgrants,
    /// What this context has seen.
    seen: Context,
    /// Set when a file turned out to be another than its times say: from then on nothing is taken from the last time.
    doubted: AtomicBool,
    current: Mutex<Current>,
}

impl Signer {
    /// Loads keys and delegation, measures, attests, opens the log and a new context.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let key = config.key.load()?;
        let attester = config.attester_key.load()?;
        if key.public() == attester.public() {
            return Err(StartError::OneKey);
        }
        let grant = Grant::read(&config, &key)?;
        let state = State::measure(&config, &|_, _| ())?;
        let log_key = LogKey::of_log(&config.log, config.log_key.as_ref(), &config.log_origin)?;
        if [key.public(), attester.public()].contains(&log_key.public()) {
            return Err(StartError::OneKey);
        }
        let own = [key.public(), attester.public(), log_key.public()];
        for (audience, keys) in &config.log_keys {
            if keys.all().iter().any(|(vkey, _)| own.contains(&vkey.key())) {
                return Err(StartError::OwnLogKey { audience: audience.clone() });
            }
        }
        let unmade = |audience: &str, source| {
            let (path, audience) = (config.path.clone(), audience.to_owned());
            StartError::Subgrant { path, audience, source }
        };
        if let Some((audience, _)) = config.grants.iter().find(|(_, grant)| own.contains(&&grant.holder)) {
            return Err(unmade(audience, SubgrantFailure::Own));
        }
        let given = Given::default();
        let current = attest(&config, &attester, &key, state, grant, given.measurements(&config.measure))?;
        let subgrants = Subgrants::new(&config.grants);
        let made = subgrants.check(&current.presented.credentials, &key, now());
        made.map_err(|(audience, source)| unmade(&audience, source))?;
        let (log, recovery) = Log::open(&config.log, log_key, attest_log::Options::default())?;
        let log = Arc::new(log);
        for open in recovery.open_calls {
            let entry = Entry::outcome(Digest(open.hash), Status::Unknown, None, None, now_ms());
            log.append(Record { closes: Some(open.hash), ..Record::new(entry.to_bytes()) }, now()).await?;
        }
        let context = Jti(random()?);
        let entry = Entry::Context {
            agent: config.agent.clone(),
            context: b64::encode(context.0),
            time: now_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        log.append(Record::new(entry.to_bytes()), now()).await?;
        let judge = config.policy.take().map(|policy| Judge::new(policy, &config.agent));
        let trail = match &config.trail {
            Some(table) => {
                let account = judge.as_ref().map(Judge::account);
                let writing = Writing { strict: config.strict, account, ..Writing::default() };
                let recorder = Arc::new(attest_trail::open(&log, table, writing)?);
                if judge.is_some() {
                    recorder.await_rules();
                }
                Some(recorder)
            }
            None => None,
        };
        let own = match &trail {
            Some(trail) => Some(Session::begin(trail.clone(), &config.agent, None).await?),
            None => None,
        };
        keep_prompt(&config, &current.state);
        Ok(Self {
            config,
            key,
            attester,
            context,
            log,
            trail,
            own,
            given,
            judge,
            subgrants,
            seen: Context::default(),
            doubted: AtomicBool::new(false),
            current: Mutex::new(current),
        })
    }

    /// Who writes the trail, where there is one.
    pub fn trail(&self) -> Option<&Arc<Recorder>> {
        self.trail.as_ref()
    }

    /// Where what the agent is given while it runs is told.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The host is about to see something.
    pub(crate) fn saw(&self, saw: &Saw) {
        self.seen.saw(saw);
    }

    /// The context that all calls of this signer share.
    pub fn context(&self) -> Jti {
        self.context
    }

    /// Signs one call made out to `audience`, after a look whether the agent is still what it was. `short` asks for the
    /// form with hashes in place of tokens too.
    pub async fn sign(&self, call: &Call<'_, '_>, audience: &str, short: bool) -> Result<wire::Signed, Refusal> {
        self.sign_for(call, audience, short, None, None).await
    }

    /// [`Signer::sign`] for a verifier that asked for more. `trail` is the one that saw the server list its tools.
    pub async fn sign_for(
        &self,
        call: &Call<'_, '_>,
        audience: &str,
        short: bool,
        asked: Option<Asked>,
        trail: Option<&Session>,
    ) -> Result<wire::Signed, Refusal> {
        if self.log.stopped().is_some() {
            return Err(Reason::CallerLogUnavailable.into());
        }
        let mut presented = match &asked {
            Some(Asked { nonce, reattest: true }) => self.attested_for(*nonce).await?,
            _ => self.presented().await?,
        };
        let nonce = asked.map(|asked| asked.nonce.to_b64());
        let unknown = |unknown: open_calls::Unknown| {
            tracing::error!("a call to {audience} is not signed: {unknown}");
            Refusal::from(Reason::NotSigned)
        };
        let guard = self.config.flow.as_ref().and_then(|flow| flow.open_calls.as_deref());
        let (answer, parsed);
        // What the program says goes before what it may have forgotten.
        let told = match (call.told(), guard) {
            (None, Some(guard)) => {
                answer = open_calls::ask(guard).await.map_err(unknown)?;
                parsed = open_calls::parse(guard, &answer).map_err(unknown)?;
                open_calls::read(guard, &parsed).map_err(unknown)?
            }
            (told, _) => told,
        };
        if let Some(told) = &told {
            self.seen.works_for(told.cause);
        }
        let shown = self.seen.shown();
        // A chain that came down with the request, if it is ours to use.
        let granted_over =
            |presented: &Presented| told.as_ref().and_then(|told| self.granted(&presented.credentials, &told.grant));
        let mut granted = granted_over(&presented);
        if let Some(judge) = &self.judge {
            let guarded = self.config.log_keys.contains_key(audience);
            let case = |presented: &Presented, granted: Option<&Credentials>, step: Step| {
                let credentials = granted.unwrap_or(&presented.credentials);
                judge.judge(&Case { call, audience, credentials, labels: &shown.all, trail, guarded }, step)
            };
            if case(&presented, granted.as_ref(), Step::First)? == Asks::Measuring {
                self.current.lock().await.renew_at = 0;
                presented = self.presented().await?;
                granted = granted_over(&presented);
                case(&presented, granted.as_ref(), Step::Measured)?;
            }
        }
        let credentials = granted.as_ref().unwrap_or(&presented.credentials);
        let down = self.subgrants.of(audience, credentials, &self.key, now()).map_err(|failure| {
            tracing::error!(
                "no call to {audience} is signed, since the grant that goes with it cannot be made: {failure}"
            );
            Refusal::from(Reason::NotSigned)
        })?;
        let declassified = match self.config.flow.as_ref().and_then(|flow| flow.declassified.as_deref()) {
            Some(folder) if !shown.is_empty() => {
                let key = self.key.public().thumbprint();
                tokio::task::block_in_place(|| lineage::declassified(folder, call, audience, key, now()))
            }
            _ => Vec::new(),
        };
        // One request to the system for both.
        let [id, salt] = random_bits().map_err(|_| Refusal::from(Reason::NotSigned))?;
        let salt = Salt(salt);
        let particulars = Particulars {
            audience,
            context: self.context,
            id: Jti(id),
            salt,
            now: now(),
            life: self.config.call_seconds,
            lineage: Lineage {
                labels: Some(&shown.labels),
                receipts: &shown.receipts,
                cause: told.as_ref().map(|told| told.cause),
                grant: &down,
                declassifications: &declassified,
            },
            nonce: nonce.as_deref(),
        };
        let sign = || sign_call(call, credentials, particulars, &self.key);
        let signed = if self.key.may_wait() { tokio::task::block_in_place(sign) } else { sign() };
        let signed = signed.map_err(|error| {
            if let SigningError::Key(error) = error {
                tracing::error!("the call is not signed: {error}");
            }
            Refusal::from(Reason::NotSigned)
        })?;
        let hash = Digest::of(&signed.token);
        self.record(&signed, hash, &presented, granted.as_ref(), call.id().is_some()).await?;
        Ok(wire::Signed {
            call: hash,
            salt,
            params: signed.proof.params,
            credentials: credentials.name(),
            full: signed.request(Form::Full).into(),
            short: if short { signed.request(Form::Short).into() } else { Bytes::new() },
        })
    }

    /// The present attestation with a chain that somebody passed on, if its leaf is held by our key.
    fn granted(&self, present: &Credentials, grant: &[&str]) -> Option<Credentials> {
        let leaf = Unverified::<Delegation>::read(grant.last()?).ok()?;
        if leaf.peek().key != *self.key.public() {
            tracing::warn!(
                "a chain came with a request, and its last token is not held by this agent's key; it is not used"
            );
            return None;
        }
        Credentials::new(&present.attestation().1, grant)
    }

    /// Writes the caller's entry: durable before the call leaves where `strict` is set, else with the next group.
    /// Of a notification no outcome is awaited.
    async fn record(
        &self,
        signed: &Signed<'_, '_, '_>,
        call: Digest,
        presented: &Presented,
        granted: Option<&Credentials>,
        answered: bool,
    ) -> Result<(), Refusal> {
        let credentials = granted.unwrap_or(&presented.credentials);
        let delegation = credentials.delegation().iter().map(|(hash, _)| *hash);
        let entry = Entry::call(&signed.proof, call, delegation, now_ms()).of_notification(!answered);
        let mut tokens = Vec::new();
        // A chain that came with one request may never come again.
        let fresh = granted.is_some() || !presented.logged.load(Ordering::Acquire);
        if fresh {
            let presented = std::iter::once(credentials.attestation()).chain(credentials.delegation());
            tokens.extend(presented.map(|(hash, text)| Token::hashed(hash.0, text.clone())));
        }
        let token = Some(Token::hashed(call.0, &*signed.token));
        let record = Record { tokens, token, opens: answered.then_some(call.0), ..Record::new(entry.to_bytes()) };
        // Without `strict` the first entry with new tokens is still awaited: the tokens must not be lost with it.
        let written = if self.config.strict || fresh {
            self.log.append(record, now()).await.map(|_| ())
        } else {
            self.queue(record).await
        };
        if written.is_ok() && fresh && granted.is_none() {
            presented.logged.store(true, Ordering::Release);
        }
        written.map_err(|error| {
            tracing::error!("the caller's log takes no entry: {error}");
            Refusal::from(Reason::CallerLogUnavailable)
        })
    }

    /// Puts a record into the log's queue, behind those before it, and does not wait until it is durable.
    async fn queue(&self, record: Record) -> Result<(), AppendError> {
        let log = self.log.clone();
        // The first poll takes the place in the queue.
        let mut append = Box::pin(async move { log.append(record, now()).await });
        match poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx))).await {
            Poll::Ready(done) => done.map(|_| ()),
            Poll::Pending => {
                tokio::spawn(async move {
                    if let Err(error) = append.await {
                        tracing::error!("an entry is not written: {error}");
                    }
                });
                Ok(())
            }
        }
    }

    /// Writes how a call ended.
    pub async fn ended(&self, call: Digest, outcome: Outcome, audience: &str) {
        let entry = Entry::outcome(call, outcome.status, outcome.digest, Some(audience), now_ms());
        let record = Record { closes: Some(call.0), ..Record::new(entry.to_bytes()) };
        if let Err(error) = self.queue(record).await {
            tracing::error!("the outcome of call {call} is not written: {error}");
        }
    }

    /// Writes what became of the receipt of a call, and keeps it: receipt and proof come with one entry alone, so they stand
    /// beside it in one text, and nothing is looked up for them, however many there are.
    pub async fn receipt(&self, call: Digest, verdict: &Verdict, audience: &str) {
        let entry = Entry::receipt(call, audience, verdict, now_ms());
        let token = receipt::kept(verdict).map(Token::new);
        let record = Record { token, ..Record::new(entry.to_bytes()) };
        if let Err(error) = self.queue(record).await {
            tracing::error!("the receipt of call {call} is not kept: {error}");
        }
    }

    /// The current credentials; measured and attested again if a file was touched or their time is running out. Calls wait
    /// meanwhile: none leaves under an attestation of a state that may be gone.
    async fn presented(&self) -> Result<Arc<Presented>, Refusal> {
        let mut current = self.current.lock().await;
        let touched = current.state.may_have_changed() || current.grant.may_have_changed();
        if touched || now() >= current.renew_at {
            self.renew(&mut current).await.map_err(|error| {
                tracing::error!("the agent is not attested: {error}");
                match error {
                    StartError::Key(_) => Refusal::from(Reason::NotSigned),
                    #[cfg(feature = "tpm")]
                    StartError::Tpm(_) => Refusal::from(Reason::NotSigned),
                    _ => Refusal::from(Reason::NotMeasured),
                }
            })?;
        } else if self.given.generation() != current.given.0 {
            let given = self.given.measurements(&self.config.measure);
            if given.1 == current.given.1 {
                // What was given is another, and nothing of it is measured.
                current.given = given;
            } else {
                let (state, grant) = (current.state.clone(), current.grant.clone());
                self.attest_anew(&mut current, state, grant).await.map_err(|error| {
                    tracing::error!("the agent is not attested: {error}");
                    Refusal::from(Reason::NotSigned)
                })?;
            }
        }
        Ok(current.presented.clone())
    }

    /// Credentials for one call, over what was measured just now: for a verifier that asks for that.
    async fn attested_for(&self, nonce: Nonce) -> Result<Arc<Presented>, Refusal> {
        self.current.lock().await.renew_at = 0;
        self.presented().await?;
        let current = self.current.lock().await;
        let (state, grant, given) = (&current.state, &current.grant, &current.given.1);
        let attest = || credentials(&self.config, (&self.attester, &self.key), state, grant, given, Some(nonce));
        let credentials = tokio::task::block_in_place(attest).map_err(|error| {
            tracing::error!("the agent is not attested: {error}");
            Refusal::from(Reason::NotSigned)
        })?;
        Ok(Arc::new(Presented { credentials, logged: AtomicBool::new(false) }))
    }

    /// Every file that is measured.
    pub(crate) async fn files(&self) -> Vec<PathBuf> {
        self.current.lock().await.state.files()
    }

    /// Measures and attests anew if a file was touched, before anybody calls.
    pub(crate) async fn look(&self) {
        // It says itself why it cannot.
        let _ = self.presented().await;
    }

    /// Reads one file again. If it is not what was measured nothing is signed until all was measured anew.
    pub(crate) async fn read_again(&self) {
        let Ok([chance, _]) = random_bits() else { return };
        let chance = u64::from_be_bytes(chance.first_chunk().copied().unwrap_or_default());
        let state = self.current.lock().await.state.clone();
        if !tokio::task::block_in_place(|| state.holds(chance)) {
            self.doubted.store(true, Ordering::Release);
            self.current.lock().await.renew_at = 0;
            self.look().await;
        }
    }

    async fn renew(&self, current: &mut MutexGuard<'_, Current>) -> Result<(), StartError> {
        let remember = !self.doubted.load(Ordering::Acquire);
        // Reading weights takes long, so it must not hold up the tasks of other connections on this thread.
        let measure = || State::measure_anew(&self.config, remember);
        let state = tokio::task::block_in_place(measure)?;
        let grant = Grant::read(&self.config, &self.key)?;
        self.attest_anew(current, state, grant).await
    }

    /// Attests, and writes down what changed. That the list of tools grows and shrinks is no change of the agent's own: the rules
    /// see the tools themselves.
    async fn attest_anew(
        &self,
        current: &mut MutexGuard<'_, Current>,
        state: State,
        grant: Grant,
    ) -> Result<(), StartError> {
        let given = self.given.measurements(&self.config.measure);
        let before = measurements(&self.config, &current.state, &current.given.1);
        let mut changed = measurements(&self.config, &state, &given.1);
        changed.retain(|m| !before.contains(m) && m.component != Component::ToolManifest);
        // What is seen for the first time has not changed.
        changed.retain(|m| m.grade != Grade::InUse || before.iter().any(|b| b.component == m.component));
        let changed: Vec<Component> = changed.iter().map(|m| m.component).collect();
        if changed.contains(&Component::SystemPrompt) {
            tokio::task::block_in_place(|| keep_prompt(&self.config, &state));
        }
        if !changed.is_empty() {
            tracing::warn!(
                "the agent changed: {}; attested anew",
                changed.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ")
            );
            if let Some(own) = &self.own {
                let what = What::State(changed);
                own.record(vec![Draft { what, kept: None }]).await?;
            }
        }
        // An attester key that is elsewhere, and a TPM, take their time.
        let attest = || attest(&self.config, &self.attester, &self.key, state, grant, given);
        **current = tokio::task::block_in_place(attest)?;
        Ok(())
    }

    /// Writes what is still to be written.
    pub async fn close(&self) {
        if let Some(trail) = &self.trail {
            trail.close().await;
        }
        if let Err(reason) = self.log.close() {
            tracing::error!("the caller's log did not close in order: {reason}");
        }
    }
}

/// What is kept is no evidence: that it cannot be kept is said, and stops nobody.
fn keep_prompt(config: &Config, state: &State) {
    let kept = config.trail.as_ref().zip(state.prompt());
    let kept = kept.map(|(table, prompt)| attest_trail::keep_prompt(&config.log, table, prompt));
    if let Some(Err(error)) = kept {
        tracing::error!("the system prompt is not kept beside the log: {error}");
    }
}
