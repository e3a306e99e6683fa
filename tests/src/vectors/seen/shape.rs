//! The shape of arguments: rule 7. What is hashed is written out by hand.

use attest_core::digest::Digest;

use crate::vectors::file::Vector;

/// Shapes.
pub(super) fn vectors() -> Vec<Vector> {
    let cases = [
        ("null", "nothing", "null", "0"),
        (
            "scalars",
            "one of each that is no container",
            r#"{"b":true,"n":1.5,"s":"text","z":null}"#,
            r#"{"b":b,"n":n,"s":s,"z":0,}"#,
        ),
        ("empty_object", "no arguments", "{}", "{}"),
        ("empty_array", "an array without elements", "[]", "[]"),
        ("same_elements", "elements of one shape count once", "[1,2,3]", "[n]"),
        (
            "mixed_elements",
            "elements in the order of their shapes' bytes",
            r#"["x",1,null,true,"y",[],{}]"#,
            "[0[]bns{}]",
        ),
        (
            "elements_by_bytes",
            "elements in the order of their shapes' bytes, not of their length",
            r#"[{"a":1,"b":1},{"a":1}]"#,
            r#"[{"a":n,"b":n,}{"a":n,}]"#,
        ),
        ("values", "other values", r#"{"to":["a@b.example"]}"#, r#"{"to":[s],}"#),
        (
            "member_order",
            "members in canonical order, by UTF-16 code units",
            "{\"\u{ff5e}\":1,\"\u{10000}\":\"\"}",
            "{\"\u{10000}\":s,\"\u{ff5e}\":n,}",
        ),
        ("escaped_name", "a name as a canonical JSON string", r#"{"a\u0022\/\u000a":false}"#, "{\"a\\\"/\\n\":b,}"),
    ];
    let one = |(name, comment, body, text): (&str, &str, &str, &str)| {
        Vector::new("shape", format!("seen_shape_{name}"), comment, body).with("expect", &Digest::of(text).to_b64())
    };
    cases.into_iter().map(one).collect()
}
