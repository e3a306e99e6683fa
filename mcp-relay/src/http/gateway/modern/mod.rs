//! The era from 2026-07-28 on: no sessions, one child for all callers.

mod exchanges;
mod queue;
mod shared;
mod tools;

use std::sync::Arc;

use attest_core::json::Value;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::child::Household;
use super::edit::{Edit, edited};
use super::headers::{Accepts, mirror};
use super::options::GatewayOptions;
use super::problem::Problem;
use super::{era, replies};
use crate::Id;
use crate::http::Response;
use exchanges::Exchange;
use queue::{Inbox, Message, queue};
use shared::Shared;

/// Notifications that only mean something to one connection or session. Sent to a child that others share they would
/// name another caller's request, or change the child's state for all.
const NEVER_SHARED: [&str; 4] = [
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
];

/// Serves the modern era.
#[derive(Clone)]
pub(super) struct Modern {
    shared: Arc<Shared>,
    requests: Arc<Semaphore>,
    options: GatewayOptions,
}

/// A place among the open requests. Dropped before the answer, the child is told that nobody waits.
struct Place {
    shared: Arc<Shared>,
    number: u64,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.leave(self.number, self.permit.take());
    }
}

impl Modern {
    pub fn new(household: Arc<Household>, requests: Arc<Semaphore>, options: GatewayOptions) -> Self {
        Self { shared: Shared::new(household), requests, options }
    }

    /// Ends the child.
    pub fn close(&self) {
        self.shared.close();
    }

    /// A request.
    pub async fn request(&self, headers: &HeaderMap, message: &Value<'_>, id: Id, method: &str) -> Response {
        let accepts = Accepts::of(headers);
        if let Err(problem) = self.check(headers, message, method, accepts) {
            return problem.into_response(Some(&id));
        }
        match self.open(message, &id, method).await {
            Ok((place, inbox)) => self.respond(place, inbox, accepts, &id).await,
            Err(problem) => problem.into_response(Some(&id)),
        }
    }

    /// What a child cannot check, because it does not see the headers.
    fn check(&self, headers: &HeaderMap, message: &Value<'_>, method: &str, accepts: Accepts) -> Result<(), Problem> {
        if !accepts.json && !accepts.sse {
            return Err(Problem::NotAcceptable);
        }
        mirror(headers, message, method)?;
        if era::version(message).is_none() && method != "server/discover" {
            // Without it a child that speaks both eras might take the request for one of the other.
            return Err(Problem::NoVersion);
        }
        if method == "tools/call" { self.shared.check_mirrored(headers, message) } else { Ok(()) }
    }

    /// Sends the request to the child under a number of ours.
    async fn open(&self, message: &Value<'_>, id: &Id, method: &str) -> Result<(Place, Inbox), Problem> {
        const TOKEN: &[&str] = &["params", "_meta", "progressToken"];
        let permit = self.requests.clone().try_acquire_owned().map_err(|_| Problem::RequestsFull)?;
        let (child, lines) = self.shared.child().await?;
        // First the room for it: a caller that hangs up while it waits for that leaves no request open.
        let slot = lines.reserve().await.map_err(|_| Problem::ServerGone)?;
        let (outbox, inbox) = queue(self.options.stream_messages, self.options.stream_bytes);
        // One that is neither text nor number is no token; the server will say so, or use none.
        let token = message
            .as_object()
            .and_then(|o| o.get("params")?.as_object()?.get("_meta")?.as_object()?.get("progressToken"));
        let token = token.filter(|t| matches!(t, Value::String(_) | Value::Number(_))).map(|t| t.clone().into_owned());
        let has_token = token.is_some();
        let exchange = Exchange {
            id: id.clone(),
            token,
            listens: method == "subscriptions/listen",
            lists_tools: method == "tools/list",
            lacks_metadata: era::lacks_metadata(message),
            child,
            outbox,
        };
        let number = self.shared.open(exchange)?;
        let place = Place { shared: self.shared.clone(), number, permit: Some(permit) };
        // Exact: a gateway does not serve 2^53 requests.
        let ours = Value::Number(number as f64);
        let edits: [Edit<'_>; 2] = [(&["id"], &ours), (TOKEN, &ours)];
        let line = edited(message, if has_token { &edits } else { edits.get(..1).unwrap_or_default() });
        slot.send(line);
        Ok((place, inbox))
    }

    /// Answers as soon as it is known how: the status is the answer's where that comes first, and an event stream's
    /// otherwise.
    async fn respond(&self, place: Place, mut inbox: Inbox, accepts: Accepts, id: &Id) -> Response {
        let first = loop {
            let next = tokio::time::timeout(self.options.keep_alive, inbox.take()).await;
            match next {
                Ok(Some(Message::Answer(status, bytes))) if accepts.json => return replies::json(status, bytes),
                // Only the answer itself can go to who takes no event stream.
                Ok(Some(Message::Note(_))) | Err(_) if !accepts.sse => {}
                Ok(Some(message)) => break Some(message),
                Ok(None) => return Problem::TooSlow.into_response(Some(id)),
                Err(_silence) => break None,
            }
        };
        let rest = stream::unfold((place, inbox), |(place, mut inbox)| async move {
            let message = inbox.take().await?;
            Some((message, (place, inbox)))
        });
        let events = stream::iter(first).chain(rest).map(|message| {
            let (Message::Note(bytes) | Message::Answer(_, bytes)) = message;
            replies::event(bytes, None)
        });
        replies::event_stream(Box::pin(events), self.options.keep_alive)
    }

    /// A notification. There is none in the core protocol; those of extensions go to the child.
    pub async fn notification(&self, message: &Value<'_>, method: &str) -> Response {
        if !NEVER_SHARED.contains(&method)
            && let Err(problem) = self.send(message.to_canonical().into()).await
        {
            return problem.into_response(None);
        }
        replies::accepted()
    }

    async fn send(&self, line: Bytes) -> Result<(), Problem> {
        let _permit = self.requests.clone().try_acquire_owned().map_err(|_| Problem::RequestsFull)?;
        let (_, lines) = self.shared.child().await?;
        lines.send(line).await.map_err(|_| Problem::ServerGone)
    }
}
