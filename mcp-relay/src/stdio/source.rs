//! Where bytes come from: a descriptor read without blocking the task.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::fs::{FileType, OFlags};
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::fds::{nonblocking, reopen, watch};

/// A readable descriptor.
pub(super) enum Source {
    /// A pipe or socket that the poller watches.
    Polled { fd: AsyncFd<OwnedFd>, socket: bool },
    /// Anything else (a file, a terminal, a device): a thread reads ahead by one read. It is left to itself in the end,
    /// since nothing can call it back from a terminal; it ends with the process.
    Threaded { reads: mpsc::Receiver<io::Result<Vec<u8>>>, rest: Vec<u8> },
}

impl Source {
    /// A descriptor that others may share. Its flags are not touched, because `O_NONBLOCK` would take effect for them too.
    pub fn shared(fd: OwnedFd) -> io::Result<Self> {
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Socket => Self::polled(fd, true),
            FileType::Fifo => match reopen(fd.as_fd(), OFlags::RDONLY) {
                Ok(own) => Self::polled(own, false),
                Err(_) => Ok(Self::threaded(fd)),
            },
            _ => Ok(Self::threaded(fd)),
        }
    }

    /// The reading end of a pipe that nobody else holds.
    pub fn own(pipe: io::PipeReader) -> io::Result<Self> {
        Self::polled(nonblocking(pipe.into())?, false)
    }

    fn polled(fd: OwnedFd, socket: bool) -> io::Result<Self> {
        Ok(Self::Polled { fd: watch(fd, Interest::READABLE)?, socket })
    }

    fn threaded(fd: OwnedFd) -> Self {
        let (send, reads) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut file = File::from(fd);
            loop {
                let mut bytes = vec![0; 64 * 1024];
                let read = file.read(&mut bytes).map(|n| {
                    bytes.truncate(n);
                    bytes
                });
                let last = read.as_ref().map_or_else(|e| e.kind() != io::ErrorKind::Interrupted, Vec::is_empty);
                if send.blocking_send(read).is_err() || last {
                    break;
                }
            }
        });
        Self::Threaded { reads, rest: Vec::new() }
    }

    /// Reads some bytes; zero means the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Polled { fd, socket } => loop {
                let mut guard = ready!(fd.poll_read_ready(cx))?;
                match guard.try_io(|fd| read_once(fd.as_fd(), *socket, buf)) {
                    Ok(Ok(n)) => {
                        // epoll tells of new bytes once. A read that did not fill the buffer took all there were, so the
                        // next sign will be for new ones, and asking again now would be a wasted call. The end of the
                        // bytes is not lost by this: tokio keeps a hang-up it has been told of.
                        if cfg!(target_os = "linux") && n > 0 && n < buf.len() {
                            guard.clear_ready();
                        }
                        return Poll::Ready(Ok(n));
                    }
                    Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(e)) => return Poll::Ready(Err(e)),
                    Err(_would_block) => {}
                }
            },
            Self::Threaded { reads, rest } => loop {
                if !rest.is_empty() {
                    return Poll::Ready(Ok(take(rest, buf)));
                }
                match ready!(reads.poll_recv(cx)) {
                    Some(Ok(bytes)) if bytes.is_empty() => return Poll::Ready(Ok(0)),
                    Some(Ok(bytes)) => *rest = bytes,
                    Some(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                    Some(Err(e)) => return Poll::Ready(Err(e)),
                    None => return Poll::Ready(Ok(0)),
                }
            },
        }
    }

    /// How many bytes are there at this moment.
    pub fn available(&self) -> u64 {
        match self {
            Self::Polled { fd, .. } => rustix::io::ioctl_fionread(fd).unwrap_or(0),
            Self::Threaded { rest, .. } => rest.len() as u64,
        }
    }

    /// Reads what is there at this moment, asking the kernel and not the poller, which may not have heard yet. Zero where
    /// there is nothing.
    pub fn read_now(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Polled { fd, socket } => read_once(fd.as_fd(), *socket, buf),
            Self::Threaded { rest, .. } => Ok(take(rest, buf)),
        }
    }
}

fn read_once(fd: BorrowedFd<'_>, socket: bool, buf: &mut [u8]) -> io::Result<usize> {
    Ok(if socket { rustix::net::recv(fd, buf, RecvFlags::DONTWAIT)?.0 } else { rustix::io::read(fd, buf)? })
}

/// Moves as much of the front of `rest` into `buf` as fits.
fn take(rest: &mut Vec<u8>, buf: &mut [u8]) -> usize {
    let n = rest.len().min(buf.len());
    for (to, from) in buf.iter_mut().zip(rest.drain(..n)) {
        *to = from;
    }
    n
}
