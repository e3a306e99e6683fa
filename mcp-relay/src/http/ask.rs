//! Asking the server: its answer, or what is said in place of one.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use http_body_util::Full;
use tokio::time::timeout;

use super::admission::is_well_known;
use super::backend::Backend;
use super::body::{Unread, collect};
use super::exchange::Open;
use super::headers::strip_hop_by_hop;
use super::relay::Exchanges;
use super::{Body, Request, Response, answer};
use crate::Interceptor as _;

impl<S, E> Open<S, E>
where
    S: Backend,
    E: Exchanges,
{
    /// Asks the server; gives the head of its answer, or what to say in its place.
    pub async fn ask(&self, body: Bytes) -> Result<Response, Response> {
        let asked = self.inner.ask(Request::from_parts(self.head.clone(), Full::new(body)));
        let mut response = match timeout(self.shared.limits.answer_time, asked).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::warn!("the server gave no answer: {}", with_causes(&*error));
                return Err(answer::failure(StatusCode::BAD_GATEWAY, "the server behind does not answer"));
            }
            Err(_) => {
                tracing::warn!("the server did not answer in time");
                return Err(answer::failure(StatusCode::GATEWAY_TIMEOUT, "the server behind did not answer in time"));
            }
        };
        strip_hop_by_hop(response.headers_mut());
        if response.headers().get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
            let text = "the server behind sent its answer in a coding although it was asked not to";
            return Err(answer::failure(StatusCode::BAD_GATEWAY, text));
        }
        // It would send the client, with its request, past whoever looks at what it is told.
        let elsewhere = response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED;
        if elsewhere && !is_well_known(self.head.uri.path()) {
            return Err(answer::failure(
                StatusCode::BAD_GATEWAY,
                "the server behind redirects; configure its address as it is",
            ));
        }
        Ok(response)
    }
}

impl<S, E: Exchanges> Open<S, E> {
    /// What the client gets where no answer came: the interceptor's word, if it has one.
    pub async fn unanswered(&self, otherwise: Response) -> Response {
        let lines = self.interceptor.server_gone(None).await;
        lines.into_iter().next().map_or(otherwise, answer::message)
    }

    /// The body of an answer that does not stream, or what to say in its place.
    pub async fn read_whole(&self, body: Body) -> Result<Bytes, Response> {
        let limits = &self.shared.limits;
        collect(body, limits.answer, limits.answer_time, |_| true).await.map_err(|unread| {
            let text = match unread {
                Unread::TooLong => "the server's answer is longer than the limit for answers",
                Unread::Late => "the server's answer did not come in time",
                Unread::Broken | Unread::NoRoom => "the server's answer broke off",
            };
            tracing::warn!("{text}");
            answer::failure(StatusCode::BAD_GATEWAY, text)
        })
    }
}

/// What an error says, and what it says of its causes.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
