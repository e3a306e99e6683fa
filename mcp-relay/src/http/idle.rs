//! When a connection has waited long enough for its next request.
//!
//! hyper's own timeout covers the head of an HTTP/1 request only: not the first bytes of a connection, by which HTTP/2 is
//! told from HTTP/1, and not a connection of HTTP/2 without streams.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Instant, sleep_until};

use super::{Body, BoxError, Response};

/// What is going on on one connection.
#[derive(Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

struct State {
    /// Exchanges that are open.
    open: usize,
    /// When something last happened after which the wait begins anew.
    stirred: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { open: 0, stirred: Instant::now() })))
    }
}

/// An open exchange.
pub(super) struct Exchange(Activity);

impl Activity {
    /// An exchange begins; it ends when what this gives is dropped.
    pub fn begin(&self) -> Exchange {
        self.locked().open += 1;
        Exchange(self.clone())
    }

    /// Resolves when no exchange was open for `patience`, nor an answer on its way to a slow reader.
    pub async fn idle_for(&self, patience: Duration) {
        let mut since = Instant::now();
        loop {
            // Looked at when the wait would be over, and not whenever something happens, which is much more often.
            sleep_until(since + patience).await;
            let now = Instant::now();
            let state = self.locked();
            since = if state.open > 0 { now } else { state.stirred };
            if since + patience <= now {
                return;
            }
        }
    }

    /// Has the exchange last until the answer's body was read.
    pub fn until_read(open: Exchange, answer: Response) -> Response {
        answer.map(|body| Held { body, _open: open }.boxed_unsync())
    }

    /// Notices when bytes that had to wait for a slow reader go on. `first` was read from the connection already.
    pub fn over<IO>(&self, io: IO, first: Bytes) -> Watched<IO> {
        Watched { io, first, activity: self.clone(), blocked: false }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.0.locked();
        state.open -= 1;
        state.stirred = Instant::now();
    }
}

struct Held {
    body: Body,
    _open: Exchange,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose writes are watched.
pub(super) struct Watched<IO> {
    io: IO,
    /// Read, and not taken yet.
    first: Bytes,
    activity: Activity,
    blocked: bool,
}

impl<IO> Watched<IO> {
    fn note<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() && self.blocked {
            self.activity.locked().stirred = Instant::now();
        }
        self.blocked = polled.is_pending();
        polled
    }
}

impl<IO: Read + Unpin> Read for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let taken = buf.remaining().min(self.first.len());
        buf.put_slice(&self.first.split_to(taken));
        if self.first.is_empty() {
            // Not kept for as long as the connection lasts.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: Write + Unpin> Write for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(polled)
    }
}
