//! The family `pins`: measured components that holders of a token must show.

use attest_core::names::{HOLDER as BY, STATE};
use serde_json::{Value, json};

use super::call::{AGENT, ATTESTER, Call, HOLDER, NOW, STRANGER, chain, measurement};
use super::file::Vector;
use super::token::{Seed, Token, b64, flipped, hash, jwk};

fn request(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    (Vector::request(format!("pins_{name}"), comment, call.bytes()), call)
}

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    request(name, comment, edit).0.refused(code)
}

fn good(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let (vector, call) = request(name, comment, edit);
    vector.accepted(&call.forward())
}

fn prompt(text: &str) -> Value {
    json!({"system-prompt": [hash(text)]})
}

fn pin(call: &mut Call, n: usize, who: &str, pinned: Value) {
    call.detail(n)[STATE] = json!({who: pinned, "max_age": 3600});
}

/// The attestation of the holder of the chain's n-th token, as it was when he derived the next.
fn attestation(holder: Seed) -> Token {
    let claims = json!({
        "cnf": {"jwk": jwk(holder)},
        "eat_profile": attest_core::names::EAT_PROFILE,
        "exp": NOW + 100,
        "iat": NOW - 110,
        "iss": "acme",
        "jti": b64([1; 16]),
        "measurements": [measurement("system-prompt", &hash("the prompt"), 0)],
        "sub": "blank",
    });
    Token::new("eat+jwt", ATTESTER, claims)
}

/// The root pins its holder's prompt, and he shows this when he derives the leaf.
fn shown(call: &mut Call, edit: impl FnOnce(&mut Token)) {
    pin(call, 0, "holder", prompt("the prompt"));
    let mut token = attestation(HOLDER);
    edit(&mut token);
    call.detail(1)[BY] = json!(token.compact());
}

fn of_the_caller() -> Vec<Vector> {
    let aged = |call: &mut Call, jti: u8| {
        call.detail(1)[STATE] = json!({"holder": prompt("the prompt"), "max_age": 1});
        call.proof.claims["jti"] = json!(b64([jti; 16]));
    };
    let (before, first) =
        request("age_within_skew", "an attestation that stands for a second, a second before the skew is over", |c| {
            aged(c, 6)
        });
    let (stale, _) = request("age_remembered", "tokens that are remembered grow too old all the same", |c| aged(c, 2));
    vec![
        good("leaf_holder", "the leaf pins its holder, who is the caller", |c| {
            pin(c, 1, "holder", prompt("the prompt"))
        }),
        refused("state-pinned", "leaf_holder_other", "the leaf pins its holder, who shows something else", |c| {
            pin(c, 1, "holder", prompt("another prompt"));
        }),
        refused("state-pinned", "component_missing", "a pinned component that the caller does not show", |c| {
            pin(c, 1, "holder", json!({"config": [hash("the prompt")]}));
        }),
        refused("state-pinned", "one_of_two_components", "one of two pinned components is another", |c| {
            pin(c, 1, "holder", json!({"system-prompt": [hash("the prompt")], "tool-manifest": [hash("others")]}));
        }),
        good("two_digests", "one of two accepted digests", |c| {
            pin(c, 1, "holder", json!({"system-prompt": [hash("another prompt"), hash("the prompt")]}));
        }),
        good("below", "the page's example: the root pins whoever is below, and its holder shows nothing", |c| {
            pin(c, 0, "below", prompt("the prompt"));
        }),
        refused(
            "state-pinned",
            "below_other",
            "the root pins whoever is below, and the caller shows something else",
            |c| {
                pin(c, 0, "below", prompt("another prompt"));
            },
        ),
        good("leaf_below", "a leaf that pins whoever is below it: there is nobody", |c| {
            pin(c, 1, "below", prompt("another prompt"));
        }),
        refused("state-pinned", "two_tokens", "root and leaf pin different things", |c| {
            pin(c, 0, "below", prompt("another prompt"));
            pin(c, 1, "holder", prompt("the prompt"));
        }),
        refused(
            "holder-mismatch",
            "held_by_another",
            "a leaf that another key holds is looked at before its pins",
            |c| {
                c.chain[1].claims["cnf"]["jwk"] = jwk(STRANGER);
                pin(c, 1, "holder", prompt("another prompt"));
            },
        ),
        before.at(NOW + 20).accepted(&first.forward()),
        refused("holder-stale", "age_caller", "the caller's attestation, a second older", |c| aged(c, 6)).at(NOW + 21),
        stale.at(NOW + 21).with("after", "pins_age_within_skew.vec").refused("holder-stale"),
    ]
}

fn of_those_above() -> Vec<Vector> {
    let wrong = |name: &str, comment: &str, edit: fn(&mut Token)| {
        refused("holder-attestation", name, comment, |c| shown(c, edit))
    };
    let aged = |name: &str, comment: &str, age: u64| {
        request(name, comment, |c| {
            shown(c, |_| ());
            c.detail(0)[STATE]["max_age"] = json!(age);
        })
    };
    let (old, _) = aged("age_above", "the attestation of the root's holder is as old as it may be, and the skew", 80);
    let (young, call) = aged("age_above_within", "a second younger", 81);
    vec![
        good("holder", "the root pins its holder, and the leaf has his attestation", |c| shown(c, |_| ())),
        refused("state-pinned", "holder_other", "the root's holder was in another state", |c| {
            shown(c, |t| t.claims["measurements"] = json!([measurement("system-prompt", &hash("another"), 0)]));
        }),
        refused(
            "holder-attestation",
            "holder_silent",
            "the root pins its holder, and the leaf has no attestation",
            |c| {
                pin(c, 0, "holder", prompt("the prompt"));
            },
        ),
        wrong("by_no_attester", "an attestation by a key that is not pinned", |t| (t.kid, t.by) = (STRANGER, STRANGER)),
        wrong("by_signature", "an attestation with one bit of its signature wrong", |t| t.signature = flipped),
        wrong("by_other_key", "the attestation of another key", |t| t.claims["cnf"]["jwk"] = jwk(AGENT)),
        wrong("by_other_agent", "an attestation of an agent that its attester may not speak for", |t| {
            t.claims["sub"] = json!("stranger")
        }),
        wrong("by_other_issuer", "an attestation under another issuer", |t| t.claims["iss"] = json!("owner")),
        wrong("by_typ", "a token of another type", |t| t.typ = "mcp-call+jwt"),
        wrong("by_expired", "an attestation that had expired when the leaf was made", |t| {
            t.claims["exp"] = json!(NOW - 100)
        }),
        wrong("by_later", "an attestation of a second more than the skew after the leaf", |t| {
            t.claims["iat"] = json!(NOW - 69)
        }),
        good("by_later_within_skew", "an attestation of just the skew after the leaf", |c| {
            shown(c, |t| t.claims["iat"] = json!(NOW - 70));
        }),
        good("by_expired_since", "an attestation that has expired since", |c| {
            shown(c, |t| t.claims["exp"] = json!(NOW - 99));
        }),
        good("by_unasked", "an attestation that nobody asked for", |c| {
            c.detail(1)[BY] = json!(attestation(HOLDER).compact())
        }),
        refused(
            "holder-attestation",
            "by_unasked_wrong",
            "an attestation that nobody asked for, of another key",
            |c| {
                c.detail(1)[BY] = json!(attestation(AGENT).compact());
            },
        ),
        refused("root-scope", "by_at_the_root", "an attestation in a root: nobody above signed it", |c| {
            c.detail(0)[BY] = json!(attestation(HOLDER).compact());
        }),
        good("below_middle", "the root pins whoever is below: the middle one shows it when he derives the leaf", |c| {
            c.chain = chain(3);
            pin(c, 0, "below", prompt("the prompt"));
            c.detail(2)[BY] = json!(attestation(HOLDER + 1).compact());
        }),
        refused("holder-attestation", "below_middle_silent", "the middle one shows nothing", |c| {
            c.chain = chain(3);
            pin(c, 0, "below", prompt("the prompt"));
        }),
        refused("state-pinned", "below_middle_other", "the middle one shows something else", |c| {
            c.chain = chain(3);
            pin(c, 0, "below", prompt("the prompt"));
            let mut token = attestation(HOLDER + 1);
            token.claims["measurements"] = json!([measurement("system-prompt", &hash("another"), 2)]);
            c.detail(2)[BY] = json!(token.compact());
        }),
        old.refused("holder-stale"),
        young.accepted(&call.forward()),
        refused(
            "holder-attestation",
            "wrong_before_held_by_another",
            "those above are looked at before the caller",
            |c| {
                pin(c, 0, "holder", prompt("the prompt"));
                c.chain[1].claims["cnf"]["jwk"] = jwk(STRANGER);
            },
        ),
    ]
}

fn forms() -> Vec<Vector> {
    let bad = |name: &str, comment: &str, value: Value| {
        refused("token-claims", name, comment, |c| c.detail(1)[STATE] = value).about("delegation 1")
    };
    let many: Vec<String> = (0..17).map(|n| hash(format!("{n}"))).collect();
    let state = |pinned: Value| json!({"holder": pinned, "max_age": 3600});
    vec![
        bad("text", "a string in place of the object", json!("any")),
        bad("nobody", "nobody is pinned", json!({"max_age": 3600})),
        bad("no_age", "no age", json!({"holder": prompt("the prompt")})),
        bad("age_zero", "an age of no seconds", json!({"holder": prompt("the prompt"), "max_age": 0})),
        bad(
            "age_91_days",
            "an age of 90 days and a second",
            json!({"holder": prompt("the prompt"), "max_age": 7_776_001}),
        ),
        good("age_90_days", "an age of 90 days, the most", |c| {
            c.detail(1)[STATE] = json!({"holder": prompt("the prompt"), "max_age": 7_776_000});
        }),
        bad("no_component", "no component", state(json!({}))),
        bad("unknown_component", "a component that is not measured", state(json!({"mood": [hash("x")]}))),
        bad("no_digest", "no digest", state(json!({"system-prompt": []}))),
        bad("digest_text", "a digest that is in no list", state(json!({"system-prompt": hash("the prompt")}))),
        bad("digest_short", "a digest of 31 bytes", state(json!({"system-prompt": [b64([1; 31])]}))),
        bad("17_digests", "17 digests", state(json!({"system-prompt": many}))),
        bad(
            "member",
            "a member that it does not have",
            json!({"holder": prompt("x"), "max_age": 1, "grade": "in-use"}),
        ),
        refused("token-claims", "by_number", "a number for the attestation", |c| c.detail(1)[BY] = json!(1))
            .about("delegation 1"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [of_the_caller(), of_those_above(), forms()].concat()
}
