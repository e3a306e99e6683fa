//! In front of one MCP server of the agent: each call goes out with its proof.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::digest::{Digest, Salt};
use attest_core::entry::Status;
use attest_core::extension::{self, Era};
use attest_core::json::Value;
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{RequestError, classify};
use attest_core::response::Outcome;
use attest_core::task::{self, Asked};
use bytes::Bytes;
use http::request::Parts;
use mcp_relay::http::{Exchange, Exchanges};
use mcp_relay::{BoxFuture, Exit, Handling, Id, InFlight, Interceptor, Kind, Tasks, ToClient, ToServer};

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
    in_flight: Arc<Mutex<InFlight<Watched>>>,
}

/// A signed call.
#[derive(Clone, Debug)]
struct Call {
    call: Digest,
    salt: Salt,
}

/// A request whose answer matters to us.
#[derive(Debug)]
enum Watched {
    /// A signed call.
    Call {
        call: Call,
        /// What it was presented with.
        credentials: Digest,
        /// The message with its tokens in full, where it was sent with their hashes.
        full: Option<Bytes>,
        /// The task that it asks about: `tasks/cancel` is signed, and its answer may say how the task ended.
        about: Option<(Asked, String)>,
    },
    /// One whose answer says what the server can.
    Opening(Era),
    /// One about a task that belongs to a call.
    Task(Asked, String),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(id: Option<&Value<'_>>, refusal: &Refusal) -> Handling<ToServer> {
    Handling::Now(ToServer::Reply(reply::refuse(id, refusal, Shape::Error).into()))
}

impl Wrap {
    pub fn new(shared: Shared) -> Self {
        Self { shared, in_flight: Arc::default() }
    }

    fn sign(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let shown = message.as_object().and_then(|m| m.get("id"));
        let id = match shown.map(Id::of) {
            Some(None) => return refused(shown, &Reason::BadRequest.into()),
            Some(id) => id,
            None => None,
        };
        if id.clone().is_some_and(|id| locked(&self.in_flight).reserve(id).is_err()) {
            return refused(shown, &Reason::BadRequest.into());
        }
        let about = self.about(message);
        let (shared, in_flight) = (self.shared.clone(), self.in_flight.clone());
        Handling::later(async move {
            let kind = if shared.server.takes_shorthand() { wire::Kind::CallShort } else { wire::Kind::Call };
            match (shared.line.sign(line, kind).await, id) {
                (Ok(signed), Some(id)) => {
                    let call = Call { call: signed.call, salt: signed.salt };
                    let short = !signed.short.is_empty() && shared.server.remembers(&signed.credentials);
                    let (sent, full) = if short { (signed.short, Some(signed.full)) } else { (signed.full, None) };
                    locked(&in_flight).open(id, Watched::Call { call, credentials: signed.credentials, full, about });
                    ToServer::Forward(sent)
                }
                // Nobody could say that the hashes of a notification were not understood.
                (Ok(signed), None) => ToServer::Forward(signed.full),
                (Err(reply), Some(id)) => {
                    locked(&in_flight).release(&id);
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
        let shown = message.as_object().and_then(|m| m.get("id"));
        let mut in_flight = locked(&self.in_flight);
        let taken = match Kind::of(message) {
            Kind::Response { .. } => false,
            Kind::Request { id, method } => match self.watched(message, method) {
                Some(watched) => {
                    let reserved = in_flight.reserve(id.clone());
                    reserved.map(|()| in_flight.open(id, watched)).is_err()
                }
                None => in_flight.pass(id).is_err(),
            },
            // Whatever has an id may be answered, a request by the letter or not.
            _ => shown.and_then(Id::of).is_some_and(|id| in_flight.pass(id).is_err()),
        };
        if taken {
            return refused(shown, &Reason::BadRequest.into());
        }
        let declared = extension::declare_once(message).or_else(|| extension::declare_in_request(message));
        Handling::Now(declared.map_or(ToServer::Pass, |new| ToServer::Forward(new.to_canonical().into())))
    }

    fn watched(&self, message: &Value<'_>, method: &str) -> Option<Watched> {
        if let Some(era) = Era::of_opening(method) {
            return Some(Watched::Opening(era));
        }
        self.about(message).map(|(asked, id)| Watched::Task(asked, id))
    }

    /// The task of a call that `message` asks about.
    fn about(&self, message: &Value<'_>) -> Option<(Asked, String)> {
        let (asked, id) = task::asked(message)?;
        locked(&self.shared.tasks).of(id).map(|_| (asked, id.to_owned()))
    }

    /// The answer to a call, or the call once more where its hashes were not understood.
    fn answered(&self, call: Call, message: Option<&Value<'_>>) {
        let Some(task) = message.and_then(task::created) else {
            return self.shared.line.ended(call.call, Outcome::of(message, &call.salt));
        };
        let dropped = locked(&self.shared.tasks).begin(task, call);
        if let Some(call) = dropped {
            self.shared.lost(&call);
        }
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
        let id = message.map_or_else(|| Id::of_opaque_answer(&line), Id::of_answer);
        if id.as_ref().is_some_and(|id| !locked(&self.in_flight).expects(id)) {
            tracing::warn!("dropped an answer of the server to a request that it was not asked, or not here");
            return Handling::Now(ToClient::Drop);
        }
        let watched = id.as_ref().and_then(|id| locked(&self.in_flight).answered(id));
        match watched {
            Some(Watched::Call { call, credentials, full, about }) => {
                let reason = message.and_then(reply::reason);
                if let (Some(NOT_CACHED), Some(full), Some(id)) = (reason, full, id) {
                    self.shared.server.forgot(&credentials);
                    let mut in_flight = locked(&self.in_flight);
                    if in_flight.reserve(id.clone()).is_ok() {
                        in_flight.open(id, Watched::Call { call, credentials, full: None, about });
                        return Handling::Now(ToClient::Resend(full));
                    }
                }
                // A verifier remembers what it has accepted.
                if reason.is_none() {
                    self.shared.server.accepted(credentials);
                }
                self.answered(call, message);
                if let Some((asked, id)) = about {
                    self.task_answered(&id, |salt| task::outcome(asked, message, salt));
                }
            }
            Some(Watched::Task(asked, id)) => self.task_answered(&id, |salt| task::outcome(asked, message, salt)),
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
        for (_, watched) in locked(&self.in_flight).drain() {
            if let Watched::Call { call, .. } = watched {
                self.shared.lost(&call);
            }
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
