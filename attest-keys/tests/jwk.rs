//! Which JSON Web Keys are read.

mod common;

use attest_core::json::JsonErrorKind;
use attest_core::jwk::{KeyError, PublicKey};
use attest_core::sign::Sign as _;
use attest_keys::{FormatError, SecretKey, parse_public, public_jwk};
use common::rfc_key;

// RFC 8037, appendix A.1.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn private(members: &str) -> Result<SecretKey, FormatError> {
    SecretKey::parse(format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","d":"{D}"{members}}}"#).as_bytes())
}

fn public(members: &str) -> Result<PublicKey, FormatError> {
    parse_public(format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{members}}}"#).as_bytes())
}

#[test]
fn the_key_of_rfc_8037_is_read() {
    assert_eq!(private("").unwrap().public(), rfc_key().public());
    assert_eq!(public("").unwrap(), *rfc_key().public());
    assert_eq!(public_jwk(rfc_key().public()), format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{X}\"}}\n"));
}

#[test]
fn what_other_tools_add_is_understood() {
    for members in [
        r#","kid":"agent-1""#,
        r#","alg":"EdDSA""#,
        r#","alg":"Ed25519","use":"sig""#,
        r#","key_ops":["sign"],"ext":true"#,
        r#","key_ops":["sign","verify"]"#,
    ] {
        assert!(private(members).is_ok(), "{members}");
    }
    assert!(public(r#","key_ops":["verify"],"ext":true"#).is_ok());
}

#[test]
fn a_restriction_that_forbids_the_use_is_obeyed() {
    use FormatError::JwkMember;
    for (members, error) in [
        (r#","key_ops":["verify"]"#, JwkMember("key_ops")),
        (r#","key_ops":[]"#, JwkMember("key_ops")),
        (r#","key_ops":["sign","sign"]"#, JwkMember("key_ops")),
        (r#","key_ops":["sign",1]"#, JwkMember("key_ops")),
        (r#","key_ops":"sign""#, JwkMember("key_ops")),
        (r#","use":"enc""#, JwkMember("use")),
        (r#","alg":"ES256""#, JwkMember("alg")),
        (r#","alg":null"#, JwkMember("alg")),
        (r#","kid":7"#, JwkMember("kid")),
        (r#","ext":"true""#, JwkMember("ext")),
        (r#","crit":["exp"]"#, FormatError::JwkUnknown),
        (r#","exp":1"#, FormatError::JwkUnknown),
        (r#","x5c":[]"#, FormatError::JwkUnknown),
    ] {
        assert_eq!(private(members).unwrap_err(), error, "{members}");
    }
    assert_eq!(public(r#","key_ops":["sign"]"#).unwrap_err(), JwkMember("key_ops"));
}

#[test]
fn a_public_part_of_another_key_is_refused() {
    let other = SecretKey::from_seed(&[1; 32]).unwrap().public().x();
    let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{other}","d":"{D}"}}"#);
    assert_eq!(SecretKey::parse(text.as_bytes()).unwrap_err(), FormatError::Mismatch);
}

#[test]
fn private_and_public_are_not_taken_for_each_other() {
    assert_eq!(public(&format!(r#","d":"{D}""#)).unwrap_err(), FormatError::PrivateWherePublic);
    assert_eq!(public(r#","d":"""#).unwrap_err(), FormatError::PrivateWherePublic);
    let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#);
    assert_eq!(SecretKey::parse(text.as_bytes()).unwrap_err(), FormatError::PublicWherePrivate);
}

#[test]
fn a_duplicate_member_is_refused_however_it_is_spelt() {
    for members in [r#","kid":"a","kid":"b""#, r#","kid":"a","\u006bid":"b""#] {
        let FormatError::Json(error) = public(members).unwrap_err() else { panic!("{members}") };
        assert_eq!(error.kind, JsonErrorKind::DuplicateMember);
    }
    let second_d = format!(r#","d":"{X}""#);
    assert!(matches!(private(&second_d).unwrap_err(), FormatError::Json(_)));
}

#[test]
fn an_escape_in_a_private_key_is_refused() {
    // The reader would build an unwiped copy of the string.
    let text =
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","d":"\u006eWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}"#);
    assert_eq!(SecretKey::parse(text.as_bytes()).unwrap_err(), FormatError::JwkUnknown);
}

#[test]
fn other_spellings_of_the_bytes_are_refused() {
    for x in [&format!("{X}="), &X[1..], &X.replace('_', "/"), &format!("{}p", &X[..42]), ""] {
        let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        assert_eq!(parse_public(text.as_bytes()).unwrap_err(), FormatError::JwkMember("x"), "{x}");
    }
}

#[test]
fn other_kinds_of_key_are_named_as_such() {
    for text in [
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
        r#"{"kty":"oct","k":"AA"}"#,
    ] {
        assert_eq!(parse_public(text.as_bytes()).unwrap_err(), FormatError::NotEd25519, "{text}");
        assert_eq!(SecretKey::parse(text.as_bytes()).unwrap_err(), FormatError::NotEd25519, "{text}");
    }
    assert_eq!(parse_public(b"{}").unwrap_err(), FormatError::JwkMember("kty"));
}

#[test]
fn keys_that_fail_enrolment_are_refused_in_both_forms() {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    let mut cases: Vec<([u8; 32], KeyError)> =
        EIGHT_TORSION.iter().map(|p| (p.compress().to_bytes(), KeyError::Weak)).collect();
    let mixed = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
    cases.push((mixed.compress().to_bytes(), KeyError::Torsion));
    // y = 3 + p: decompresses to the same point as y = 3, which is its one spelling.
    let mut second_spelling = [0xff; 32];
    second_spelling[0] = 0xf0;
    second_spelling[31] = 0x7f;
    cases.push((second_spelling, KeyError::NotCanonical));

    for (bytes, error) in cases {
        let x = attest_core::b64::encode(bytes);
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        assert_eq!(parse_public(jwk.as_bytes()).unwrap_err(), FormatError::Public(error), "{x}");

        let mut spki = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".to_vec();
        spki.extend_from_slice(&bytes);
        let mut buffer = [0; 256];
        let pem = pem_rfc7468::encode("PUBLIC KEY", pem_rfc7468::LineEnding::LF, &spki, &mut buffer).unwrap();
        assert_eq!(parse_public(pem.as_bytes()).unwrap_err(), FormatError::Public(error), "{x}");
    }
}
