//! JOSE files: what is read, what is refused, and that another implementation's envelope opens.

use std::os::unix::fs::PermissionsExt as _;

use attest_core::digest::Digest;
use attest_keys::Form;

use super::*;

// RFC 8037, appendix A.1, and its thumbprint from A.3.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
/// An X25519 key, an RSA key cut short and an Ed25519 key, in that order.
const OTHERS: &str = r#"{"kty":"OKP","crv":"X25519","kid":"dh","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08","d":"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo"},{"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB","d":"AQAB"}"#;

/// Made with Python's hashlib and cryptography, not with josekit: RFC 8037's key with the kid "rfc8037" under
/// PBES2-HS256+A128KW with 100,000 rounds, passphrase "correct horse".
const FOREIGN: &str = concat!(
    "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjEwMDAwMCwicDJzIjoiQUFF",
    "Q0F3UUZCZ2NJQ1FvTERBME9EdyJ9.0wRKwFYsvj8jfc8wBsGfYNxz7ozEWJ7X1_0_Ln6MKsiMTO-iCdR3MA.ZGVmZ2hpamtsbW5v.zk_lp6aTzu",
    "-TH4_6pjX9H7-g31x7rlx49nFXXVtrTEoKNC9RLBLPdTm9ipdxXWP9CS-jT1Yl1CAi8H-6p_hW5RsSiIQETc2MgaPIkl4cNjWP_dRrvdL8DKdpGE",
    "kG6h_cCi0Yf0jR6t404a_AT5kiP6cgrfKWnIsfIGS6MM_yWvIIqhGfXSe9lW52FGH2lmey6w.CrQMNLz_NXkc02nNzwUEug",
);

fn rfc_key() -> SecretKey {
    SecretKey::parse(jwk("").as_bytes()).unwrap()
}

fn jwk(members: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","d":"{D}","x":"{X}"{members}}}"#)
}

fn import(keys: &str, kid: Option<&str>) -> Result<String, JoseError> {
    let set = format!(r#"{{"keys":[{keys}]}}"#);
    import_private(set.as_bytes(), kid).map(|key| key.public().thumbprint().to_string())
}

/// The foreign envelope with another part: 0 header, 1 encrypted key, 2 IV, 3 ciphertext, 4 tag.
fn with(at: usize, part: &str) -> String {
    let mut parts: Vec<&str> = FOREIGN.split('.').collect();
    parts[at] = part;
    parts.join(".")
}

fn refusal(text: &str) -> JoseError {
    open(text.as_bytes(), b"correct horse").unwrap_err()
}

#[test]
fn the_key_that_bears_the_kid_is_imported_whatever_stands_beside_it() {
    let keys = format!("{OTHERS},{}", jwk(r#","kid":"a \"b\"","alg":"EdDSA","use":"sig""#));
    assert_eq!(import(&keys, Some("a \"b\"")).unwrap(), KID);
    assert_eq!(import(&jwk(""), None).unwrap(), KID);
}

#[test]
fn a_choice_that_is_not_one_key_is_refused() {
    let two = [jwk(r#","kid":"a""#), jwk(r#","kid":"a""#), jwk("")].join(",");
    let known = || vec!["a".to_owned(), "a".to_owned()];
    assert_eq!(import(&two, Some("a")), Err(JoseError::AmbiguousKid { kid: "a".to_owned(), count: 2 }));
    let absent = JoseError::NoSuchKid { kid: "b".to_owned(), known: known() };
    assert_eq!(import(&two, Some("b")), Err(absent));
    let unsaid = JoseError::KidNeeded { count: 3, known: known() };
    assert_eq!(import(&two, None), Err(unsaid));
    assert!(matches!(import("", None), Err(JoseError::KidNeeded { count: 0, .. })));
}

#[test]
fn keys_that_cannot_sign_for_an_agent_are_refused() {
    use FormatError::{JwkMember, JwkUnknown, Mismatch, NotEd25519, PublicWherePrivate};
    let other_x = b64::encode([7; 32]);
    for (key, error) in [
        (jwk("").replace(X, &other_x), Mismatch),
        (jwk("").replace(&format!(r#","x":"{X}""#), ""), JwkMember("x")),
        (jwk("").replace(&format!(r#""d":"{D}","#), ""), PublicWherePrivate),
        (jwk("").replace("Ed25519", "Ed448"), NotEd25519),
        (jwk("").replace("OKP", "EC"), NotEd25519),
        (jwk(r#","use":"enc""#), JwkMember("use")),
        (jwk(r#","exp":1"#), JwkUnknown),
    ] {
        assert_eq!(import(&key, None), Err(JoseError::Key(error)), "{key}");
    }
    assert_eq!(import(OTHERS, Some("dh")), Err(JoseError::Key(NotEd25519)));
    assert_eq!(import(OTHERS, Some("rsa")), Err(JoseError::Key(NotEd25519)));
}

#[test]
fn what_is_no_strict_set_is_refused() {
    let twice = jwk(&format!(r#","d":"{}""#, b64::encode([1; 32])));
    assert!(matches!(import(&twice, None), Err(JoseError::Json(_))));
    for text in [&*jwk(""), r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[{}]}"#, "[]"] {
        assert_eq!(import_private(text.as_bytes(), None).unwrap_err(), JoseError::NotASet, "{text}");
    }
}

#[test]
fn an_exported_set_holds_the_public_halves_and_nothing_more() {
    let (key, other) = (rfc_key(), SecretKey::from_seed(&[1; 32]).unwrap());
    let text = export_public(&[key.public().clone(), other.public().clone()]).unwrap();
    let value = json::parse(text.trim_ascii_end().as_bytes()).unwrap();
    let keys = value.as_object().unwrap().get("keys").unwrap().as_array().unwrap();
    assert_eq!(
        String::from_utf8(keys[0].to_canonical()).unwrap(),
        format!(r#"{{"crv":"Ed25519","kid":"{KID}","kty":"OKP","use":"sig","x":"{X}"}}"#)
    );
    assert_eq!(parse_public(&keys[1].to_canonical()).unwrap(), *other.public());
    assert_eq!(keys.len(), 2);
    assert_eq!(
        import_private(text.as_bytes(), Some(KID)).unwrap_err(),
        JoseError::Key(FormatError::PublicWherePrivate)
    );
    let twice = [key.public().clone(), key.public().clone()];
    assert_eq!(export_public(&twice), Err(JoseError::Repeated(key.public().thumbprint().clone())));
}

#[test]
fn a_sealed_key_opens_with_its_passphrase_alone() {
    let text = seal(&rfc_key(), b"correct \xff horse").unwrap();
    let header = b64::decode(text.split('.').next().unwrap()).unwrap();
    let header = json::parse(&header).unwrap();
    let member = |name| header.as_object().unwrap().get(name).unwrap();
    assert_eq!(member("alg").as_str(), Some("PBES2-HS512+A256KW"));
    assert_eq!(member("enc").as_str(), Some("A256GCM"));
    assert_eq!(member("cty").as_str(), Some("jwk+json"));
    assert_eq!(member("p2c").as_u53(), Some(600_000));
    assert_eq!(b64::decode(member("p2s").as_str().unwrap()).unwrap().len(), 16);

    let opened = open(text.as_bytes(), b"correct \xff horse").unwrap();
    assert_eq!(opened.public(), rfc_key().public());
    assert_eq!(open(text.as_bytes(), b"other").unwrap_err(), JoseError::Passphrase);
    assert_eq!(open(text.as_bytes(), b"").unwrap_err(), JoseError::NoPassphrase);
    assert_eq!(seal(&rfc_key(), b"").unwrap_err(), JoseError::NoPassphrase);
}

#[test]
fn two_envelopes_of_one_key_share_nothing() {
    let seal = || seal_with(&rfc_key(), b"p", Pbes2::Pbes2Hs512A256kw, 1_000).unwrap();
    let (one, two) = (seal(), seal());
    assert!(one.trim_ascii_end().split('.').zip(two.trim_ascii_end().split('.')).all(|(a, b)| a != b));
}

#[test]
fn what_another_implementation_sealed_opens() {
    let key = open(FOREIGN.as_bytes(), b"correct horse").unwrap();
    assert_eq!(key.public().thumbprint().as_str(), KID);
}

#[test]
fn a_changed_envelope_does_not_open() {
    let parts: Vec<&str> = FOREIGN.split('.').collect();
    for (at, part) in parts.iter().enumerate().skip(1) {
        let swapped = if part.starts_with('A') { "B" } else { "A" };
        let changed = format!("{swapped}{}", &part[1..]);
        assert_eq!(refusal(&with(at, &changed)), JoseError::Passphrase, "part {at}");
    }
    // Another salt makes another key; a header that says nothing new is still under the tag.
    for members in [
        r#"{"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":100000,"p2s":"AAECAwQFBgcICQoLDA0ODg"}"#,
        r#"{"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","kid":"","p2c":100000,"p2s":"AAECAwQFBgcICQoLDA0ODw"}"#,
    ] {
        assert_eq!(refusal(&with(0, &b64::encode(members))), JoseError::Passphrase, "{members}");
    }
}

#[test]
fn an_envelope_of_another_shape_never_reaches_the_cipher() {
    let parts: Vec<&str> = FOREIGN.split('.').collect();
    let with = |at, part: &str| refusal(&with(at, part));
    // A tag of one byte is right once in 256 times; an encrypted key of under eight bytes makes josekit panic.
    let tag = b64::decode(parts[4]).unwrap();
    assert_eq!(with(4, &b64::encode(&tag[..1])), JoseError::Envelope);
    assert_eq!(with(4, ""), JoseError::Envelope);
    assert_eq!(with(1, "AAAA"), JoseError::Envelope);
    assert_eq!(with(1, ""), JoseError::Envelope);
    assert_eq!(with(2, &b64::encode([0; 16])), JoseError::Envelope);
    assert_eq!(with(3, "!"), JoseError::Envelope);
    assert_eq!(refusal(&format!("{FOREIGN}.")), JoseError::Envelope);
    assert_eq!(refusal(&parts[..4].join(".")), JoseError::Envelope);
    assert_eq!(refusal(&"A".repeat(MAX_TEXT + 1)), JoseError::Envelope);
    assert_eq!(refusal(&jwk("")), JoseError::Envelope);
}

#[test]
fn a_header_that_is_not_ours_to_read_is_refused_before_any_work() {
    let header = |from: &str, to: &str| {
        let ours = r#"{"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":100000,"p2s":"AAECAwQFBgc"}"#;
        assert!(ours.contains(from));
        refusal(&with(0, &b64::encode(ours.replacen(from, to, 1))))
    };
    for (from, to, error) in [
        ("PBES2-HS256+A128KW", "dir", JoseError::Header("alg")),
        ("PBES2-HS256+A128KW", "A256KW", JoseError::Header("alg")),
        ("A256GCM", "A128CBC-HS256", JoseError::Header("enc")),
        ("jwk+json", "JWT", JoseError::Header("cty")),
        (r#""cty":"jwk+json","#, "", JoseError::Header("cty")),
        ("AAECAwQFBgc", "AAECAwQFBg", JoseError::Header("p2s")),
        (r#""p2c":100000,"#, "", JoseError::Header("p2c")),
        ("100000", "\"100000\"", JoseError::Header("p2c")),
        ("100000", "999", JoseError::Iterations(999)),
        ("100000", "1000001", JoseError::Iterations(1_000_001)),
        ("100000", "4294967297", JoseError::Iterations(4_294_967_297)),
        ("{", r#"{"zip":"DEF","#, JoseError::HeaderUnknown),
        ("{", r#"{"crit":["exp"],"#, JoseError::HeaderUnknown),
        ("{", r#"{"typ":"JWT","#, JoseError::Header("typ")),
        ("{", r#"{"kid":1,"#, JoseError::Header("kid")),
    ] {
        assert_eq!(header(from, to), error, "{to}");
    }
    assert!(matches!(header("{", r#"{"p2c":1000,"#), JoseError::Json(_)));
}

#[test]
fn what_is_inside_is_read_as_strictly_as_a_key_file() {
    let seal = |content: &str| {
        let mut header = JweHeader::new();
        header.set_content_encryption(ENC);
        header.set_content_type("jwk+json");
        let encrypter = Pbes2::Pbes2Hs512A256kw.encrypter_from_bytes("correct horse").unwrap();
        refusal(&jwe::serialize_compact(content.as_bytes(), &header, &encrypter).unwrap())
    };
    let inside = JoseError::Content;
    assert_eq!(seal(&jwk("").replace(X, &b64::encode([7; 32]))), inside(FormatError::Mismatch));
    assert_eq!(seal("-----BEGIN PRIVATE KEY-----"), inside(FormatError::Unrecognised));
    assert_eq!(seal(""), inside(FormatError::Unrecognised));
    assert_eq!(seal(&jwk(r#","exp":1"#)), inside(FormatError::JwkUnknown));
}

#[test]
fn files_are_0600_for_secrets_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.jwe");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    write_sealed(&path, &rfc_key(), b"p").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(read_sealed(&path, b"p").unwrap().public(), rfc_key().public());
    assert!(matches!(read_sealed(&path, b"q"), Err(JoseFileError::Content { error: JoseError::Passphrase, .. })));
    let before = Digest::of(std::fs::read(&path).unwrap());
    assert!(matches!(write_sealed(&path, &rfc_key(), b"p"), Err(JoseFileError::File(KeyError::Exists { .. }))));
    assert_eq!(Digest::of(std::fs::read(&path).unwrap()), before);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(read_sealed(&path, b"p"), Err(JoseFileError::File(KeyError::Permissions { mode: 0o640, .. }))));

    let set = folder.path().join("keys.json");
    write_set(&set, &[rfc_key().public().clone()]).unwrap();
    assert_eq!(mode(&set), 0o644);
    assert!(matches!(read_set(&set, None), Err(JoseFileError::File(KeyError::Permissions { .. }))));
}

#[test]
fn a_private_set_in_a_file_of_mode_0600_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.json");
    let set = format!(r#"{{"keys":[{OTHERS},{}]}}"#, jwk(r#","kid":"a""#));
    create_file(&path, set.as_bytes(), PRIVATE_MODE).unwrap();
    let key = read_set(&path, Some("a")).unwrap();
    assert_eq!(key.public(), rfc_key().public());
    // And goes on from there as any key does.
    key.write(&folder.path().join("agent.pem"), Form::Pem).unwrap();
}
