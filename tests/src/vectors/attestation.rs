//! The family `attestation`: its claims, who signs it and for whom. Times and states are in `verification`.

use serde_json::{Value, json};

use super::call::{AGENT, ATTESTER, Call, ROOT, STRANGER};
use super::file::Vector;
use super::points;
use super::token::{b64, flipped, jwk};

fn request(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    (Vector::request(format!("attestation_{name}"), comment, call.bytes()), call)
}

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    request(name, comment, edit).0.refused(code)
}

fn claims(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    refused("token-claims", name, comment, |call| edit(&mut call.attestation.claims)).about("attestation")
}

/// The call key everywhere: whoever holds it is agent and holder of the leaf.
fn with_call_key(call: &mut Call, seed: u8) {
    call.attestation.claims["cnf"]["jwk"] = jwk(seed);
    call.chain[1].claims["cnf"]["jwk"] = jwk(seed);
    call.proof.kid = seed;
    call.proof.by = seed;
}

fn accepted() -> Vec<Vector> {
    let accepted = |name, comment, edit: fn(&mut Call)| {
        let (vector, call) = request(name, comment, edit);
        vector.accepted(&call.forward())
    };
    vec![
        accepted("good", "the default call, in which nothing is wrong", |_| {}),
        accepted("other_call_key", "a call key that nobody pins, as call keys are", |c| with_call_key(c, STRANGER)),
    ]
}

fn wrong_claims() -> Vec<Vector> {
    let mut all: Vec<Vector> = ["cnf", "eat_profile", "exp", "iat", "iss", "jti", "measurements", "sub"]
        .iter()
        .map(|claim| {
            claims(&format!("no_{claim}"), &format!("no claim {claim}"), |c| {
                c.as_object_mut().unwrap().remove(*claim);
            })
        })
        .collect();
    all.extend([
        claims("unknown_claim", "a claim that an attestation does not have", |c| c["nbf"] = json!(1)),
        claims("other_profile", "another EAT profile", |c| c["eat_profile"] = json!("tag:example.com,2026:1")),
        claims("issuer_empty", "an empty issuer", |c| c["iss"] = json!("")),
        claims("issuer_control", "an issuer with a control character", |c| c["iss"] = json!("acme\n")),
        claims("issuer_long", "an issuer of 257 bytes", |c| c["iss"] = json!("a".repeat(257))),
        claims("agent_number", "a number for the agent", |c| c["sub"] = json!(1)),
        claims("agent_nul", "an agent with a NUL in its name", |c| c["sub"] = json!("analyst\0")),
        claims("exp_text", "a time as a string", |c| c["exp"] = json!("1800000290")),
        claims("exp_fraction", "a time with a fraction", |c| c["exp"] = json!(1_800_000_290.5)),
        claims("iat_negative", "a time before 1970", |c| c["iat"] = json!(-1)),
        claims("exp_huge", "a time of 10^21", |c| c["exp"] = json!(1e21)),
        claims("jti_short", "a jti of 15 bytes", |c| c["jti"] = json!(b64([9; 15]))),
        claims("jti_long", "a jti of 17 bytes", |c| c["jti"] = json!(b64([9; 17]))),
        claims("jti_stray_bit", "a jti with an unused bit set", |c| c["jti"] = json!("CQkJCQkJCQkJCQkJCQkJCR")),
        claims("cnf_kid", "a cnf with a member beside jwk", |c| c["cnf"]["kid"] = json!("a")),
        claims("cnf_private", "a cnf with a private key", |c| c["cnf"]["jwk"]["d"] = json!(b64([AGENT; 32]))),
        claims("cnf_small_order", "a cnf with a key of small order", |c| {
            c["cnf"]["jwk"]["x"] = json!(b64(points::small_order()[1]));
        }),
        claims("cnf_mixed_order", "a cnf with a key outside the prime-order group", |c| {
            c["cnf"]["jwk"]["x"] = json!(b64(points::mixed_order(AGENT)));
        }),
        claims("cnf_second_spelling", "a cnf with a key in a second spelling", |c| {
            c["cnf"]["jwk"]["x"] = json!(b64(points::second_spelling()));
        }),
        claims("cnf_x_padded", "a cnf with a padded key", |c| {
            let x = format!("{}=", c["cnf"]["jwk"]["x"].as_str().unwrap());
            c["cnf"]["jwk"]["x"] = json!(x);
        }),
    ]);
    all
}

fn wrong_signer() -> Vec<Vector> {
    vec![
        refused("unknown-attester", "by_a_stranger", "signed by a key that is not pinned", |c| {
            (c.attestation.kid, c.attestation.by) = (STRANGER, STRANGER);
        }),
        refused("unknown-attester", "by_a_root", "signed by a key that is pinned as a delegation root", |c| {
            (c.attestation.kid, c.attestation.by) = (ROOT, ROOT);
        }),
        refused("unknown-attester", "by_the_agent", "signed by the call key itself", |c| {
            (c.attestation.kid, c.attestation.by) = (AGENT, AGENT);
        }),
        refused("unknown-attester", "other_issuer", "an issuer that the attester's key may not speak for", |c| {
            c.attestation.claims["iss"] = json!("other");
        }),
        refused("unknown-attester", "other_agent", "an agent that the attester's key may not speak for", |c| {
            c.attestation.claims["sub"] = json!("stranger");
        }),
        refused("attestation-signature", "signature_flipped", "a signature with one bit wrong", |c| {
            c.attestation.signature = flipped;
        }),
        refused(
            "attestation-signature",
            "signature_of_a_stranger",
            "another key's signature under the attester's kid",
            |c| {
                c.attestation.by = STRANGER;
            },
        ),
        refused("attestation-signature", "signature_of_other_text", "a signature over other text", |c| {
            c.attestation.signature = |by, _| flipped(by, b"other");
        }),
        refused("attestation-signature", "signature_s_plus_l", "a good signature with s + L for s", |c| {
            c.attestation.signature = points::unreduced_s;
        }),
        refused("attestation-signature", "signature_small_order_r", "a signature whose R is of small order", |c| {
            c.attestation.signature = points::small_order_r;
        }),
        refused("key-role", "call_key_is_root", "the attested call key is a pinned delegation root", |c| {
            with_call_key(c, ROOT);
        }),
        refused("key-role", "call_key_is_a_log", "the attested call key is that of a pinned log", |c| {
            with_call_key(c, super::log::NEXT);
        })
        .with("trust", super::FLOW_FILE),
        refused("key-role", "call_key_is_an_owner", "the attested call key is one that may declassify", |c| {
            with_call_key(c, super::trust::OWNER);
        })
        .with("trust", super::FLOW_FILE),
        refused("key-role", "call_key_is_attester", "the attested call key is the attester's", |c| {
            with_call_key(c, ATTESTER);
        }),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [accepted(), wrong_claims(), wrong_signer()].concat()
}
