//! A stream of server-sent events.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderValue;
use http_body_util::BodyDataStream;
use sse_stream::{Sse, SseByteStream};

use crate::http::{Body, BoxError};

/// Why a stream gives no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// An event longer than the limit. The decoder has none of its own.
    #[error("an event is longer than the limit")]
    TooLong,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] BoxError),
    /// It is no stream of events.
    #[error("not a stream of events: {0}")]
    Malformed(#[source] sse_stream::Error),
}

/// Where a stream can be taken up again.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    /// Id of the last event that had one.
    pub last: Option<HeaderValue>,
    /// How long the server wants to be left alone first.
    pub retry: Option<Duration>,
}

impl Cursor {
    fn pass(&mut self, event: &Sse) {
        if let Some(id) = &event.id {
            // An empty id takes the last one back.
            self.last = Some(id).filter(|id| !id.is_empty()).and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        }
        if let Some(retry) = event.retry {
            self.retry = Some(Duration::from_millis(retry));
        }
    }
}

/// A body, piece by piece.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// What a body says.
pub(super) struct Events {
    inner: SseByteStream<Pieces>,
    /// Bytes since the last event.
    since: Arc<AtomicUsize>,
    limit: usize,
}

impl Events {
    /// `limit` is in bytes per event, comments before it counted: a stream of nothing but keep-alive comments reaches a
    /// limit of megabytes after months only.
    pub fn new(body: Body, limit: usize) -> Self {
        let since = Arc::new(AtomicUsize::new(0));
        let count = since.clone();
        let bytes = BodyDataStream::new(body).map(move |data| {
            let data = data.map_err(Fault::Broken)?;
            // What came before this piece belongs to one event; this piece may end it, and hold others.
            if count.fetch_add(data.len(), Ordering::Relaxed) > limit {
                return Err(Fault::TooLong);
            }
            Ok(data)
        });
        Self { inner: SseByteStream::new(bytes.boxed()), since, limit }
    }

    /// The next message; an event that holds none moves the cursor alone and comes as empty bytes. `None` at the end.
    pub async fn next(&mut self, cursor: &mut Cursor) -> Result<Option<Bytes>, Fault> {
        match self.inner.next().await {
            None => Ok(None),
            Some(Ok(event)) => {
                self.since.store(0, Ordering::Relaxed);
                cursor.pass(&event);
                let is_message = event.event.as_deref().is_none_or(|name| name.is_empty() || name == "message");
                let data = event.data.filter(|data| is_message && !data.trim_ascii().is_empty());
                let message = data.map_or_else(Bytes::new, Bytes::from);
                if message.len() > self.limit { Err(Fault::TooLong) } else { Ok(Some(message)) }
            }
            Some(Err(sse_stream::Error::Body(error))) => {
                Err(error.downcast::<Fault>().map_or_else(Fault::Broken, |fault| *fault))
            }
            Some(Err(error)) => Err(Fault::Malformed(error)),
        }
    }
}
