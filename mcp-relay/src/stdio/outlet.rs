//! Where bytes go: whole lines, queued, written without blocking the task.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustix::fs::{FileType, OFlags};
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWrite, Interest};

use super::fds::{nonblocking, reopen, watch};

/// With this many bytes waiting, nothing more is taken in that could add to them.
const FULL: usize = 64 * 1024;
/// Buffers given to the kernel at once.
const BATCH: usize = 64;

/// A writable descriptor.
enum Sink {
    /// A pipe or socket that the poller watches.
    Polled { fd: AsyncFd<OwnedFd>, socket: bool },
    /// Anything else, written by the runtime's blocking threads.
    Threaded(tokio::fs::File),
}

/// A queue of whole lines in front of a descriptor.
pub(super) struct Outlet {
    /// `None` once closed or broken.
    sink: Option<Sink>,
    queue: VecDeque<Bytes>,
    /// Bytes in the queue.
    waiting: usize,
}

impl Outlet {
    /// A descriptor that others may share. Its flags are not touched.
    pub fn shared(fd: OwnedFd) -> io::Result<Self> {
        let threaded = |fd| Sink::Threaded(tokio::fs::File::from_std(File::from(fd)));
        let sink = match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Socket => polled(fd, true)?,
            FileType::Fifo => match reopen(fd.as_fd(), OFlags::WRONLY) {
                Ok(own) => polled(own, false)?,
                Err(_) => threaded(fd),
            },
            _ => threaded(fd),
        };
        Ok(Self::new(sink))
    }

    /// The writing end of a pipe that nobody else holds.
    pub fn own(pipe: io::PipeWriter) -> io::Result<Self> {
        Ok(Self::new(polled(nonblocking(pipe.into())?, false)?))
    }

    fn new(sink: Sink) -> Self {
        Self { sink: Some(sink), queue: VecDeque::new(), waiting: 0 }
    }

    /// Queues bytes that hold their own line ending. A closed outlet swallows them.
    pub fn push_raw(&mut self, bytes: Bytes) {
        if self.sink.is_some() && !bytes.is_empty() {
            self.waiting += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Queues a line and an LF.
    pub fn push_line(&mut self, line: Bytes) {
        self.push_raw(line);
        self.push_raw(Bytes::from_static(b"\n"));
    }

    pub fn has_room(&self) -> bool {
        self.waiting < FULL
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes not yet written.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Closes the descriptor and forgets what waits.
    pub fn close(&mut self) {
        self.sink = None;
        self.queue.clear();
        self.waiting = 0;
    }

    /// Writes what waits; ready when nothing does. An error closes the outlet.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(sink) = self.sink.as_mut().filter(|_| !self.queue.is_empty()) {
            match ready!(sink.poll_write(cx, &self.queue)) {
                Ok(n) if n > 0 => self.written(n),
                outcome => {
                    self.close();
                    return Poll::Ready(outcome.and(Err(io::ErrorKind::WriteZero.into())));
                }
            }
        }
        if let Some(Sink::Threaded(file)) = &mut self.sink {
            let flushed = ready!(Pin::new(file).poll_flush(cx));
            if flushed.is_err() {
                self.close();
            }
            return Poll::Ready(flushed);
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut n: usize) {
        self.waiting = self.waiting.saturating_sub(n);
        while let Some(front) = self.queue.front_mut() {
            if n < front.len() {
                front.advance(n);
                return;
            }
            n -= front.len();
            self.queue.pop_front();
        }
    }
}

fn polled(fd: OwnedFd, socket: bool) -> io::Result<Sink> {
    Ok(Sink::Polled { fd: watch(fd, Interest::WRITABLE)?, socket })
}

impl Sink {
    fn poll_write(&mut self, cx: &mut Context<'_>, queue: &VecDeque<Bytes>) -> Poll<io::Result<usize>> {
        match self {
            Self::Polled { fd, socket } => loop {
                let mut guard = ready!(fd.poll_write_ready(cx))?;
                match guard.try_io(|fd| write_once(fd.as_fd(), *socket, queue)) {
                    Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                    Ok(outcome) => return Poll::Ready(outcome),
                    Err(_would_block) => {}
                }
            },
            Self::Threaded(file) => Pin::new(file).poll_write(cx, queue.front().map_or(&[], |bytes| bytes)),
        }
    }
}

fn write_once(fd: BorrowedFd<'_>, socket: bool, queue: &VecDeque<Bytes>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); BATCH];
    let mut used = 0;
    for (slice, bytes) in slices.iter_mut().zip(queue) {
        *slice = IoSlice::new(bytes);
        used += 1;
    }
    let slices = slices.get(..used).unwrap_or_default();
    Ok(if socket {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::sendmsg(fd, slices, &mut SendAncillaryBuffer::default(), flags)?
    } else {
        rustix::io::writev(fd, slices)?
    })
}
