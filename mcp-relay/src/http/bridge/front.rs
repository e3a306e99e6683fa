//! Takes the host's messages one by one, and sends each on its way.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::json::{Object, Value};
use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_service::Service;

use super::BridgeOptions;
use super::call::{Route, Travel};
use super::exchange::Call;
use super::input::{Input, object};
use super::mirror::Tools;
use super::open::{Cancellation, Open};
use super::session::Sessions;
use super::wire::Wire;
use crate::http::{BoxError, Request, Response};
use crate::{Id, Kind};

/// An object that is none of JSON-RPC's messages. It is not sent: nobody could say what would answer it.
const NO_MESSAGE: &[u8] = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: neither a request nor a notification nor a response"}}"#;
/// A request whose id is that of another. The error is nobody's answer, or it would be the other's.
const ID_IN_USE: &[u8] = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: a request with this id has no answer yet"}}"#;

/// What every task of a bridge knows.
pub(super) struct Context<S> {
    pub wire: Wire<S>,
    pub sessions: Arc<Sessions>,
    pub out: mpsc::Sender<Bytes>,
    pub options: Arc<BridgeOptions>,
    pub open: Arc<Open>,
    tools: Arc<Mutex<Tools>>,
}

impl<S> Context<S> {
    pub fn new(wire: Wire<S>, sessions: Arc<Sessions>, out: mpsc::Sender<Bytes>, options: BridgeOptions) -> Self {
        let (open, tools) = (Arc::default(), Arc::default());
        Self { wire, sessions, out, options: Arc::new(options), open, tools }
    }

    pub fn tools(&self) -> MutexGuard<'_, Tools> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            wire: self.wire.clone(),
            sessions: self.sessions.clone(),
            out: self.out.clone(),
            options: self.options.clone(),
            open: self.open.clone(),
            tools: self.tools.clone(),
        }
    }
}

/// What a message waits for before it goes out.
#[derive(Clone, Default)]
pub(super) struct Gate(Option<watch::Receiver<()>>);

impl Gate {
    /// Resolves when the message that must not be overtaken is through.
    pub async fn passed(&self) {
        if let Some(mut held) = self.0.clone() {
            // Nothing is ever sent; the end of the sender is the sign.
            while held.changed().await.is_ok() {}
        }
    }
}

/// Leave for a message to be under way, given back by dropping it.
pub(super) struct Admission {
    pub gate: Gate,
    /// Held by a message that must not be overtaken.
    _gatekeeper: Option<watch::Sender<()>>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Reads the host.
pub(super) struct Front<S> {
    context: Context<S>,
    tasks: JoinSet<()>,
    gate: Gate,
    requests: Arc<Semaphore>,
    /// For notifications and responses. Apart from the requests: many of these may wait for a response of the host.
    others: Arc<Semaphore>,
}

/// What follows a notification.
enum Sequel {
    Nothing,
    /// The session is ready: the server may speak.
    Listen,
    /// The request was cancelled: the server may answer, for a while.
    Forget(Id, u64),
}

impl<S> Front<S>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    pub fn new(context: Context<S>) -> Self {
        let in_flight = context.options.in_flight.get().min(Semaphore::MAX_PERMITS);
        let permits = || Arc::new(Semaphore::new(in_flight));
        Self { requests: permits(), others: permits(), context, tasks: JoinSet::new(), gate: Gate::default() }
    }

    /// Ends when the host has closed its end and what it asked is answered, or has had its time.
    pub async fn run(mut self, lines: impl AsyncRead) -> io::Result<()> {
        let lines = pin!(lines);
        let mut input = Input::new(lines, self.context.options.line_limit);
        let outcome = loop {
            let line = tokio::select! {
                line = input.next() => line,
                Some(_) = self.tasks.join_next() => continue,
            };
            match line {
                Ok(Some(Ok(line))) => self.message(line).await,
                Ok(Some(Err(defect))) => self.say(defect.reply(None)).await,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.context.open.close_subscriptions();
        let all = u32::try_from(self.context.options.in_flight.get()).unwrap_or(u32::MAX);
        let answered = async {
            let _ = self.requests.acquire_many(all).await;
            let _ = self.others.acquire_many(all).await;
        };
        if timeout(self.context.options.grace, answered).await.is_err() {
            tracing::warn!("the host has left; requests that still have no answer are given up");
        }
        outcome
    }

    async fn say(&self, line: Bytes) {
        // The writer is gone only when the bridge is about to end.
        let _ = self.context.out.send(line).await;
    }

    async fn message(&mut self, line: Bytes) {
        let value = match object(&line) {
            Ok(value) => value,
            Err(defect) => return self.say(defect.reply(None)).await,
        };
        let Some(message) = value.as_object() else { return };
        match Kind::of(&value) {
            Kind::Request { id, method } => self.request(&line, id, method, message).await,
            Kind::Notification { method } => self.notification(&line, method, message).await,
            Kind::Response { .. } => self.send(line.clone(), Route::Session, false, Sequel::Nothing).await,
            Kind::Other => self.say(Bytes::from_static(NO_MESSAGE)).await,
        }
    }

    async fn request(&mut self, line: &Bytes, id: Id, method: &str, message: &Object<'_>) {
        let permit = self.requests.clone().acquire_owned().await.ok();
        // After the wait: an answer that came meanwhile may have taught us about tools.
        let travel = Travel::of(method, message, &self.context.tools());
        let Some((slot, stopped)) = self.context.open.begin(id, travel.scope(method)) else {
            return self.say(Bytes::from_static(ID_IN_USE)).await;
        };
        let admission = self.admission(matches!(travel.route, Route::Initialize), permit);
        let call = Call { line: line.clone(), travel };
        self.tasks.spawn(self.context.clone().exchange(call, slot, stopped, admission));
    }

    async fn notification(&mut self, line: &Bytes, method: &str, message: &Object<'_>) {
        let travel = Travel::of(method, message, &self.context.tools());
        let is_first = method == "notifications/initialized";
        let sequel = match method {
            "notifications/initialized" => Sequel::Listen,
            "notifications/cancelled" => {
                let id = message.get("params").and_then(Value::as_object).and_then(|params| params.get("requestId"));
                let Some(id) = id.and_then(Id::of) else { return };
                match self.context.open.cancel(&id) {
                    Cancellation::ToTell(number) => Sequel::Forget(id, number),
                    // Of a request that is answered, or closed just now: the server has nothing to stop.
                    Cancellation::Closed | Cancellation::Unknown => return,
                }
            }
            _ => Sequel::Nothing,
        };
        self.send(line.clone(), travel.route, is_first, sequel).await;
    }

    /// Sends what has no answer.
    async fn send(&mut self, line: Bytes, route: Route, is_gatekeeper: bool, sequel: Sequel) {
        let permit = self.others.clone().acquire_owned().await.ok();
        let admission = self.admission(is_gatekeeper, permit);
        self.tasks.spawn(self.context.clone().tell(line, route, admission, sequel));
    }

    fn admission(&mut self, is_gatekeeper: bool, permit: Option<OwnedSemaphorePermit>) -> Admission {
        let gate = self.gate.clone();
        let gatekeeper = is_gatekeeper.then(|| {
            let (keeper, held) = watch::channel(());
            self.gate = Gate(Some(held));
            keeper
        });
        Admission { gate, _gatekeeper: gatekeeper, _permit: permit }
    }
}

impl<S> Context<S>
where
    S: Service<Request, Response = Response, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    async fn tell(self, line: Bytes, route: Route, admission: Admission, sequel: Sequel) {
        admission.gate.passed().await;
        let accepted = self.post_unanswered(line, &route).await;
        drop(admission);
        match sequel {
            Sequel::Nothing => {}
            Sequel::Listen => {
                if let Ok(Some(session)) = self.sessions.current()
                    && accepted
                {
                    self.listen(session).await;
                }
            }
            Sequel::Forget(id, number) => {
                tokio::time::sleep(self.options.grace).await;
                self.open.close(&id, number);
            }
        }
    }
}
