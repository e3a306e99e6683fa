//! What a client is shown of an answer that does not stream.

use attest_core::json;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::exchange::Open;
use super::headers::plain_type;
use super::relay::Exchanges;
use super::{Response, answer};
use crate::{Handling, Interceptor as _, ToClient};

impl<S, E: Exchanges> Open<S, E> {
    /// What the client is shown of an answer; an error is the request to send in place of the one it answers.
    pub async fn settle(&self, mut head: http::response::Parts, body: Bytes) -> Result<Response, Bytes> {
        if !plain_type(&mut head.headers) {
            head.headers.remove(CONTENT_TYPE);
        }
        let is_text = !head.status.is_success() && !is_json(&head.headers);
        let shown = if body.iter().all(u8::is_ascii_whitespace) {
            Some(body)
        } else if !is_text && !is_object(&body) {
            // A batch nobody asked for: some clients read the answers to other requests out of it.
            tracing::warn!("dropped an answer of the server that is no JSON object");
            None
        } else {
            let value = json::parse(&body).ok();
            let handling = self.interceptor.server_message(body.clone(), value.as_ref());
            drop(value);
            match settled(handling).await {
                ToClient::Pass => Some(body),
                ToClient::Replace(line) => Some(line),
                ToClient::Resend(line) => return Err(line),
                ToClient::Drop => None,
            }
        };
        // Whatever it was, it is the last of this exchange.
        let left = self.interceptor.server_gone(None).await.into_iter().next();
        let shown = match (left, shown) {
            // A status that says why there is no answer says more than we could.
            (Some(line), _) if head.status.is_success() => return Ok(answer::message(line)),
            (_, Some(shown)) => shown,
            (_, None) => Bytes::new(),
        };
        Ok(Response::from_parts(head, answer::whole(shown)))
    }
}

pub(super) async fn settled(handling: Handling<ToClient>) -> ToClient {
    match handling {
        Handling::Now(result) => result,
        Handling::Later(result) => result.await,
    }
}

/// As generous as the most generous client: what any of them reads as events is read as events here.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let types = headers.get_all(CONTENT_TYPE).iter();
    types
        .into_iter()
        .any(|value| value.as_bytes().to_ascii_lowercase().windows(17).any(|at| at == b"text/event-stream"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.to_ascii_lowercase().ends_with(b"json")
}

/// Whether the text begins as a JSON object does.
pub(super) fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}
