//! The line from a wrap to its signer, opened again when the signer has gone away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::digest::Digest;
use attest_core::labels::Labels;
use attest_core::receipt::Verdict;
use attest_core::response::Outcome;
use attest_trail::{How, Judged};
use bytes::Bytes;
use mcp_relay::http::PeerKey;
use tokio::sync::Mutex as AsyncMutex;

use crate::launch::Target;
use crate::lineage::{Saw, Seen};
use crate::link::{Demand, Link, LinkError};
use crate::wire::{self, Checked, Ended, Passing, Signed, Trailing};

/// The line.
pub(crate) struct Line {
    target: Target,
    audience: String,
    how: How,
    /// The TLS key of a remote server, and what the signer was told of it.
    peer: PeerKey,
    told: Mutex<Option<Arc<[u8]>>>,
    link: Mutex<Option<Arc<Link>>>,
    /// What the signer that was found last asks of receipts: answers come also when it has gone away meanwhile.
    demand: Mutex<Arc<Demand>>,
    /// What its trail asks for, for the same reason.
    trail: Mutex<Trailing>,
    /// What the host has seen by this wrap, for a signer that was started anew; and the labels of what has no receipt.
    seen: Mutex<Seen>,
    unvouched: Mutex<Option<Labels>>,
    opening: AsyncMutex<()>,
}

impl Line {
    /// A line to the signer at `target`, whose calls are made out to `audience`. Fails where there is no signer: a wrap
    /// whose agent cannot be attested says so at once, and not at the first call.
    pub async fn open(target: Target, audience: String, how: How, peer: PeerKey) -> Result<Self, LinkError> {
        let line = Self {
            target,
            audience,
            how,
            peer,
            told: Mutex::default(),
            link: Mutex::default(),
            demand: Mutex::new(Arc::new(Demand::Nothing)),
            trail: Mutex::default(),
            seen: Mutex::default(),
            unvouched: Mutex::default(),
            opening: AsyncMutex::default(),
        };
        // One that is just ending still takes a connection, and then hangs up; the next try starts another.
        for _ in 0..2 {
            match line.link().await {
                Err(LinkError::Io(error)) => tracing::info!("the signer hung up: {error}"),
                opened => return opened.map(|_| line),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        line.link().await?;
        Ok(line)
    }

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
        let link = Arc::new(Link::open(&self.target, Some((&self.audience, &self.how))).await?);
        tracing::info!(agent = link.welcome.agent, context = link.welcome.context, "signer found");
        *self.demand.lock().unwrap_or_else(PoisonError::into_inner) = link.demand.clone();
        *self.trail.lock().unwrap_or_else(PoisonError::into_inner) = link.welcome.trail;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let unvouched = link.welcome.labels.as_ref().map(|labels| Labels::of(labels).unwrap_or(Labels::Every));
        let keeps = unvouched.is_some();
        *self.unvouched.lock().unwrap_or_else(PoisonError::into_inner) = unvouched;
        // A new signer has a new context; the host still knows what it knew.
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner).all();
        if keeps && !all.is_empty() {
            link.saw(&all).await.ok_or(LinkError::Io(std::io::ErrorKind::UnexpectedEof.into()))?;
        }
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        Ok(link)
    }

    /// What becomes of a message: signed, or refused with the line for the client. `kind` is one of the two that ask.
    /// `exchange` keeps apart requests of the same id over HTTP.
    pub async fn sign(&self, exchange: u64, message: &Bytes, kind: wire::Kind) -> Result<Signed, Option<Bytes>> {
        self.signed(kind, wire::call_payload(exchange, message)).await
    }

    /// The same again, for a verifier that asked for more.
    pub async fn sign_again(&self, again: &wire::Again) -> Result<Signed, Option<Bytes>> {
        self.signed(wire::Kind::CallAgain, again.to_payload()).await
    }

    async fn signed(&self, kind: wire::Kind, payload: Bytes) -> Result<Signed, Option<Bytes>> {
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
            match link.ask(kind, payload.clone()).await {
                Some(frame) if frame.kind == wire::Kind::Signed => {
                    return Signed::from_payload(frame.payload).ok_or(None);
                }
                Some(frame) => return Err(Some(frame.payload)),
                None => {}
            }
        }
        Err(None)
    }

    /// What is asked of receipts.
    pub fn demand(&self) -> Arc<Demand> {
        self.demand.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The labels of what this server says without a receipt; `None` where nothing is kept of what was seen.
    pub fn unvouched(&self) -> Option<Labels> {
        self.unvouched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells the signer what the host is about to see; whether that was taken note of. The next call, to whichever server, is made by
    /// somebody who knows it.
    pub async fn saw(&self, saw: &Saw) -> bool {
        if saw.is_empty() || self.unvouched().is_none() {
            return true;
        }
        // What this wrap told before needs no telling: a signer that was started since then was told all of it.
        let new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(saw);
        match (new, self.current()) {
            (false, Some(_)) => true,
            _ => match self.link().await {
                Ok(link) => link.saw(saw).await.is_some(),
                Err(error) => {
                    tracing::error!("{error}");
                    false
                }
            },
        }
    }

    /// What the signer's trail asks for.
    pub fn trail(&self) -> Trailing {
        *self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the trail a message. Where the signer is gone nobody is shown it; what needs the signer does not pass then.
    pub fn show(&self, passing: &Passing) {
        if let Some(link) = self.current() {
            self.meet(&link);
            link.tell(wire::Kind::Passing, passing.to_payload());
        }
    }

    /// Tells which key the server showed, before anything that it said under it.
    fn meet(&self, link: &Link) {
        let Some(key) = self.peer.get() else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != Some(&key) {
            link.tell(wire::Kind::Met, Bytes::copy_from_slice(&key));
            *told = Some(key);
        }
    }

    /// Asks the trail what is to become of a message.
    pub async fn judged(&self, passing: &Passing) -> Judged {
        let Ok(link) = self.link().await else { return Judged::Unwritten };
        self.meet(&link);
        let answer = link.ask(wire::Kind::Passing, passing.to_payload()).await;
        answer.and_then(|frame| Judged::from_byte(*frame.payload.first()?)).unwrap_or(Judged::Unwritten)
    }

    /// Tells the signer how a call ended, and what became of its receipt where one was asked for. Where the signer is gone,
    /// its log has the call open and marks it unknown.
    pub fn ended(&self, call: Digest, outcome: Outcome, receipt: Option<&Verdict>) {
        let ended = Ended {
            call: call.to_b64(),
            status: outcome.status.as_str().to_owned(),
            result: outcome.digest.map(Digest::to_b64),
            receipt: receipt.map(Checked::of),
        };
        if let (Some(link), Ok(payload)) = (self.current(), serde_json::to_vec(&ended)) {
            link.tell(wire::Kind::Ended, payload.into());
        }
    }

    /// Waits until all that was said has left: how the last calls ended.
    pub async fn close(&self) {
        if let Some(link) = self.current() {
            link.close().await;
        }
    }
}
