//! A stdio server made of a remote one: lines in, HTTP exchanges out, lines back.
//!
//! A host that starts its servers as processes gets one that speaks Streamable HTTP. Each message of the host becomes an
//! exchange of its own, and whatever comes back, as JSON or as a stream of events, becomes lines. Both eras of MCP are
//! served, told apart by message: a request that says its protocol version in `params._meta` is of 2026-07-28 or later and
//! stands for itself; all else belongs to the session that `initialize` began.
//!
//! What the host may rely on:
//! - Nothing overtakes `initialize` or `notifications/initialized`. Other messages are under way at the same time.
//! - Each request gets one answer: the server's, or an error with code -32000 that says what went wrong and what to do. A
//!   cancelled request of the later era gets none, and its exchange is closed; one of the earlier era may get the server's.
//! - Where the answer's connection breaks, the earlier era's streams are resumed (`Last-Event-ID`), a bounded number of
//!   times. The later era has no resumption.
//! - Every line out is one JSON text. An answer that holds line breaks is written in canonical form.
//!
//! Not served: the transport of 2024-11-05 (HTTP+SSE), redirects, and the exclusion of tools with malformed `x-mcp-header`
//! annotations; such a list passes as it is and the malformed annotation is ignored.

mod call;
mod events;
mod exchange;
mod failure;
mod front;
mod input;
mod listen;
mod message;
mod mirror;
mod open;
mod output;
mod session;
mod wire;

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_service::Service;

use super::{BoxError, Request, Response};
use front::{Context, Front};
use session::Sessions;
use wire::Wire;

/// Lines that wait for the host to read. A full queue slows the streams down that they come from.
const QUEUE: usize = 16;

/// Where a bridge leads, and its limits.
#[derive(Clone, Debug)]
pub struct BridgeOptions {
    /// The server's MCP endpoint, absolute.
    pub url: Uri,
    /// Most requests without an answer. With that many, a further request is the last line that is read until one is
    /// answered.
    pub in_flight: NonZeroUsize,
    /// Most bytes in a line of the host, ending not counted; a longer one is refused.
    pub line_limit: usize,
    /// Most bytes in a message of the server; a longer one fails its request.
    pub answer_limit: usize,
    /// How long, once the host has closed its end, open requests may take, and then again the last lines and the end of
    /// the session.
    pub grace: Duration,
    /// Attempts to resume a broken stream, one after the other without a single event.
    pub tries: u32,
    /// How long to wait before the first such attempt where the server's `retry` does not say; doubles with each.
    pub retry: Duration,
    /// The file in which a person sets address and headers, for messages.
    pub settings: &'static str,
    /// Where it is written down what the bridge itself answers.
    pub own_words: OwnWords,
}

/// The answers that are a bridge's own and no server's, for whoever reads its lines and tells the two apart: a server could
/// say the same of itself.
#[derive(Clone, Debug, Default)]
pub struct OwnWords(Arc<Mutex<HashSet<Bytes>>>);

impl OwnWords {
    fn say(&self, line: Bytes) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone());
        line
    }

    /// Whether the bridge said this line, each time it did so once.
    pub fn take(&self, line: &[u8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(line)
    }
}

impl BridgeOptions {
    /// The usual limits: those of [`stdio::Options`](crate::stdio::Options), five attempts from half a second on.
    pub fn new(url: Uri) -> Self {
        let stdio = crate::stdio::Options::default();
        Self {
            url,
            in_flight: stdio.in_flight,
            line_limit: stdio.client_line_limit,
            answer_limit: stdio.server_line_limit,
            grace: stdio.grace,
            tries: 5,
            retry: Duration::from_millis(500),
            settings: "agent.toml",
            own_words: OwnWords::default(),
        }
    }
}

/// Why a bridge ended before the host closed its end. The server's failures are answers, not errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The host's lines could not be read.
    #[error("cannot read the host's messages: {0}")]
    Input(#[source] io::Error),
    /// The host reads no more.
    #[error("cannot write to the host: {0}")]
    Output(#[source] io::Error),
}

/// Makes an exchange with `service` of each line of `lines_in`, and writes what comes back to `lines_out`, until
/// `lines_in` ends.
///
/// Open requests then have [`BridgeOptions::grace`] to be answered, and a session is ended with DELETE. Must be called in
/// a tokio runtime with time enabled. If the returned future is dropped, all exchanges are, and the session is left to the
/// server to forget.
pub async fn run<S>(
    lines_in: impl AsyncRead + Send,
    lines_out: impl AsyncWrite + Send,
    service: S,
    options: BridgeOptions,
) -> Result<(), BridgeError>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    let wire = Wire::new(service, options.url.clone());
    let sessions = Arc::new(Sessions::default());
    let grace = options.grace;
    let (out, queue) = mpsc::channel(QUEUE);
    // Held until the session is ended: whoever sees the end of the lines may end the process.
    let last = out.clone();
    let context = Context::new(wire.clone(), sessions.clone(), out, options);
    let front = async {
        let read = Front::new(context).run(lines_in).await;
        end_session(&sessions, &wire, grace).await;
        drop(last);
        read
    };
    let outcome = relay(front, output::write(lines_out, queue), grace).await;
    // The host read no more before all was said.
    end_session(&sessions, &wire, grace).await;
    outcome
}

/// Tells the server that the session, if there is one, is over.
async fn end_session<S>(sessions: &Sessions, wire: &Wire<S>, grace: Duration)
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    if let Some(session) = sessions.take() {
        // A server that does not answer forgets the session by itself. There is nobody left to tell.
        let _ = timeout(grace, wire.delete(session.headers())).await;
    }
}

/// Runs both sides to the end of either.
async fn relay(
    front: impl Future<Output = io::Result<()>>,
    writer: impl Future<Output = io::Result<()>>,
    grace: Duration,
) -> Result<(), BridgeError> {
    let mut writer = pin!(writer);
    let read = tokio::select! {
        written = &mut writer => return written.map_err(BridgeError::Output),
        read = front => read,
    };
    // A host that has closed its end and does not read either would keep us for ever.
    let written = timeout(grace, writer).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    read.map_err(BridgeError::Input).and(written.map_err(BridgeError::Output))
}
