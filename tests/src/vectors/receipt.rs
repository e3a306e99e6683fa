//! The family `receipt`: what a log says of a call, in the answer to it.

mod accepted;
mod both;
mod decided;

use attest_core::digest::{Digest, Salt};
use serde_json::{Value, json};

use self::accepted::accepted;
use self::both::{cancel, for_both, of_both};
use self::decided::{calls, entries};
use super::call::AGENT;
use super::file::Vector;
use super::log::{
    ENTRIES, KEYS, LOG, NEXT, ONE, ORIGIN, ROTATED, TIME, WITNESS_ONE, base64, checkpoint_text, leaf, line, lines,
    log_line, path, root, signature, witness_line,
};
use super::token::{Seed, Token, b64, canonical, flipped};

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
