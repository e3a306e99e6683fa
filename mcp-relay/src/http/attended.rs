//! An exchange that somebody waits for, and that goes on without him.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{Response, answer};

/// The answer to a request, with the exchange that makes it.
///
/// As long as the client waits, the exchange runs as part of the client's connection: handed to a task of its own, each would
/// wake other threads twice. hyper drops what a client that went away waited for, and an answer may stream after its head was
/// given; what is left of the exchange then goes on as a task, since how it ended is still to be written down.
pub(super) struct Attended<F: Future<Output = ()> + Send + 'static> {
    /// `None` at its end. In a box, so that it can move to a task.
    exchange: Option<Pin<Box<F>>>,
    answer: oneshot::Receiver<Response>,
    runtime: Handle,
}

impl<F: Future<Output = ()> + Send + 'static> Attended<F> {
    /// `exchange` makes the answer and gives it to the sender.
    pub fn new(exchange: impl FnOnce(oneshot::Sender<Response>) -> F) -> Self {
        let (sender, answer) = oneshot::channel();
        Self { exchange: Some(Box::pin(exchange(sender))), answer, runtime: Handle::current() }
    }

    fn let_go(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.runtime.spawn(exchange);
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Future for Attended<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        // Taken out meanwhile: one that panics is at its end.
        if let Some(mut exchange) = self.exchange.take()
            && exchange.as_mut().poll(cx).is_pending()
        {
            self.exchange = Some(exchange);
        }
        // Nobody else sends it, so nobody else has to wake us: a task that wakes itself is put into the queue once more, and
        // another thread is called to help.
        match self.answer.try_recv() {
            Err(TryRecvError::Empty) => Poll::Pending,
            answer => {
                self.let_go();
                Poll::Ready(answer.unwrap_or_else(|_| answer::empty(StatusCode::INTERNAL_SERVER_ERROR)))
            }
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Drop for Attended<F> {
    fn drop(&mut self) {
        // The exchange hears that nobody waits.
        self.answer.close();
        self.let_go();
    }
}
