//! Tasks: a call whose result comes later. What the task ends with is the outcome of the call that made it.
//! `spec/task.md`.
//!
//! Both forms are read by the same functions: that of 2025-11-25 (`tasks/result` fetches the result), and the extension
//! `io.modelcontextprotocol/tasks` of 2026-07-28 (`tasks/get` has it inside).

use crate::digest::Salt;
use crate::entry::Status;
use crate::json::{Object, Value};
use crate::response::Outcome;

/// What a request asks about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// How it stands: `tasks/get`, and `tasks/cancel`, which in 2025-11-25 is answered alike.
    State,
    /// What it ended with: `tasks/result` of 2025-11-25.
    Result,
}

/// Members that make a result the tool's own, whatever else it has: then it is the outcome and no promise of one.
const OF_A_RESULT: [&str; 6] = ["content", "error", "isError", "result", "structuredContent", "toolResult"];

/// The id of the task that the answer to a `tools/call` puts in place of a result.
pub fn created<'m>(answer: &'m Value<'_>) -> Option<&'m str> {
    let result = answer.as_object()?.get("result")?.as_object()?;
    if OF_A_RESULT.iter().any(|name| result.get(name).is_some()) {
        return None;
    }
    // 2026-07-28: the task is the result, and says so. 2025-11-25: the task is its one member besides `_meta`.
    match result.get("resultType") {
        Some(kind) if kind.as_str() == Some("task") => id(result),
        Some(_) => None,
        None if result.iter().all(|(name, _)| matches!(name, "task" | "_meta")) => {
            id(result.get("task")?.as_object()?)
        }
        None => None,
    }
}

/// Which task a request asks about, and what.
pub fn asked<'m>(request: &'m Value<'_>) -> Option<(Asked, &'m str)> {
    let request = request.as_object()?;
    let asked = match request.get("method")?.as_str()? {
        "tasks/get" | "tasks/cancel" => Asked::State,
        "tasks/result" => Asked::Result,
        _ => return None,
    };
    Some((asked, id(request.get("params")?.as_object()?)?))
}

/// Which task a notification tells the state of.
pub fn told<'m>(notification: &'m Value<'_>) -> Option<&'m str> {
    id(state_told(notification)?)
}

/// What the answer to such a request says of how the call ended; `None` while it works or wants input, and where the
/// answer tells nothing of the task. `answer` is `None` in place of a message that has no canonical form: it may hold the
/// result, so it counts as one that nothing is committed of.
pub fn outcome(asked: Asked, answer: Option<&Value<'_>>, salt: &Salt) -> Option<Outcome> {
    let Some(answer) = answer else {
        return Some(Outcome { status: Status::Result, digest: None });
    };
    // An error may be about the question (no such task) as well as about the task. Nothing is decided on it: `tasks/get`
    // tells which.
    let result = answer.as_object()?.get("result")?;
    match asked {
        Asked::State => ended(result.as_object()?, salt),
        Asked::Result => Some(Outcome::of_result(result, salt)),
    }
}

/// What a notification of a task's state says of how the call ended.
pub fn outcome_told(notification: &Value<'_>, salt: &Salt) -> Option<Outcome> {
    ended(state_told(notification)?, salt)
}

fn state_told<'m, 'v>(notification: &'m Value<'v>) -> Option<&'m Object<'v>> {
    let notification = notification.as_object()?;
    let method = notification.get("method")?.as_str()?;
    // The one of 2026-07-28, and that of 2025-11-25.
    matches!(method, "notifications/tasks" | "notifications/tasks/status").then_some(())?;
    notification.get("params")?.as_object()
}

fn ended(task: &Object<'_>, salt: &Salt) -> Option<Outcome> {
    match task.get("status")?.as_str()? {
        // In 2025-11-25 the result is still to be asked for, and counts when it comes.
        "completed" => task.get("result").map(|result| Outcome::of_result(result, salt)),
        "failed" => Some(match task.get("error") {
            Some(error) => Outcome::of_error(error, salt),
            None => Outcome { status: Status::Error, digest: None },
        }),
        "cancelled" => Some(Outcome { status: Status::Cancelled, digest: None }),
        _ => None,
    }
}

fn id<'m>(task: &'m Object<'_>) -> Option<&'m str> {
    task.get("taskId")?.as_str()
}
