//! The trail alone: everything passes as it came, and is written down.

use std::sync::Arc;

use attest_core::digest::Digest;
use attest_core::json::Value;
use bytes::Bytes;
use mcp_relay::http::PeerKey;
use mcp_relay::{Handling, Id, Interceptor, Kind, ToClient, ToServer};

use crate::judged::Judged;
use crate::observer::Draft;
use crate::session::Session;

/// Sees the one connection of a session.
pub struct Audit {
    session: Arc<Session>,
    peer: PeerKey,
}

/// That connection.
const EXCHANGE: u64 = 0;

impl Audit {
    /// Of this session; `peer` tells the TLS key of a remote server.
    pub fn new(session: Arc<Session>, peer: PeerKey) -> Self {
        Self { session, peer }
    }
}

impl Interceptor for Audit {
    fn client_message(&self, _: Bytes, message: &Value<'_>) -> Handling<ToServer> {
        self.session.asked(EXCHANGE, message, None, Handling::Now(ToServer::Pass))
    }

    fn server_message(&self, line: Bytes, message: Option<&Value<'_>>) -> Handling<ToClient> {
        let met = self.peer.get().and_then(|key| self.session.met(&key));
        self.session.answered(EXCHANGE, line, message, met, Handling::Now(ToClient::Pass))
    }
}

impl Session {
    /// Writes a message of the host down, and says what becomes of it; `to` is what would without the trail.
    pub fn asked(
        self: &Arc<Self>,
        exchange: u64,
        message: &Value<'_>,
        call: Option<Digest>,
        to: Handling<ToServer>,
    ) -> Handling<ToServer> {
        let drafts = self.client(exchange, message, call);
        if drafts.is_empty() {
            return to;
        }
        let id = match Kind::of(message) {
            Kind::Request { id, .. } => Some(id),
            _ => None,
        };
        let session = self.clone();
        Handling::later(async move {
            let judged = Judged::of(&session.record(drafts).await);
            // What does not pass is not begun either.
            match judged.refuses() {
                None => resolved(to).await,
                Some(_) => judged.request(id.as_ref(), ToServer::Drop),
            }
        })
    }

    /// Writes a message of the server down, and before it what was met with it; says what the host gets; `to` is what it would without the trail.
    pub fn answered(
        self: &Arc<Self>,
        exchange: u64,
        line: Bytes,
        message: Option<&Value<'_>>,
        met: Option<Draft>,
        to: Handling<ToClient>,
    ) -> Handling<ToClient> {
        let mut drafts = self.server(exchange, &line, message);
        drafts.splice(0..0, met);
        if drafts.is_empty() {
            return to;
        }
        let id = message.and_then(Id::of_answer).or_else(|| Id::of_opaque_answer(&line));
        let session = self.clone();
        Handling::later(async move {
            let to = resolved(to).await;
            Judged::of(&session.record(drafts).await).answer(id.as_ref(), &line, to)
        })
    }
}

async fn resolved<T>(handling: Handling<T>) -> T {
    match handling {
        Handling::Now(value) => value,
        Handling::Later(later) => later.await,
    }
}
