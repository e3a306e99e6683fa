//! The family `call_proof`: its claims, its signature, and what it binds.

mod bindings;

use attest_core::names::{CALL, PROVENANCE};
use serde_json::{Value, json};

use super::call::{ATTESTER, Call, STRANGER};
use super::file::Vector;
use super::points;
use super::token::{b64, flipped, hash, stray_bit};

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    Vector::request(format!("call_proof_{name}"), comment, Call::with(edit).bytes()).refused(code)
}

fn claims(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    refused("token-claims", name, comment, |call| edit(&mut call.proof.claims)).about("call proof")
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name).expect("a member to remove");
}

fn wrong_claims() -> Vec<Vector> {
    let mut all: Vec<Vector> = ["aud", "exp", "iat", CALL, PROVENANCE, "jti", "oth", "wth"]
        .iter()
        .map(|claim| {
            let short = claim.rsplit('/').next().unwrap();
            claims(&format!("no_{short}"), &format!("no claim {claim}"), |c| remove(c, claim))
        })
        .collect();
    for member in ["meta", "method", "params", "tool"] {
        all.push(claims(&format!("call_no_{member}"), &format!("a claim {CALL} without {member}"), |c| {
            remove(&mut c[CALL], member);
        }));
    }
    for member in ["ctx", "labels", "origin", "parents"] {
        all.push(claims(&format!("prov_no_{member}"), &format!("a claim {PROVENANCE} without {member}"), |c| {
            remove(&mut c[PROVENANCE], member);
        }));
    }
    all.extend([
        claims("unknown_claim", "a claim that a call proof does not have", |c| c["nbf"] = json!(1)),
        claims("call_unknown_member", "a member that the claim of the call does not have", |c| {
            c[CALL]["id"] = json!(7)
        }),
        claims("meta_unknown_member", "a member that the binding of _meta does not have", |c| {
            c[CALL]["meta"]["x"] = json!(1)
        }),
        claims("oth_unknown_member", "another hash beside del", |c| c["oth"]["txn"] = json!(hash("x"))),
        claims("other_method", "a proof over another method that names a tool", |c| {
            c[CALL]["method"] = json!("tools/list")
        }),
        claims("method_case", "the method in another case, which is another method, with a tool", |c| {
            c[CALL]["method"] = json!("Tools/Call")
        }),
        claims("audience_array", "an audience that is an array", |c| c["aud"] = json!(["files"])),
        claims("audience_empty", "an empty audience", |c| c["aud"] = json!("")),
        claims("jti_short", "a jti of 15 bytes", |c| c["jti"] = json!(b64([6; 15]))),
        claims("ctx_short", "a ctx of 15 bytes", |c| c[PROVENANCE]["ctx"] = json!(b64([5; 15]))),
        claims("ctx_stray_bit", "a ctx with an unused bit set", |c| {
            c[PROVENANCE]["ctx"] = json!(stray_bit(&b64([5; 16])));
        }),
        claims("tool_empty", "an empty name of a tool", |c| c[CALL]["tool"] = json!("")),
        claims("tool_long", "a name of a tool of 257 bytes", |c| c[CALL]["tool"] = json!("t".repeat(257))),
        claims("tool_control", "a name of a tool with U+0085", |c| c[CALL]["tool"] = json!("read_file\u{85}")),
        claims("params_short", "a digest of 31 bytes for the parameters", |c| {
            c[CALL]["params"] = json!(b64([1; 31]));
        }),
        claims("meta_digest_long", "a digest of 33 bytes for _meta", |c| {
            c[CALL]["meta"]["digest"] = json!(b64([1; 33]));
        }),
        claims("del_short", "a digest of 31 bytes for the leaf", |c| c["oth"]["del"] = json!(b64([1; 31]))),
        claims("names_object", "an object for the names of _meta members", |c| {
            c[CALL]["meta"]["names"] = json!({});
        }),
        claims("names_long_name", "a name of a _meta member of 257 bytes", |c| {
            c[CALL]["meta"]["names"] = json!(["a".repeat(257)]);
        }),
        claims("wth_hex", "the attestation's hash in hexadecimal", |c| c["wth"] = json!("0".repeat(64))),
        claims("exp_negative", "a time before 1970", |c| c["exp"] = json!(-1)),
        claims("names_numbers", "names of _meta members that are numbers", |c| c[CALL]["meta"]["names"] = json!([1])),
        claims("names_control", "a name of a _meta member with a control character", |c| {
            c[CALL]["meta"]["names"] = json!(["com.example/tenant\u{7f}"]);
        }),
        claims("names_empty_name", "an empty name among the _meta members", |c| c[CALL]["meta"]["names"] = json!([""])),
        claims("names_65", "65 names of _meta members", |c| {
            let names: Vec<String> = (0..65).map(|i| format!("com.example/{i:02}")).collect();
            c[CALL]["meta"]["names"] = json!(names);
        }),
        claims("origin_other", "an origin that this version does not know", |c| {
            c[PROVENANCE]["origin"] = json!("user")
        }),
        claims("cause_and_origin", "a cause and an origin", |c| c[PROVENANCE]["cause"] = json!(hash("a decision"))),
        claims("cause_short", "a digest of 31 bytes for the cause", |c| {
            remove(&mut c[PROVENANCE], "origin");
            c[PROVENANCE]["cause"] = json!(b64([1; 31]));
        }),
        claims("parents_text", "a parent that is in no list", |c| c[PROVENANCE]["parents"] = json!(hash("a receipt"))),
        claims("parents_short", "a digest of 31 bytes for a parent", |c| {
            c[PROVENANCE]["parents"] = json!([b64([1; 31])]);
        }),
        claims("parents_17", "17 parents", |c| c[PROVENANCE]["parents"] = json!(vec![hash("a receipt"); 17])),
        claims("labels_order", "labels that are not ascending", |c| c[PROVENANCE]["labels"] = json!(["pay", "hr"])),
        claims("labels_upper_case", "what is no label", |c| c[PROVENANCE]["labels"] = json!(["Secret"])),
        claims("prov_unknown_member", "a member that the claim of where it comes from does not have", |c| {
            c[PROVENANCE]["nonce"] = json!("x");
        }),
    ]);
    all
}

fn signatures() -> Vec<Vector> {
    vec![
        refused("call-signature", "signature_flipped", "a signature with one bit wrong", |c| {
            c.proof.signature = flipped
        }),
        refused("call-signature", "by_a_stranger", "signed by a key that is not attested", |c| {
            (c.proof.kid, c.proof.by) = (STRANGER, STRANGER);
        }),
        refused("call-signature", "by_the_attester", "signed by the attester's key", |c| {
            (c.proof.kid, c.proof.by) = (ATTESTER, ATTESTER);
        }),
        refused("call-signature", "signature_of_a_stranger", "another key's signature under the attested kid", |c| {
            c.proof.by = STRANGER;
        }),
        refused("call-signature", "signature_s_plus_l", "a good signature with s + L for s", |c| {
            c.proof.signature = points::unreduced_s;
        }),
        refused(
            "call-signature",
            "signature_small_order_r",
            "a signature whose R is of small order: a lenient check accepts it",
            |c| {
                c.proof.signature = points::small_order_r;
            },
        ),
        refused("call-signature", "signature_zero", "a signature of 64 zero bytes", |c| {
            c.proof.signature = |_, _| vec![0; 64]
        }),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [wrong_claims(), signatures(), bindings::vectors()].concat()
}
