//! In front of one MCP server of the agent: each call goes out with its proof.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::digest::{Digest, Salt};
use attest_core::entry::Status;
use attest_core::extension;
use attest_core::json::Value;
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{RequestError, classify};
use attest_core::response::Outcome;
use attest_core::task;
use attest_core::watched::{About, Watched};
use bytes::Bytes;
use http::request::Parts;
use mcp_relay::http::{Exchange, Exchanges};
use mcp_relay::{BoxFuture, Exit, Handling, InFlight, Interceptor, Tasks, ToClient, ToServer};

use crate::line::Line;
use crate::server::Server;
use crate::wire;

/// What all connections and exchanges of one wrap share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub line: Arc<Line>,
    pub server: Arc<Server>,
    tasks: Arc<Mutex<Tasks<Call>>>,
}

impl Shared {
    pub fn new(line: Line) -> Self {
        Self { line: Arc::new(line), server: Arc::default(), tasks: Arc::default() }
    }

    /// Nothing more will come: calls whose task did not end have no end that we see.
    pub async fn close(&self) {
        for call in locked(&self.tasks).drain() {
            self.lost(&call);
        }
        self.line.close().await;
    }

    fn lost(&self, call: &Call) {
        self.line.ended(call.call, Outcome { status: Status::Unknown, digest: None });
    }
}

/// A wrap on one connection, or of one exchange.
pub(crate) struct Wrap {
    shared: Shared,
    in_flight: InFlight<Watched<Signed>>,
}

/// A signed call.
#[derive(Clone, Debug)]
struct Call {
    call: Digest,
    salt: Salt,
}

/// A signed call, on its way.
#[derive(Debug)]
struct Signed {
    call: Call,
    /// What it was presented with.
    credentials: Digest,
    /// The message with its tokens in full, where it was sent with their hashes.
    full: Option<Bytes>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(id: Option<&Value<'_>>, refusal: &Refusal) -> Handling<ToServer> {
    Handling::Now(ToServer::Reply(reply::refuse(id, refusal, Shape::Error).into()))
}

impl Wrap {
    pub fn new(shared: Shared) -> Self {
        Self { shared, in_flight: InFlight::default() }
    }

    fn sign(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let shown = message.as_object().and_then(|m| m.get("id"));
        let Ok(place) = self.in_flight.reserve(message) else {
            return refused(shown, &Reason::BadRequest.into());
        };
        let about = About::of(message, |task| self.waits(task));
        let shared = self.shared.clone();
        Handling::later(async move {
            let kind = if shared.server.takes_shorthand() { wire::Kind::CallShort } else { wire::Kind::Call };
            match (shared.line.sign(line, kind).await, place.id()) {
                (Ok(signed), Some(_)) => {
                    let call = Call { call: signed.call, salt: signed.salt };
                    let short = !signed.short.is_empty() && shared.server.remembers(&signed.credentials);
                    let (sent, full) = if short { (signed.short, Some(signed.full)) } else { (signed.full, None) };
                    place.open(Watched::Call { call: Signed { call, credentials: signed.credentials, full }, about });
                    ToServer::Forward(sent)
                }
                // Nobody could say that the hashes of a notification were not understood.
                (Ok(signed), None) => ToServer::Forward(signed.full),
                (Err(reply), Some(id)) => {
                    let gone = || reply::refuse(Some(&id.to_value()), &Reason::SignerGone.into(), Shape::Error).into();
                    ToServer::Reply(reply.unwrap_or_else(gone))
                }
                (Err(_), None) => {
                    tracing::warn!("dropped a notification that could not be signed");
                    ToServer::Drop
                }
            }
        })
    }

    /// A message that is not signed.
    fn pass(&self, message: &Value<'_>) -> Handling<ToServer> {
        if self.in_flight.pass(message, || Watched::unsigned(message, |task| self.waits(task))).is_err() {
            return refused(message.as_object().and_then(|m| m.get("id")), &Reason::BadRequest.into());
        }
        let declared = extension::declare_once(message).or_else(|| extension::declare_in_request(message));
        Handling::Now(declared.map_or(ToServer::Pass, |new| ToServer::Forward(new.to_canonical().into())))
    }

    /// Whether a call waits for the end of this task.
    fn waits(&self, task: &str) -> bool {
        locked(&self.shared.tasks).of(task).is_some()
    }

    /// The answer to a call.
    fn answered(&self, call: Call, message: Option<&Value<'_>>) {
        let Some(task) = message.and_then(task::created) else {
            return self.shared.line.ended(call.call, Outcome::of(message, &call.salt));
        };
        let dropped = locked(&self.shared.tasks).begin(task, call);
        if let Some(call) = dropped {
            self.shared.lost(&call);
        }
    }

    fn asked(&self, about: &About, answer: Option<&Value<'_>>) {
        self.task_answered(&about.task, |salt| about.outcome(answer, salt));
    }

    fn task_answered(&self, id: &str, outcome: impl FnOnce(&Salt) -> Option<Outcome>) {
        let mut tasks = locked(&self.shared.tasks);
        let outcome = tasks.of(id).and_then(|call| outcome(&call.salt));
        if let Some((outcome, call)) = outcome.zip(outcome.and_then(|_| tasks.end(id))) {
            self.shared.line.ended(call.call, outcome);
        }
    }
}

impl Interceptor for Wrap {
    fn client_message(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let method = message.as_object().and_then(|m| m.get("method")).and_then(Value::as_str);
        match classify(message) {
            Ok(_) if method.is_some_and(|method| self.shared.server.asks_for(method)) => self.sign(line, message),
            Ok(_) => self.pass(message),
            Err(RequestError::NoId) => {
                tracing::warn!("dropped a tools/call without an id: nobody could be told its outcome");
                Handling::Now(ToServer::Drop)
            }
            Err(error) => refused(message.as_object().and_then(|m| m.get("id")), &error.into()),
        }
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let (id, watched) = match self.in_flight.answered(&line, message) {
            Ok(answered) => answered,
            Err(stray) => {
                tracing::warn!("dropped {stray}");
                return Handling::Now(ToClient::Drop);
            }
        };
        match watched {
            Some(Watched::Call { call: Signed { call, credentials, full }, about }) => {
                let reason = message.and_then(reply::reason);
                if let (Some(NOT_CACHED), Some(full), Some(id)) = (reason, full, id) {
                    self.shared.server.forgot(&credentials);
                    let again = Signed { call: call.clone(), credentials, full: None };
                    if self.in_flight.watch(id, Watched::Call { call: again, about: about.clone() }).is_ok() {
                        return Handling::Now(ToClient::Resend(full));
                    }
                }
                // A verifier remembers what it has accepted.
                if reason.is_none() {
                    self.shared.server.accepted(credentials);
                }
                self.answered(call, message);
                if let Some(about) = about {
                    self.asked(&about, message);
                }
            }
            Some(Watched::Task(about)) => self.asked(&about, message),
            Some(Watched::Opening(era)) => {
                self.shared.server.offers(message.and_then(|answer| extension::offered(answer, era)));
                // The host speaks MCP alone; that we speak to a verifier is not its matter.
                let clean = message.and_then(extension::without_offer);
                return Handling::Now(clean.map_or(ToClient::Pass, |c| ToClient::Replace(c.to_canonical().into())));
            }
            None => {
                if let Some((task, m)) = message.and_then(|m| Some((task::told(m)?, m))) {
                    self.task_answered(task, |salt| task::outcome_told(m, salt));
                }
            }
        }
        Handling::Now(ToClient::Pass)
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        for signed in self.in_flight.drain().into_iter().filter_map(|(_, watched)| watched.into_call()) {
            self.shared.lost(&signed.call);
        }
        Box::pin(std::future::ready(Vec::new()))
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
