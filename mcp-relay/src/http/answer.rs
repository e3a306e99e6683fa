//! Answers that the relay itself gives.

use attest_core::json::{self, Value};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt as _, Empty, Full};

use super::{Body, Response};

/// A body that is known whole.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A JSON-RPC message, with the status that MCP 2026-07-28 gives to its error code: 200 for results and for errors of
/// other kinds, since a 400 is opaque to clients of the revisions before.
pub(super) fn message(line: Bytes) -> Response {
    let status = status_of(&line);
    let mut answer = Response::new(whole(line));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An error of the relay's own, for a request that reached nobody.
pub(super) fn failure(status: StatusCode, text: &str) -> Response {
    let mut answer = message(error(&Value::Null, text));
    *answer.status_mut() = status;
    answer
}

/// The same as a line.
pub(super) fn error(id: &Value<'_>, text: &str) -> Bytes {
    let mut line = br#"{"jsonrpc":"2.0","id":"#.to_vec();
    json::write_canonical(id, &mut line);
    line.extend_from_slice(br#","error":{"code":-32000,"message":"#);
    json::write_string(text, &mut line);
    line.extend_from_slice(b"}}");
    line.into()
}

fn status_of(line: &[u8]) -> StatusCode {
    let parsed = json::parse(line);
    let error = parsed.as_ref().ok().and_then(Value::as_object).and_then(|m| m.get("error")).and_then(Value::as_object);
    match error.and_then(|error| error.get("code")) {
        Some(Value::Number(code)) if [-32700.0, -32600.0, -32020.0, -32021.0, -32022.0].contains(code) => {
            StatusCode::BAD_REQUEST
        }
        Some(Value::Number(code)) if *code == -32601.0 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}
