//! When a connection has waited long enough for its next request.
//!
//! hyper's own timeout covers the head of an HTTP/1 request only: not the first bytes of a connection, by which HTTP/2 is
//! told from HTTP/1, and not a connection of HTTP/2 without streams.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::{Notify, watch};

use super::{Body, BoxError, Response};

/// What is going on on one connection.
#[derive(Clone, Default)]
pub(super) struct Activity {
    /// Each open exchange holds a receiver.
    open: watch::Sender<()>,
    /// Something happened after which the wait begins anew.
    stirred: Arc<Notify>,
}

impl Activity {
    /// An exchange begins; it ends when what this gives is dropped.
    pub fn begin(&self) -> watch::Receiver<()> {
        let open = self.open.subscribe();
        self.stirred.notify_one();
        open
    }

    /// Resolves when no exchange was open for `patience`, nor an answer on its way to a slow reader.
    pub async fn idle_for(&self, patience: Duration) {
        loop {
            self.open.closed().await;
            tokio::select! {
                biased;
                () = self.stirred.notified() => {}
                () = tokio::time::sleep(patience) => return,
            }
        }
    }

    /// Has the exchange last until the answer's body was read.
    pub fn until_read(open: watch::Receiver<()>, answer: Response) -> Response {
        answer.map(|body| Held { body, _open: open }.boxed_unsync())
    }

    /// Notices when bytes that had to wait for a slow reader go on.
    pub fn over<IO>(&self, io: IO) -> Watched<IO> {
        Watched { io, stirred: self.stirred.clone(), blocked: false }
    }
}

struct Held {
    body: Body,
    _open: watch::Receiver<()>,
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
    stirred: Arc<Notify>,
    blocked: bool,
}

impl<IO> Watched<IO> {
    fn note<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() && self.blocked {
            self.stirred.notify_one();
        }
        self.blocked = polled.is_pending();
        polled
    }
}

impl<IO: Read + Unpin> Read for Watched<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
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
