//! The family `nonce`: what a verifier knows again, and the claims that hold it.

use attest_core::jwk::Thumbprint;
use attest_core::nonce::Nonces;
use serde_json::{Value, json};

use super::call::{AGENT, Call, NOW, STRANGER};
use super::file::Vector;
use super::token::{b64, canonical, thumbprint};

const SECRET: [u8; 32] = [40; 32];
const BEFORE: [u8; 32] = [41; 32];

fn issued(secret: [u8; 32], audience: &str, key: u8, time: u64) -> String {
    let key = Thumbprint::parse(&thumbprint(key)).expect("a thumbprint");
    Nonces::new(secret).issue(audience, &key, time).to_b64()
}

fn check(name: &str, comment: &str, expect: &str, nonce: String) -> Vector {
    let body = json!({
        "audience": "files", "before": b64(BEFORE), "key": thumbprint(AGENT), "nonce": nonce, "secret": b64(SECRET),
    });
    Vector::new("nonce", format!("nonce_{name}"), comment, canonical(&body))
        .with("now", &NOW.to_string())
        .with("expect", expect)
}

fn checks() -> Vec<Vector> {
    let good = issued(SECRET, "files", AGENT, NOW - 5);
    let mut flipped = good.clone().into_bytes();
    flipped[20] ^= 1;
    let mut retimed = good.clone();
    retimed.replace_range(..10, &issued(SECRET, "files", AGENT, NOW)[..10]);
    vec![
        check("good", "made five seconds ago", "good", good),
        check("now", "made this very second", "good", issued(SECRET, "files", AGENT, NOW)),
        check("last_second", "in the last second of its life", "good", issued(SECRET, "files", AGENT, NOW - 59)),
        check("old", "a minute old", "stale", issued(SECRET, "files", AGENT, NOW - 60)),
        check("future", "of the next second", "stale", issued(SECRET, "files", AGENT, NOW + 1)),
        check("rotated", "made under the secret before", "good", issued(BEFORE, "files", AGENT, NOW - 5)),
        check("other_secret", "made by another process", "not-ours", issued([42; 32], "files", AGENT, NOW - 5)),
        check("other_audience", "made for another server", "not-ours", issued(SECRET, "mail", AGENT, NOW - 5)),
        check("other_key", "made for another call key", "not-ours", issued(SECRET, "files", STRANGER, NOW - 5)),
        check("flipped", "one bit of the MAC wrong", "not-ours", String::from_utf8(flipped).expect("ASCII")),
        check("retimed", "an old MAC behind a new time", "not-ours", retimed),
    ]
}

fn claims() -> Vec<Vector> {
    let nonce = issued(SECRET, "files", AGENT, NOW);
    let in_proof = |name: &str, comment: &str, value: Value| {
        let call = Call::with(|c| c.proof.claims["nonce"] = value);
        let forward = call.forward();
        (Vector::request(format!("nonce_proof_{name}"), comment, call.bytes()), forward)
    };
    let in_attestation = |name: &str, comment: &str, value: Value| {
        let call = Call::with(|c| c.attestation.claims["eat_nonce"] = value);
        let forward = call.forward();
        (Vector::request(format!("nonce_attestation_{name}"), comment, call.bytes()), forward)
    };
    let wrong = |(vector, _): (Vector, Vec<u8>), about| vector.refused("token-claims").about(about);
    let right = |(vector, forward): (Vector, Vec<u8>)| vector.accepted(&forward);
    vec![
        right(in_proof("good", "a call proof with a nonce", json!(nonce))),
        wrong(in_proof("short", "a nonce of 31 bytes", json!(b64([1; 31]))), "call proof"),
        wrong(in_proof("empty", "an empty nonce", json!("")), "call proof"),
        wrong(in_proof("null", "a nonce that is null", Value::Null), "call proof"),
        wrong(in_proof("array", "a list of nonces", json!([nonce])), "call proof"),
        right(in_attestation("good", "an attestation with a nonce", json!(nonce))),
        wrong(in_attestation("long", "a nonce of 33 bytes", json!(b64([1; 33]))), "attestation"),
        wrong(in_attestation("array", "a list of nonces", json!([nonce])), "attestation"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [checks(), claims()].concat()
}
