//! In front of one MCP server of the agent: each call goes out with its proof.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::digest::{Digest, Salt};
use attest_core::entry::Status;
use attest_core::extension;
use attest_core::json::Value;
use attest_core::receipt::{self, Defect, Ended};
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{RequestError, classify};
use attest_core::response::Outcome;
use attest_core::task;
use attest_core::watched::{About, Watched};
use bytes::Bytes;
use http::request::Parts;
use mcp_relay::http::bridge::OwnWords;
use mcp_relay::http::{Exchange, Exchanges};
use mcp_relay::{BoxFuture, Exit, Handling, Id, InFlight, Interceptor, Kind, Tasks, ToClient, ToServer, might_answer};

use crate::line::Line;
use crate::lineage::Saw;
use crate::link::Demand;
use crate::server::Server;
use crate::wire::{self, Passing, Trailing};

/// What all connections and exchanges of one wrap share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub line: Arc<Line>,
    pub server: Arc<Server>,
    tasks: Arc<Mutex<Tasks<Call>>>,
    /// Tasks that ended, and what is believed about that, for whoever asks about them again.
    past: Arc<Mutex<Tasks<Past>>>,
    own_words: OwnWords,
    /// Exchanges so far.
    exchanges: Arc<AtomicU64>,
}

impl Shared {
    pub fn new(line: Line, own_words: OwnWords) -> Self {
        Self {
            line: Arc::new(line),
            server: Arc::default(),
            tasks: Arc::default(),
            past: Arc::default(),
            own_words,
            exchanges: Arc::default(),
        }
    }

    /// Nothing more will come: calls whose task did not end have no end that we see.
    pub async fn close(&self) {
        for call in locked(&self.tasks).drain() {
            self.lost(&call);
        }
        self.line.close().await;
    }

    fn lost(&self, call: &Call) {
        self.line.ended(call.call, Outcome { status: Status::Unknown, digest: None }, None);
    }
}

/// A wrap on one connection, or of one exchange.
pub(crate) struct Wrap {
    shared: Shared,
    in_flight: InFlight<Watched<Signed>>,
    /// Names it to the trail: ids of requests are its own.
    exchange: u64,
}

/// A signed call.
#[derive(Clone, Debug)]
struct Call {
    call: Digest,
    salt: Salt,
    params: Digest,
}

/// How a task ended.
#[derive(Debug)]
struct Past {
    salt: Salt,
    /// What its receipt said; `None` where there was none that held, so that nothing is believed any more.
    outcome: Option<Outcome>,
}

/// What a message says of calls and tasks.
#[derive(Default)]
struct Ends {
    /// Calls that ended, with the task where it is a task's end.
    calls: Vec<(Call, Outcome, Option<String>)>,
    /// It says of a task that ended before something else than its receipt did.
    contradicts: Option<Defect>,
}

/// A signed call, on its way.
#[derive(Debug)]
struct Signed {
    call: Call,
    /// What it was presented with.
    credentials: Digest,
    /// The message with its tokens in full, where it was sent with their hashes.
    full: Option<Bytes>,
    /// The message as the host sent it, while the verifier may still ask for more.
    line: Option<Bytes>,
}

/// A call that is to be signed again, since the verifier asked for more.
struct Anew {
    again: wire::Again,
    about: Option<About>,
    /// The refused call, which did not run.
    refused: Call,
}

/// What is to become of a server's message.
struct Judged {
    to: ToClient,
    saw: Saw,
    anew: Option<Anew>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(id: Option<&Value<'_>>, refusal: &Refusal) -> Handling<ToServer> {
    Handling::Now(ToServer::Reply(reply::refuse(id, refusal, Shape::Error).into()))
}

/// There is no signer to ask.
fn gone(id: &Id) -> Bytes {
    reply::refuse(Some(&id.to_value()), &Reason::SignerGone.into(), Shape::Error).into()
}

impl Wrap {
    pub fn new(shared: Shared) -> Self {
        let exchange = shared.exchanges.fetch_add(1, Ordering::Relaxed);
        Self { shared, in_flight: InFlight::default(), exchange }
    }

    fn sign(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let shown = message.as_object().and_then(|m| m.get("id"));
        let Ok(place) = self.in_flight.reserve(message) else {
            return refused(shown, &Reason::BadRequest.into());
        };
        let about = About::of(message, |task| self.waits(task));
        let (shared, exchange) = (self.shared.clone(), self.exchange);
        Handling::later(async move {
            let kind = if shared.server.takes_shorthand() { wire::Kind::CallShort } else { wire::Kind::Call };
            match (shared.line.sign(exchange, &line, kind).await, place.id()) {
                (Ok(signed), Some(_)) => {
                    let call = Call { call: signed.call, salt: signed.salt, params: signed.params };
                    let short = !signed.short.is_empty() && shared.server.remembers(&signed.credentials);
                    let (sent, full) = if short { (signed.short, Some(signed.full)) } else { (signed.full, None) };
                    let signed = Signed { call, credentials: signed.credentials, full, line: Some(line) };
                    place.open(Watched::Call { call: signed, about });
                    ToServer::Forward(sent)
                }
                // Nobody could say that the hashes of a notification were not understood.
                (Ok(signed), None) => ToServer::Forward(signed.full),
                (Err(reply), Some(id)) => ToServer::Reply(reply.unwrap_or_else(|| gone(id))),
                (Err(_), None) => {
                    tracing::warn!("dropped a notification that could not be signed");
                    ToServer::Drop
                }
            }
        })
    }

    /// A message that is not signed.
    fn pass(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        if self.in_flight.pass(message, || Watched::unsigned(message, |task| self.waits(task))).is_err() {
            return refused(message.as_object().and_then(|m| m.get("id")), &Reason::BadRequest.into());
        }
        let declared = extension::declare_once(message).or_else(|| extension::declare_in_request(message));
        let to = declared.map_or(ToServer::Pass, |new| ToServer::Forward(new.to_canonical().into()));
        let Kind::Request { id, method } = Kind::of(message) else { return Handling::Now(to) };
        let passing = Passing { from_server: false, exchange: self.exchange, line };
        let handling = match (self.shared.line.trail(), attest_trail::is_content(method)) {
            (Trailing::Off, _) => Handling::Now(to),
            (_, false) => {
                self.shared.line.show(&passing);
                Handling::Now(to)
            }
            // What is read is written down before it is asked for, or not asked for.
            (_, true) => {
                let shared = self.shared.clone();
                let id = id.clone();
                Handling::later(async move { shared.line.judged(&passing).await.request(Some(&id), to) })
            }
        };
        // What it brings in has no receipt, but for the end of a call's task.
        let of_call = About::of(message, |task| self.waits(task)).is_some();
        let unvouched = self.shared.line.unvouched().filter(|_| attest_trail::is_content(method) && !of_call);
        let Some(defaults) = unvouched else { return handling };
        let shared = self.shared.clone();
        Handling::later(async move {
            match shared.line.saw(&Saw::unvouched(&defaults)).await {
                true => handling.known().await,
                false => ToServer::Reply(gone(&id)),
            }
        })
    }

    /// What the trail has to say of an answer, before the host sees it.
    fn trailed(&self, line: Bytes, message: Option<&Value<'_>>, to: ToClient) -> Handling<ToClient> {
        let trail = self.shared.line.trail();
        // What is sent again is answered again.
        if trail == Trailing::Off || matches!(to, ToClient::Resend(_)) {
            return Handling::Now(to);
        }
        let answered = message.and_then(Id::of_answer).or_else(|| Id::of_opaque_answer(&line));
        // What the server said, without what its verifier put in.
        let bare = message.and_then(|message| receipt::without_receipts(&line, message)).map(Bytes::from);
        let passing = Passing { from_server: true, exchange: self.exchange, line: bare.unwrap_or(line) };
        let (Trailing::Asked, Some(id)) = (trail, answered) else {
            self.shared.line.show(&passing);
            return Handling::Now(to);
        };
        let shared = self.shared.clone();
        Handling::later(async move { shared.line.judged(&passing).await.answer(Some(&id), &passing.line, to) })
    }

    /// Whether a call waits for the end of this task, or has seen it.
    fn waits(&self, task: &str) -> bool {
        locked(&self.shared.tasks).of(task).is_some() || locked(&self.shared.past).of(task).is_some()
    }

    /// What the answer to a call says; it may be the call's end, or make a task of it.
    fn of_call(&self, call: Call, message: Option<&Value<'_>>, ends: &mut Ends) {
        // What some reader takes for another message than we do is no promise of a result to come.
        // Nor is a task of an id that nobody remembers, so that no end of it would be held against a receipt.
        let task = message.filter(|message| is_plain(message)).and_then(task::created);
        let Some(task) = task.filter(|task| Tasks::<Call>::takes(task)) else {
            let outcome = Outcome::of(message, &call.salt);
            return ends.calls.push((call, outcome, None));
        };
        let dropped = locked(&self.shared.tasks).begin(task, call);
        if let Some(call) = dropped {
            self.shared.lost(&call);
        }
    }

    /// What the answer to a question about a task says of its end.
    fn of_asked(&self, about: &About, answer: Option<&Value<'_>>, ends: &mut Ends) {
        self.of_task(&about.task, |salt| about.outcome(answer, salt), ends);
    }

    /// What a message says of the end of a task.
    fn of_task(&self, id: &str, outcome: impl FnOnce(&Salt) -> Option<Outcome>, ends: &mut Ends) {
        let mut tasks = locked(&self.shared.tasks);
        if let Some(salt) = tasks.of(id).map(|call| call.salt) {
            if let Some((outcome, call)) = outcome(&salt).and_then(|outcome| Some((outcome, tasks.end(id)?))) {
                ends.calls.push((call, outcome, Some(id.to_owned())));
            }
            return;
        }
        drop(tasks);
        let past = locked(&self.shared.past);
        let Some((past, outcome)) = past.of(id).and_then(|past| Some((past, outcome(&past.salt)?))) else { return };
        if past.outcome != Some(outcome) {
            ends.contradicts = Some(past.outcome.map_or(Defect::Missing, |_| Defect::Result));
        }
    }

    /// The verifier's refusal that `message` is, in words of our own: it bears no receipt, as nothing was let through.
    fn refusal(&self, message: &Value<'_>) -> Option<Bytes> {
        if receipt::is_in(message) { None } else { reply::retell(message).map(Bytes::from) }
    }

    /// A refusal reaches the host as it came where nobody asks for receipts. Where they are, anybody on the way might have
    /// written it, so the host is told its reason and no more.
    fn retold(&self, line: Bytes, refusal: Option<Bytes>) -> ToClient {
        match (refusal, &*self.shared.line.demand()) {
            (Some(refusal), Demand::Receipts { always: true, .. }) if refusal != line => ToClient::Replace(refusal),
            _ => ToClient::Pass,
        }
    }

    /// What the host is told where a message ends calls: the message as the server sent it, or why it is withheld.
    fn settle(&self, id: Option<&Id>, line: &Bytes, message: Option<&Value<'_>>, ends: Ends) -> (ToClient, Saw) {
        let line_to_signer = &self.shared.line;
        let demand = line_to_signer.demand();
        let unvouched = || line_to_signer.unvouched().map(|defaults| Saw::unvouched(&defaults)).unwrap_or_default();
        let Demand::Receipts { keys, audience, always } = &*demand else {
            let saw = if ends.calls.is_empty() { Saw::default() } else { unvouched() };
            for (call, outcome, _) in ends.calls {
                line_to_signer.ended(call.call, outcome, None);
            }
            return (shown(line, message), saw);
        };
        let mut saw = Saw::default();
        let ended = ends.calls.iter();
        let ended = ended.map(|(call, outcome, _)| Ended { call: call.call, params: call.params, outcome: *outcome });
        let ended: Vec<_> = ended.collect();
        let plain = message.filter(|message| is_plain(message));
        let verdicts = receipt::check(plain, keys, audience, &ended);
        let mut withheld = ends.contradicts;
        for ((call, outcome, task), verdict) in ends.calls.into_iter().zip(&verdicts) {
            line_to_signer.ended(call.call, outcome, Some(verdict));
            saw = match verdict {
                Ok(proved) if proved.labels.is_empty() => saw,
                Ok(proved) => saw.and(proved.token().map_or_else(unvouched, |text| Saw::receipt(&text))),
                Err(_) => saw.and(unvouched()),
            };
            if let Err(bad) = verdict {
                tracing::warn!("the answer to call {}: {bad}", call.call);
                withheld = withheld.or(Some(bad.defect).filter(|defect| *always || *defect != Defect::Missing));
            }
            if let Some(task) = task {
                let outcome = verdict.as_ref().ok().map(|_| outcome);
                locked(&self.shared.past).begin(&task, Past { salt: call.salt, outcome });
            }
        }
        match (withheld, id) {
            (None, _) => (shown(line, message), saw),
            // What is withheld is not seen.
            (Some(defect), Some(id)) => {
                let refusal = defect.reason().into();
                let refused = reply::refuse(Some(&id.to_value()), &refusal, Shape::Error).into();
                (ToClient::Replace(refused), Saw::default())
            }
            // A notification has nobody to tell that it is withheld.
            (Some(_), None) => (ToClient::Drop, Saw::default()),
        }
    }
}

/// The message as the server sent it: without the receipts that its verifier put in.
fn shown(line: &Bytes, message: Option<&Value<'_>>) -> ToClient {
    let bare = message.and_then(|message| receipt::without_receipts(line, message));
    bare.map_or(ToClient::Pass, |bare| ToClient::Replace(bare.into()))
}

/// Whether every reader takes it for the same message.
fn is_plain(message: &Value<'_>) -> bool {
    matches!(Kind::of(message), Kind::Response { .. } | Kind::Notification { .. })
}

impl Interceptor for Wrap {
    fn client_message(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let method = message.as_object().and_then(|m| m.get("method")).and_then(Value::as_str);
        match classify(message) {
            Ok(_) if method.is_some_and(|method| self.shared.server.asks_for(method)) => self.sign(line, message),
            Ok(_) => self.pass(line, message),
            Err(RequestError::NoId) => {
                tracing::warn!("dropped a tools/call without an id: nobody could be told its outcome");
                Handling::Now(ToServer::Drop)
            }
            Err(error) => refused(message.as_object().and_then(|m| m.get("id")), &error.into()),
        }
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let Judged { to, saw, anew } = self.judge(line.clone(), message);
        let id = message.and_then(Id::of_answer).or_else(|| Id::of_opaque_answer(&line));
        if let (Some(anew), Some(id)) = (anew, id.clone()) {
            return self.sign_anew(anew, id, to);
        }
        let handling = self.trailed(line, message, to);
        if saw.is_empty() {
            return handling;
        }
        // The next call, to whichever server, is made by somebody who knows it: so the signer is told first.
        let shared = self.shared.clone();
        Handling::later(async move {
            let to = handling.known().await;
            match (shared.line.saw(&saw).await, id) {
                (true, _) => to,
                (false, Some(id)) => ToClient::Replace(gone(&id)),
                (false, None) => ToClient::Drop,
            }
        })
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        for signed in self.in_flight.drain().into_iter().filter_map(|(_, watched)| watched.into_call()) {
            self.shared.lost(&signed.call);
        }
        Box::pin(std::future::ready(Vec::new()))
    }
}

impl Wrap {
    /// Signs a call again with what the verifier asked for, and sends it in place of the one that was refused. Where that fails the host is
    /// told of the refusal.
    fn sign_anew(&self, anew: Anew, id: Id, refused: ToClient) -> Handling<ToClient> {
        let Anew { again, about, refused: call } = anew;
        let (shared, in_flight) = (self.shared.clone(), self.in_flight.clone());
        // It did not run.
        shared.line.ended(call.call, Outcome { status: Status::Error, digest: None }, None);
        Handling::later(async move {
            let signed = match shared.line.sign_again(&again).await {
                Ok(signed) => signed,
                Err(reply) => return reply.map_or(refused, ToClient::Replace),
            };
            let call = Call { call: signed.call, salt: signed.salt, params: signed.params };
            let watched = Signed { call: call.clone(), credentials: signed.credentials, full: None, line: None };
            match in_flight.watch(id, Watched::Call { call: watched, about }) {
                Ok(()) => ToClient::Resend(signed.full),
                Err(_) => {
                    shared.lost(&call);
                    refused
                }
            }
        })
    }

    /// What the host may see of a server's message.
    fn judge(&self, line: Bytes, message: Option<&Value<'_>>) -> Judged {
        let plainly = |to: ToClient| Judged { to, saw: Saw::default(), anew: None };
        let own = self.shared.own_words.take(&line);
        let (id, watched) = match self.in_flight.answered(&line, message) {
            Ok(answered) => answered,
            Err(stray) => {
                tracing::warn!("dropped {stray}");
                return plainly(ToClient::Drop);
            }
        };
        let demanded = !matches!(*self.shared.line.demand(), Demand::Nothing);
        // As at the verifier: the host might read an answer here, one without a receipt.
        let waiting = || self.in_flight.is_watching() || !locked(&self.shared.tasks).is_empty();
        if demanded && id.is_none() && might_answer(&line, message, waiting) {
            tracing::error!(
                "dropped a text of the server that is no message, and that the host might read as an answer"
            );
            return plainly(ToClient::Drop);
        }
        // What a bridge of our own says, or a verifier that let nothing through, is no answer to have a receipt of.
        let refusal = message.filter(|_| !own).and_then(|message| self.refusal(message));
        let mut ends = Ends::default();
        match watched {
            Some(Watched::Call { call: Signed { call, credentials, full, line: asked }, about }) => {
                let reason = message.and_then(reply::reason);
                // Once: what was signed again and is asked for again is the host's to know.
                let challenge = message.filter(|_| refusal.is_some()).and_then(reply::challenge);
                let by_us = |required: &[&str]| required.iter().all(|word| ["nonce", "reattest"].contains(word));
                if let (Some((nonce, required)), Some(line_of_host)) = (challenge, asked.clone())
                    && by_us(&required)
                {
                    let reattest = required.contains(&"reattest");
                    let again = wire::Again { exchange: self.exchange, nonce, reattest, line: line_of_host };
                    let to = self.retold(line, refusal);
                    return Judged { to, saw: Saw::default(), anew: Some(Anew { again, about, refused: call }) };
                }
                if let (Some(NOT_CACHED), Some(full), Some(id)) = (reason, full, &id) {
                    self.shared.server.forgot(&credentials);
                    let again = Signed { call: call.clone(), credentials, full: None, line: asked };
                    if self.in_flight.watch(id.clone(), Watched::Call { call: again, about: about.clone() }).is_ok() {
                        return plainly(ToClient::Resend(full));
                    }
                }
                // A verifier remembers what it has accepted.
                if reason.is_none() {
                    self.shared.server.accepted(credentials);
                }
                if own || refusal.is_some() {
                    self.shared.line.ended(call.call, Outcome::of(message, &call.salt), None);
                    return plainly(self.retold(line, refusal));
                }
                self.of_call(call, message, &mut ends);
                if let Some(about) = about {
                    self.of_asked(&about, message, &mut ends);
                }
            }
            Some(Watched::Task(about)) => {
                if own || refusal.is_some() {
                    return plainly(self.retold(line, refusal));
                }
                self.of_asked(&about, message, &mut ends);
            }
            Some(Watched::Opening(era)) => {
                self.shared.server.offers(message.and_then(|answer| extension::offered(answer, era)));
                // The host speaks MCP alone; that we speak to a verifier is not its matter.
                let clean = message.and_then(extension::without_offer);
                return plainly(clean.map_or(ToClient::Pass, |c| ToClient::Replace(c.to_canonical().into())));
            }
            None => {
                if let Some((task, m)) = message.and_then(|m| Some((task::told(m)?, m))) {
                    self.of_task(task, |salt| task::outcome_told(m, salt), &mut ends);
                }
            }
        }
        let (to, saw) = self.settle(id.as_ref(), &line, message, ends);
        // What a server asks of the host is its own word too.
        let asks = message.is_some_and(|message| matches!(Kind::of(message), Kind::Request { .. }));
        let unvouched = self.shared.line.unvouched().filter(|_| asks);
        let saw = unvouched.map_or(Saw::default(), |defaults| Saw::unvouched(&defaults)).and(saw);
        Judged { to, saw, anew: None }
    }
}

const NOT_CACHED: &str = "not-cached";

impl Exchange for Wrap {}

/// A wrap for each HTTP exchange.
impl Exchanges for Shared {
    type Interceptor = Wrap;

    fn open(&self, _: &Parts) -> Wrap {
        Wrap::new(self.clone())
    }
}
