//! A client's message that waits for somebody outside: for people, who take minutes where a check takes none.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{BoxFuture, ToServer};

/// Lines that are on their way to a client who is told of the wait. What is more is of no use when it comes.
const SAID: usize = 4;

/// A message whose verdict is not known for long. It gives up its place in the order of the lines: what comes behind it goes on
/// meanwhile, a cancellation among it. When the verdict is known it takes effect at once.
pub struct Wait {
    /// `None` once it was given out.
    verdict: Option<BoxFuture<ToServer>>,
    said: mpsc::Receiver<Bytes>,
    left: bool,
}

/// The way to the client from within a [`Wait`].
#[derive(Clone, Debug)]
pub struct Aside(mpsc::Sender<Bytes>);

impl Aside {
    /// Tells the client something meanwhile: one line without its ending. A client that reads slowly misses some of it.
    pub fn tell(&self, line: Bytes) {
        let _ = self.0.try_send(line);
    }

    /// Resolves when nobody waits any more: the client is gone, or the server. The verdict still takes effect, so it must be one by which
    /// nothing is sent on, unless it was promised before.
    pub async fn left(&self) {
        self.0.closed().await;
    }
}

/// What comes of a wait, in this order: some lines, and the verdict.
#[derive(Debug)]
pub(crate) enum Step {
    /// A line for the client.
    Said(Bytes),
    /// The verdict, last of all; never another wait.
    Known(ToServer),
}

impl Wait {
    /// A wait whose verdict `decide` comes to. It runs on the relay's own task, as all that an interceptor gives it.
    pub fn new<F>(decide: impl FnOnce(Aside) -> F) -> Self
    where
        F: Future<Output = ToServer> + Send + 'static,
    {
        let (sender, said) = mpsc::channel(SAID);
        Self { verdict: Some(Box::pin(decide(Aside(sender)))), said, left: false }
    }

    /// Tells whoever decides that nobody waits any more. The verdict is still to be awaited.
    pub(crate) fn leave(&mut self) {
        self.left = true;
        self.said.close();
    }

    /// The next step.
    pub(crate) async fn step(&mut self) -> Step {
        // It ends with the verdict, after which nobody asks.
        poll_fn(|cx| self.poll_step(cx)).await.unwrap_or(Step::Known(ToServer::Drop))
    }

    /// The verdict, where the client cannot be told anything meanwhile; `gone` resolves when it does not wait any more.
    pub(crate) async fn known(mut self, gone: impl Future<Output = ()>) -> ToServer {
        let mut gone = pin!(gone);
        loop {
            tokio::select! {
                step = self.step() => if let Step::Known(verdict) = step { return verdict },
                () = &mut gone, if !self.left => self.leave(),
            }
        }
    }

    /// The next step; `None` after the verdict.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        loop {
            if let Poll::Ready(Some(line)) = self.said.poll_recv(cx) {
                return Poll::Ready(Some(Step::Said(line)));
            }
            let Some(verdict) = &mut self.verdict else { return Poll::Ready(None) };
            match verdict.as_mut().poll(cx) {
                Poll::Pending => {
                    // What was said by this very poll.
                    let Poll::Ready(Some(line)) = self.said.poll_recv(cx) else { return Poll::Pending };
                    return Poll::Ready(Some(Step::Said(line)));
                }
                Poll::Ready(ToServer::Waits(mut next)) => {
                    if self.left {
                        next.leave();
                    }
                    *self = next;
                }
                Poll::Ready(verdict) => {
                    self.verdict = None;
                    self.said.close();
                    return Poll::Ready(Some(Step::Known(verdict)));
                }
            }
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("left", &self.left).finish_non_exhaustive()
    }
}
