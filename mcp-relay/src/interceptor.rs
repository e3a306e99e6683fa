//! Who sees the messages on their way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use attest_core::json::Value;
use bytes::Bytes;

use crate::{Defect, Exit, Wait};

/// A boxed future that a relay may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What becomes of a message: known at once, or later.
///
/// Results take effect in the order of the lines, whatever the order in which they become known. The futures of one
/// direction run at the same time, but on the relay's own task: work that should use another core belongs on
/// `tokio::spawn` or `spawn_blocking`, with the join handle awaited here.
pub enum Handling<T> {
    /// Known.
    Now(T),
    /// Known when the future resolves.
    Later(BoxFuture<T>),
}

impl<T> Handling<T> {
    /// A result that takes a while.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// What it is, when it is known.
    pub async fn known(self) -> T {
        match self {
            Self::Now(known) => known,
            Self::Later(future) => future.await,
        }
    }
}

/// What becomes of a client's message. Bytes are one line without its ending; with a CR or LF in them the relay ends.
#[derive(Debug)]
pub enum ToServer {
    /// Goes to the server exactly as it came.
    Pass,
    /// These bytes go to the server instead.
    Forward(Bytes),
    /// Nothing goes to the server; the client gets these bytes.
    Reply(Bytes),
    /// Nothing goes anywhere.
    Drop,
    /// Somebody outside decides, which may take minutes; lines behind it do not wait.
    Waits(Wait),
}

/// What becomes of a server's message. Bytes are one line without its ending; with a CR or LF in them the relay ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToClient {
    /// Goes to the client exactly as it came.
    Pass,
    /// These bytes go to the client instead.
    Replace(Bytes),
    /// Nothing goes to the client; these bytes go to the server as the client's, in place of the request that this message
    /// answers.
    Resend(Bytes),
    /// Nothing goes to the client.
    Drop,
}

/// What becomes of a client's line that is no message. There is no way to say that it goes to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client gets these bytes: one line without its ending.
    Reply(Bytes),
    /// The client gets nothing.
    Drop,
}

/// Sees every message in both directions and says what becomes of it.
///
/// Calls come from one task, one at a time, in the order of the lines of each direction. They should return quickly; what
/// takes long goes into [`Handling::Later`]. A line given here shares no memory with other lines, so keeping it keeps
/// just it. Blank lines carry no message: they pass and are not shown.
pub trait Interceptor: Send + Sync + 'static {
    /// A client's message: `line` without its ending, and `value`, the object read from exactly these bytes.
    fn client_message(&self, line: Bytes, value: &Value<'_>) -> Handling<ToServer>;

    /// A client's line that is no message; unless told otherwise, the client gets [`Defect::reply`]. `id` is there where
    /// the line could be read, and it is what came with it that is wrong.
    fn client_defect(&self, defect: Defect, id: Option<&Value<'_>>) -> Handling<Refusal> {
        Handling::Now(Refusal::Reply(defect.reply(id)))
    }

    /// A server's message: `line` without its ending, and the value read from exactly these bytes. `None` where a strict
    /// reader and the client's could disagree: not strict JSON, or a CR inside the line.
    fn server_message(&self, line: Bytes, value: Option<&Value<'_>>) -> Handling<ToClient>;

    /// The server is gone and all it wrote has been handled. Called once, last of all; the lines that come back go to the
    /// client before the relay ends, for example an error for each call that has no answer. `exit` is how the server
    /// ended, where the transport can know.
    fn server_gone(&self, exit: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        let _ = exit;
        Box::pin(std::future::ready(Vec::new()))
    }

    /// The client will send nothing more, and all it sent has been handled. Called at most once; not called when the
    /// server ended first.
    fn client_gone(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

/// Passes every message.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough;

impl Interceptor for PassThrough {
    fn client_message(&self, _: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        Handling::Now(ToServer::Pass)
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

impl<T: Interceptor + ?Sized> Interceptor for Arc<T> {
    fn client_message(&self, line: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        (**self).client_message(line, value)
    }

    fn client_defect(&self, defect: Defect, id: Option<&Value<'_>>) -> Handling<Refusal> {
        (**self).client_defect(defect, id)
    }

    fn server_message(&self, line: Bytes, value: Option<&Value<'_>>) -> Handling<ToClient> {
        (**self).server_message(line, value)
    }

    fn server_gone(&self, exit: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        (**self).server_gone(exit)
    }

    fn client_gone(&self) -> BoxFuture<()> {
        (**self).client_gone()
    }
}
