//! The client's end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The descriptors that lead to the client.
#[derive(Debug)]
pub struct Client {
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
}

impl Client {
    /// A client that writes to `input` and reads from `output`. Pipes and sockets are served without a thread; their
    /// flags stay as they are, so others may share them.
    pub fn new(input: OwnedFd, output: OwnedFd) -> Self {
        Self { input, output }
    }

    /// The client that started this process: on standard input and output. Nothing else may use those meanwhile.
    pub fn stdio() -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?, io::stdout().as_fd().try_clone_to_owned()?))
    }
}
