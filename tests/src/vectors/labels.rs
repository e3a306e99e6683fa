//! The family `labels`: sets of labels, what a receipt shows, and what an answer is labelled with.

use serde_json::{Value, json};

use super::call::{ATTESTER, Call, STRANGER};
use super::file::Vector;
use super::flow::{accepted, claims, receipt, releases, request};
use super::log::{LOG, NEXT};
use super::token::{Token, canonical, flipped};
use super::trust::MAIL;

const FAMILY: &str = "labels";

fn set(name: &str, comment: &str, value: &Value, expect: &str) -> Vector {
    Vector::new("labels", format!("{FAMILY}_{name}"), comment, canonical(value)).with("expect", expect)
}

fn sets() -> Vec<Vector> {
    let many = |n: usize| -> Value { (0..n).map(|n| json!(format!("l{n:02}"))).collect() };
    let good = |name: &str, comment: &str, value: Value| set(name, comment, &value, "accept");
    let bad = |name: &str, comment: &str, value: Value| set(name, comment, &value, "refuse");
    vec![
        good("none", "no label: data for everybody", json!([])),
        good("every", "every label", json!(["*"])),
        good("two", "two labels", json!(["hr", "hr/pay"])),
        good("characters", "each kind of character that a label may have", json!(["0a._:/-z"])),
        good("longest", "a label of 64 characters, the longest", json!(["a".repeat(64)])),
        good("32", "32 labels, the most", many(32)),
        good("bytes", "ascending by bytes", json!(["a", "a-", "a.b", "a/b", "a0", "a:", "a_", "aa"])),
        bad("33", "33 labels", many(33)),
        bad("order", "not ascending", json!(["pay", "hr"])),
        bad("twice", "a label twice", json!(["hr", "hr"])),
        bad("every_and_one", "every label, and one", json!(["*", "hr"])),
        bad("every_twice", "every label twice", json!(["*", "*"])),
        bad("upper_case", "an upper-case letter", json!(["Hr"])),
        bad("empty", "an empty label", json!([""])),
        bad("long", "a label of 65 characters", json!(["a".repeat(65)])),
        bad("first", "a first character that is neither letter nor digit", json!([".hr"])),
        bad("blank", "a blank", json!(["hr pay"])),
        bad("not_ascii", "a letter outside ASCII", json!(["p\u{e4}y"])),
        bad("number", "a number", json!([1])),
        bad("text", "a label that is in no list", json!("hr")),
    ]
}

fn shows(name: &str, comment: &str, labels: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    accepted(FAMILY, name, comment, labels, |c| {
        releases(c, 0, json!({"*": ["hr", "pay", "untrusted"]}));
        edit(c);
    })
}

/// A receipt without labels that counts as every label.
fn unknown(name: &str, comment: &str, edit: impl FnOnce(&mut Token)) -> Vector {
    let mut token = receipt(&[]);
    edit(&mut token);
    request(FAMILY, name, comment, |c| {
        releases(c, 0, json!({"*": ["hr", "pay", "untrusted"]}));
        c.receipts = vec![token];
    })
    .0
    .refused("flow-not-granted")
    .about("*")
}

fn receipts() -> Vec<Vector> {
    let with = |edit: fn(&mut Token)| {
        let mut token = receipt(&["hr"]);
        edit(&mut token);
        token
    };
    let malformed = |code: &str, name: &str, comment: &str, about: &str, receipts: Vec<Token>| {
        request(FAMILY, name, comment, |c| c.receipts = receipts).0.refused(code).about(about)
    };
    vec![
        shows("receipt", "a receipt with a label", "hr", |c| c.receipts = vec![receipt(&["hr"])]),
        shows("receipt_of_nothing", "a receipt without labels", "", |c| c.receipts = vec![receipt(&[])]),
        shows("receipts", "two receipts and a claim", "hr pay untrusted", |c| {
            c.receipts = vec![receipt(&["hr"]), receipt(&["pay"])];
            claims(c, &["untrusted"]);
        }),
        shows("receipt_twice", "a receipt twice", "hr", |c| c.receipts = vec![receipt(&["hr"]), receipt(&["hr"])]),
        shows("receipts_16", "16 receipts, the most", "hr", |c| {
            c.receipts = (0..16)
                .map(|n| {
                    let mut token = receipt(&["hr"]);
                    token.claims["iat"] = json!(n);
                    token
                })
                .collect();
        }),
        shows("receipt_next_key", "a receipt by the key that followed", "hr", |c| {
            c.receipts = vec![with(|t| {
                (t.kid, t.by) = (NEXT, NEXT);
                t.claims["idx"] = json!(3);
            })];
        }),
        shows(
            "receipt_next_key_of_an_old_entry",
            "a receipt by the key that followed, of an entry from before",
            "hr",
            |c| {
                c.receipts = vec![with(|t| (t.kid, t.by) = (NEXT, NEXT))];
            },
        ),
        shows("receipt_last_of_a_key", "a receipt by the retired key, of the last entry that it can show", "hr", |c| {
            c.receipts = vec![with(|t| t.claims["idx"] = json!(2))];
        }),
        shows("receipt_other_log", "a receipt of another log that is pinned", "hr", |c| {
            c.receipts = vec![with(|t| {
                (t.kid, t.by) = (MAIL, MAIL);
                t.claims["log"] = json!("mail");
            })];
        }),
        request(FAMILY, "receipt_not_released", "a receipt with a label that is not released", |c| {
            c.receipts = vec![receipt(&["hr"])]
        })
        .0
        .refused("flow-not-granted")
        .about("hr"),
        unknown("receipt_unknown_log", "a receipt of a log that is not pinned", |t| t.claims["log"] = json!("planner")),
        unknown("receipt_retired_key", "a receipt by the retired key, of an entry after", |t| {
            t.claims["idx"] = json!(3)
        }),
        unknown("receipt_key_of_another_log", "a receipt by the key of another log", |t| (t.kid, t.by) = (MAIL, MAIL)),
        unknown("receipt_by_the_attester", "a receipt by the attester's key", |t| (t.kid, t.by) = (ATTESTER, ATTESTER)),
        unknown("receipt_by_a_stranger", "a receipt by a key that nobody pins", |t| {
            (t.kid, t.by) = (STRANGER + 40, STRANGER + 40)
        }),
        unknown("receipt_other_kid", "a receipt by another key under the log's kid", |t| t.by = MAIL),
        unknown("receipt_signature_flipped", "a receipt with one bit of its signature wrong", |t| {
            t.signature = flipped
        }),
        malformed(
            "token-claims",
            "receipt_labels_empty",
            "a receipt with an empty list of labels",
            "receipt 0",
            vec![with(|t| t.claims["labels"] = json!([]))],
        ),
        malformed(
            "token-claims",
            "receipt_labels_order",
            "a receipt whose labels are not ascending",
            "receipt 0",
            vec![with(|t| t.claims["labels"] = json!(["pay", "hr"]))],
        ),
        malformed(
            "token-header",
            "receipt_typ",
            "a decision in place of the second receipt",
            "receipt 1",
            vec![receipt(&[]), with(|t| t.typ = "mcp-decision+jwt")],
        ),
        {
            let mut token = receipt(&["hr"]);
            (token.kid, token.by) = (LOG, LOG);
            shows("receipt_long_ago", "a receipt from 1970: what was seen stays seen", "hr", |c| {
                token.claims["iat"] = json!(0);
                c.receipts = vec![token];
            })
        },
    ]
}

fn answer(name: &str, comment: &str, result: &str, expect: &str) -> Vector {
    let body = json!({
        "always": ["hr"],
        "answer": format!(r#"{{"id":7,"jsonrpc":"2.0",{result}}}"#),
        "fields": {"/structuredContent/a~1b/~0": ["slash"], "/structuredContent/rows/*/pay": ["pay"], "/structuredContent/rows/1": ["second"]},
    });
    Vector::new("labelling", format!("{FAMILY}_answer_{name}"), comment, canonical(&body)).with("expect", expect)
}

fn answers() -> Vec<Vector> {
    let ifc = |name: &str, comment: &str, ifc: &str, expect: &str| {
        answer(name, comment, &format!(r#""result":{{"_meta":{{"ifc":{ifc}}}}}"#), expect)
    };
    vec![
        answer("plain", "a result without any of the fields", r#""result":{"content":[]}"#, "hr"),
        answer(
            "field",
            "a field in the second of two rows",
            r#""result":{"structuredContent":{"rows":[{},{"pay":0}]}}"#,
            "hr pay second",
        ),
        answer(
            "field_first",
            "a field in the first row",
            r#""result":{"structuredContent":{"rows":[{"pay":false}]}}"#,
            "hr pay",
        ),
        answer("field_null", "a field that is null", r#""result":{"structuredContent":{"rows":[{"pay":null}]}}"#, "hr"),
        answer(
            "field_member",
            "a star is any member too",
            r#""result":{"structuredContent":{"rows":{"x":{"pay":[]}}}}"#,
            "hr pay",
        ),
        answer(
            "field_escaped",
            "names with a slash and a tilde",
            r#""result":{"structuredContent":{"a/b":{"~":""}}}"#,
            "hr slash",
        ),
        answer("field_elsewhere", "a field of this name in another place", r#""result":{"rows":[{"pay":1}]}"#, "hr"),
        answer("error", "an error", r#""error":{"code":1,"message":"pay"}"#, "hr"),
        ifc(
            "ifc_good",
            "the server says that anybody may see and trust it",
            r#"{"confidentiality":"public","integrity":"trusted"}"#,
            "hr",
        ),
        ifc(
            "ifc_lists",
            "the same, of several things",
            r#"{"confidentiality":["public","public"],"integrity":["trusted"]}"#,
            "hr",
        ),
        ifc(
            "ifc_untrusted",
            "the server says that it is not to be trusted",
            r#"{"confidentiality":"public","integrity":"untrusted"}"#,
            "hr untrusted",
        ),
        ifc(
            "ifc_private",
            "one of several things is not for everybody",
            r#"{"confidentiality":["public","private"],"integrity":"trusted"}"#,
            "hr private",
        ),
        ifc("ifc_half", "the server says nothing of one of the two", r#"{"integrity":"trusted"}"#, "hr private"),
        ifc(
            "ifc_empty_list",
            "the server says it of nothing",
            r#"{"confidentiality":[],"integrity":"trusted"}"#,
            "hr private",
        ),
        ifc("ifc_odd", "the server says something else", r#"["public"]"#, "hr private untrusted"),
        ifc("ifc_null", "null", "null", "hr private untrusted"),
        Vector::new(
            "labelling",
            "labels_answer_unread",
            "an answer that is not strict JSON",
            canonical(&json!({"always": ["hr"], "answer": "{", "fields": {}})),
        )
        .with("expect", "*"),
        Vector::new(
            "labelling",
            "labels_answer_none",
            "nothing is said of the tool's answers",
            canonical(&json!({"always": [], "answer": r#"{"id":7,"result":{}}"#, "fields": {}})),
        )
        .with("expect", "(none)"),
        Vector::new(
            "labelling",
            "labels_pointer_index",
            "an index has one spelling",
            canonical(&json!({
                "always": [],
                "answer": r#"{"id":7,"result":["a","b"]}"#,
                "fields": {"/+1": ["plus"], "/01": ["zero"], "/1": ["one"], "/2": ["two"]},
            })),
        )
        .with("expect", "one"),
        Vector::new(
            "labelling",
            "labels_pointer_relative",
            "a place that does not begin with a slash",
            canonical(&json!({"always": [], "answer": "{}", "fields": {"rows": ["pay"]}})),
        )
        .with("expect", "unreadable"),
        Vector::new(
            "labelling",
            "labels_pointer_escape",
            "a tilde that is no escape",
            canonical(&json!({"always": [], "answer": "{}", "fields": {"/a~2": ["pay"]}})),
        )
        .with("expect", "unreadable"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [sets(), receipts(), answers()].concat()
}
