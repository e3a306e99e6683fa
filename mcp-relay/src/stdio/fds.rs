//! Descriptors that can be read and written without blocking.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Opens the pipe behind `fd` a second time, not blocking. The flag then belongs to the new open file alone, and whoever
/// shares `fd` keeps a blocking one. Needs `/proc` (Linux) and the right to open the pipe.
pub(super) fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes `fd` not block. Only for an open file that nobody else holds.
pub(super) fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
    Ok(fd)
}

/// Has the poller watch `fd`, which stays as it is: reads and writes are to ask for not blocking by themselves.
#[expect(deprecated, reason = "unsound for types whose descriptor can change under it; an OwnedFd's cannot")]
pub(super) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}
