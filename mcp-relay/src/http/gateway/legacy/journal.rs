//! The streams of a session, and what was said on them: to be read once, or again after a broken connection.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tokio::sync::watch;

use crate::http::gateway::replies;

/// The stream that belongs to no request: what a GET without `Last-Event-ID` reads.
pub(super) const STANDALONE: u64 = 0;
/// Most streams kept after their end, for a caller that lost the connection just before it.
const KEPT: usize = 16;

/// What a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Events with ids, which can be read again.
    Events {
        /// Whether it opens with an empty event, so that it can be resumed from the first moment.
        primed: bool,
    },
    /// One message, read once.
    Message,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// With what no reader was given yet.
    Unread,
    /// After the event of this number.
    After(u64),
}

/// A reader's place in a stream.
#[derive(Debug)]
pub(super) struct Cursor {
    stream: u64,
    /// Which of the successive readers of the stream.
    reader: u64,
    next: u64,
    changed: watch::Receiver<()>,
}

/// What there is for a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next bytes.
    Bytes(Bytes),
    /// Nothing yet.
    Wait,
    /// Nothing more: the stream has ended, another reader took over, or this one is so far behind that what it should
    /// read next is no longer kept.
    End,
}

struct Stream {
    form: Form,
    /// Number of the first of `kept`.
    first: u64,
    kept: VecDeque<Bytes>,
    /// The first number that no reader was given.
    unread: u64,
    readers: u64,
    attached: bool,
    ended: bool,
    changed: watch::Sender<()>,
}

impl Stream {
    fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }
}

/// The streams of one session.
pub(super) struct Journal {
    streams: BTreeMap<u64, Stream>,
    last: u64,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
}

impl Journal {
    /// Keeps at most so many messages of one stream, and so many bytes of all.
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        let mut journal =
            Self { streams: BTreeMap::new(), last: STANDALONE, bytes: 0, max_messages: max_messages.max(1), max_bytes };
        journal.insert(STANDALONE, Form::Events { primed: false });
        journal
    }

    /// A new stream.
    pub fn open(&mut self, form: Form) -> u64 {
        self.last += 1;
        self.insert(self.last, form);
        self.last
    }

    fn insert(&mut self, number: u64, form: Form) {
        // Messages count from 1; an empty event is number 0.
        let stream = Stream {
            form,
            first: 1,
            kept: VecDeque::new(),
            unread: 1,
            readers: 0,
            attached: false,
            ended: false,
            changed: watch::Sender::new(()),
        };
        self.streams.insert(number, stream);
        if form == (Form::Events { primed: true }) {
            let event = replies::opening_event(format!("{number}-0"));
            self.bytes += event.len();
            if let Some(stream) = self.streams.get_mut(&number) {
                stream.first = 0;
                stream.unread = 0;
                stream.kept.push_back(event);
            }
        }
    }

    /// Says `message` on a stream. Nothing where it has ended.
    pub fn push(&mut self, number: u64, message: Bytes) {
        let Some(stream) = self.streams.get_mut(&number).filter(|stream| !stream.ended) else {
            return;
        };
        let bytes = match stream.form {
            Form::Events { .. } => replies::event(message, Some(format!("{number}-{}", stream.next()))),
            Form::Message => message,
        };
        self.bytes += bytes.len();
        stream.kept.push_back(bytes);
        stream.changed.send_replace(());
        self.shrink(number);
    }

    /// Drops the oldest until the limits are held: of ended streams first, then of this one; its newest message stays.
    fn shrink(&mut self, number: u64) {
        while let Some(stream) = self.streams.get_mut(&number)
            && stream.kept.len() > self.max_messages
        {
            self.bytes -= drop_first(stream);
        }
        while self.bytes > self.max_bytes {
            let ended = self.streams.iter().find(|(n, s)| **n != number && s.ended && !s.attached).map(|(n, _)| *n);
            if let Some(ended) = ended {
                self.forget(ended);
            } else if let Some(stream) = self.streams.get_mut(&number).filter(|stream| stream.kept.len() > 1) {
                self.bytes -= drop_first(stream);
            } else {
                let other = self.streams.values_mut().find(|stream| stream.kept.len() > 1);
                let Some(other) = other else { break };
                self.bytes -= drop_first(other);
            }
        }
    }

    /// Nothing more will be said on a stream.
    pub fn end(&mut self, number: u64) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.ended = true;
            stream.changed.send_replace(());
        }
        let idle: Vec<u64> = self.streams.iter().filter(|(_, s)| s.ended && !s.attached).map(|(n, _)| *n).collect();
        for oldest in idle.iter().take(idle.len().saturating_sub(KEPT)) {
            self.forget(*oldest);
        }
    }

    /// The same of all streams.
    pub fn end_all(&mut self) {
        for stream in self.streams.values_mut() {
            stream.ended = true;
            stream.changed.send_replace(());
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(stream) = self.streams.remove(&number) {
            self.bytes -= stream.kept.iter().map(Bytes::len).sum::<usize>();
        }
    }

    /// A reader of a stream; one that was there before is at its end. `None` where there is no such stream or no such
    /// place in it.
    pub fn attach(&mut self, number: u64, from: From) -> Option<Cursor> {
        let stream = self.streams.get_mut(&number)?;
        let next = match from {
            From::Unread => stream.unread.max(stream.first),
            From::After(event) => event.checked_add(1).filter(|next| *next <= stream.next())?.max(stream.first),
        };
        stream.readers += 1;
        stream.attached = true;
        stream.changed.send_replace(());
        Some(Cursor { stream: number, reader: stream.readers, next, changed: stream.changed.subscribe() })
    }

    /// What there is for a reader now.
    pub fn read(&mut self, cursor: &mut Cursor) -> Next {
        cursor.changed.mark_unchanged();
        let Some(stream) = self.streams.get_mut(&cursor.stream).filter(|s| s.readers == cursor.reader) else {
            return Next::End;
        };
        let Some(index) = cursor.next.checked_sub(stream.first).and_then(|i| usize::try_from(i).ok()) else {
            return Next::End;
        };
        match stream.kept.get(index) {
            Some(bytes) => {
                cursor.next += 1;
                stream.unread = stream.unread.max(cursor.next);
                Next::Bytes(bytes.clone())
            }
            None if stream.ended => Next::End,
            None => Next::Wait,
        }
    }

    /// A reader is gone. The stream, where it has no reader now.
    pub fn detach(&mut self, cursor: &Cursor) -> Option<u64> {
        let stream = self.streams.get_mut(&cursor.stream).filter(|s| s.readers == cursor.reader)?;
        stream.attached = false;
        if stream.ended && stream.form == Form::Message {
            self.forget(cursor.stream);
        } else if stream.ended {
            self.end(cursor.stream);
        }
        Some(cursor.stream)
    }

    /// Whether a stream has a reader.
    pub fn is_attached(&self, number: u64) -> bool {
        self.streams.get(&number).is_some_and(|stream| stream.attached)
    }

    /// Whether any has.
    pub fn is_read(&self) -> bool {
        self.streams.values().any(|stream| stream.attached)
    }
}

impl Cursor {
    /// Returns when there may be more to read.
    pub async fn changed(&mut self) {
        // An error means that the stream is forgotten, which the next read finds.
        let _ = self.changed.changed().await;
    }
}

fn drop_first(stream: &mut Stream) -> usize {
    stream.first += 1;
    stream.kept.pop_front().map_or(0, |bytes| bytes.len())
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
