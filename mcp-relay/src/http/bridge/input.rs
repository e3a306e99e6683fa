//! The host's lines.

use std::io;
use std::pin::Pin;

use attest_core::json::{self, Value};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Defect;
use crate::stdio::lines::{Frame, Lines};

/// Bytes cut into lines.
pub(super) struct Input<'r, R> {
    reader: Pin<&'r mut R>,
    lines: Lines,
    limit: usize,
    ended: bool,
}

impl<'r, R: AsyncRead> Input<'r, R> {
    pub fn new(reader: Pin<&'r mut R>, limit: usize) -> Self {
        Self { reader, lines: Lines::new(limit), limit, ended: false }
    }

    /// The next line that is not blank, without its ending, or what is wrong with it. `None` at the end. May be dropped
    /// before it is ready; nothing is lost.
    pub async fn next(&mut self) -> io::Result<Option<Result<Bytes, Defect>>> {
        loop {
            let frame = match self.lines.next() {
                Some(frame) => frame,
                None if self.ended => return Ok(None),
                None => {
                    let n = self.reader.read(self.lines.space()).await?;
                    self.lines.filled(n);
                    self.ended = n == 0;
                    match self.ended.then(|| self.lines.finish(true)).flatten() {
                        Some(last) => last,
                        None => continue,
                    }
                }
            };
            let Frame::Line(line) = frame else {
                return Ok(Some(Err(Defect::TooLong { limit: self.limit })));
            };
            if line.is_blank() {
                continue;
            }
            return Ok(Some(if line.has_bare_cr() { Err(Defect::BareCr) } else { Ok(line.content()) }));
        }
    }
}

/// The object in a line.
pub(super) fn object(line: &[u8]) -> Result<Value<'_>, Defect> {
    match json::parse(line) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Defect::NotAnObject),
        Err(error) => Err(Defect::Json(error)),
    }
}
