//! Results in the order of what they are for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};

use crate::{BoxFuture, Handling};

/// Lines whose handling is under way. Futures run together; results come out in the order the lines went in.
pub(super) struct InOrder<T> {
    slots: VecDeque<Slot<T>>,
    /// Number of the first slot.
    first: u64,
    futures: FuturesUnordered<BoxFuture<(u64, T)>>,
    /// Bytes of the lines held here.
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

struct Slot<T> {
    raw: Bytes,
    result: Option<T>,
}

impl<T: Send + 'static> InOrder<T> {
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self { slots: VecDeque::new(), first: 0, futures: FuturesUnordered::new(), bytes: 0, most, most_bytes }
    }

    /// Whether another line may be taken in. A line of any size may when there is none.
    pub fn has_room(&self) -> bool {
        self.is_empty() || (self.slots.len() < self.most && self.bytes < self.most_bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn push(&mut self, raw: Bytes, handling: Handling<T>) {
        let number = self.first + self.slots.len() as u64;
        self.bytes += raw.len();
        let result = match handling {
            Handling::Now(result) => Some(result),
            Handling::Later(future) => {
                self.futures.push(Box::pin(async move { (number, future.await) }));
                None
            }
        };
        self.slots.push_back(Slot { raw, result });
    }

    /// Lets the futures run. They must run even while no result can be used, since one may hold what another waits for.
    pub fn poll_futures(&mut self, cx: &mut Context<'_>) {
        while !self.futures.is_empty() {
            let Poll::Ready(Some((number, result))) = Pin::new(&mut self.futures).poll_next(cx) else {
                return;
            };
            let slot = usize::try_from(number - self.first).ok().and_then(|at| self.slots.get_mut(at));
            if let Some(slot) = slot {
                slot.result = Some(result);
            }
        }
    }

    /// The first line's result, if it is known.
    pub fn front(&self) -> Option<&T> {
        self.slots.front()?.result.as_ref()
    }

    /// Takes the first line (its raw bytes) and its result, if that is known.
    pub fn pop(&mut self) -> Option<(Bytes, T)> {
        self.front()?;
        let Slot { raw, result } = self.slots.pop_front()?;
        self.first += 1;
        self.bytes = self.bytes.saturating_sub(raw.len());
        Some((raw, result?))
    }
}
