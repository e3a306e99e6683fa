//! A request that waits for somebody outside: its answer begins as a stream of events, so that its client can be told meanwhile.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue};
use http_body::Frame;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::backend::Backend;
use super::events::{self, Sender, event_of};
use super::exchange::{Open, RESENDS};
use super::relay::{Exchange as _, Exchanges};
use super::{Response, answer};
use crate::wait::{Step, Wait};
use crate::{Interceptor as _, ToServer};

impl<S, E> Open<S, E>
where
    S: Backend,
    E: Exchanges,
{
    /// Waits for the verdict, and goes by it. A client that goes away meanwhile ends the wait; the verdict is awaited all the same, since
    /// it may be that the request goes on.
    pub async fn wait(mut self, wait: Wait, body: Bytes, answer: oneshot::Sender<Response>) {
        let (mut head, none) = answer::empty(http::StatusCode::OK).into_parts();
        drop(none);
        // Between us and the client nobody is to keep events back.
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let (sender, shown) = events::begin(head);
        // Where nobody takes it the sender is closed at once.
        let _ = answer.send(shown);
        let body = match self.verdict(wait, &sender).await {
            ToServer::Pass => body,
            ToServer::Forward(body) => body,
            ToServer::Reply(line) => {
                if let Some(event) = event_of(line) {
                    let _ = sender.send(Ok(Frame::data(event))).await;
                }
                return drop(self.interceptor.server_gone(None).await);
            }
            // A wait ends with something else.
            ToServer::Drop | ToServer::Waits(_) => return drop(self.interceptor.server_gone(None).await),
        };
        self.interceptor.annotate(&mut self.head.extensions);
        events::ask(&self, body, RESENDS, sender).await;
    }

    async fn verdict(&self, mut wait: Wait, sender: &Sender) -> ToServer {
        let mut here = true;
        loop {
            let event = tokio::select! {
                step = wait.step() => match step {
                    Step::Known(verdict) => return verdict,
                    Step::Said(line) => event_of(line),
                },
                () = sender.closed(), if here => {
                    here = false;
                    wait.leave();
                    None
                }
                // A comment, which keeps the connection open.
                () = sleep(self.shared.limits.keep_alive), if here => Some(Bytes::from_static(b":\n\n")),
            };
            if let Some(event) = event {
                // News of the moment: a client that does not read them has no need of old ones.
                let _ = sender.try_send(Ok(Frame::data(event)));
            }
        }
    }
}
