//! The family `response`: what a log says of an answer, and what of an answer is dropped.

use attest_core::digest::{Digest, Salt};
use attest_core::names::{PROOF, RECEIPT, REFUSAL};
use serde_json::{Value, json};

use super::file::Vector;
use super::token::{b64, canonical, text};

const SALT: [u8; 16] = [4; 16];

/// `committed` is what the digest is over; `None` where there is none.
fn outcome(name: &str, comment: &str, body: impl Into<Vec<u8>>, status: &str, committed: Option<&[u8]>) -> Vector {
    let vector = Vector::new("outcome", format!("response_{name}"), comment, body)
        .with("salt", &b64(SALT))
        .with("expect", status);
    match committed {
        Some(bytes) => vector.with("digest", &Digest::salted(&Salt(SALT), bytes).to_b64()),
        None => vector,
    }
}

fn of_json(name: &str, comment: &str, message: &Value, status: &str, committed: &Value) -> Vector {
    outcome(name, comment, text(message), status, Some(&canonical(committed)))
}

fn unchanged(name: &str, comment: &str, message: &Value) -> Vector {
    Vector::new("answer", format!("response_{name}"), comment, text(message)).with("expect", "unchanged")
}

fn cleaned(name: &str, comment: &str, message: &Value, rest: &Value) -> Vector {
    Vector::new("answer", format!("response_{name}"), comment, text(message))
        .with("expect", "cleaned")
        .with("forward", &b64(canonical(rest)))
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let text = json!([{"type": "text", "text": "42"}]);
    let answer = |result: &Value| json!({"jsonrpc": "2.0", "id": 7, "result": result});
    let error = |error: &Value| json!({"jsonrpc": "2.0", "id": 7, "error": error});
    let result = json!({"content": text});
    let failed = json!({"content": text, "isError": true});
    let not_found = json!({"code": -32601, "message": "Method not found"});
    let mut all = vec![
        of_json("result", "a result", &answer(&result), "result", &result),
        of_json(
            "result_meta",
            "the result's _meta is not committed to",
            &answer(&json!({"content": text, "_meta": {"com.example/took": 3}})),
            "result",
            &result,
        ),
        of_json(
            "result_other_id",
            "the id is not committed to",
            &json!({"jsonrpc": "2.0", "id": "g-1", "result": result}),
            "result",
            &result,
        ),
        outcome(
            "result_spelling",
            "another spelling of the same result",
            r#"{ "result": {"content":[{"text":"4\u0032","type":"text"}]}, "id": 7.0 }"#,
            "result",
            Some(&canonical(&result)),
        ),
        of_json("tool_error", "a result that says isError", &answer(&failed), "tool-error", &failed),
        of_json(
            "is_error_false",
            "a result that says it is no error",
            &answer(&json!({"isError": false})),
            "result",
            &json!({"isError": false}),
        ),
        of_json(
            "is_error_text",
            "an isError that is no boolean",
            &answer(&json!({"isError": "true"})),
            "result",
            &json!({"isError": "true"}),
        ),
        of_json("result_null", "a result that is null", &answer(&Value::Null), "result", &Value::Null),
        of_json("result_empty", "an empty result", &answer(&json!({})), "result", &json!({})),
        of_json("error", "an error", &error(&not_found), "error", &not_found),
        of_json(
            "error_data",
            "an error with data",
            &error(&json!({"code": 1, "data": {"a": 1}, "message": "x"})),
            "error",
            &json!({"code": 1, "data": {"a": 1}, "message": "x"}),
        ),
        of_json(
            "error_data_ours",
            "members of ours in an error's data are not committed to",
            &error(&json!({"code": 1, "data": {RECEIPT: [], "a": 1}, "message": "x"})),
            "error",
            &json!({"code": 1, "data": {"a": 1}, "message": "x"}),
        ),
        of_json(
            "error_data_only_ours",
            "nor a data that holds nothing else",
            &error(&json!({"code": 1, "data": {RECEIPT: []}, "message": "x"})),
            "error",
            &json!({"code": 1, "message": "x"}),
        ),
        of_json(
            "error_data_empty",
            "nor a data that was empty before",
            &error(&json!({"code": 1, "data": {}, "message": "x"})),
            "error",
            &json!({"code": 1, "message": "x"}),
        ),
        of_json(
            "error_data_text",
            "data that is no object is committed to",
            &error(&json!({"code": 1, "data": RECEIPT, "message": "x"})),
            "error",
            &json!({"code": 1, "data": RECEIPT, "message": "x"}),
        ),
        of_json(
            "error_data_deeper",
            "our names deeper in an error's data are the server's matter",
            &error(&json!({"code": 1, "data": {"a": {RECEIPT: []}}, "message": "x"})),
            "error",
            &json!({"code": 1, "data": {"a": {RECEIPT: []}}, "message": "x"}),
        ),
        of_json(
            "result_and_error",
            "a result and an error: the result counts",
            &json!({"jsonrpc": "2.0", "id": 7, "error": not_found, "result": result}),
            "result",
            &result,
        ),
        outcome("neither", "neither result nor error", r#"{"jsonrpc":"2.0","id":7}"#, "error", None),
        outcome(
            "opaque_duplicate",
            "a result without a canonical form: a member twice",
            r#"{"id":7,"result":{"a":1,"a":2}}"#,
            "result",
            None,
        ),
        outcome(
            "opaque_number",
            "a result without a canonical form: a number out of range",
            r#"{"id":7,"result":{"a":9007199254740993}}"#,
            "result",
            None,
        ),
        outcome("opaque_array", "an answer that is no object", "[]", "result", None),
        unchanged(
            "unchanged",
            "an answer without members of ours passes as it came",
            &answer(&json!({"_meta": {"com.example/a": 1}, "content": text})),
        ),
        unchanged(
            "unchanged_content",
            "our names elsewhere in a result are the server's matter",
            &answer(&json!({"content": [{"_meta": {PROOF: 1}}]})),
        ),
        cleaned(
            "cleaned_result",
            "our names in a result's _meta are dropped",
            &answer(&json!({"_meta": {REFUSAL: {"reason": "x"}, "com.example/a": 1}, "content": text})),
            &answer(&json!({"_meta": {"com.example/a": 1}, "content": text})),
        ),
        cleaned(
            "cleaned_error",
            "our names in an error's data are dropped",
            &error(&json!({"code": 1, "data": {REFUSAL: {}, "a": 1}, "message": "x"})),
            &error(&json!({"code": 1, "data": {"a": 1}, "message": "x"})),
        ),
        cleaned(
            "cleaned_notification",
            "our names in a notification's _meta are dropped",
            &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"_meta": {PROOF: {}}}}),
            &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"_meta": {}}}),
        ),
    ];
    all.extend(inside_tasks());
    all.extend(labelled());
    all
}

/// Rule 8.
fn labelled() -> Vec<Vector> {
    const UNTRUSTED: &str = "io.github.agent-attest/untrusted";
    let answer = |result: &Value| json!({"jsonrpc": "2.0", "id": 7, "result": result});
    let vector =
        |name: &str, comment: &str, body: &[u8]| Vector::new("label", format!("response_label_{name}"), comment, body);
    let passes = |name: &str, comment: &str, body: &[u8]| vector(name, comment, body).with("expect", "unchanged");
    let marked = |name: &str, comment: &str, before: Value, after: Value| {
        vector(name, comment, text(&answer(&before)).as_bytes())
            .with("expect", "marked")
            .with("forward", &b64(canonical(&answer(&after))))
    };
    let mark = json!({UNTRUSTED: true});
    vec![
        marked("result", "a result without _meta", json!({"content": []}), json!({"_meta": mark, "content": []})),
        marked(
            "meta",
            "beside what the server put into _meta",
            json!({"_meta": {"com.example/a": 1}}),
            json!({"_meta": {UNTRUSTED: true, "com.example/a": 1}}),
        ),
        marked("again", "in the place of another value", json!({"_meta": {UNTRUSTED: false}}), json!({"_meta": mark})),
        marked("meta_text", "in the place of a _meta that is no object", json!({"_meta": "x"}), json!({"_meta": mark})),
        marked(
            "task",
            "the outer result alone, of a task too",
            json!({"result": {"content": []}, "status": "completed", "taskId": "t"}),
            json!({"_meta": mark, "result": {"content": []}, "status": "completed", "taskId": "t"}),
        ),
        passes("error", "an error", br#"{"error":{"code":1,"message":"x"},"id":7,"jsonrpc":"2.0"}"#),
        passes("result_text", "a result that is no object", br#"{"id":7,"jsonrpc":"2.0","result":"x"}"#),
        passes("opaque", "a result without a canonical form", br#"{"id":7,"jsonrpc":"2.0","result":{"a":1,"a":2}}"#),
    ]
}

/// A task's result and error, in the answer to a question about it and in the notification of its state.
fn inside_tasks() -> Vec<Vector> {
    let answer = |task: Value| json!({"jsonrpc": "2.0", "id": 7, "result": task});
    let told = |task: Value| json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": task});
    let completed = |meta: Value| json!({"result": {"_meta": meta, "content": []}, "resultType": "complete", "status": "completed", "taskId": "t"});
    let failed =
        |data: Value| json!({"error": {"code": 1, "data": data, "message": "x"}, "status": "failed", "taskId": "t"});
    let (ours, rest) = (json!({REFUSAL: {"reason": "x"}, "a": 1}), json!({"a": 1}));
    let outside = json!({"_meta": {PROOF: 1}, "result": {"_meta": {PROOF: 1}}, "taskId": "t"});
    vec![
        cleaned(
            "cleaned_task_result",
            "our names in the _meta of a task's result are dropped",
            &answer(completed(ours.clone())),
            &answer(completed(rest.clone())),
        ),
        cleaned(
            "cleaned_task_error",
            "our names in the data of a task's error are dropped",
            &answer(failed(ours.clone())),
            &answer(failed(rest.clone())),
        ),
        cleaned(
            "cleaned_told_result",
            "our names in the _meta of a task's result that a notification brings are dropped",
            &told(completed(ours.clone())),
            &told(completed(rest.clone())),
        ),
        cleaned(
            "cleaned_told_error",
            "our names in the data of a task's error that a notification brings are dropped",
            &told(failed(ours)),
            &told(failed(rest)),
        ),
        cleaned(
            "cleaned_twice",
            "in a task and in its result at once",
            &answer(outside),
            &answer(json!({"_meta": {}, "result": {"_meta": {}}, "taskId": "t"})),
        ),
        unchanged(
            "unchanged_task_deeper",
            "deeper in a task's result they are the server's matter",
            &answer(json!({"result": {"result": {"_meta": {PROOF: 1}}}, "status": "completed", "taskId": "t"})),
        ),
    ]
}
