//! The stream of a session that belongs to no request: what a server of the earlier era says of its own accord.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use super::events::{Cursor, Events};
use super::exchange::{Kind, Place};
use super::failure::Failure;
use super::front::Context;
use super::message;
use super::session::Session;
use crate::http::encode::LAST_EVENT;
use crate::http::{BoxError, Request, Response};

/// A stream that lasts this long without a word is in order: something on the way ends idle connections.
const STEADY: Duration = Duration::from_secs(10);
/// Shortest wait between two attempts, whatever the server asks for: each may bring one event and end.
const SHORTEST: Duration = Duration::from_millis(20);
/// Longest wait of ours between two attempts; the server's own may be longer.
const LONGEST: Duration = Duration::from_secs(30);

impl<S> Context<S>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Passes what the server says, until the session is over or the stream cannot be had.
    pub async fn listen(&self, session: Arc<Session>) {
        let lost = tokio::select! {
            biased;
            () = session.over() => false,
            failure = self.listen_on(session.clone()) => matches!(failure, Failure::SessionLost(_)),
        };
        if lost {
            self.lose(&session).await;
        }
    }

    async fn listen_on(&self, session: Arc<Session>) -> Failure {
        let place = Place { headers: session.headers(), session: Some(session) };
        let mut cursor = Cursor::default();
        let mut tries = 0;
        loop {
            let opened = Instant::now();
            match self.open_stream(&place, &cursor).await {
                Ok(mut events) => {
                    while let Ok(Some(text)) = events.next(&mut cursor).await {
                        tries = 0;
                        match message::read(&text, None) {
                            _ if text.is_empty() => {}
                            Ok(incoming) => self.pass(incoming).await,
                            Err(message::NotOneLine) => {
                                tracing::warn!("a message with line breaks that is not strict JSON is dropped");
                            }
                        }
                    }
                    if opened.elapsed() >= STEADY {
                        tries = 0;
                    }
                }
                // The server has no such stream, which is its right.
                Err(failure @ Failure::Status(StatusCode::METHOD_NOT_ALLOWED)) => return failure,
                Err(failure @ Failure::SessionLost(_)) => return failure,
                Err(failure) => tracing::debug!(failure = failure.message(&self.options), "no stream from the server"),
            }
            if tries >= self.options.tries {
                tracing::warn!("the server's own messages do not arrive any more: its stream keeps breaking");
                return Failure::NotResumed;
            }
            self.pause(&cursor, tries).await;
            tries += 1;
        }
    }

    /// Asks for a stream, from where `cursor` stands.
    pub async fn open_stream(&self, place: &Place, cursor: &Cursor) -> Result<Events, Failure> {
        let mut headers = place.headers.clone();
        if let Some(last) = &cursor.last {
            headers.insert(LAST_EVENT, last.clone());
        }
        let response = self.wire.get(headers).await.map_err(Failure::Unreachable)?;
        let status = response.status();
        if place.is_lost(status) {
            return Err(Failure::SessionLost(place.session.clone()));
        }
        match Kind::of(&response) {
            Kind::Events => Ok(Events::new(response.into_body(), self.options.answer_limit)),
            Kind::Json | Kind::Other => Err(Failure::Status(status)),
        }
    }

    /// Waits before an attempt to open a stream again, as the server asks or by doubling.
    pub async fn pause(&self, cursor: &Cursor, tries: u32) {
        let doubled = self.options.retry.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST);
        sleep(cursor.retry.unwrap_or(doubled).max(SHORTEST)).await;
    }
}
