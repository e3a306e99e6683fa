//! Messages that gave up their place in the order of the lines until somebody outside has decided.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{SelectAll, Stream};

use super::RelayError;
use super::engine::{Engine, Presence, is_one_line};
use crate::wait::{Step, Wait};
use crate::{Interceptor, ToServer};

/// What waits, and what was decided and has no room yet.
#[derive(Default)]
pub(super) struct Waiting {
    undecided: SelectAll<Line>,
    decided: VecDeque<(Bytes, ToServer)>,
    /// Whether all have been told that nobody waits any more.
    left: bool,
}

/// A line with its wait.
struct Line {
    raw: Bytes,
    wait: Wait,
}

impl Stream for Line {
    type Item = (Bytes, Step);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = self.wait.poll_step(cx);
        step.map(|step| Some((self.raw.clone(), step?)))
    }
}

impl Waiting {
    pub fn push(&mut self, raw: Bytes, mut wait: Wait) {
        if self.left {
            wait.leave();
        }
        self.undecided.push(Line { raw, wait });
    }

    pub fn len(&self) -> usize {
        self.undecided.len() + self.decided.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.undecided.iter_mut().for_each(|line| line.wait.leave());
        }
    }
}

impl<I: Interceptor> Engine<I> {
    /// Passes on what waits say, and does what was decided. Before what is in order: a cancellation that knows of a decision comes behind it.
    pub(super) fn hear_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        if self.client != Presence::Here || self.lease.is_none() || self.exit.is_some() {
            self.waiting.leave();
        }
        let mut moved = false;
        while let Poll::Ready(Some((raw, step))) = Pin::new(&mut self.waiting.undecided).poll_next(cx) {
            match step {
                // News of the moment: a client that does not read them has no need of old ones.
                Step::Said(line) if is_one_line(&line) => {
                    if self.to_client.has_room() {
                        self.to_client.push_line(line);
                    }
                }
                Step::Said(_) => self.fail(RelayError::NotOneLine),
                Step::Known(verdict) => self.waiting.decided.push_back((raw, verdict)),
            }
            moved = true;
        }
        for _ in 0..self.waiting.decided.len() {
            let Some((raw, verdict)) = self.waiting.decided.pop_front() else { break };
            if self.has_room_for(&verdict) {
                self.apply(raw, verdict);
                moved = true;
            } else {
                // In their order among themselves, for each side.
                self.waiting.decided.push_back((raw, verdict));
            }
        }
        moved
    }
}
