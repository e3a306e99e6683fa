//! HTTP answers.

use std::time::Duration;

use attest_core::json::Value;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use sse_stream::Sse;

use crate::http::{Body, BoxError, Response};

/// The headers do not mirror the body.
pub(super) const HEADER_MISMATCH: i32 = -32020;
/// The caller did not declare a capability that is needed.
const MISSING_CAPABILITY: i32 = -32021;
/// The server does not speak the version.
const UNSUPPORTED_VERSION: i32 = -32022;
/// There is no such method.
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// What an error code in the answer to a modern request means to HTTP (2026-07-28, Streamable HTTP). `-32602` does only
/// where the request lacks the metadata that each must have; of other requests it is a result like any other.
pub(super) fn status(answer: &Value<'_>, lacks_metadata: bool) -> StatusCode {
    let code = answer.as_object().and_then(|o| o.get("error")?.as_object()?.get("code")?.as_number());
    match code {
        Some(code)
            if [HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION].iter().any(|c| f64::from(*c) == code) =>
        {
            StatusCode::BAD_REQUEST
        }
        Some(code) if code == f64::from(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(code) if code == f64::from(INVALID_PARAMS) && lacks_metadata => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// One JSON-RPC message.
pub(super) fn json(status: StatusCode, message: Bytes) -> Response {
    with_type(status, "application/json", whole(message))
}

/// A notification or response was taken.
pub(super) fn accepted() -> Response {
    empty(StatusCode::ACCEPTED)
}

/// Nothing but a status.
pub(super) fn empty(status: StatusCode) -> Response {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// A message as one event.
pub(super) fn event(message: Bytes, id: Option<String>) -> Bytes {
    // What comes here was read as JSON and so is UTF-8; a replacement character is no worse than nothing.
    let data = String::from_utf8(message.into()).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    let event = Sse { data: Some(data), id, ..Sse::default() };
    event.encode().unwrap_or_default()
}

/// The empty event that a stream opens with: from its id on it can be resumed, after this many milliseconds.
pub(super) fn opening_event(id: String) -> Bytes {
    let event = Sse { data: Some(String::new()), id: Some(id), retry: Some(1_000), ..Sse::default() };
    event.encode().unwrap_or_default()
}

/// An event stream of encoded events, with a comment whenever `keep_alive` passes without one.
pub(super) fn event_stream(
    events: impl Stream<Item = Bytes> + Send + Unpin + 'static,
    keep_alive: Duration,
) -> Response {
    let frames = stream::unfold(events, move |mut events| async move {
        let next = tokio::time::timeout(keep_alive, events.next()).await;
        let bytes = next.unwrap_or_else(|_silence| Some(Bytes::from_static(b":\n\n")))?;
        Some((Ok::<_, BoxError>(Frame::data(bytes)), events))
    });
    let mut response = with_type(StatusCode::OK, "text/event-stream", StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Asks nginx and its like not to collect events before they pass them on.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn with_type(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    #[test]
    fn statuses_follow_the_code_of_the_error() {
        let status = |code: i32, lacks| {
            let text = format!(r#"{{"error":{{"code":{code}}},"id":1}}"#);
            status(&parse(text.as_bytes()).unwrap(), lacks).as_u16()
        };
        for code in [-32020, -32021, -32022] {
            assert_eq!(status(code, false), 400);
        }
        assert_eq!(status(-32601, false), 404);
        assert_eq!((status(-32602, true), status(-32602, false)), (400, 200));
        assert_eq!((status(-32603, true), status(-31401, true)), (200, 200));
    }

    #[test]
    fn an_event_holds_the_message_and_its_id() {
        assert_eq!(event(Bytes::from_static(b"{}"), Some("3-1".into())), "data: {}\nid: 3-1\n\n");
        assert_eq!(opening_event("3-0".into()), "data: \nid: 3-0\nretry: 1000\n\n");
    }
}
