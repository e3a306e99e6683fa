//! A source of lines.

use std::io;
use std::task::{Context, Poll};

use super::lines::{Frame, Lines};
use super::source::Source;

/// Bytes from a descriptor, cut into lines.
pub(super) struct Inlet {
    source: Source,
    pub lines: Lines,
    /// Set once the writer is gone: how many of its bytes are still to be read.
    left: Option<u64>,
}

impl Inlet {
    pub fn new(source: Source, limit: usize) -> Self {
        Self { source, lines: Lines::new(limit), left: None }
    }

    /// The next line of what has been read.
    pub fn next(&mut self) -> Option<Frame> {
        self.lines.next()
    }

    /// The writer is gone. From here on only what is already there is read, although others may hold its end of the pipe:
    /// processes it left behind could keep us here for ever.
    pub fn writer_gone(&mut self) {
        self.left = Some(self.source.available());
    }

    /// Reads more; false at the end. A source that fails has ended.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let space = self.lines.space();
        let read = match &mut self.left {
            None => self.source.poll_read(cx, space),
            Some(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(space.len());
                let read = self.source.read_now(space.get_mut(..most).unwrap_or_default());
                *left -= read.as_ref().map_or(0, |n| *n as u64);
                Poll::Ready(read)
            }
        };
        read.map(|outcome: io::Result<usize>| {
            let n = outcome.unwrap_or(0);
            self.lines.filled(n);
            n > 0
        })
    }
}
