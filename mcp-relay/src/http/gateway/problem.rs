//! What the gateway itself has to say in place of the server.

use attest_core::json::{Value, write_canonical, write_string};
use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};

use super::replies;
use crate::Id;
use crate::http::Response;

/// Seconds after which a caller may try again where there was no room.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// An error of the gateway's own. The text is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("this HTTP method is not served here; POST a JSON-RPC message")]
    Method,
    #[error("the body is not one strict JSON value; send one JSON-RPC message in UTF-8")]
    NotJson,
    #[error("the body is no JSON-RPC request, notification or response; check its id and its method")]
    NotAMessage,
    #[error("a server of this protocol version asks nothing of its clients; put the answer into inputResponses")]
    NotForServers,
    #[error("the answer would be JSON or an event stream; name both in the Accept header")]
    NotAcceptable,
    #[error("there is no Mcp-Session-Id header; initialize first, then send the id that came back")]
    NoSession,
    #[error("there is no such session, or it has ended; initialize again")]
    UnknownSession,
    #[error("this protocol version is not that of the session; send the one that initialize gave")]
    Version,
    #[error("nothing can be resumed from this Last-Event-ID; send the request again")]
    EventId,
    #[error("a request with this id is open in the session; give each request an id of its own")]
    IdInUse,
    #[error("all sessions are taken; try again later, or end one with DELETE")]
    SessionsFull,
    #[error("too many requests are open; try again later")]
    RequestsFull,
    #[error("the gateway is shutting down; try again once it is back")]
    Closing,
    #[error("Header mismatch: the {0} header is missing; send what the body says")]
    HeaderMissing(HeaderName),
    #[error(
        "Header mismatch: the {0} header is not one valid value; send what the body says, encoded where it must be"
    )]
    HeaderInvalid(HeaderName),
    #[error("Header mismatch: the {0} header is not what the body says; send the same in both")]
    HeaderDiffers(HeaderName),
    #[error("the request names no protocol version in params._meta; add it, with the client's capabilities")]
    NoVersion,
    #[error("there is no initialize in this protocol version; send requests right away, or an older version")]
    NoInitialize,
    #[error("the MCP server behind this gateway cannot be started; look at the gateway's log")]
    NotStarted,
    #[error("the MCP server behind this gateway ended before it answered; try again")]
    ServerGone,
    #[error("the MCP server's answer cannot be passed on, because it is not one strict JSON-RPC response")]
    Unreadable,
    #[error("the answer was given up, because what came before it was not read in time; read faster")]
    TooSlow,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnknownSession | Self::NoInitialize => StatusCode::NOT_FOUND,
            Self::SessionsFull | Self::RequestsFull | Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            // Errors of the call and not of the transport: several clients do not show the body of any other status.
            Self::NotStarted | Self::ServerGone | Self::Unreadable | Self::TooSlow => StatusCode::OK,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn code(&self) -> i32 {
        match self {
            Self::NotJson => -32700,
            Self::NotAMessage | Self::NotForServers | Self::IdInUse => -32600,
            Self::NoInitialize => replies::METHOD_NOT_FOUND,
            Self::NoVersion => -32602,
            Self::NotStarted | Self::ServerGone | Self::Unreadable | Self::TooSlow => -32603,
            Self::HeaderMissing(_) | Self::HeaderInvalid(_) | Self::HeaderDiffers(_) => replies::HEADER_MISMATCH,
            _ => -32000,
        }
    }

    /// As a JSON-RPC message, canonical. Without an id where the request's is not known.
    pub fn to_message(&self, id: Option<&Id>) -> Bytes {
        let mut out = format!(r#"{{"error":{{"code":{},"message":"#, self.code()).into_bytes();
        write_string(&self.to_string(), &mut out);
        out.push(b'}');
        if let Some(id) = id {
            out.extend_from_slice(br#","id":"#);
            write_canonical(&id.to_value(), &mut out);
        }
        out.extend_from_slice(br#","jsonrpc":"2.0"}"#);
        out.into()
    }

    /// As an HTTP answer.
    pub fn into_response(self, id: Option<&Id>) -> Response {
        let mut response = replies::json(self.status(), self.to_message(id));
        match self {
            Self::Method => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
            }
            Self::SessionsFull | Self::RequestsFull | Self::Closing => {
                response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
            }
            _ => {}
        }
        response
    }
}

/// A request to a child that may ask for nothing: no such method.
pub(super) fn refuse_child(id: &Value<'_>) -> Bytes {
    let mut out =
        br#"{"error":{"code":-32601,"message":"a server of this protocol version sends no requests"},"id":"#.to_vec();
    write_canonical(id, &mut out);
    out.extend_from_slice(br#","jsonrpc":"2.0"}"#);
    out.into()
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    #[test]
    fn a_message_is_canonical_and_has_the_requests_id() {
        let id = Id::of(&Value::String("a\"b".into())).unwrap();
        for problem in [Problem::NotJson, Problem::HeaderMissing(crate::http::encode::VERSION), Problem::ServerGone] {
            for id in [Some(&id), None] {
                let bytes = problem.to_message(id);
                let value = parse(&bytes).unwrap();
                assert_eq!(value.to_canonical(), bytes);
                assert_eq!(value.as_object().unwrap().get("id"), id.map(Id::to_value).as_ref());
            }
        }
    }
}
