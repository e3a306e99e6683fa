//! Shorthand: hashes in place of tokens that the verifier remembers.

use serde_json::{Value, json};

use crate::vectors::call::{Call, NOW, STRANGER, Sent};
use crate::vectors::file::Vector;
use crate::vectors::token::{b64, hash, stray_bit, thumbprint};

/// The call whose tokens most of these stand for: once it is accepted they are remembered.
const GOOD: &str = "attestation_good.vec";
/// A call with tokens of its own that is refused, after which nothing of it is remembered.
const REFUSED: &str = "verification_state_other.vec";

fn shorthand(token: &Value) -> Value {
    json!(format!("sha256:{}", hash(token.as_str().unwrap())))
}

/// Puts the shorthand in place of every token but the call proof.
pub(in crate::vectors) fn shorten(sent: &mut Sent) {
    let carrier = &mut sent.carrier;
    carrier["att"] = shorthand(&carrier["att"]);
    for token in carrier["del"].as_array_mut().unwrap() {
        *token = shorthand(token);
    }
}

/// A second call with the default tokens, in shorthand; `edit` changes it before the signing, `change` after.
fn call(name: &str, comment: &str, edit: impl FnOnce(&mut Call), change: impl FnOnce(&mut Sent)) -> (Vector, Call) {
    let mut call = Call::default();
    call.proof.claims["jti"] = json!(b64([2; 16]));
    edit(&mut call);
    let sent = call.sign().with(shorten).with(change);
    (Vector::request(format!("carrier_short_{name}"), comment, sent.bytes()), call)
}

fn before(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    call(name, comment, edit, |_| ()).0.with("after", GOOD)
}

fn changed(code: &str, name: &str, comment: &str, change: impl FnOnce(&mut Sent)) -> Vector {
    call(name, comment, |_| (), change).0.with("after", GOOD).refused(code)
}

/// Other tokens than the default call's, which nobody remembers.
fn renewed(call: &mut Call) {
    call.attestation.claims["jti"] = json!(b64([8; 16]));
}

fn found() -> Vec<Vector> {
    let (good, accepted) = call("good", "tokens that the verifier remembers, by their hashes", |_| (), |_| ());
    let later = |call: &mut Call| {
        call.proof.claims["iat"] = json!(NOW + 400);
        call.proof.claims["exp"] = json!(NOW + 460);
    };
    vec![
        good.with("after", GOOD).accepted(&accepted.forward()),
        before("expired", "a remembered attestation still expires", later)
            .at(NOW + 400)
            .refused("expired")
            .about("attestation"),
        before("by_a_stranger", "remembered tokens under a stranger's call proof", |c| {
            (c.proof.kid, c.proof.by) = (STRANGER, STRANGER);
        })
        .refused("call-signature"),
        before("other_attestation", "a call proof that was made for another attestation", |c| {
            c.proof.claims["wth"] = json!(hash("another"));
        })
        .refused("wrong-attestation"),
        before("other_delegation", "a call proof that was made for another delegation", |c| {
            c.proof.claims["oth"]["del"] = json!(hash("another"));
        })
        .refused("wrong-delegation"),
        before("tool_not_granted", "a tool that the remembered chain does not grant", |c| {
            c.params()["name"] = json!("write_file");
        })
        .refused("tool-not-granted"),
        before("argument_changed", "other parameters than were signed", |c| c.bound()["params"] = json!(hash("x")))
            .refused("params-mismatch"),
        before("replay", "a jti that this key has used", |_| ())
            .with("seen", &format!("{}/{}", thumbprint(super::AGENT), b64([2; 16])))
            .refused("replay"),
        changed("token-encoding", "prf", "a shorthand for the call proof, which is never remembered", |s| {
            s.carrier["prf"] = shorthand(&s.carrier["prf"]);
        })
        .about("call proof"),
    ]
}

fn not_found() -> Vec<Vector> {
    const CODE: &str = "not-cached";
    let unknown =
        |name: &str, comment: &str, change: fn(&mut Sent)| call(name, comment, renewed, change).0.refused(CODE);
    vec![
        unknown("unknown", "tokens that the verifier has never seen", |_| ()),
        unknown("unknown_garbage", "before the call proof is looked at, which is none", |s| {
            s.carrier["prf"] = json!("x");
        }),
        unknown("unknown_expired", "before any time is looked at", |s| {
            s.carrier["prf"] = s.carrier["salt"].clone();
        })
        .at(NOW + 10_000),
        call(
            "after_refused",
            "tokens of a call that was refused: nothing of it is remembered",
            |c| {
                let prompt = crate::vectors::call::measurement("system-prompt", &hash("another prompt"), 1);
                c.attestation.claims["measurements"][0] = prompt;
            },
            |_| (),
        )
        .0
        .with("after", REFUSED)
        .refused(CODE),
        changed(CODE, "other_attestation_hash", "a remembered chain under another attestation's hash", |s| {
            s.carrier["att"] = shorthand(&json!("another"));
        }),
        changed(CODE, "other_root_hash", "a remembered leaf under another root's hash", |s| {
            s.carrier["del"][0] = shorthand(&json!("another"));
        }),
        changed(CODE, "chain_turned", "the remembered chain from the leaf to the root", |s| {
            s.carrier["del"].as_array_mut().unwrap().reverse();
        }),
        changed(CODE, "chain_cut", "the remembered leaf without its root", |s| {
            s.carrier["del"].as_array_mut().unwrap().remove(0);
        }),
        changed(CODE, "chain_longer", "one more behind the remembered leaf", |s| {
            let root = s.carrier["del"][0].clone();
            s.carrier["del"].as_array_mut().unwrap().push(root);
        }),
        changed(CODE, "leaf_for_attestation", "attestation and leaf in each other's place", |s| {
            let leaf = s.carrier["del"][1].take();
            s.carrier["del"][1] = s.carrier["att"].take();
            s.carrier["att"] = leaf;
        }),
    ]
}

fn forms() -> Vec<Vector> {
    const CODE: &str = "bad-carrier";
    let full = Call::default().sign().carrier;
    let with = |name: &str, comment: &str, change: fn(String) -> String| {
        changed(CODE, name, comment, |s| {
            s.carrier["att"] = json!(change(s.carrier["att"].as_str().unwrap().to_owned()))
        })
    };
    vec![
        changed(CODE, "disclosed", "what is disclosed beside shorthands", |s| {
            s.carrier["dis"] = json!(["the prompt"]);
        }),
        changed(CODE, "full_attestation", "a token beside shorthands: the attestation", |s| {
            s.carrier["att"] = full["att"].clone();
        }),
        changed(CODE, "full_root", "a token beside shorthands: the root", |s| {
            s.carrier["del"][0] = full["del"][0].clone()
        }),
        changed(CODE, "full_leaf", "a token beside shorthands: the leaf", |s| {
            s.carrier["del"][1] = full["del"][1].clone()
        }),
        with("cut", "a shorthand of 42 characters", |text| text[..text.len() - 1].to_owned()),
        with("longer", "a shorthand of 44 characters", |text| format!("{text}A")),
        with("padded", "a shorthand with padding", |text| format!("{text}=")),
        with("stray_bit", "a shorthand with an unused bit set", |text| {
            format!("sha256:{}", stray_bit(&text["sha256:".len()..]))
        }),
        with("hex", "a shorthand in hexadecimal", |_| format!("sha256:{}", "0".repeat(64))),
        with("nothing", "nothing behind the colon", |_| "sha256:".to_owned()),
        changed(CODE, "root_cut", "a root's shorthand of 42 characters", |s| {
            let text = s.carrier["del"][0].as_str().unwrap().to_owned();
            s.carrier["del"][0] = json!(text[..text.len() - 1]);
        }),
        changed("token-encoding", "upper_case", "SHA256 in upper case begins no shorthand, and is no token", |s| {
            let upper = |token: &mut Value| *token = json!(token.as_str().unwrap().replace("sha256:", "SHA256:"));
            upper(&mut s.carrier["att"]);
            s.carrier["del"].as_array_mut().unwrap().iter_mut().for_each(upper);
        })
        .about("attestation"),
        changed("too-large", "chain_too_long", "ten shorthands", |s| {
            let root = s.carrier["del"][0].clone();
            s.carrier["del"] = json!(vec![root; 10]);
        }),
    ]
}

pub(super) fn vectors() -> Vec<Vector> {
    [found(), not_found(), forms()].concat()
}
