//! The gate in front of a server over stdio.

use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::json::Value;
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{Message, RequestError, classify};
use attest_core::response::{Outcome, without_ours};
use bytes::Bytes;
use mcp_relay::stdio::{self, Client};
use mcp_relay::{BoxFuture, Defect, Exit, Handling, Id, InFlight, Interceptor, Kind, ToClient, ToServer};

use crate::config::Config;
use crate::gate::{Call, Gate, GateError};

/// Why a guard could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The gate did not open.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The relay failed.
    #[error(transparent)]
    Relay(#[from] stdio::RelayError),
}

/// Runs `server` behind a gate, for the client on our own standard input and output, until it ends.
pub async fn run(config: Config, server: Command) -> Result<Exit, GuardError> {
    for (agent, component) in config.trust.anything_goes() {
        tracing::warn!("any {component} of the agent {agent:?} is accepted, because the configuration says \"any\"");
    }
    let options = stdio::Options {
        client_line_limit: config.max_request,
        server_line_limit: config.max_answer,
        ..stdio::Options::default()
    };
    let gate = Arc::new(Gate::open(config).await?);
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    let exit = stdio::run(server, client, Guard::new(gate.clone()), options).await;
    gate.close().await;
    Ok(exit?)
}

/// Sees every message between a client and the server behind the gate.
pub struct Guard {
    gate: Arc<Gate>,
    in_flight: Arc<Mutex<InFlight<Call>>>,
}

impl Guard {
    /// A guard of one connection.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate, in_flight: Arc::default() }
    }

    fn refuse(&self, id: Option<&Value<'_>>, refusal: Refusal) -> Handling<ToServer> {
        let reply = reply::refuse(id, &refusal, self.gate.shape());
        let gate = self.gate.clone();
        Handling::later(async move {
            gate.refused(&refusal).await;
            ToServer::Reply(reply.into())
        })
    }
}

fn locked(in_flight: &Mutex<InFlight<Call>>) -> MutexGuard<'_, InFlight<Call>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Interceptor for Guard {
    fn client_message(&self, _: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let id = message.as_object().and_then(|m| m.get("id"));
        let call = match classify(message) {
            Ok(Message::Call(call)) => call,
            Ok(Message::Other) => {
                // Whatever has an id may be answered, a request by the letter or not; only a response is not.
                let answered = match Kind::of(message) {
                    Kind::Response { .. } => None,
                    _ => id.and_then(Id::of),
                };
                let taken = answered.is_some_and(|id| locked(&self.in_flight).pass(id).is_err());
                if taken {
                    return self.refuse(id, Reason::BadRequest.into());
                }
                return Handling::Now(ToServer::Pass);
            }
            Err(error) => {
                // A call without an id is a notification, and those are not answered.
                let silent = error == RequestError::NoId;
                return match self.refuse(id, error.into()) {
                    Handling::Later(writing) if silent => Handling::later(async move {
                        writing.await;
                        ToServer::Drop
                    }),
                    handling => handling,
                };
            }
        };
        let Some(request) = call.id().and_then(Id::of) else {
            return self.refuse(id, Reason::BadRequest.into());
        };
        if locked(&self.in_flight).reserve(request.clone()).is_err() {
            return self.refuse(id, Reason::BadRequest.into());
        }
        let accepted = match self.gate.check(&call) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                locked(&self.in_flight).release(&request);
                return self.refuse(id, refusal);
            }
        };
        let (gate, in_flight) = (self.gate.clone(), self.in_flight.clone());
        Handling::later(async move {
            match gate.admit(&accepted).await {
                Ok(()) => {
                    let call = Call { call: accepted.caller.call, salt: accepted.salt };
                    locked(&in_flight).open(request, call);
                    ToServer::Forward(accepted.forward.into())
                }
                Err(refusal) => {
                    locked(&in_flight).release(&request);
                    gate.refused(&refusal).await;
                    ToServer::Reply(reply::refuse(Some(&request.to_value()), &refusal, gate.shape()).into())
                }
            }
        })
    }

    fn client_defect(&self, defect: Defect, _: Option<&Value<'_>>) -> Handling<mcp_relay::Refusal> {
        let refusal: Refusal = match defect {
            Defect::TooLong { .. } => Reason::TooLarge.into(),
            Defect::Json(error) => error.into(),
            _ => Reason::NotStrictJson.into(),
        };
        let reply = reply::refuse(None, &refusal, Shape::Error);
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
        // What goes on is what is committed to: without members that only a verifier may write.
        let clean = message.and_then(without_ours);
        let call = id.and_then(|id| {
            let call = locked(&self.in_flight).answered(&id)?;
            Some((id, call))
        });
        let outcome = |call: &Call| Outcome::of(clean.as_ref().or(message), &call.salt);
        let ended = call.map(|(id, call)| (id, outcome(&call), call));
        let passed = clean.map_or(ToClient::Pass, |clean| ToClient::Replace(clean.to_canonical().into()));
        let Some((id, outcome, call)) = ended else {
            return Handling::Now(passed);
        };
        let gate = self.gate.clone();
        Handling::later(async move {
            match gate.outcome(call.call, outcome).await {
                Ok(()) => passed,
                Err(error) => {
                    tracing::error!("the outcome of call {} is not written: {error}", call.call);
                    let refusal = Reason::OutcomeNotLogged.into();
                    ToClient::Replace(reply::refuse(Some(&id.to_value()), &refusal, gate.shape()).into())
                }
            }
        })
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        let left = locked(&self.in_flight).drain();
        let gate = self.gate.clone();
        Box::pin(async move {
            let calls: Vec<Call> = left.iter().map(|(_, call)| call.clone()).collect();
            gate.lost(&calls).await;
            let refusal = Refusal::from(Reason::ServerGone);
            left.iter().map(|(id, _)| reply::refuse(Some(&id.to_value()), &refusal, gate.shape()).into()).collect()
        })
    }
}
