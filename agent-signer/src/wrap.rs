//! In front of one MCP server of the agent, over stdio: each `tools/call` goes out with its proof.

use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attest_core::digest::{Digest, Salt};
use attest_core::entry::Status;
use attest_core::json::Value;
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{Message, RequestError, classify};
use attest_core::response::Outcome;
use bytes::Bytes;
use mcp_relay::stdio::{self, Client};
use mcp_relay::{BoxFuture, Exit, Handling, Id, InFlight, Interceptor, Kind, ToClient, ToServer};
use tokio::sync::Mutex as AsyncMutex;

use crate::launch::Target;
use crate::link::{Link, LinkError};
use crate::wire::{self, Ended, Signed};

/// Why a wrap could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// No signer.
    #[error("{0}")]
    Signer(String),
    /// The relay failed.
    #[error(transparent)]
    Relay(#[from] stdio::RelayError),
}

/// Runs `server` with every call to it signed, for the client on our own standard input and output, until it ends.
pub async fn run(target: Target, audience: String, server: Command) -> Result<Exit, WrapError> {
    let line = Line { target, audience, link: Mutex::default(), opening: AsyncMutex::default() };
    // A wrap whose agent cannot be attested says so at once, and not at the first call.
    line.link().await.map_err(|e| WrapError::Signer(e.to_string()))?;
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    let line = Arc::new(line);
    let wrap = Wrap { line: line.clone(), calls: Arc::default() };
    let exit = stdio::run(server, client, wrap, stdio::Options::default()).await;
    // How the last calls ended is still on its way to the signer.
    if let Some(link) = line.current() {
        link.close().await;
    }
    Ok(exit?)
}

/// The line to the signer, opened again when the signer has gone away.
struct Line {
    target: Target,
    audience: String,
    link: Mutex<Option<Arc<Link>>>,
    opening: AsyncMutex<()>,
}

impl Line {
    /// The open link, if there is one.
    fn current(&self) -> Option<Arc<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|link| !link.is_gone())
    }

    async fn link(&self) -> Result<Arc<Link>, LinkError> {
        // One call opens the link, the others wait for it.
        let _opening = self.opening.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let link = Arc::new(Link::open(&self.target, Some(&self.audience)).await?);
        tracing::info!(agent = link.welcome.agent, context = link.welcome.context, "signer found");
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        Ok(link)
    }

    /// What becomes of a call: signed, or refused with the line for the client.
    async fn sign(&self, line: Bytes) -> Result<Signed, Option<Bytes>> {
        // A signer that went away between two calls is started again. One that is just dying still takes a connection, and
        // then hangs up: so three tries.
        for _ in 0..3 {
            let link = match self.link().await {
                Ok(link) => link,
                Err(LinkError::Io(error)) => {
                    tracing::info!("the signer hung up: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!("{error}");
                    return Err(None);
                }
            };
            match link.ask(wire::Kind::Call, line.clone()).await {
                Some(frame) if frame.kind == wire::Kind::Signed => {
                    return Signed::from_payload(frame.payload).ok_or(None);
                }
                Some(frame) => return Err(Some(frame.payload)),
                None => {}
            }
        }
        Err(None)
    }
}

struct Wrap {
    line: Arc<Line>,
    calls: Arc<Calls>,
}

type Calls = Mutex<InFlight<(Digest, Salt)>>;

fn locked(calls: &Calls) -> MutexGuard<'_, InFlight<(Digest, Salt)>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(id: Option<&Value<'_>>, refusal: &Refusal) -> Handling<ToServer> {
    Handling::Now(ToServer::Reply(reply::refuse(id, refusal, Shape::Error).into()))
}

/// Tells the signer how a call ended. Where the signer is gone, its log has the call open and marks it unknown.
fn tell_end(line: &Line, call: Digest, outcome: Outcome) {
    let ended = Ended {
        call: call.to_b64(),
        status: outcome.status.as_str().to_owned(),
        result: outcome.digest.map(Digest::to_b64),
    };
    if let (Some(link), Ok(payload)) = (line.current(), serde_json::to_vec(&ended)) {
        link.tell(wire::Kind::Ended, payload.into());
    }
}

impl Interceptor for Wrap {
    fn client_message(&self, line: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        let shown = message.as_object().and_then(|m| m.get("id"));
        match classify(message) {
            Ok(Message::Call(_)) => {}
            Ok(Message::Other) => {
                // Whatever has an id may be answered, a request by the letter or not; only a response is not.
                let answered = match Kind::of(message) {
                    Kind::Response { .. } => None,
                    _ => shown.and_then(Id::of),
                };
                let taken = answered.is_some_and(|id| locked(&self.calls).pass(id).is_err());
                return if taken { refused(shown, &Reason::BadRequest.into()) } else { Handling::Now(ToServer::Pass) };
            }
            Err(RequestError::NoId) => {
                tracing::warn!("dropped a tools/call without an id: nobody could be told its outcome");
                return Handling::Now(ToServer::Drop);
            }
            Err(error) => return refused(shown, &error.into()),
        }
        let Some(id) = shown.and_then(Id::of) else { return refused(shown, &Reason::BadRequest.into()) };
        if locked(&self.calls).reserve(id.clone()).is_err() {
            return refused(shown, &Reason::BadRequest.into());
        }
        let (signer, calls) = (self.line.clone(), self.calls.clone());
        Handling::later(async move {
            match signer.sign(line).await {
                Ok(signed) => {
                    locked(&calls).open(id, (signed.call, signed.salt));
                    ToServer::Forward(signed.line)
                }
                Err(reply) => {
                    locked(&calls).release(&id);
                    let gone = || reply::refuse(Some(&id.to_value()), &Reason::SignerGone.into(), Shape::Error).into();
                    ToServer::Reply(reply.unwrap_or_else(gone))
                }
            }
        })
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let id = message.map_or_else(|| Id::of_opaque_answer(&line), Id::of_answer);
        let call = id.and_then(|id| locked(&self.calls).answered(&id));
        let Some((call, salt)) = call else {
            return Handling::Now(ToClient::Pass);
        };
        let outcome = Outcome::of(message, &salt);
        tell_end(&self.line, call, outcome);
        Handling::Now(ToClient::Pass)
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        for (_, (call, _)) in locked(&self.calls).drain() {
            tell_end(&self.line, call, Outcome { status: Status::Unknown, digest: None });
        }
        Box::pin(std::future::ready(Vec::new()))
    }
}
