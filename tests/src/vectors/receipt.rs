//! The family `receipt`: what a log says of a call, in the answer to it.

use attest_core::digest::{Digest, Salt};
use serde_json::{Value, json};

use super::call::AGENT;
use super::file::Vector;
use super::log::{
    ENTRIES, KEYS, LOG, NEXT, ONE, ORIGIN, ROTATED, TIME, WITNESS_ONE, base64, checkpoint_text, leaf, line, lines,
    log_line, path, root, signature, witness_line,
};
use super::token::{Seed, Token, b64, canonical, flipped, hash};

/// Our member.
const MEMBER: &str = "io.github.agent-attest/receipt";
const AUDIENCE: &str = "files";
/// The call of `spec/call-proof.md`.
const CALL: &str = "x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM";
const PARAMS: &str = "QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q";
const POLICY: &str = "-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0";
const SALT: [u8; 16] = [7; 16];
/// The answer of `spec/response.md` as the server sent it; where our member goes stands `@`.
const ANSWER: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{@"content":[{"type":"text","text":"hello"}],"isError":false}}"#;

fn digest_of(committed: &Value) -> String {
    Digest::salted(&Salt(SALT), &canonical(committed)).to_b64()
}

fn hello() -> Value {
    json!({"content": [{"text": "hello", "type": "text"}], "isError": false})
}

/// One receipt in the making, all of it right.
#[derive(Clone)]
struct Making {
    token: Token,
    /// The log's entries; the one at `index` is shown.
    entries: Vec<String>,
    index: usize,
    origin: &'static str,
    by: Seed,
    /// Changes the proof's text.
    text: fn(String) -> String,
}

impl Making {
    fn new() -> Self {
        let claims = json!({
            "call": CALL,
            "decision": "allow",
            "iat": 1_800_000_000,
            "idx": 1,
            "log": ORIGIN,
            "policy": POLICY,
            "result": digest_of(&hello()),
            "status": "result",
        });
        Self {
            token: Token::new("mcp-receipt+jwt", LOG, claims),
            entries: ENTRIES.map(str::to_owned).into(),
            index: 1,
            origin: ORIGIN,
            by: LOG,
            text: |text| text,
        }
    }

    fn with(edit: impl FnOnce(&mut Self)) -> Self {
        let mut making = Self::new();
        edit(&mut making);
        making
    }

    fn claim(name: &str, value: impl Into<Value>) -> Self {
        Self::with(|m| m.token.claims[name] = value.into())
    }

    /// The decision with a member of another value, absent where it is null.
    fn entry(member: &str, value: impl Into<Value>) -> Self {
        Self::with(|m| {
            let mut entry: Value = serde_json::from_str(&m.entries[1]).unwrap();
            entry[member] = value.into();
            entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            m.entries[1] = String::from_utf8(canonical(&entry)).unwrap();
        })
    }

    /// Of another answer.
    fn of(status: &str, committed: Option<&Value>) -> Self {
        Self::with(|m| {
            m.token.claims["status"] = status.into();
            match committed {
                Some(committed) => m.token.claims["result"] = digest_of(committed).into(),
                None => drop(m.token.claims.as_object_mut().unwrap().remove("result")),
            }
        })
    }

    fn proof(&self) -> String {
        let leaves: Vec<_> = self.entries.iter().map(leaf).collect();
        let text = checkpoint_text(self.origin, leaves.len(), &root(&leaves));
        let checkpoint = format!("{text}\n{}", log_line(&text, self.origin, self.by));
        let entry = base64(&self.entries[self.index]);
        let hashes = lines(&path(self.index, &leaves));
        (self.text)(format!("c2sp.org/tlog-proof@v1\nextra {entry}\nindex {}\n{hashes}\n{checkpoint}", self.index))
    }

    fn carried(&self) -> Value {
        json!({"proof": self.proof(), "receipt": self.token.compact()})
    }
}

/// The member itself, as text.
fn member(value: &Value) -> String {
    format!("\"{MEMBER}\":{}", String::from_utf8(canonical(value)).unwrap())
}

fn carrying(making: &Making) -> String {
    member(&json!([making.carried()]))
}

/// An answer, `ended` being the calls that it ends.
fn vector(name: &str, comment: &str, body: impl Into<Vec<u8>>) -> Vector {
    Vector::new("receipt", format!("receipt_{name}"), comment, body)
        .with("keys", KEYS)
        .with("audience", AUDIENCE)
        .with("ended", &format!("{CALL}/{PARAMS}/{}/answer", b64(SALT)))
}

/// What the host sees is the answer without our member, byte for byte.
fn good(name: &str, comment: &str, body: String, seen: &str) -> Vector {
    vector(name, comment, body).with("expect", "accept").with("forward", &b64(seen))
}

fn bad(name: &str, comment: &str, body: impl Into<Vec<u8>>, about: &str) -> Vector {
    let expect = if about == "missing" { "no-receipt" } else { "bad-receipt" };
    vector(name, comment, body).with("expect", expect).with("about", about)
}

/// The answer with `_meta` made around our member.
fn answer(member: &str) -> String {
    ANSWER.replace('@', &format!("\"_meta\":{{{member}}},"))
}

fn refused(name: &str, comment: &str, making: &Making, about: &str) -> Vector {
    bad(name, comment, answer(&carrying(making)), about)
}

fn asked(vector: Vector, how: &str) -> Vector {
    vector.with("ended", &format!("{CALL}/{PARAMS}/{}/{how}", b64(SALT)))
}

fn accepted() -> Vec<Vector> {
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

/// Another call, whose decision is entry 3.
const OTHER: &str = "bPYVq09xMdaYMKKRWlRHlXjwgxCNHjXM0OTQrM7jDFw";
const OTHER_SALT: [u8; 16] = [9; 16];

/// The answer to a signed `tasks/cancel` that says that the task is cancelled: it ends both.
fn cancel(receipts: &[Value]) -> String {
    let carried = member(&Value::Array(receipts.to_vec()));
    format!(r#"{{"id":9,"jsonrpc":"2.0","result":{{"_meta":{{{carried}}},"status":"cancelled","taskId":"t"}}}}"#)
}

fn for_both(vector: Vector) -> Vector {
    let (salt, other) = (b64(SALT), b64(OTHER_SALT));
    vector.with("ended", &format!("{OTHER}/{PARAMS}/{other}/answer {CALL}/{PARAMS}/{salt}/state"))
}

fn of_both(call: &str) -> Value {
    let both = Making::entry("call", OTHER).entries[1].clone();
    let making = match call {
        OTHER => Making::with(|m| {
            let committed = canonical(&json!({"status": "cancelled", "taskId": "t"}));
            m.token.claims["call"] = OTHER.into();
            m.token.claims["idx"] = 3.into();
            m.token.claims["result"] = Digest::salted(&Salt(OTHER_SALT), &committed).to_b64().into();
            m.entries.push(both);
            m.index = 3;
        }),
        _ => {
            let mut making = Making::of("cancelled", None);
            making.entries.push(both);
            making
        }
    };
    making.carried()
}

fn two(name: &str, comment: &str, calls: &[&str]) -> Vector {
    let receipts: Vec<_> = calls.iter().map(|call| of_both(call)).collect();
    let seen = r#"{"id":9,"jsonrpc":"2.0","result":{"status":"cancelled","taskId":"t"}}"#;
    for_both(good(name, comment, cancel(&receipts), seen))
}

fn missing() -> Vec<Vector> {
    let own = carrying(&Making::new());
    let tail = r#""content":[{"type":"text","text":"hello"}],"isError":false}"#;
    vec![
        bad("none", "no receipt", ANSWER.replace('@', ""), "missing"),
        bad("none_own_meta", "an _meta without ours", ANSWER.replace('@', r#""_meta":{"a":1},"#), "missing"),
        bad("other_case", "our member in another case", answer(&own.replace("/receipt", "/Receipt")), "missing"),
        bad(
            "in_content",
            "in the _meta of a content",
            ANSWER.replace('@', "").replace(r#""text":"hello""#, &format!(r#""text":"hello","_meta":{{{own}}}"#)),
            "missing",
        ),
        bad(
            "not_strict_json",
            "an answer that is not strict JSON",
            answer(&own).replace("\"id\":7", "\"id\":7,\"id\":7"),
            "missing",
        ),
        bad(
            "number_range",
            "an answer with a number out of range",
            answer(&own).replace("\"isError\"", "\"n\":9007199254740993,\"isError\""),
            "missing",
        ),
        bad("result_null", "a result that can hold none", r#"{"id":7,"jsonrpc":"2.0","result":null}"#, "missing"),
        bad("meta_text", "an _meta that is no object", ANSWER.replace('@', r#""_meta":"x","#), "missing"),
        bad(
            "error_data_text",
            "an error whose data is no object",
            r#"{"error":{"code":1,"data":"x","message":"x"},"id":7,"jsonrpc":"2.0"}"#,
            "missing",
        ),
        bad(
            "result_and_error",
            "an error beside the result that the receipt is about",
            answer(&own).replace("\"id\":7", r#""error":{"code":1,"message":"other"},"id":7"#),
            "missing",
        ),
        bad(
            "other_result",
            "a second result, in another case",
            answer(&own).replace("\"id\":7", r#""id":7,"Result":{"content":[]}"#),
            "missing",
        ),
        bad(
            "method",
            "a method beside the result",
            answer(&own).replace("\"id\":7", r#""id":7,"method":"x""#),
            "missing",
        ),
        bad(
            "method_null",
            "a method that is null",
            answer(&own).replace("\"id\":7", r#""id":7,"method":null"#),
            "missing",
        ),
        bad(
            "in_params",
            "in the wrong place of the answer",
            format!(r#"{{"id":7,"jsonrpc":"2.0","params":{{"_meta":{{{own}}}}},"result":{{{tail}}}"#),
            "missing",
        ),
        for_both(bad("one_of_two", "one receipt where the answer ends two calls", cancel(&[of_both(CALL)]), "missing")),
    ]
}

fn forms() -> Vec<Vector> {
    let carried = || Making::new().carried();
    let form = |name: &str, comment: &str, value: Value| bad(name, comment, answer(&member(&value)), "form");
    let with = |name: &str, value: Value| {
        let mut one = carried();
        one[name] = value;
        json!([one])
    };
    let long = "A".repeat(270_000);
    vec![
        form("object", "no array around it", carried()),
        form("empty", "an empty array", json!([])),
        form("three", "three receipts", json!([carried(), carried(), carried()])),
        form("text", "an array of texts", json!([carried()["receipt"]])),
        form("null", "our member is null", Value::Null),
        form("no_proof", "no proof", json!([{"receipt": carried()["receipt"]}])),
        form("no_token", "a proof alone", json!([{"proof": carried()["proof"]}])),
        form("extra_member", "a member more", with("x", json!(1))),
        form("receipt_number", "a receipt that is no text", with("receipt", json!(1))),
        form("proof_null", "a proof that is no text", with("proof", Value::Null)),
        form("long", "longer than a log keeps", with("proof", json!(long))),
    ]
}

fn tokens() -> Vec<Vector> {
    let token = |name: &str, comment: &str, edit: fn(&mut Token)| {
        refused(name, comment, &Making::with(|m| edit(&mut m.token)), "token")
    };
    let claim = |name: &str, comment: &str, which: &str, value: Value| {
        refused(name, comment, &Making::claim(which, value), "token")
    };
    let without = |which: &'static str| {
        let making = Making::with(|m| drop(m.token.claims.as_object_mut().unwrap().remove(which)));
        refused(&format!("no_{which}"), &format!("no claim {which}"), &making, "token")
    };
    let mut all = vec![
        token("typ_call_proof", "the typ of a call proof", |t| t.typ = "mcp-call+jwt"),
        token("typ_decision", "the typ that is reserved for decisions", |t| t.typ = "mcp-decision+jwt"),
        token("alg", "another algorithm's name", |t| {
            t.header = |kid, typ| format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{typ}"}}"#);
        }),
        token("not_canonical", "a payload with a blank", |t| {
            t.payload = |payload| String::from_utf8(payload).unwrap().replacen(':', ": ", 1).into();
        }),
        token("padded", "a part with padding", |t| t.text = |text| text + "="),
        token("two_parts", "no signature", |t| t.text = |text| text.rsplit_once('.').unwrap().0.to_owned()),
        claim("extra_claim", "a claim more", "aud", json!("files")),
        claim("labels", "the claim that is reserved for flow", "labels", json!([])),
        claim("decision_deny", "the receipt of a refusal", "decision", json!("deny")),
        claim("status_word", "a status that there is not", "status", json!("ok")),
        claim("status_number", "a status that is no text", "status", json!(1)),
        claim("idx_text", "an index that is a text", "idx", json!("1")),
        claim("idx_negative", "an index below zero", "idx", json!(-1)),
        claim("idx_half", "half an index", "idx", json!(1.5)),
        claim("iat_text", "a time that is a text", "iat", json!("1800000000")),
        claim("log_empty", "a log without a name", "log", json!("")),
        claim("result_null", "a digest that is null", "result", Value::Null),
        claim("result_short", "a digest of 42 characters", "result", json!("A".repeat(42))),
        claim("call_text", "a call that is no digest", "call", json!("7")),
        claim("policy_list", "a policy that is no text", "policy", json!([])),
    ];
    // `result_null` names an answer already.
    for vector in &mut all {
        if vector.name == "receipt_result_null" {
            vector.name = "receipt_claim_result_null".to_owned();
        }
    }
    all.extend(["call", "decision", "iat", "idx", "log", "policy", "status"].map(without));
    all
}

fn proofs() -> Vec<Vector> {
    let proof = |name: &str, comment: &str, text: fn(String) -> String, about: &str| {
        refused(name, comment, &Making::with(|m| m.text = text), about)
    };
    let by = |seed| Making::with(|m| m.by = seed);
    vec![
        proof("proof_empty", "an empty proof", |_| String::new(), "proof"),
        proof("proof_head", "a proof of another version", |text| text.replace("@v1", "@v2"), "proof"),
        proof(
            "proof_no_entry",
            "a proof without the entry",
            |text| {
                let (head, rest) = text.split_once("\nextra ").unwrap();
                format!("{head}\n{}", rest.split_once('\n').unwrap().1)
            },
            "proof",
        ),
        proof("proof_index", "a proof at another index", |text| text.replace("\nindex 1\n", "\nindex 0\n"), "proof"),
        proof(
            "proof_hash",
            "another hash in the path",
            |text| {
                let hash = base64(leaf(ENTRIES[0]));
                assert!(text.contains(&hash));
                text.replace(&hash, &base64([0; 32]))
            },
            "proof",
        ),
        proof(
            "proof_swapped_entry",
            "another entry in the proof",
            |text| text.replace(&base64(ENTRIES[1]), &base64(ENTRIES[2])),
            "proof",
        ),
        proof(
            "checkpoint_none",
            "a proof without a checkpoint",
            |text| format!("{}\n\n", text.split_once("\n\n").unwrap().0),
            "proof",
        ),
        refused("checkpoint_other_key", "a checkpoint by another key", &by(AGENT), "checkpoint"),
        refused(
            "checkpoint_next_key",
            "a checkpoint by the next key, which is not pinned yet",
            &by(NEXT),
            "checkpoint",
        ),
        proof(
            "checkpoint_forged",
            "a checkpoint whose signature is not by the key that it names",
            |text| {
                let (text, _) = text.rsplit_once("\n\n").unwrap();
                format!("{text}\n\n{}", line(ORIGIN, 1, LOG, &signature(LOG, "x")))
            },
            "checkpoint",
        ),
        refused(
            "checkpoint_retired",
            "a checkpoint by a key that was retired before its size",
            &Making::with(|m| {
                m.entries.push("3".to_owned());
                (m.token.by, m.token.kid) = (NEXT, NEXT);
            }),
            "checkpoint",
        )
        .with("keys", ROTATED),
        refused("checkpoint_other_log", "the proof of another log", &Making::with(|m| m.origin = "other"), "log"),
        refused("labels_empty", "an empty list of labels", &Making::claim("labels", json!([])), "token"),
        refused("labels_order", "labels that are not ascending", &Making::claim("labels", json!(["b", "a"])), "token"),
        refused("labels_text", "a label that is in no list", &Making::claim("labels", "hr"), "token"),
        refused("log", "the receipt names another log", &Making::claim("log", "other"), "log"),
        refused("index", "the receipt names another index", &Making::claim("idx", 2), "index"),
        refused("index_zero", "the receipt names the first entry", &Making::claim("idx", 0), "index"),
    ]
}

fn signatures() -> Vec<Vector> {
    let token = |name: &str, comment: &str, edit: fn(&mut Token)| {
        refused(name, comment, &Making::with(|m| edit(&mut m.token)), "signature")
    };
    vec![
        token("forged", "a signature with one bit changed", |t| t.signature = flipped),
        token("other_key", "signed by the agent's own key", |t| (t.by, t.kid) = (AGENT, AGENT)),
        token("other_key_kid", "signed by another key in the log's name", |t| t.by = AGENT),
        token("kid", "the log's signature under another key's name", |t| t.kid = AGENT),
        token("next_key", "signed by the log's next key, which is not in force", |t| (t.by, t.kid) = (NEXT, NEXT)),
        token("changed_claims", "claims changed after the signature", |t| {
            t.text = |text| {
                let mut parts: Vec<_> = text.split('.').map(str::to_owned).collect();
                let mut claims = Making::new().token.claims;
                claims["iat"] = 1_800_000_001.into();
                parts[1] = b64(canonical(&claims));
                parts.join(".")
            };
        }),
        refused(
            "retired_key",
            "signed by a key that was retired, over a checkpoint by the one that followed",
            &Making::with(|m| {
                m.entries.push("3".to_owned());
                m.by = NEXT;
            }),
            "signature",
        )
        .with("keys", ROTATED),
        refused(
            "too_new_key",
            "signed by the key that followed, over a checkpoint before it",
            &Making::with(|m| {
                (m.token.by, m.token.kid) = (NEXT, NEXT);
            }),
            "signature",
        )
        .with("keys", ROTATED),
    ]
}

fn entries() -> Vec<Vector> {
    let entry = |name: &str, comment: &str, member: &str, value: Value, about: &str| {
        refused(name, comment, &Making::entry(member, value), about)
    };
    let shown = |name: &str, comment: &str, entry: &str, about: &str| {
        refused(name, comment, &Making::with(|m| m.entries[1] = entry.to_owned()), about)
    };
    vec![
        refused(
            "proof_of_another_entry",
            "the proof of the outcome in place of the decision",
            &Making::with(|m| {
                m.index = 2;
                m.token.claims["idx"] = 2.into();
            }),
            "entry",
        ),
        refused(
            "proof_of_start",
            "the proof of another kind of entry",
            &Making::with(|m| {
                m.index = 0;
                m.token.claims["idx"] = 0.into();
            }),
            "entry",
        ),
        shown(
            "entry_refusal",
            "an entry that refuses the call",
            r#"{"agent":"a1","audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","decision":"deny","key":"nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q","policy":"-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0","reason":"replay","time":1800000000009,"tool":"read_file","type":"decision"}"#,
            "entry",
        ),
        entry("entry_deny", "a decision like the right one, but that it refuses", "decision", json!("deny"), "entry"),
        entry("entry_reason", "an allowing decision with a reason", "reason", json!("replay"), "entry"),
        entry("entry_type", "an entry of another type", "type", json!("call"), "entry"),
        entry("entry_extra", "an entry with a member more", "x", json!(1), "entry"),
        entry("entry_no_params", "an entry without params", "params", Value::Null, "entry"),
        entry("entry_no_tool", "an entry with neither tool nor method", "tool", Value::Null, "entry"),
        entry("entry_tool_and_method", "an entry with both tool and method", "method", json!("x"), "entry"),
        entry("entry_no_attestation", "an entry without its attestation", "attestation", Value::Null, "entry"),
        entry("entry_no_context", "an entry without its context", "context", Value::Null, "entry"),
        entry("entry_delegation_empty", "an entry with an empty chain", "delegation", json!([]), "entry"),
        shown(
            "entry_not_canonical",
            "an entry that is not in canonical form",
            &ENTRIES[1].replacen(':', ": ", 1),
            "entry",
        ),
        shown("entry_not_json", "an entry that is no JSON", "decision", "entry"),
        entry("entry_audience", "the decision of another audience", "audience", json!("mail"), "audience"),
        entry("entry_params", "a decision over other parameters", "params", json!(hash("other")), "params"),
        entry("entry_call", "a decision about another call", "call", json!(OTHER), "call"),
        entry("entry_policy", "a decision by another configuration", "policy", json!(hash("other")), "policy"),
        refused("policy", "the receipt names another configuration", &Making::claim("policy", hash("other")), "policy"),
    ]
}

fn calls() -> Vec<Vector> {
    let other = Making::with(|m| {
        m.entries = Making::entry("call", OTHER).entries;
        m.token.claims["call"] = OTHER.into();
    });
    let with = |receipts: Value| answer(&member(&receipts));
    let own = || Making::new().carried();
    let changed = |from: &str, to: &str| {
        let body = answer(&carrying(&Making::new()));
        assert!(body.contains(from), "{from} stands nowhere");
        body.replace(from, to)
    };
    let params = |vector: Vector, params: &str| vector.with("ended", &format!("{CALL}/{params}/{}/answer", b64(SALT)));
    vec![
        refused("other_call", "the receipt of another call", &other, "call"),
        refused("call", "the receipt names another call than the entry", &Making::claim("call", OTHER), "call"),
        bad(
            "two_for_one",
            "a second receipt, of a call that the answer does not end",
            with(json!([own(), other.carried()])),
            "call",
        ),
        bad("twice", "the same receipt twice", with(json!([own(), own()])), "call"),
        for_both(bad(
            "two_of_one",
            "two receipts of one call where the answer ends two",
            cancel(&[of_both(CALL), of_both(CALL)]),
            "call",
        )),
        vector(
            "replayed",
            "the answer to another call of this caller, with its receipt",
            answer(&carrying(&Making::new())),
        )
        .with("ended", &format!("{OTHER}/{PARAMS}/{}/answer", b64(SALT)))
        .with("expect", "bad-receipt")
        .with("about", "call"),
        params(bad("params", "params of another call", answer(&carrying(&Making::new())), "params"), &hash("other")),
        refused("status", "the receipt says another status", &Making::claim("status", "tool-error"), "status"),
        refused("status_unknown", "the receipt says that nobody knows", &Making::of("unknown", None), "status"),
        bad(
            "changed_status",
            "an answer that was made an error of the tool",
            changed("\"isError\":false", "\"isError\":true"),
            "status",
        ),
        bad(
            "changed_to_error",
            "a result that was made an error",
            changed("\"result\":{\"_meta\":", "\"error\":{\"data\":"),
            "status",
        ),
        refused("digest", "the receipt has another digest", &Making::claim("result", hash("other")), "result"),
        refused("digest_none", "the receipt has no digest", &Making::of("result", None), "result"),
        bad("changed_result", "an answer whose text was changed", changed("\"hello\"", "\"hullo\""), "result"),
        bad(
            "added_member",
            "an answer with a member more",
            changed("\"isError\":false", "\"isError\":false,\"x\":1"),
            "result",
        ),
        vector("other_salt", "a digest under another salt", answer(&carrying(&Making::new())))
            .with("ended", &format!("{CALL}/{PARAMS}/{}/answer", b64(OTHER_SALT)))
            .with("expect", "bad-receipt")
            .with("about", "result"),
    ]
}

fn example_making() -> Making {
    Making::with(|m| {
        m.text = |text| {
            let (_, checkpoint) = text.split_once("\n\n").unwrap();
            let signed = checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
            text + &witness_line(&signed, TIME, ONE, WITNESS_ONE)
        };
    })
}

/// What the page opens with: the token, its payload, and the answer that carries it.
pub fn examples() -> Vec<(&'static str, String)> {
    let making = example_making();
    vec![
        ("receipt", making.token.compact()),
        ("receipt", String::from_utf8(canonical(&making.token.claims)).unwrap()),
        ("receipt", answer(&carrying(&making))),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [accepted(), missing(), forms(), tokens(), proofs(), signatures(), entries(), calls()].concat()
}
