//! What the relay itself answers: an error, in the shape of the API that was asked, so that its client shows the words.

use attest_core::json::write_string;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

use crate::api::Api;

/// The shape of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    OpenAi,
    Anthropic,
}

impl Shape {
    /// That of the API, or, at a path of none, of the one whose clients say which version they speak.
    pub fn of(api: Option<Api>, headers: &HeaderMap) -> Self {
        match api {
            Some(Api::Messages) => Self::Anthropic,
            Some(Api::Chat | Api::Responses) => Self::OpenAi,
            None if headers.contains_key("anthropic-version") => Self::Anthropic,
            None => Self::OpenAi,
        }
    }

    fn body(self, status: StatusCode, message: &str) -> Vec<u8> {
        let kind = match (self, status) {
            (Self::Anthropic, StatusCode::NOT_FOUND) => "not_found_error",
            (Self::Anthropic, StatusCode::PAYLOAD_TOO_LARGE) => "request_too_large",
            (Self::OpenAi, status) if status.is_server_error() => "server_error",
            (Self::Anthropic, status) if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        let mut out = Vec::from(match self {
            Self::OpenAi => &br#"{"error":{"code":null,"message":"#[..],
            Self::Anthropic => br#"{"error":{"message":"#,
        });
        write_string(&format!("attest model-relay: {message}"), &mut out);
        out.extend_from_slice(match self {
            Self::OpenAi => br#","param":null,"type":"#,
            Self::Anthropic => br#","type":"#,
        });
        write_string(kind, &mut out);
        out.extend_from_slice(match self {
            Self::OpenAi => b"}}",
            Self::Anthropic => br#"},"type":"error"}"#,
        });
        out
    }
}

/// Why a request does not go on, or an answer does not come back.
#[derive(Debug)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub message: String,
}

impl Refused {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// As an answer.
    pub fn answer(&self, shape: Shape) -> mcp_relay::http::Response {
        let body = Full::new(Bytes::from(shape.body(self.status, &self.message)));
        let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
        *answer.status_mut() = self.status;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json;

    use super::*;

    #[test]
    fn an_error_has_the_shape_of_the_api_that_was_asked() {
        for (shape, outer) in [(Shape::OpenAi, None), (Shape::Anthropic, Some("error"))] {
            let body = shape.body(StatusCode::SERVICE_UNAVAILABLE, "say \"it\"\nhere");
            let body = json::parse(&body).unwrap();
            let body = body.as_object().unwrap();
            assert_eq!(body.get("type").and_then(|t| t.as_str()), outer);
            let error = body.get("error").and_then(|error| error.as_object()).unwrap();
            assert_eq!(error.get("message").unwrap().as_str(), Some("attest model-relay: say \"it\"\nhere"));
        }
        let mut headers = HeaderMap::new();
        assert_eq!(Shape::of(None, &headers), Shape::OpenAi);
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        assert_eq!(Shape::of(None, &headers), Shape::Anthropic);
        assert_eq!(Shape::of(Some(Api::Chat), &headers), Shape::OpenAi);
    }
}
