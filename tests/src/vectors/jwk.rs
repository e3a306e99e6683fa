//! The family `jwk`: which public keys are keys.

use serde_json::{Value, json};

use super::call::AGENT;
use super::file::Vector;
use super::points;
use super::token::{b64, jwk, key, stray_bit, thumbprint};
use attest_core::sign::Sign;

fn refused(name: &str, comment: &str, body: &Value) -> Vector {
    Vector::new("jwk", format!("jwk_{name}"), comment, super::token::text(body)).with("expect", "refuse")
}

fn of_bytes(name: &str, comment: &str, bytes: impl AsRef<[u8]>) -> Vector {
    of_x(name, comment, &b64(bytes))
}

fn of_x(name: &str, comment: &str, x: &str) -> Vector {
    refused(name, comment, &json!({"crv": "Ed25519", "kty": "OKP", "x": x}))
}

fn edited(name: &str, comment: &str, edit: fn(&mut Value)) -> Vector {
    let mut body = jwk(AGENT);
    edit(&mut body);
    refused(name, comment, &body)
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let good = |name: &str, comment, body: String, thumbprint: &str| {
        Vector::new("jwk", format!("jwk_{name}"), comment, body).with("expect", "accept").with("thumbprint", thumbprint)
    };
    let x = key(AGENT).public().x();
    // RFC 8037, appendix A.
    let rfc = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let mut all = vec![
        good(
            "rfc_8037",
            "the key of RFC 8037, appendix A, and its thumbprint there",
            rfc.to_owned(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        ),
        good(
            "other_order",
            "members in another order, with white space",
            format!(r#"{{ "x": "{x}", "crv": "Ed25519", "kty": "OKP" }}"#),
            &thumbprint(AGENT),
        ),
        edited("private", "a private key", |k| k["d"] = json!(b64([AGENT; 32]))),
        edited("extra_alg", "a member too many: alg", |k| k["alg"] = json!("Ed25519")),
        edited("extra_kid", "a member too many: kid", |k| k["kid"] = json!("a")),
        edited("other_curve", "another curve of the same kind of key", |k| k["crv"] = json!("X25519")),
        edited("curve_in_lower_case", "the curve's name in lower case", |k| k["crv"] = json!("ed25519")),
        edited("other_kty", "another kind of key", |k| k["kty"] = json!("EC")),
        edited("no_kty", "no kty", |k| drop(k.as_object_mut().unwrap().remove("kty"))),
        edited("no_x", "no x", |k| drop(k.as_object_mut().unwrap().remove("x"))),
        edited("x_not_a_string", "x is an array of numbers", |k| k["x"] = json!([1, 2])),
        refused("not_an_object", "a string in place of the object", &json!(x)),
        of_x("padded", "x with padding", &format!("{x}=")),
        of_x("stray_bit", "x with an unused bit set", &stray_bit(&x)),
        of_x("standard_alphabet", "x in the alphabet of plain base64", &plain_alphabet()),
        of_bytes("31_bytes", "31 bytes", [1; 31]),
        of_bytes("33_bytes", "33 bytes", [1; 33]),
        of_bytes("off_the_curve", "no point of the curve", points::off_curve()),
        of_bytes(
            "second_spelling",
            "y + p in place of y, of a point that is not of small order",
            points::second_spelling(),
        ),
        of_bytes("identity_second_spelling", "1 + p in place of 1: the identity once more", points::identity_again()),
        of_bytes("negative_zero", "the identity with the sign bit set, which no x has", negative_zero()),
        of_bytes("mixed_order", "a good key plus a point of order eight", points::mixed_order(AGENT)),
    ];
    for (i, point) in points::small_order().iter().enumerate() {
        let comment = format!("{i} times the generator of the points of small order: anybody can sign for it");
        all.push(of_bytes(&format!("small_order_{i}"), &comment, point));
    }
    all
}

fn negative_zero() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes[31] = 0x80;
    bytes
}

/// A good key's `x` that has a character which the two alphabets spell differently, in the wrong one.
fn plain_alphabet() -> String {
    let spelt = |seed| key(seed).public().x();
    let x = (1..=u8::MAX).map(spelt).find(|x| x.contains('-') && x.contains('_')).unwrap();
    x.replace('-', "+").replace('_', "/")
}
