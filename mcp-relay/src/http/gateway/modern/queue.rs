//! What waits to be sent to one caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

/// A message to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Something on the way.
    Note(Bytes),
    /// The last one, and the status of the response that holds nothing else.
    Answer(StatusCode, Bytes),
}

impl Message {
    fn size(&self) -> usize {
        match self {
            Self::Note(bytes) | Self::Answer(_, bytes) => bytes.len(),
        }
    }
}

/// Puts messages in.
pub(super) struct Outbox {
    messages: mpsc::Sender<Message>,
    /// Bytes that are in the queue.
    waiting: Arc<AtomicUsize>,
    limit: usize,
}

/// Takes messages out.
pub(super) struct Inbox {
    messages: mpsc::Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The queue is full: its reader is too slow for what is said to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A queue of at most `messages` and `bytes`; one message of any size has room in an empty one.
pub(super) fn queue(messages: usize, bytes: usize) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(messages.max(1));
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { messages: sender, waiting: waiting.clone(), limit: bytes }, Inbox { messages: receiver, waiting })
}

impl Outbox {
    /// Never waits: the one who says something to this caller has others to talk to.
    pub fn put(&self, message: Message) -> Result<(), Full> {
        let size = message.size();
        // Only one task puts, so nothing is added between this look and the addition.
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting > 0 && waiting.saturating_add(size) > self.limit {
            return Err(Full);
        }
        self.waiting.fetch_add(size, Ordering::AcqRel);
        self.messages.try_send(message).map_err(|_| Full)
    }
}

impl Inbox {
    /// The next message; `None` when no more will come.
    pub async fn take(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.waiting.fetch_sub(message.size(), Ordering::AcqRel);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(size: usize) -> Message {
        Message::Note(vec![b'x'; size].into())
    }

    #[tokio::test]
    async fn a_queue_holds_no_more_than_its_messages_and_bytes() {
        let (outbox, mut inbox) = queue(3, 100);
        assert_eq!([1, 1, 1, 1].map(|n| outbox.put(note(n))), [Ok(()), Ok(()), Ok(()), Err(Full)]);
        let (outbox, _inbox) = queue(9, 100);
        assert_eq!([60, 40, 1].map(|n| outbox.put(note(n))), [Ok(()), Ok(()), Err(Full)]);
        assert_eq!(inbox.take().await, Some(note(1)));
    }

    #[tokio::test]
    async fn what_was_taken_makes_room_and_one_message_of_any_size_passes() {
        let (outbox, mut inbox) = queue(9, 100);
        for _ in 0..3 {
            outbox.put(note(1_000)).unwrap();
            assert_eq!(outbox.put(note(1)), Err(Full));
            assert_eq!(inbox.take().await, Some(note(1_000)));
        }
        drop(outbox);
        assert_eq!(inbox.take().await, None);
    }
}
