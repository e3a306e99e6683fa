//! The gate on the way of messages: what of them is a call, what answers it, and what a client is told.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use attest_core::extension::{self, Era};
use attest_core::json::{self, Value};
use attest_core::receipt::{Carried, Place};
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request;
use attest_core::response::{Outcome, without_ours};
use attest_core::task::{self, Asked};
use bytes::Bytes;
use mcp_relay::{BoxFuture, Defect, Exit, Handling, Id, InFlight, Interceptor, Kind, ToClient, ToServer};

use crate::attested::{Attested, Calls};
use crate::gate::{Call, Gate};

/// Sees every message between a client and the server behind the gate: on one connection over stdio, or of one exchange
/// over HTTP.
pub struct Guard {
    gate: Arc<Gate>,
    in_flight: Arc<Mutex<InFlight<Watched>>>,
    attested: Arc<OnceLock<Attested>>,
}

/// A request whose answer matters to us.
#[derive(Debug)]
pub(crate) enum Watched {
    /// A call that was let through.
    Call {
        call: Call,
        attested: Attested,
        /// The task that it asks about: `tasks/cancel` is signed, and its answer may say how the task ended.
        about: Option<(Asked, String)>,
    },
    /// One whose answer says what the server can.
    Opening(Era),
    /// One about a task that belongs to a call.
    Task(Asked, String),
}

impl Watched {
    /// The verdict, on a call.
    pub fn attested(&self) -> Option<&Attested> {
        match self {
            Self::Call { attested, .. } => Some(attested),
            Self::Opening(_) | Self::Task(..) => None,
        }
    }
}

/// What an answer, or a notification, says of how a call ended.
type Ended = (Call, Outcome);

impl Guard {
    /// A guard of one connection, or of one exchange.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate, in_flight: Arc::default(), attested: Arc::default() }
    }

    /// The call that was let through, over HTTP: there an exchange has one.
    pub(crate) fn attested(&self) -> Option<Attested> {
        self.attested.get().cloned()
    }

    /// The calls that were let through and have no answer yet.
    pub(crate) fn calls(&self) -> Calls {
        Calls::new(self.in_flight.clone())
    }

    fn refuse(&self, id: Option<&Value<'_>>, refusal: Refusal) -> Handling<ToServer> {
        self.refuse_and(refusal.reason != Reason::NoId, id, refusal)
    }

    /// A refusal that is answered, or not, as that of a notification.
    fn refuse_and(&self, answer: bool, id: Option<&Value<'_>>, refusal: Refusal) -> Handling<ToServer> {
        let reply = reply::refuse(id, &refusal, self.gate.shape());
        let gate = self.gate.clone();
        Handling::later(async move {
            gate.refused(&refusal).await;
            if answer { ToServer::Reply(reply.into()) } else { ToServer::Drop }
        })
    }

    /// A message that needs no proof.
    fn pass(&self, message: &Value<'_>) -> Handling<ToServer> {
        let shown = message.as_object().and_then(|m| m.get("id"));
        let taken = match Kind::of(message) {
            Kind::Response { .. } => false,
            Kind::Request { id, method } => match self.watched(message, method) {
                Some(watched) => {
                    let mut in_flight = locked(&self.in_flight);
                    let reserved = in_flight.reserve(id.clone());
                    reserved.map(|()| in_flight.open(id, watched)).is_err()
                }
                None => locked(&self.in_flight).pass(id).is_err(),
            },
            // Whatever has an id may be answered, a request by the letter or not.
            _ => shown.and_then(Id::of).is_some_and(|id| locked(&self.in_flight).pass(id).is_err()),
        };
        if taken { self.refuse(shown, Reason::BadRequest.into()) } else { Handling::Now(ToServer::Pass) }
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
        self.gate.salt_of_task(id).map(|_| (asked, id.to_owned()))
    }

    fn admit(&self, call: &request::Call<'_, '_>, message: &Value<'_>) -> Handling<ToServer> {
        let shown = call.id();
        // Only a notification has none.
        let request = match shown.map(Id::of) {
            Some(None) => return self.refuse(shown, Reason::BadRequest.into()),
            Some(id) => id,
            None => None,
        };
        let reserved = request.clone().map_or(Ok(()), |id| locked(&self.in_flight).reserve(id));
        if reserved.is_err() {
            return self.refuse(shown, Reason::BadRequest.into());
        }
        let accepted = match self.gate.check(call) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                release(&self.in_flight, request.as_ref());
                return self.refuse_and(request.is_some(), shown, refusal);
            }
        };
        let about = self.about(message);
        let (gate, in_flight, attested) = (self.gate.clone(), self.in_flight.clone(), self.attested.clone());
        Handling::later(async move {
            match gate.admit(&accepted, request.is_some()).await {
                Ok(shown) => {
                    let verdict = Attested::new(&accepted);
                    let _ = attested.set(verdict.clone());
                    let call = Call { call: accepted.caller.call, salt: accepted.salt, shown };
                    if let Some(id) = request {
                        locked(&in_flight).open(id, Watched::Call { call, attested: verdict, about });
                    }
                    ToServer::Forward(accepted.forward.into())
                }
                Err(refusal) => {
                    release(&in_flight, request.as_ref());
                    gate.refused(&refusal).await;
                    match &request {
                        Some(id) => ToServer::Reply(reply::refuse(Some(&id.to_value()), &refusal, gate.shape()).into()),
                        None => ToServer::Drop,
                    }
                }
            }
        })
    }

    /// The end of a call, if `message` tells it, and the task that ended with it. `message` is `None` in place of one that
    /// has no canonical form.
    fn end_of(&self, watched: Option<Watched>, message: Option<&Value<'_>>) -> End {
        match watched {
            Some(Watched::Call { call, about, .. }) => match message.and_then(task::created) {
                Some(id) => End::Later(id.to_owned(), call),
                None => {
                    let outcome = Outcome::of(message, &call.salt);
                    let of_task = about.and_then(|(asked, id)| self.end_asked(asked, &id, message));
                    End::Now(std::iter::once((call, outcome)).chain(of_task).collect())
                }
            },
            Some(Watched::Task(asked, id)) => {
                self.end_asked(asked, &id, message).map_or(End::Not, |end| End::Now(vec![end]))
            }
            Some(Watched::Opening(_)) => End::Not,
            None => {
                let told = message.and_then(|m| Some((task::told(m)?, m)));
                told.and_then(|(id, m)| self.end_of_task(id, |salt| task::outcome_told(m, salt)))
                    .map_or(End::Not, |end| End::Now(vec![end]))
            }
        }
    }

    fn end_asked(&self, asked: Asked, id: &str, answer: Option<&Value<'_>>) -> Option<Ended> {
        self.end_of_task(id, |salt| task::outcome(asked, answer, salt))
    }

    fn end_of_task(
        &self,
        id: &str,
        outcome: impl FnOnce(&attest_core::digest::Salt) -> Option<Outcome>,
    ) -> Option<Ended> {
        let outcome = outcome(&self.gate.salt_of_task(id)?)?;
        Some((self.gate.task_ended(id)?, outcome))
    }
}

/// What a message means for a call.
enum End {
    /// Nothing.
    Not,
    /// It ended; with the answer to a signed question about a task, the task's call too.
    Now(Vec<Ended>),
    /// It became the task of this id.
    Later(String, Call),
}

fn locked(in_flight: &Mutex<InFlight<Watched>>) -> MutexGuard<'_, InFlight<Watched>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

fn release(in_flight: &Mutex<InFlight<Watched>>, id: Option<&Id>) {
    if let Some(id) = id {
        locked(in_flight).release(id);
    }
}

impl Interceptor for Guard {
    fn client_message(&self, _: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        match self.gate.call(message) {
            Ok(Some(call)) => self.admit(&call, message),
            Ok(None) => self.pass(message),
            Err(refusal) => {
                let silent = matches!(Kind::of(message), Kind::Notification { method } if self.gate.cares_for(method));
                self.refuse_and(
                    !silent && refusal.reason != Reason::NoId,
                    message.as_object().and_then(|m| m.get("id")),
                    refusal,
                )
            }
        }
    }

    fn client_defect(&self, defect: Defect, id: Option<&Value<'_>>) -> Handling<mcp_relay::Refusal> {
        let refusal: Refusal = match defect {
            Defect::TooLong { .. } => Reason::TooLarge.into(),
            Defect::Json(error) => error.into(),
            Defect::HeaderMismatch => Reason::HeaderMismatch.into(),
            Defect::Http | Defect::ContentType | Defect::Encoded => Reason::BadHttp.into(),
            _ => Reason::NotStrictJson.into(),
        };
        let reply = reply::refuse(id, &refusal, Shape::Error);
        let gate = self.gate.clone();
        Handling::later(async move {
            gate.refused(&refusal).await;
            mcp_relay::Refusal::Reply(reply.into())
        })
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let id = message.map_or_else(|| Id::of_opaque_answer(&line), Id::of_answer);
        // A lenient client might read an answer where we read none. While calls are open nothing of that kind passes: nobody
        // is told a result that leaves no trace. A stray print, which is no object, does.
        let looks_like_one = || line.trim_ascii_start().starts_with(b"{");
        if message.is_none() && id.is_none() && looks_like_one() && locked(&self.in_flight).is_watching() {
            tracing::error!("dropped a line of the server that is not JSON, and might be the answer to an open call");
            return Handling::Now(ToClient::Drop);
        }
        if id.as_ref().is_some_and(|id| !locked(&self.in_flight).expects(id)) {
            tracing::warn!("dropped an answer of the server to a request that it was not asked, or not here");
            return Handling::Now(ToClient::Drop);
        }
        let watched = id.as_ref().and_then(|id| locked(&self.in_flight).answered(id));
        let opening = match watched {
            Some(Watched::Opening(era)) => Some(era),
            _ => None,
        };
        // What goes on is what is committed to: without members that only a verifier may write.
        let clean = message.and_then(without_ours);
        let end = self.end_of(watched, clean.as_ref().or(message));
        let offer = opening.zip(clean.as_ref().or(message));
        let offer = offer.and_then(|(era, answer)| extension::with_offer(answer, era, self.gate.offer()));
        let written: Option<Bytes> = offer.or(clean).map(|new| new.to_canonical().into());
        // Receipts go into the text, which is otherwise sent on as it came. An answer to an opening is no call's.
        let place = match (&end, message) {
            (End::Now(_), Some(message)) => match &written {
                None => Place::of(&line, message),
                Some(written) => json::parse(written).ok().and_then(|message| Place::of(written, &message)),
            },
            _ => None,
        };
        let text = written.clone().unwrap_or(line);
        let passed = written.map_or(ToClient::Pass, ToClient::Replace);
        let gate = self.gate.clone();
        match end {
            End::Not => Handling::Now(passed),
            End::Later(task, call) => Handling::later(async move {
                gate.task_begun(&task, call).await;
                passed
            }),
            End::Now(ended) => Handling::later(async move {
                let mut receipts = Vec::new();
                for (call, outcome) in ended {
                    let Err(error) = gate.outcome(call.call, outcome).await else {
                        if place.is_some() {
                            receipts.extend(gate.receipt(&call, outcome).await);
                        }
                        continue;
                    };
                    tracing::error!("the outcome of call {} is not written: {error}", call.call);
                    // A notification has no id, and nobody to tell that there is no trace of it.
                    return id.map_or(ToClient::Drop, |id| {
                        let refusal = Reason::OutcomeNotLogged.into();
                        ToClient::Replace(reply::refuse(Some(&id.to_value()), &refusal, gate.shape()).into())
                    });
                }
                let carried: Vec<_> =
                    receipts.iter().map(|made| Carried { receipt: &made.receipt, proof: &made.proof }).collect();
                match place.filter(|_| !carried.is_empty()) {
                    Some(place) => ToClient::Replace(place.put(&text, &carried).into()),
                    None => passed,
                }
            }),
        }
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        let left = locked(&self.in_flight).drain();
        let calls = left.into_iter().filter_map(|(id, watched)| match watched {
            Watched::Call { call, .. } => Some((id, call)),
            Watched::Opening(_) | Watched::Task(..) => None,
        });
        let (ids, calls): (Vec<Id>, Vec<Call>) = calls.unzip();
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.lost(&calls).await;
            let refusal = Refusal::from(Reason::ServerGone);
            ids.iter().map(|id| reply::refuse(Some(&id.to_value()), &refusal, gate.shape()).into()).collect()
        })
    }
}
