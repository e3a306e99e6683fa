//! The family `task`: which task a call made, who asks about it, and how it ended.

use attest_core::digest::{Digest, Salt};
use serde_json::{Value, json};

use super::file::Vector;
use super::token::{b64, canonical, text};

const SALT: [u8; 16] = [4; 16];
const ID: &str = "786512e2-9e0d";

fn answer(result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 3, "result": result})
}

fn error() -> Value {
    json!({"code": -32602, "message": "Task not found"})
}

/// `task` is the id that is found.
fn found(kind: &str, name: &str, comment: &str, message: &Value, expect: &str, task: Option<&str>) -> Vector {
    let vector = Vector::new(kind, format!("task_{name}"), comment, text(message)).with("expect", expect);
    match task {
        Some(task) => vector.with("task", task),
        None => vector,
    }
}

fn created() -> Vec<Vector> {
    let made = |name: &str, comment: &str, result: Value| {
        found("task-created", &format!("created_{name}"), comment, &answer(&result), "yes", Some(ID))
    };
    let none = |name: &str, comment: &str, result: Value| {
        found("task-created", &format!("not_created_{name}"), comment, &answer(&result), "no", None)
    };
    let modern = json!({"createdAt": "2026-08-01T00:00:00Z", "resultType": "task", "status": "working", "taskId": ID, "ttlMs": null});
    let with = |member: &str, value: Value| {
        let mut result = modern.clone();
        result[member] = value;
        result
    };
    vec![
        made("modern", "the form of 2026-07-28", modern.clone()),
        made("legacy", "the form of 2025-11-25", json!({"task": {"status": "working", "taskId": ID, "ttl": 60000}})),
        made("legacy_meta", "beside _meta", json!({"_meta": {"com.example/a": 1}, "task": {"taskId": ID}})),
        none("result", "a result", json!({"content": []})),
        none("complete", "a result that says that it is complete", with("resultType", json!("complete"))),
        none("type_case", "a resultType in another case", with("resultType", json!("Task"))),
        none(
            "with_content",
            "a task that is a tool's result as well counts as the result",
            with("content", json!([{"type": "text", "text": "42"}])),
        ),
        none(
            "with_structured_content",
            "structuredContent is a result too",
            with("structuredContent", json!({"a": 1})),
        ),
        none("with_is_error", "isError is a result's too", with("isError", json!(false))),
        none("with_result", "a task that brings its result along", with("result", json!({"content": []}))),
        none("with_error", "a task that brings its error along", with("error", error())),
        none("with_tool_result", "the member of the oldest results", with("toolResult", json!("42"))),
        none(
            "legacy_with_content",
            "a result with a member task beside content",
            json!({"content": [], "task": {"taskId": ID}}),
        ),
        none("legacy_with_more", "a result with a member task beside another", json!({"task": {"taskId": ID}, "x": 1})),
        none("id_number", "an id that is no string", with("taskId", json!(7))),
        none("legacy_text", "a task that is no object", json!({"task": ID})),
        found(
            "task-created",
            "not_created_error",
            "an error",
            &json!({"jsonrpc": "2.0", "id": 3, "error": error()}),
            "no",
            None,
        ),
    ]
}

fn asked() -> Vec<Vector> {
    let request = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 3, "method": method, "params": params});
    let ask = |name: &str, comment: &str, message: Value, expect: &str, task| {
        found("task-asked", &format!("asked_{name}"), comment, &message, expect, task)
    };
    let id = json!({"taskId": ID});
    let notice = |name: &str, comment: &str, method: &str, params: &Value, expect: &str, task| {
        found(
            "task-told",
            &format!("told_{name}"),
            comment,
            &json!({"jsonrpc": "2.0", "method": method, "params": params}),
            expect,
            task,
        )
    };
    vec![
        ask("get", "how a task stands", request("tasks/get", id.clone()), "state", Some(ID)),
        ask("result", "what it ended with", request("tasks/result", id.clone()), "result", Some(ID)),
        ask(
            "cancel",
            "the end of it, which 2025-11-25 answers with its state",
            request("tasks/cancel", id.clone()),
            "state",
            Some(ID),
        ),
        ask("update", "an update is answered with nothing", request("tasks/update", id.clone()), "no", None),
        ask("list", "a list names no task", request("tasks/list", json!({})), "no", None),
        ask(
            "call",
            "a tool with an argument taskId",
            request("tools/call", json!({"arguments": id, "name": "tasks/get"})),
            "no",
            None,
        ),
        ask("id_number", "an id that is no string", request("tasks/get", json!({"taskId": 7})), "no", None),
        ask("no_params", "no params", json!({"jsonrpc": "2.0", "id": 3, "method": "tasks/get"}), "no", None),
        notice("modern", "a notification of 2026-07-28", "notifications/tasks", &id, "yes", Some(ID)),
        notice("legacy", "a notification of 2025-11-25", "notifications/tasks/status", &id, "yes", Some(ID)),
        notice("other", "another notification with a member taskId", "notifications/progress", &id, "no", None),
    ]
}

/// `committed` is what the digest is over; `None` where there is none.
fn outcome(
    asked: &str,
    name: &str,
    comment: &str,
    body: impl Into<Vec<u8>>,
    expect: &str,
    committed: Option<&Value>,
) -> Vector {
    let vector = Vector::new("task-outcome", format!("task_{name}"), comment, body)
        .with("asked", asked)
        .with("salt", &b64(SALT))
        .with("expect", expect);
    match committed {
        Some(value) => vector.with("digest", &Digest::salted(&Salt(SALT), &canonical(value)).to_b64()),
        None => vector,
    }
}

fn ended() -> Vec<Vector> {
    let result = json!({"content": [{"type": "text", "text": "42"}]});
    let failed = json!({"content": [{"type": "text", "text": "no"}], "isError": true});
    let task = |status: &str| json!({"resultType": "complete", "status": status, "taskId": ID, "ttlMs": 1});
    let with = |status: &str, member: &str, value: &Value| {
        let mut task = task(status);
        task[member] = value.clone();
        task
    };
    let state = |name: &str, comment: &str, task: Value, expect: &str, committed: Option<&Value>| {
        outcome("state", &format!("state_{name}"), comment, text(&answer(&task)), expect, committed)
    };
    let fetched = |name: &str, comment: &str, result: &Value, expect: &str, committed: Option<&Value>| {
        outcome("result", &format!("result_{name}"), comment, text(&answer(result)), expect, committed)
    };
    let told = |name: &str, comment: &str, task: Value, expect: &str, committed: Option<&Value>| {
        let message = json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": task});
        outcome("told", &format!("told_{name}"), comment, text(&message), expect, committed)
    };
    let meta = |result: &Value| {
        let mut result = result.clone();
        result["_meta"] = json!({"io.modelcontextprotocol/related-task": {"taskId": ID}});
        result
    };
    let refused = json!({"jsonrpc": "2.0", "id": 3, "error": error()});
    let internal = json!({"code": -32603, "message": "x"});
    vec![
        state("completed", "completed, with the result", with("completed", "result", &result), "result", Some(&result)),
        state(
            "completed_meta",
            "the result's own _meta is not committed to",
            with("completed", "result", &meta(&result)),
            "result",
            Some(&result),
        ),
        state(
            "tool_error",
            "completed, with a result that says isError",
            with("completed", "result", &failed),
            "tool-error",
            Some(&failed),
        ),
        state(
            "result_null",
            "completed, with a result that is null",
            with("completed", "result", &Value::Null),
            "result",
            Some(&Value::Null),
        ),
        state(
            "completed_alone",
            "completed in 2025-11-25: the result is still to be asked for",
            task("completed"),
            "open",
            None,
        ),
        state("failed", "failed, with the error", with("failed", "error", &internal), "error", Some(&internal)),
        state("failed_alone", "failed in 2025-11-25", task("failed"), "error", None),
        state("cancelled", "cancelled", task("cancelled"), "cancelled", None),
        state("working", "still working", task("working"), "open", None),
        state("input_required", "wants input", with("input_required", "inputRequests", &json!({})), "open", None),
        state(
            "working_with_result",
            "a result of a task that works is none yet",
            with("working", "result", &result),
            "open",
            None,
        ),
        state(
            "failed_with_result",
            "a task that failed has no result",
            with("failed", "result", &result),
            "error",
            None,
        ),
        state("other_status", "a status that we do not know", task("paused"), "open", None),
        state("status_case", "a status in another case", task("Completed"), "open", None),
        state("nothing", "an acknowledgement", json!({"resultType": "complete"}), "open", None),
        outcome(
            "state",
            "state_error",
            "an error is about the question, and decides nothing",
            text(&refused),
            "open",
            None,
        ),
        outcome(
            "state",
            "state_opaque",
            "an answer without a canonical form",
            r#"{"id":3,"result":{"a":1,"a":2}}"#,
            "result",
            None,
        ),
        fetched(
            "good",
            "the same result asked for by tasks/result has the same digest",
            &result,
            "result",
            Some(&result),
        ),
        fetched(
            "meta",
            "its _meta, which names the task, is not committed to",
            &meta(&result),
            "result",
            Some(&result),
        ),
        fetched("tool_error", "a result that says isError", &failed, "tool-error", Some(&failed)),
        outcome(
            "result",
            "result_error",
            "an error is about the question, or comes again as the task's state",
            text(&refused),
            "open",
            None,
        ),
        outcome(
            "result",
            "result_opaque",
            "a result without a canonical form",
            r#"{"id":3,"result":{"a":9007199254740993}}"#,
            "result",
            None,
        ),
        told(
            "completed",
            "a notification with the result",
            with("completed", "result", &result),
            "result",
            Some(&result),
        ),
        told("working", "a notification of one that works", task("working"), "open", None),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [created(), asked(), ended()].concat()
}
