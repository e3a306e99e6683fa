//! The family `measurement`: the form of the entries. Whether a state is accepted is in `verification`.

use serde_json::{Value, json};

use super::call::{Call, measurement};
use super::file::Vector;
use super::token::{b64, canonical, hash};

fn refused(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    let call = Call::with(|call| edit(&mut call.attestation.claims["measurements"]));
    Vector::request(format!("measurement_{name}"), comment, call.bytes()).refused("token-claims").about("attestation")
}

/// An entry whose inner object is edited before it is written.
fn inner(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    refused(name, comment, |measurements| {
        let mut inner = json!({
            "digested-measurement": ["sha-256", hash("the prompt")],
            "flags": b64([0, 0, 0, 0, 0, 0, 0, 1]),
            "id": ["system-prompt"],
        });
        edit(&mut inner);
        measurements[0][1] = json!(String::from_utf8(canonical(&inner)).unwrap());
    })
}

/// An entry whose inner text is edited.
fn text(name: &str, comment: &str, edit: impl FnOnce(&str) -> String) -> Vector {
    refused(name, comment, |measurements| {
        let text = edit(measurements[0][1].as_str().unwrap());
        measurements[0][1] = json!(text);
    })
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    vec![
        refused("none", "no entry", |m| *m = json!([])),
        refused("not_an_array", "an object in place of the array", |m| *m = json!({})),
        refused("twice", "a component twice", |m| *m = json!([m[0], m[0], m[1]])),
        refused("order", "components in descending order", |m| *m = json!([m[1], m[0]])),
        refused("tensors_order", "model-weights before model-tensors", |m| {
            let [weights, tensors] = ["model-weights", "model-tensors"].map(|name| measurement(name, &hash(name), 1));
            *m = json!([weights, tensors, m[0], m[1]]);
        }),
        refused("unknown_component", "a component that this version does not know", |m| {
            m[0] = measurement("mood", &hash("good"), 1);
        }),
        refused("other_format", "another content format", |m| m[0][0] = json!(295)),
        refused("triple", "an entry of three elements", |m| m[0] = json!([m[0][0], m[0][1], 1])),
        refused("inner_object", "an object in place of its text", |m| m[0][1] = json!({})),
        refused("unknown_grade", "a grade that this version does not know", |m| {
            m[0] = measurement("system-prompt", &hash("the prompt"), 3);
        }),
        inner("other_algorithm", "another hash function", |i| i["digested-measurement"][0] = json!("sha-512")),
        inner("short_digest", "a digest of 31 bytes", |i| i["digested-measurement"][1] = json!(b64([1; 31]))),
        inner("long_digest", "a digest of 33 bytes", |i| i["digested-measurement"][1] = json!(b64([1; 33]))),
        inner("three_in_digest", "a digest of three elements", |i| {
            i["digested-measurement"] = json!(["sha-256", hash("the prompt"), 1]);
        }),
        inner("short_flags", "flags of seven bytes", |i| i["flags"] = json!(b64([0, 0, 0, 0, 0, 0, 1]))),
        inner("other_flag", "a flag in another byte", |i| i["flags"] = json!(b64([1, 0, 0, 0, 0, 0, 0, 1]))),
        inner("no_flags", "no flags: how the digest was had is not said", |i| {
            i.as_object_mut().unwrap().remove("flags");
        }),
        inner("two_names", "an id of two elements", |i| i["id"] = json!(["system-prompt", "1"])),
        inner("unknown_member", "a member that an entry does not have", |i| i["signers"] = json!([])),
        text("white_space", "white space in the inner text", |t| t.replace(":[", ": [")),
        text("inner_order", "members of the inner text in another order", |t| {
            let (digest, rest) = t[1..t.len() - 1].split_once(",\"flags\"").unwrap();
            format!("{{\"flags\"{rest},{digest}}}")
        }),
        text("inner_duplicate", "a member of the inner text twice", |t| t.replacen('{', "{\"id\":[\"signer\"],", 1)),
        text("inner_not_json", "an inner text that is no JSON", |t| t[1..].to_owned()),
    ]
}
