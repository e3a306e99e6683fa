//! Requests whose answers matter to whoever signs or verifies calls.

use crate::digest::Salt;
use crate::extension::Era;
use crate::json::Value;
use crate::response::Outcome;
use crate::task::{self, Asked};

/// A request whose answer matters. `C` is what is known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched<C> {
    /// One that carries a proof.
    Call {
        /// What is known of it.
        call: C,
        /// The task that it asks about: `tasks/cancel` is signed, and its answer may say how the task ended.
        about: Option<About>,
    },
    /// One whose answer says what the server can.
    Opening(Era),
    /// One about a task that belongs to a call.
    Task(About),
}

impl<C> Watched<C> {
    /// A request without a proof; `None` where its answer is no matter of ours. `waits` says whether the end of a task, by its
    /// id, is waited for.
    pub fn unsigned(request: &Value<'_>, waits: impl FnOnce(&str) -> bool) -> Option<Self> {
        let method = request.as_object()?.get("method")?.as_str()?;
        match Era::of_opening(method) {
            Some(era) => Some(Self::Opening(era)),
            None => About::of(request, waits).map(Self::Task),
        }
    }

    /// What is known of the call, if it is one.
    pub fn call(&self) -> Option<&C> {
        match self {
            Self::Call { call, .. } => Some(call),
            Self::Opening(_) | Self::Task(_) => None,
        }
    }

    /// The same, taken out.
    pub fn into_call(self) -> Option<C> {
        match self {
            Self::Call { call, .. } => Some(call),
            Self::Opening(_) | Self::Task(_) => None,
        }
    }
}

/// A question about a task that belongs to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    asked: Asked,
    /// The task's id.
    pub task: String,
}

impl About {
    /// What `request` asks about a task whose end is waited for.
    pub fn of(request: &Value<'_>, waits: impl FnOnce(&str) -> bool) -> Option<Self> {
        let (asked, id) = task::asked(request)?;
        waits(id).then(|| Self { asked, task: id.to_owned() })
    }

    /// What the answer says of how the task's call ended: [`task::outcome`].
    pub fn outcome(&self, answer: Option<&Value<'_>>, salt: &Salt) -> Option<Outcome> {
        task::outcome(self.asked, answer, salt)
    }
}
