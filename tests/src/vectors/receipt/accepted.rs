//! Answers whose receipts hold.

use serde_json::{Value, json};

use super::both::{OTHER, two};
use super::{ANSWER, CALL, Making, answer, asked, carrying, example_making, good, member};
use crate::vectors::file::Vector;
use crate::vectors::log::{NEXT, ROTATED};
use crate::vectors::token::{canonical, hash};

pub(super) fn accepted() -> Vec<Vector> {
    let plain = ANSWER.replace('@', "");
    let example = carrying(&example_making());
    let error = json!({"code": -32601, "message": "x"});
    let of_error = |error: &Value| carrying(&Making::of("error", Some(error)));
    let data = json!({"code": -32601, "data": {"a": 1}, "message": "x"});
    let failed = json!({"content": [], "isError": true});
    let task = |status: &str, rest: &str| {
        format!(
            r#"{{"id":9,"jsonrpc":"2.0","result":{{@"resultType":"complete","status":"{status}","taskId":"t"{rest}}}}}"#
        )
    };
    let with = |text: &str, member: &str| text.replace('@', &format!("\"_meta\":{{{member}}},"));
    let without = |text: &str| text.replace('@', "");
    let completed = task("completed", r#","result":{"isError":false,"content":[{"text":"hello","type":"text"}]}"#);
    let cancelled = task("cancelled", "");
    let told = r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{@"status":"completed","taskId":"t","result":{"content":[{"text":"hello","type":"text"}],"isError":false}}}"#;
    let own = member(&json!([Making::new().carried()]));
    let spaced = "{ \"id\" : 7 ,\r\n \"jsonrpc\":\"2.0\", \"result\" : { @ \"content\":[ {\"text\":\"hell\\u006f\",\"type\":\"text\"}],\n\t\"isError\" :false} }";
    vec![
        good("good", "the page's example, its checkpoint cosigned", answer(&example), &plain),
        good(
            "good_own_meta",
            "beside the server's own _meta",
            ANSWER.replace('@', &format!("\"_meta\":{{{own},\"com.example/took\":3}},")),
            &ANSWER.replace('@', r#""_meta":{"com.example/took":3},"#),
        ),
        good(
            "good_meta_last",
            "in an _meta that stands last, behind the server's own members",
            ANSWER.replace('@', "").replace(r#"false}}"#, &format!("false,\"_meta\":{{\"a\":{{}},{own}}}}}}}")),
            &ANSWER.replace('@', "").replace(r#"false}}"#, r#"false,"_meta":{"a":{}}}}"#),
        ),
        good(
            "good_spaces",
            "an answer with blanks, line ends and escapes, which stay",
            spaced.replace('@', &format!("\"_meta\":{{{own}}},")),
            &spaced.replace('@', ""),
        ),
        good(
            "good_escaped",
            "names that are spelt with escapes",
            answer(&own).replace("_meta", "\\u005fmeta").replace("attest/receipt", "attest/receip\\u0074"),
            &plain,
        ),
        good(
            "good_error",
            "an error without data",
            format!(
                r#"{{"jsonrpc":"2.0","id":7,"error":{{"data":{{{}}},"code":-32601,"message":"x"}}}}"#,
                of_error(&error)
            ),
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"}}"#,
        ),
        good(
            "good_error_data",
            "an error with data of its own",
            format!(
                r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":-32601,"data":{{{},"a":1}},"message":"x"}}}}"#,
                of_error(&data)
            ),
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"data":{"a":1},"message":"x"}}"#,
        ),
        good(
            "good_tool_error",
            "a result that says isError",
            format!(
                r#"{{"id":7,"jsonrpc":"2.0","result":{{"_meta":{{{}}},"content":[],"isError":true}}}}"#,
                carrying(&Making::of("tool-error", Some(&failed)))
            ),
            r#"{"id":7,"jsonrpc":"2.0","result":{"content":[],"isError":true}}"#,
        ),
        good(
            "good_empty_result",
            "an empty result",
            format!(
                r#"{{"id":7,"jsonrpc":"2.0","result":{{"_meta":{{{}}}}}}}"#,
                carrying(&Making::of("result", Some(&json!({}))))
            ),
            r#"{"id":7,"jsonrpc":"2.0","result":{}}"#,
        ),
        asked(
            good(
                "good_task_state",
                "a task that ended, asked for its state",
                with(&completed, &own),
                &without(&completed),
            ),
            "state",
        ),
        asked(good("good_task_result", "what a task ended with", answer(&own), &plain), "result"),
        asked(
            good(
                "good_task_cancelled",
                "a task that was cancelled: no digest",
                with(&cancelled, &carrying(&Making::of("cancelled", None))),
                &without(&cancelled),
            ),
            "state",
        ),
        asked(
            good("good_task_told", "a notification that tells a task's end", with(told, &own), &without(told)),
            "told",
        ),
        good(
            "good_entry_method",
            "a call of another method than tools/call",
            answer(&carrying(&Making::with(|m| {
                m.entries[1] = Making::entry("tool", Value::Null).entries[1]
                    .replace("\"params\"", "\"method\":\"resources/read\",\"params\"");
            }))),
            &plain,
        ),
        good(
            "good_labels",
            "an answer with labels, to a call of whose caller the decision says what he had seen",
            answer(&carrying(&Making::with(|m| {
                m.token.claims["labels"] = json!(["hr", "pay"]);
                let mut entry: Value = serde_json::from_str(&m.entries[1]).unwrap();
                entry["labels"] = json!(["hr"]);
                entry["receipts"] = json!([hash("a receipt")]);
                entry["cause"] = json!(hash("a decision"));
                entry["declassified"] = json!([hash("a declassification")]);
                m.entries[1] = String::from_utf8(canonical(&entry)).unwrap();
            }))),
            &plain,
        ),
        good(
            "good_every_label",
            "an answer with every label",
            answer(&carrying(&Making::claim("labels", json!(["*"])))),
            &plain,
        ),
        good(
            "good_large",
            "a decision in a tree of 300",
            answer(&carrying(&Making::with(|m| m.entries.extend((3..300).map(|n| n.to_string()))))),
            &plain,
        ),
        good(
            "good_rotated",
            "under the key that followed a retired one",
            answer(&carrying(&Making::with(|m| {
                m.entries.push("3".to_owned());
                (m.by, m.token.by, m.token.kid) = (NEXT, NEXT, NEXT);
            }))),
            &plain,
        )
        .with("keys", ROTATED),
        good("good_before_rotation", "under a key that was retired since", answer(&own), &plain).with("keys", ROTATED),
        two("good_two", "a signed question that ends itself and the task: two receipts", &[OTHER, CALL]),
        two("good_two_swapped", "in the other order", &[CALL, OTHER]),
    ]
}
