//! The gate on the way of messages: what of them is a call, what answers it, and what a client is told.

use std::sync::{Arc, OnceLock};

use attest_core::digest::Salt;
use attest_core::extension;
use attest_core::json::{self, Value};
use attest_core::labels::Labels;
use attest_core::receipt::{Carried, Place};
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request;
use attest_core::response::{Outcome, without_ours};
use attest_core::task;
use attest_core::watched::{About, Watched};
use bytes::Bytes;
use mcp_relay::{
    BoxFuture, Defect, Exit, Handling, Id, InFlight, Interceptor, Kind, Taken, ToClient, ToServer, might_answer,
};

use crate::admission::Admission;
use crate::attested::{Attested, Calls};
use crate::gate::{Call, Gate};
use crate::held::{self, Cancelled, Owner};
use crate::rules::Rules;

/// Sees every message between a client and the server behind the gate: on one connection over stdio, or of one exchange
/// over HTTP.
pub struct Guard {
    gate: Arc<Gate>,
    in_flight: InFlight<Watched<Open>>,
    attested: Arc<OnceLock<Attested>>,
    /// Names it to the trail: ids of requests are its own.
    exchange: u64,
    /// Whose the ids of its requests are.
    owner: Owner,
}

/// A call that was let through and has no answer yet.
#[derive(Debug)]
pub(crate) struct Open {
    pub call: Call,
    pub attested: Attested,
}

/// What an answer, or a notification, says of how a call ended.
type Ended = (Call, Outcome);

impl Guard {
    /// A guard of one connection, or of one exchange.
    pub fn new(gate: Arc<Gate>) -> Self {
        let exchange = gate.next_exchange();
        let owner = Owner::Connection(exchange);
        Self { gate, in_flight: InFlight::default(), attested: Arc::default(), exchange, owner }
    }

    /// A guard of one exchange of a session, whose requests are cancelled by other exchanges.
    pub(crate) fn of_session(gate: Arc<Gate>, session: &[u8]) -> Self {
        Self { owner: Owner::Session(session.into()), ..Self::new(gate) }
    }

    /// The call that was let through, over HTTP: there an exchange has one.
    pub(crate) fn attested(&self) -> Option<Attested> {
        self.attested.get().cloned()
    }

    /// The calls that were let through and have no answer yet.
    pub(crate) fn calls(&self) -> Calls {
        Calls::new(self.in_flight.clone())
    }

    fn refuse(&self, rules: Arc<Rules>, id: Option<&Value<'_>>, refusal: Refusal) -> Handling<ToServer> {
        self.refuse_and(rules, refusal.reason != Reason::NoId, id, refusal)
    }

    /// A refusal that is answered, or not, as that of a notification.
    fn refuse_and(
        &self,
        rules: Arc<Rules>,
        answer: bool,
        id: Option<&Value<'_>>,
        refusal: Refusal,
    ) -> Handling<ToServer> {
        let reply = reply::refuse(id, &refusal, rules.shape);
        let gate = self.gate.clone();
        Handling::later(async move {
            gate.refused(&rules, &refusal).await;
            if answer { ToServer::Reply(reply.into()) } else { ToServer::Drop }
        })
    }

    /// A message that needs no proof.
    fn pass(&self, rules: Arc<Rules>, message: &Value<'_>) -> Handling<ToServer> {
        match self.in_flight.pass(message, || Watched::unsigned(message, |task| self.waits(task))) {
            Ok(()) => match self.gate.trail() {
                Some(trail) => trail.asked(self.exchange, message, None, Handling::Now(ToServer::Pass)),
                None => Handling::Now(ToServer::Pass),
            },
            Err(Taken) => self.refuse(rules, message.as_object().and_then(|m| m.get("id")), Reason::BadRequest.into()),
        }
    }

    /// Whether a call waits for the end of this task.
    fn waits(&self, task: &str) -> bool {
        self.gate.salt_of_task(task).is_some()
    }

    fn admit(
        &self,
        rules: Arc<Rules>,
        line: Bytes,
        call: &request::Call<'_, '_>,
        message: &Value<'_>,
    ) -> Handling<ToServer> {
        let shown = call.id();
        let Ok(place) = self.in_flight.reserve(message) else {
            return self.refuse(rules, shown, Reason::BadRequest.into());
        };
        // Only a notification has none.
        let answered = place.id().is_some();
        let accepted = match self.gate.check(&rules, call) {
            Ok(accepted) => accepted,
            Err(refusal) => return self.refuse_and(rules, answered, shown, refusal),
        };
        let about = About::of(message, |task| self.waits(task));
        let (gate, attested, exchange) = (self.gate.clone(), self.attested.clone(), self.exchange);
        let admission = Admission { gate, attested, place, about, exchange };
        match self.gate.judge(&rules, call, &accepted) {
            Ok(passed) => admission.go_on(rules, accepted, passed, message),
            Err(refused) => held::hold(admission, &self.owner, line, rules, &accepted, refused),
        }
    }

    /// What `message` came to, if it takes a request back.
    fn cancel(&self, message: &Value<'_>) -> Cancelled {
        let Kind::Notification { method: "notifications/cancelled" } = Kind::of(message) else {
            return Cancelled::Nothing;
        };
        let params = message.as_object().and_then(|message| message.get("params")).and_then(Value::as_object);
        match params.and_then(|params| params.get("requestId")).and_then(Id::of) {
            Some(id) => self.gate.holds.cancel(&self.owner, id),
            None => Cancelled::Nothing,
        }
    }

    /// The end of a call, if `message` tells it, and the task that ended with it. `message` is `None` in place of one that
    /// has no canonical form.
    fn end_of(&self, watched: Option<Watched<Open>>, message: Option<&Value<'_>>) -> End {
        match watched {
            Some(Watched::Call { call: Open { call, .. }, about }) => match message.and_then(task::created) {
                Some(id) => End::Later(id.to_owned(), call),
                None => {
                    let outcome = Outcome::of(message, &call.salt);
                    let of_task = about.and_then(|about| self.end_asked(&about, message));
                    End::Now(std::iter::once((call, outcome)).chain(of_task).collect())
                }
            },
            Some(Watched::Task(about)) => self.end_asked(&about, message).map_or(End::Not, |end| End::Now(vec![end])),
            Some(Watched::Opening(_)) => End::Not,
            None => {
                let told = message.and_then(|m| Some((task::told(m)?, m)));
                told.and_then(|(id, m)| self.end_of_task(id, |salt| task::outcome_told(m, salt)))
                    .map_or(End::Not, |end| End::Now(vec![end]))
            }
        }
    }

    fn end_asked(&self, about: &About, answer: Option<&Value<'_>>) -> Option<Ended> {
        self.end_of_task(&about.task, |salt| about.outcome(answer, salt))
    }

    fn end_of_task(&self, id: &str, outcome: impl FnOnce(&Salt) -> Option<Outcome>) -> Option<Ended> {
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

impl Interceptor for Guard {
    fn client_message(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        match self.cancel(message) {
            Cancelled::Nothing => self.asked(line, message),
            // The server never heard of the request, and never will.
            Cancelled::Held => Handling::Now(ToServer::Drop),
            Cancelled::OnItsWay(request) => {
                let handling = self.asked(line, message);
                Handling::later(async move {
                    request.gone().await;
                    handling.known().await
                })
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
            gate.refused(&gate.rules(), &refusal).await;
            mcp_relay::Refusal::Reply(reply.into())
        })
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let to = self.told(line.clone(), message);
        match self.gate.trail() {
            Some(trail) => trail.answered(self.exchange, line, message, None, to),
            None => to,
        }
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        let left = self.in_flight.drain().into_iter();
        let calls = left.filter_map(|(id, watched)| Some((id, watched.into_call()?.call)));
        let (ids, calls): (Vec<Id>, Vec<Call>) = calls.unzip();
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.lost(&calls).await;
            let refusal = Refusal::from(Reason::ServerGone);
            ids.iter().map(|id| reply::refuse(Some(&id.to_value()), &refusal, gate.rules().shape).into()).collect()
        })
    }
}

impl Guard {
    /// What becomes of a client's message.
    fn asked(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let rules = self.gate.rules();
        match self.gate.call(&rules, message) {
            Ok(Some(call)) => self.admit(rules, line, &call, message),
            Ok(None) => self.pass(rules, message),
            Err(refusal) => {
                let silent = matches!(Kind::of(message), Kind::Notification { method } if self.gate.cares_for(method));
                self.refuse_and(
                    rules,
                    !silent && refusal.reason != Reason::NoId,
                    message.as_object().and_then(|m| m.get("id")),
                    refusal,
                )
            }
        }
    }

    /// What the client is told of a server's message.
    fn told(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let (id, watched) = match self.in_flight.answered(&line, message) {
            Ok(answered) => answered,
            Err(stray) => {
                tracing::warn!("dropped {stray}");
                return Handling::Now(ToClient::Drop);
            }
        };
        // Nobody is told a result that leaves no trace. A call that became a task is open until that ends.
        let waiting = || self.in_flight.is_watching() || self.gate.awaits_tasks();
        if id.is_none() && might_answer(&line, message, waiting) {
            tracing::error!(
                "dropped a text of the server that is no message, and that some client might read as an answer"
            );
            return Handling::Now(ToClient::Drop);
        }
        let opening = match watched {
            Some(Watched::Opening(era)) => Some(era),
            _ => None,
        };
        // What goes on is what is committed to: without members that only a verifier may write.
        let clean = message.and_then(without_ours);
        let end = self.end_of(watched, clean.as_ref().or(message));
        let labelled = |call: &Call| self.gate.labels_of(call, clean.as_ref().or(message));
        let labels: Vec<Labels> = match &end {
            End::Now(ended) => ended.iter().map(|(call, _)| labelled(call)).collect(),
            _ => Vec::new(),
        };
        let offer = opening.zip(clean.as_ref().or(message));
        let offer = offer.and_then(|(era, answer)| extension::with_offer(answer, era, &self.gate.rules().offer));
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
                for ((call, outcome), labels) in ended.into_iter().zip(labels) {
                    let written = gate.outcome(call.call, outcome);
                    // Signed while the disk works, and handed out only if the outcome is there.
                    let receipt =
                        async { if place.is_some() { gate.receipt(&call, outcome, labels).await } else { None } };
                    let (written, receipt) = tokio::join!(biased; written, receipt);
                    let Err(error) = written else {
                        receipts.extend(receipt);
                        continue;
                    };
                    tracing::error!("the outcome of call {} is not written: {error}", call.call);
                    // A notification has no id, and nobody to tell that there is no trace of it.
                    return id.map_or(ToClient::Drop, |id| {
                        let refusal = Reason::OutcomeNotLogged.into();
                        ToClient::Replace(reply::refuse(Some(&id.to_value()), &refusal, gate.rules().shape).into())
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
}
