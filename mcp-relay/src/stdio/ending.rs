//! How a relay comes to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, sleep};

use super::RelayError;
use super::engine::{Engine, Presence, is_one_line};
use super::inlet::Inlet;
use crate::{BoxFuture, Interceptor};

/// The interceptor is told that a side is gone.
pub(super) enum Farewell<T> {
    /// It is not done with it.
    Waiting(BoxFuture<T>),
    /// It is.
    Done,
}

impl<T> Farewell<T> {
    /// The result, the one time it becomes known.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<T> {
        let Self::Waiting(future) = self else { return None };
        let Poll::Ready(result) = future.as_mut().poll(cx) else {
            return None;
        };
        *self = Self::Done;
        Some(result)
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

impl<I: Interceptor> Engine<I> {
    /// Notices the server's end.
    pub(super) fn watch_server(&mut self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        if self.exit.is_some() {
            return Ok(false);
        }
        let Poll::Ready(joined) = Pin::new(&mut self.running).poll(cx) else {
            return Ok(false);
        };
        self.exit = Some(joined.map_err(io::Error::from).flatten().map_err(RelayError::Wait)?);
        self.from_client = None;
        self.to_server.close();
        self.from_server.iter_mut().for_each(Inlet::writer_gone);
        self.patience = Some(Box::pin(sleep(self.options.grace)));
        Ok(true)
    }

    /// Takes nothing more from the client once the server is dismissed. What was taken is still handled.
    pub(super) fn watch_dismissal(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Poll::Ready(told)) = self.dismissal.as_mut().map(|dismissal| Pin::new(dismissal).poll(cx)) else {
            return false;
        };
        self.dismissal = None;
        if told.is_err() {
            // The server has ended instead.
            return false;
        }
        self.from_client = None;
        if self.client == Presence::Here {
            self.client = Presence::Quiet;
        }
        true
    }

    /// Nothing more goes to or comes from the server, and it has to end.
    pub(super) fn stop_server(&mut self) {
        self.from_client = None;
        self.from_server = None;
        self.to_server.close();
        self.lease = None;
    }

    /// The relay cannot go on.
    pub(super) fn fail(&mut self, error: RelayError) {
        self.error.get_or_insert(error);
        self.stop_server();
    }

    /// Closes what has no more use, and tells the interceptor who is gone.
    pub(super) fn say_farewell(&mut self, cx: &mut Context<'_>) -> bool {
        if self.client != Presence::Here && self.calls.is_empty() && self.waiting.is_empty() {
            if self.to_server.is_empty() {
                self.to_server.close();
            }
            let interceptor = &self.interceptor;
            let told = self.client_gone.get_or_insert_with(|| Farewell::Waiting(interceptor.client_gone()));
            if told.poll(cx).is_some() {
                return true;
            }
        }
        if !self.is_settled() {
            return false;
        }
        let (interceptor, exit) = (&self.interceptor, self.exit);
        let told = self.server_gone.get_or_insert_with(|| Farewell::Waiting(interceptor.server_gone(exit)));
        let Some(lines) = told.poll(cx) else { return false };
        for line in lines {
            if is_one_line(&line) {
                self.to_client.push_line(line);
            } else {
                self.error.get_or_insert(RelayError::NotOneLine);
            }
        }
        true
    }

    /// The server has ended and everything either side sent has been handled.
    fn is_settled(&self) -> bool {
        let client_told = self.client == Presence::Here || self.client_gone.as_ref().is_some_and(Farewell::is_done);
        self.exit.is_some()
            && self.from_server.is_none()
            && self.answers.is_empty()
            && self.calls.is_empty()
            && self.waiting.is_empty()
            && client_told
    }

    /// Whether nothing is left to do, or nothing but to wait for an interceptor that has used up its time.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>, moved: bool) -> bool {
        let Some(patience) = &mut self.patience else {
            return false;
        };
        if moved {
            patience.as_mut().reset(Instant::now() + self.options.grace);
        }
        let expired = patience.as_mut().poll(cx).is_ready();
        let done = self.server_gone.as_ref().is_some_and(Farewell::is_done);
        // A client that reads slowly is waited for without limit: the server's last words are in the queue.
        (done || expired) && self.to_client.poll_drain(cx).is_ready()
    }
}
