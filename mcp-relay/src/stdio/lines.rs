//! Bytes into lines.
//!
//! This is a boundary between readers: what counts as one line here must be one line to every reader behind it.

use bytes::Bytes;
use memchr::memchr;

/// Bytes taken per read: the capacity of a Linux pipe.
const READ_SIZE: usize = 64 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The bytes as they came, with the ending.
    pub raw: Bytes,
    /// Length without the ending.
    len: usize,
}

impl Line {
    fn new(raw: Bytes) -> Self {
        let len = content_len(&raw);
        Self { raw, len }
    }

    /// The line without its ending (LF or CRLF).
    pub fn content(&self) -> Bytes {
        self.raw.slice(..self.len)
    }

    /// Whether a CR stands anywhere but directly before the LF.
    pub fn has_bare_cr(&self) -> bool {
        memchr(b'\r', self.raw.get(..self.len).unwrap_or_default()).is_some()
    }

    /// Whether the line holds only what JSON calls whitespace.
    pub fn is_blank(&self) -> bool {
        self.raw.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    }
}

fn content_len(raw: &[u8]) -> usize {
    raw.strip_suffix(b"\r\n").or_else(|| raw.strip_suffix(b"\n")).unwrap_or(raw).len()
}

/// What comes out of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A line within the limit.
    Line(Line),
    /// The bytes since the last LF have passed the limit. Reported once, at once; the rest is skipped up to its LF.
    TooLong,
}

/// Cuts bytes into lines, keeping at most one read and one line within the limit.
pub(crate) struct Lines {
    /// Most bytes in a line, ending not counted.
    limit: usize,
    /// What the last read gave; `at..end` is still to be cut.
    chunk: Box<[u8]>,
    at: usize,
    end: usize,
    /// Start of a line whose LF has not come.
    partial: Vec<u8>,
    /// Inside a line that was reported as too long.
    skipping: bool,
}

impl Lines {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: vec![0; READ_SIZE].into_boxed_slice(),
            at: 0,
            end: 0,
            partial: Vec::new(),
            skipping: false,
        }
    }

    /// Whether all that was read has been cut.
    pub fn is_exhausted(&self) -> bool {
        self.at == self.end
    }

    /// Where the next read goes. To be asked for only when [`is_exhausted`](Self::is_exhausted).
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.chunk
    }

    /// The first `n` bytes of [`space`](Self::space) have been read.
    pub fn filled(&mut self, n: usize) {
        debug_assert!(self.is_exhausted(), "bytes not yet cut would be lost");
        self.at = 0;
        self.end = n.min(self.chunk.len());
    }

    /// The next frame in the bytes that have been read.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = self.chunk.get(self.at..self.end).filter(|rest| !rest.is_empty())?;
            let Some(lf) = memchr(b'\n', rest) else {
                self.at = self.end;
                if self.skipping {
                    return None;
                }
                // One byte more than the limit may still be the CR of the ending.
                if self.partial.len() + rest.len() > self.limit.saturating_add(1) {
                    self.partial = Vec::new();
                    self.skipping = true;
                    return Some(Frame::TooLong);
                }
                self.partial.extend_from_slice(rest);
                return None;
            };
            self.at += lf + 1;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let piece = rest.get(..=lf).unwrap_or_default();
            // Each line gets an allocation of its own, so that one that is kept does not keep a whole read.
            let raw = if self.partial.is_empty() {
                if content_len(piece) > self.limit {
                    return Some(Frame::TooLong);
                }
                Bytes::copy_from_slice(piece)
            } else {
                let mut raw = std::mem::take(&mut self.partial);
                raw.extend_from_slice(piece);
                if content_len(&raw) > self.limit {
                    return Some(Frame::TooLong);
                }
                Bytes::from(raw)
            };
            return Some(Frame::Line(Line::new(raw)));
        }
    }

    /// The bytes have ended: what stands after the last LF, if anything. `complete` gives it an LF.
    pub fn finish(&mut self, complete: bool) -> Option<Frame> {
        let mut raw = std::mem::take(&mut self.partial);
        if raw.is_empty() {
            return None;
        }
        let len = raw.len();
        if len > self.limit {
            return Some(Frame::TooLong);
        }
        if complete {
            raw.push(b'\n');
        }
        // A CR at the very end stays content, even with the LF added: it was not part of an ending.
        Some(Frame::Line(Line { raw: Bytes::from(raw), len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `input`, given in reads of `step` bytes; `None` stands for too long.
    fn cut(input: &[u8], limit: usize, step: usize, complete: bool) -> Vec<Option<(Bytes, Bytes)>> {
        let mut lines = Lines::new(limit);
        let mut frames = Vec::new();
        for read in input.chunks(step) {
            lines.space()[..read.len()].copy_from_slice(read);
            lines.filled(read.len());
            frames.extend(std::iter::from_fn(|| lines.next()));
            assert!(lines.partial.len() <= limit + 1, "more than the limit is kept");
        }
        frames.extend(lines.finish(complete));
        let pair = |frame| match frame {
            Frame::Line(line) => Some((line.raw.clone(), line.content())),
            Frame::TooLong => None,
        };
        frames.into_iter().map(pair).collect()
    }

    fn line(raw: &'static str, content: &'static str) -> Option<(Bytes, Bytes)> {
        Some((Bytes::from(raw), Bytes::from(content)))
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let input = b"abc\r\n\n \r\nlonger than it\nabcde\r\nx\r\r\nlast";
        let wanted = [
            line("abc\r\n", "abc"),
            line("\n", ""),
            line(" \r\n", " "),
            None,
            line("abcde\r\n", "abcde"),
            line("x\r\r\n", "x\r"),
            line("last\n", "last"),
        ];
        for step in 1..=input.len() {
            assert_eq!(cut(input, 5, step, true), wanted, "in reads of {step} bytes");
        }
    }

    #[test]
    fn the_limit_counts_content_and_not_the_ending() {
        for step in 1..8 {
            assert_eq!(cut(b"abcd\r\n", 4, step, true), [line("abcd\r\n", "abcd")]);
            assert_eq!(cut(b"abcd\n", 4, step, true), [line("abcd\n", "abcd")]);
            assert_eq!(cut(b"abcd", 4, step, true), [line("abcd\n", "abcd")]);
            assert_eq!(cut(b"abcde\n", 4, step, true), [None]);
            assert_eq!(cut(b"abcde", 4, step, true), [None]);
            assert_eq!(cut(b"abcdefgh\nab\n", 4, step, true), [None, line("ab\n", "ab")]);
        }
    }

    #[test]
    fn a_line_without_end_is_reported_before_it_ends() {
        let mut lines = Lines::new(10);
        lines.filled(20);
        assert_eq!(lines.next(), Some(Frame::TooLong));
        assert_eq!(lines.next(), None);
        lines.filled(20);
        assert_eq!(lines.next(), None);
        assert_eq!(lines.finish(true), None);
    }

    #[test]
    fn a_cr_at_the_end_of_the_bytes_is_bare() {
        let mut lines = Lines::new(10);
        lines.space()[..3].copy_from_slice(b"ab\r");
        lines.filled(3);
        assert_eq!(lines.next(), None);
        let Some(Frame::Line(last)) = lines.finish(true) else { panic!("a line") };
        assert!(last.has_bare_cr());
        assert_eq!(last.content(), "ab\r");
    }

    #[test]
    fn a_last_line_stays_as_it_is_where_it_is_not_to_be_completed() {
        assert_eq!(cut(b"a\nb", 4, 2, false), [line("a\n", "a"), line("b", "b")]);
    }
}
