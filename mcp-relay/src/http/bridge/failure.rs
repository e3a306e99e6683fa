//! What a request is told when it gets no answer from the server.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, Uri};
use serde::Serialize;

use super::BridgeOptions;
use super::session::Session;
use crate::Id;
use crate::http::BoxError;

/// The code of all errors made here: the first of those that JSON-RPC leaves to servers.
const CODE: i32 = -32000;

/// Why a request has no answer of the server's.
#[derive(Debug)]
pub(super) enum Failure {
    /// No HTTP answer came.
    Unreachable(BoxError),
    /// An HTTP answer whose body is no answer to the request.
    Status(StatusCode),
    /// A session that the server no longer knows. `None` where that was known before.
    SessionLost(Option<Arc<Session>>),
    /// The connection ended before the answer, and there is no way to resume it.
    Cut,
    /// It ended, and so did every attempt to resume it.
    NotResumed,
    /// The answer has line breaks and is not strict JSON, so it cannot be made one line.
    Unreadable,
    /// More bytes than [`BridgeOptions::answer_limit`].
    TooLong,
}

#[derive(Serialize)]
struct Reply<'a> {
    jsonrpc: &'static str,
    id: attest_core::json::Value<'a>,
    error: ErrorObject,
}

#[derive(Serialize)]
struct ErrorObject {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Serialize)]
struct Data {
    /// The HTTP status.
    status: u16,
}

impl Failure {
    /// The error that answers the request `id`: a line without ending.
    pub fn line(&self, id: &Id, options: &BridgeOptions) -> Bytes {
        let data = self.status().map(|status| Data { status: status.as_u16() });
        let error = ErrorObject { code: CODE, message: self.message(options), data };
        // A struct of strings and numbers always has a text.
        serde_json::to_vec(&Reply { jsonrpc: "2.0", id: id.to_value(), error }).unwrap_or_default().into()
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status) => Some(*status),
            Self::SessionLost(_) => Some(StatusCode::NOT_FOUND),
            _ => None,
        }
    }

    /// What, where, and what to do.
    pub fn message(&self, options: &BridgeOptions) -> String {
        let (url, settings) = (address(&options.url), options.settings);
        match self {
            Self::Unreachable(error) => {
                format!("no answer from {url}: {}; {}", chain(&**error), advice_unreachable(&**error, settings))
            }
            Self::Status(status) if status.is_success() => {
                format!("{url} answered {status} without an answer to the request; {}", advice(*status, settings))
            }
            Self::Status(status) => format!("{url} answered {status}; {}", advice(*status, settings)),
            Self::SessionLost(_) => {
                format!(
                    "{url} has ended the session; initialize again, for example by restarting this server in the host"
                )
            }
            Self::Cut => format!("{url} closed the connection before its answer; the request may have run; try again"),
            Self::NotResumed => format!(
                "{url} closed the connection before its answer, and it could not be resumed in {} attempts; \
                 the request may have run; try again",
                options.tries
            ),
            Self::Unreadable => {
                format!("{url} answered with line breaks in what is not strict JSON; report it to who runs the server")
            }
            Self::TooLong => format!(
                "{url} answered with more than {} bytes; raise the limit or have the server page its results",
                options.answer_limit
            ),
        }
    }
}

/// `url` without what may be secret in it: user, password, query.
fn address(url: &Uri) -> String {
    let (scheme, host) = (url.scheme_str().unwrap_or("http"), url.host().unwrap_or_default());
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{scheme}://{host}{port}{}", url.path())
}

fn advice(status: StatusCode, settings: &str) -> String {
    match status.as_u16() {
        401 => format!("set the credentials that it wants among this server's headers in {settings}"),
        403 => format!("the credentials among this server's headers in {settings} do not suffice, or are missing"),
        404 | 405 => format!("there is no Streamable HTTP endpoint at this address; correct the url in {settings}"),
        300..=399 => format!("redirects are not followed, as headers would go along; set the new url in {settings}"),
        408 | 504 => "the server took too long; try again".to_owned(),
        429 => "it is asked too often; wait and try again".to_owned(),
        500..=599 => "the server, or a proxy in front of it, failed; look at its log and try again".to_owned(),
        200..=299 => format!("check that the url in {settings} is that of an MCP endpoint"),
        _ => "look at the server's log".to_owned(),
    }
}

fn advice_unreachable(error: &(dyn Error + 'static), settings: &str) -> String {
    let causes = || causes(error);
    let io = |kind| causes().any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == kind));
    // An I/O error that wraps another names the inner one as its source only after itself.
    let tls = causes().any(|e| {
        let inner = e.downcast_ref::<io::Error>().and_then(|e| e.get_ref());
        e.is::<rustls::Error>() || inner.is_some_and(|e| e.is::<rustls::Error>())
    });
    if tls {
        format!("check the server's certificate, and the authorities trusted in {settings}")
    } else if io(io::ErrorKind::ConnectionRefused) {
        format!("nothing listens there; start the server, or correct the url in {settings}")
    } else if io(io::ErrorKind::TimedOut) || causes().any(|e| e.is::<tokio::time::error::Elapsed>()) {
        "the server took too long; try again".to_owned()
    } else {
        format!("check the network, and the url in {settings}")
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |e: &&'e (dyn Error + 'static)| (*e).source())
}

/// An error and its causes, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let said = cause.to_string();
        if text.ends_with(&said) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&said);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> BridgeOptions {
        BridgeOptions::new(Uri::from_static("https://user:secret@example.org:8443/mcp?key=secret"))
    }

    #[test]
    fn an_error_names_the_place_without_the_secrets_in_its_address() {
        let text = Failure::Status(StatusCode::UNAUTHORIZED).message(&options());
        assert!(text.starts_with("https://example.org:8443/mcp answered 401 Unauthorized; "), "{text}");
        assert!(text.contains("headers in agent.toml"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn an_unreachable_server_is_told_from_an_untrusted_one() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let text = Failure::Unreachable(refused.into()).message(&options());
        assert!(text.contains("start the server"), "{text}");
        let wrapped = io::Error::other(rustls::Error::General("x".into()));
        let text = Failure::Unreachable(wrapped.into()).message(&options());
        assert!(text.contains("certificate"), "{text}");
    }
}
