//! Which caller each of the shared child's messages is for.
//!
//! Each request goes to the child under a number of ours, used once in the life of the gateway, as its id and as its
//! progress token. What the child says is given to the caller of the number it names, with the caller's own names put
//! back. What names none, or names more than one, is given to nobody: a guess could show one caller what another asked.

use std::collections::HashMap;

use attest_core::json::{Value, parse};
use bytes::Bytes;

use super::queue::{Message, Outbox};
use super::tools::Tools;
use crate::http::gateway::edit::{Edit, edited};
use crate::http::gateway::problem::{Problem, refuse_child};
use crate::http::gateway::replies;
use crate::{Id, Kind};
use http::StatusCode;

/// The member of `_meta` that says which `subscriptions/listen` a message belongs to.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// A request that is open.
pub(super) struct Exchange {
    /// The caller's id of it.
    pub id: Id,
    /// The caller's progress token, where it gave one.
    pub token: Option<Value<'static>>,
    /// Whether it is a subscription, which only then may be named by notifications.
    pub listens: bool,
    /// Whether its answer names the child's tools.
    pub lists_tools: bool,
    /// Whether `-32602` means that its metadata is incomplete.
    pub lacks_metadata: bool,
    /// Which of the successive children it went to.
    pub child: u64,
    /// To its caller.
    pub outbox: Outbox,
}

/// What is to be done after a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Done,
    /// A caller was given its answer: the child works.
    Answered,
    /// Tell the child that nobody waits for this number any more.
    Cancel(u64),
    /// Send the child this line.
    Reply(Bytes),
}

/// The open requests, by our number.
#[derive(Default)]
pub(super) struct Exchanges {
    open: HashMap<u64, Exchange>,
    last: u64,
    /// What was learned from the answers.
    pub tools: Tools,
}

impl Exchanges {
    /// Takes a request in; its number.
    pub fn open(&mut self, exchange: Exchange) -> u64 {
        self.last += 1;
        self.open.insert(self.last, exchange);
        self.last
    }

    /// The caller is gone. Whether the request was still open.
    pub fn leave(&mut self, number: u64) -> bool {
        self.open.remove(&number).is_some()
    }

    /// The child is gone: those who wait for it are told.
    pub fn child_gone(&mut self, child: u64) {
        self.tools.forget();
        for (_, exchange) in self.open.extract_if(|_, exchange| exchange.child == child) {
            fail(&exchange, &Problem::ServerGone);
        }
    }

    /// A line of `child`.
    pub fn line(&mut self, child: u64, line: &[u8]) -> After {
        let Ok(message) = parse(line) else {
            return self.give_up(child, Id::of_opaque_answer(line));
        };
        match Kind::of(&message) {
            Kind::Response { id } => self.answer(child, &message, &id),
            Kind::Notification { method } => self.notification(child, &message, method),
            Kind::Request { id, .. } => After::Reply(refuse_child(&id.to_value())),
            Kind::Other => self.give_up(child, Id::of_answer(&message)),
        }
    }

    fn answer(&mut self, child: u64, message: &Value<'_>, id: &Id) -> After {
        let Some((number, exchange)) = self.take(child, &id.to_value()) else {
            return After::Done;
        };
        let own = exchange.id.to_value();
        let mut edits: Vec<Edit<'_>> = vec![(&["id"], &own)];
        if exchange.listens && at(message, &["result", "_meta", SUBSCRIPTION]).and_then(Value::as_u53) == Some(number) {
            edits.push((&["result", "_meta", SUBSCRIPTION], &own));
        }
        if exchange.lists_tools {
            self.tools.learn(message);
        }
        let status = replies::status(message, exchange.lacks_metadata);
        // A full queue has no room for it, and nobody to tell: the caller sees its stream end.
        let _ = exchange.outbox.put(Message::Answer(status, edited(message, &edits)));
        After::Answered
    }

    fn notification(&mut self, child: u64, message: &Value<'_>, method: &str) -> After {
        const META: &[&str] = &["params", "_meta", SUBSCRIPTION];
        const TOKEN: &[&str] = &["params", "progressToken"];
        const REQUEST: &[&str] = &["params", "requestId"];
        let by_subscription = at(message, META);
        let by_token = at(message, TOKEN).filter(|_| method == "notifications/progress");
        let by_request = at(message, REQUEST).filter(|_| method == "notifications/cancelled");
        let mut named = [by_subscription, by_token, by_request].into_iter().flatten();
        let number = named.next().and_then(Value::as_u53);
        if named.any(|other| other.as_u53() != number) {
            return After::Done;
        }
        let Some((number, exchange)) = number.and_then(|n| Some((n, self.open.get(&n).filter(|e| e.child == child)?)))
        else {
            return After::Done;
        };
        let own = exchange.id.to_value();
        let mut edits: Vec<Edit<'_>> = Vec::with_capacity(2);
        if by_subscription.is_some() || by_request.is_some() {
            if !exchange.listens {
                return After::Done;
            }
            edits.push((META, &own));
        }
        if by_token.is_some() {
            let Some(token) = &exchange.token else {
                return After::Done;
            };
            edits.push((TOKEN, token));
        }
        if by_request.is_some() {
            edits.push((REQUEST, &own));
        }
        let put = exchange.outbox.put(Message::Note(edited(message, &edits)));
        // The child says so when it ends a subscription, and nothing for it afterwards.
        if put.is_err() || by_request.is_some() {
            self.open.remove(&number);
        }
        if put.is_err() { After::Cancel(number) } else { After::Done }
    }

    /// An answer that cannot be passed on: its request has an end all the same.
    fn give_up(&mut self, child: u64, id: Option<Id>) -> After {
        let Some((_, exchange)) = id.and_then(|id| self.take(child, &id.to_value())) else {
            return After::Done;
        };
        fail(&exchange, &Problem::Unreadable);
        After::Answered
    }

    fn take(&mut self, child: u64, id: &Value<'_>) -> Option<(u64, Exchange)> {
        let number = id.as_u53()?;
        self.open.get(&number).filter(|exchange| exchange.child == child)?;
        Some((number, self.open.remove(&number)?))
    }
}

fn fail(exchange: &Exchange, problem: &Problem) {
    let _ = exchange.outbox.put(Message::Answer(StatusCode::OK, problem.to_message(Some(&exchange.id))));
}

/// The member at the end of a way.
fn at<'v, 'a>(message: &'v Value<'a>, way: &[&str]) -> Option<&'v Value<'a>> {
    way.iter().try_fold(message, |value, name| value.as_object()?.get(name))
}

#[cfg(test)]
#[path = "exchanges_tests.rs"]
mod tests;
