//! A client of HTTP that knows when its session's stream is open. rmcp opens that stream beside the first requests, and a
//! server of the suite asks its question on it as soon as the first call comes: a question that comes before the stream is lost.

use std::collections::HashMap;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse as Response,
};
use sse_stream::{Error as SseError, Sse};
use tokio::sync::watch;

type Outcome<T> = Result<T, StreamableHttpError<reqwest::Error>>;

/// How far a session's stream has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stream {
    /// No server has given a session to `initialize`, so rmcp opens none.
    None,
    /// There is a session, and its stream is not there yet.
    Awaited,
    /// The server has opened it, or said that it has none.
    Answered,
}

/// What rmcp sends over, with an eye on the stream of the session.
#[derive(Clone)]
pub(super) struct Listening {
    http: reqwest::Client,
    stream: watch::Sender<Stream>,
}

impl Listening {
    /// # Errors
    ///
    /// When this system has no client of HTTP for us.
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // Connections are not kept, as in rmcp's own: an unread rest of one answer would hold up the next request.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(Self { http, stream: watch::Sender::new(Stream::None) })
    }

    /// Comes back once the session's stream is open, at once where there is no session.
    pub(super) async fn listens(&self) {
        let mut stream = self.stream.subscribe();
        // The sender is here, so this cannot fail.
        let _ = stream.wait_for(|stream| *stream != Stream::Awaited).await;
    }
}

impl StreamableHttpClient for Listening {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        authorization: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Outcome<Response> {
        let begins = matches!(&message, ClientJsonRpcMessage::Request(asked) if matches!(asked.request, ClientRequest::InitializeRequest(_)));
        let response = self.http.post_message(uri, message, session, authorization, headers).await?;
        if begins && let Response::Json(_, Some(_)) | Response::Sse(_, Some(_)) = &response {
            self.stream.send_replace(Stream::Awaited);
        }
        Ok(response)
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        authorization: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Outcome<()> {
        self.http.delete_session(uri, session, authorization, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        authorization: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Outcome<BoxStream<'static, Result<Sse, SseError>>> {
        let opened = self.http.get_stream(uri, session, last_event, authorization, headers).await;
        self.stream.send_replace(Stream::Answered);
        opened
    }
}
