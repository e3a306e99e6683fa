//! The family `jws`: the form of a token, whatever it says. Most are shown on the call proof, which is read on every call.

use serde_json::json;

use super::call::{AGENT, Call, STRANGER};
use super::file::Vector;
use super::token::{Token, b64, canonical, key, stray_bit, swap};
use attest_core::sign::Sign;

fn on_proof(code: &str, name: &str, comment: &str, edit: fn(&mut Token)) -> Vector {
    let call = Call::with(|call| edit(&mut call.proof));
    Vector::request(format!("jws_{name}"), comment, call.bytes()).refused(code).about("call proof")
}

fn on_root(name: &str, comment: &str, edit: fn(&mut Token)) -> Vector {
    let call = Call::with(|call| edit(&mut call.chain[0]));
    Vector::request(format!("jws_{name}"), comment, call.bytes()).refused("token-encoding").about("delegation 0")
}

fn header(name: &str, comment: &str, header: fn(&str, &str) -> String) -> Vector {
    let call = Call::with(|call| call.proof.header = header);
    Vector::request(format!("jws_header_{name}"), comment, call.bytes()).refused("token-header").about("call proof")
}

fn payload(code: &str, name: &str, comment: &str, payload: fn(Vec<u8>) -> Vec<u8>) -> Vector {
    let call = Call::with(|call| call.proof.payload = payload);
    Vector::request(format!("jws_payload_{name}"), comment, call.bytes()).refused(code).about("call proof")
}

fn text(name: &str, comment: &str, text: fn(String) -> String) -> Vector {
    let call = Call::with(|call| call.proof.text = text);
    Vector::request(format!("jws_{name}"), comment, call.bytes()).refused("token-encoding").about("call proof")
}

/// The three parts.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn headers() -> Vec<Vector> {
    vec![
        header("alg_none", "alg none, over a signature that is good", |kid, typ| {
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("alg_eddsa", "alg EdDSA, the name that RFC 9864 replaces", |kid, typ| {
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("alg_hs256", "alg HS256, as in an exchange of the public key for a secret", |kid, typ| {
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("alg_lower_case", "alg in lower case", |kid, typ| {
            format!(r#"{{"alg":"ed25519","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("jwk", "a header that brings its own key", |kid, typ| {
            let x = key(AGENT).public().x();
            let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
            format!(r#"{{"alg":"Ed25519","jwk":{jwk},"kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("jku", "a header that says where its key is", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","jku":"https://example.com/k","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("crit", "a header with crit", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","crit":["exp"],"exp":1,"kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("b64", "a header with b64", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","b64":true,"kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("order", "members of the header in another order", |kid, typ| {
            format!(r#"{{"typ":"{typ}","alg":"Ed25519","kid":"{kid}"}}"#)
        }),
        header("white_space", "white space in the header", |kid, typ| {
            format!(r#"{{"alg":"Ed25519", "kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("escape", "a name of the header spelt with an escape", |kid, typ| {
            format!(r#"{{"\u0061lg":"Ed25519","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("duplicate", "a member of the header twice", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","alg":"Ed25519","kid":"{kid}","typ":"{typ}"}}"#)
        }),
        header("no_kid", "a header without kid", |_, typ| format!(r#"{{"alg":"Ed25519","typ":"{typ}"}}"#)),
        header("no_typ", "a header without typ", |kid, _| format!(r#"{{"alg":"Ed25519","kid":"{kid}"}}"#)),
        header("short_kid", "a kid of 42 characters", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{}","typ":"{typ}"}}"#, &kid[1..])
        }),
        header("kid_stray_bit", "a kid whose last character has an unused bit set", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{}","typ":"{typ}"}}"#, stray_bit(kid))
        }),
        header("kid_not_ascii", "a kid with a character that is not ASCII across its end", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{}é","typ":"{typ}"}}"#, &kid[1..])
        }),
        header("typ_prefix", "a typ with the application/ that RFC 7515 lets one leave out", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"application/{typ}"}}"#)
        }),
        header("typ_upper_case", "a typ in upper case", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"{}"}}"#, typ.to_uppercase())
        }),
        header("typ_other", "the typ of another kind of token", |kid, _| {
            format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"eat+jwt"}}"#)
        }),
        header("typ_jwt", "the typ of any JWT", |kid, _| format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"JWT"}}"#)),
        header("typ_longer", "a typ that begins like the right one", |kid, typ| {
            format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"{typ}x"}}"#)
        }),
        header("byte_order_mark", "a header with a byte-order mark in front", |kid, typ| {
            format!("\u{feff}{{\"alg\":\"Ed25519\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}")
        }),
    ]
}

fn encodings() -> Vec<Vector> {
    vec![
        text("two_parts", "no signature part at all", |t| t.rsplit_once('.').unwrap().0.to_owned()),
        text("empty_signature", "an empty signature", |t| format!("{}.", t.rsplit_once('.').unwrap().0)),
        text("four_parts", "a part too many", |t| format!("{t}.{}", b64("x"))),
        text("empty", "an empty token", |_| String::new()),
        text("json_serialisation", "the JSON serialisation in place of the compact one", |t| {
            let [protected, payload, signature] = parts(&t);
            super::token::text(&json!({"payload": payload, "protected": protected, "signature": signature}))
        }),
        text("detached_payload", "a payload that stands elsewhere", |t| {
            let [header, _, signature] = parts(&t);
            format!("{header}..{signature}")
        })
        // No bytes are base64url of no bytes, which are no JSON.
        .refused("token-not-canonical"),
        text("signature_padded", "a signature with padding", |t| format!("{t}==")),
        text("signature_stray_bit", "a signature with an unused bit set", |t| {
            let (input, signature) = t.rsplit_once('.').unwrap();
            format!("{input}.{}", stray_bit(signature))
        }),
        text("signature_63_bytes", "a signature of 63 bytes", |t| {
            format!("{}.{}", t.rsplit_once('.').unwrap().0, b64([1; 63]))
        }),
        text("signature_65_bytes", "a signature of 65 bytes", |t| {
            format!("{}.{}", t.rsplit_once('.').unwrap().0, b64([1; 65]))
        }),
        text("line_feed_behind", "a line feed behind the token", |t| format!("{t}\n")),
        text("blank_in_front", "a blank in front of the token", |t| format!(" {t}")),
        on_proof("token-encoding", "header_padded", "a header with padding, signed as it is", |t| {
            t.input = |input| input.replacen('.', "=.", 1);
        }),
        on_proof("token-encoding", "payload_padded", "a payload with padding, signed as it is", |t| {
            t.input = |input| input + "=";
        }),
        on_root("payload_standard_alphabet", "a payload in the alphabet of plain base64, signed as it is", |t| {
            t.claims["jti"] = json!("???>>>~~~");
            t.input = |input| {
                assert!(input.contains(['-', '_']));
                input.replace('-', "+").replace('_', "/")
            };
        }),
        on_root("payload_stray_bit", "a payload with an unused bit set, signed as it is", |t| {
            // A name that leaves the last group of three bytes open.
            let open = |name: &&str| {
                let mut token = t.clone();
                token.claims["jti"] = json!(name);
                !canonical(&token.claims).len().is_multiple_of(3)
            };
            let name = ["token-0", "token-00"].into_iter().find(open).unwrap();
            t.claims["jti"] = json!(name);
            t.input = |input| {
                let (header, payload) = input.split_once('.').unwrap();
                format!("{header}.{}", stray_bit(payload))
            };
        }),
        Vector::request(
            "jws_attestation_header_stray_bit",
            "an attestation whose header has an unused bit set, signed as it is",
            Call::with(|call| {
                call.attestation.input = |input| {
                    let (header, payload) = input.split_once('.').unwrap();
                    format!("{}.{payload}", stray_bit(header))
                };
            })
            .bytes(),
        )
        .refused("token-encoding")
        .about("attestation"),
    ]
}

fn payloads() -> Vec<Vector> {
    const NOT_CANONICAL: &str = "token-not-canonical";
    vec![
        payload(NOT_CANONICAL, "white_space", "white space in the payload", |p| swap(p, "{\"aud\":", "{ \"aud\":")),
        payload(NOT_CANONICAL, "line_feed_behind", "a line feed behind the payload", |p| [p, b"\n".to_vec()].concat()),
        payload(NOT_CANONICAL, "order", "members of the payload in another order", |p| {
            swap(p, "\"aud\":\"files\",\"exp\":1800000060", "\"exp\":1800000060,\"aud\":\"files\"")
        }),
        payload(NOT_CANONICAL, "number_exponent", "a time with an exponent", |p| swap(p, ":1800000000,", ":18e8,")),
        payload(NOT_CANONICAL, "number_fraction", "a time with a fraction of zero", |p| {
            swap(p, ":1800000000,", ":1800000000.0,")
        }),
        payload(NOT_CANONICAL, "escape", "a string spelt with an escape that is not needed", |p| {
            swap(p, "\"files\"", "\"file\\u0073\"")
        }),
        payload(NOT_CANONICAL, "slash", "a slash spelt with an escape", |p| swap(p, "tools/call", "tools\\/call")),
        payload(NOT_CANONICAL, "duplicate", "a claim twice", |p| {
            swap(p, "\"aud\":\"files\"", "\"aud\":\"files\",\"aud\":\"files\"")
        }),
        payload(NOT_CANONICAL, "byte_order_mark", "a payload with a byte-order mark in front", |p| {
            [b"\xef\xbb\xbf".to_vec(), p].concat()
        }),
        payload(NOT_CANONICAL, "bad_utf_8", "a payload that is not UTF-8", |p| swap(p, "files", b"file\xff")),
        payload(NOT_CANONICAL, "empty", "a payload of no bytes", |_| Vec::new()),
        payload(NOT_CANONICAL, "not_json", "a payload that is no JSON", |_| b"files".to_vec()),
        payload("token-claims", "array", "a payload that is an array", |p| [b"[".to_vec(), p, b"]".to_vec()].concat()),
        payload("token-claims", "null", "a payload that is null", |_| b"null".to_vec()),
    ]
}

/// A call whose root token has exactly `size` characters, by a claim that is ignored there.
pub fn with_long_root(size: usize) -> Call {
    Call::with(|call| {
        call.chain[0].claims["pad"] = json!("");
        let short = call.chain[0].compact().len();
        let fits = |pad: &usize| {
            let mut token = call.chain[0].clone();
            token.claims["pad"] = json!("x".repeat(*pad));
            token.compact().len() == size
        };
        // Three bytes make four characters.
        let about = (size - short) / 4 * 3;
        let pad = (about..about + 6).find(fits).expect("a payload of this length");
        call.chain[0].claims["pad"] = json!("x".repeat(pad));
    })
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let mut all = [headers(), encodings(), payloads()].concat();
    let longest = with_long_root(65_536);
    all.extend([
        Vector::request("jws_longest", "a token of 65536 characters, the longest that is read", longest.bytes())
            .accepted(&longest.forward()),
        Vector::request("jws_too_long", "a token of 65537 characters", with_long_root(65_537).bytes())
            .refused("too-large")
            .about("delegation 0"),
        Vector::request(
            "jws_too_long_in_bytes",
            "a token of 65538 bytes that is half as many characters",
            Call::default().sign().with(|sent| sent.carrier["att"] = json!("\u{e9}".repeat(32_769))).bytes(),
        )
        .refused("too-large")
        .about("attestation"),
        Vector::request(
            "jws_attestation_typ_other",
            "an attestation with the typ of a delegation token",
            Call::with(|call| call.attestation.typ = "aat+jwt").bytes(),
        )
        .refused("token-header")
        .about("attestation"),
        Vector::request(
            "jws_delegation_typ_other",
            "a delegation token with the typ of a call proof",
            Call::with(|call| call.chain[1].typ = "mcp-call+jwt").bytes(),
        )
        .refused("token-header")
        .about("delegation 1"),
        Vector::request(
            "jws_delegation_alg_none",
            "a delegation token with alg none",
            Call::with(|call| {
                call.chain[0].header = |kid, typ| format!(r#"{{"alg":"none","kid":"{kid}","typ":"{typ}"}}"#)
            })
            .bytes(),
        )
        .refused("token-header")
        .about("delegation 0"),
        Vector::request(
            "jws_kid_of_another_key",
            "a signature by the attested key under the kid of another",
            Call::with(|call| call.proof.kid = STRANGER).bytes(),
        )
        .refused("call-signature"),
        Vector::request(
            "jws_tokens_swapped",
            "attestation and call proof in each other's place",
            Call::default()
                .sign()
                .with(|sent| {
                    let (att, prf) = (sent.carrier["att"].take(), sent.carrier["prf"].take());
                    sent.carrier["att"] = prf;
                    sent.carrier["prf"] = att;
                })
                .bytes(),
        )
        .refused("token-header")
        .about("attestation"),
    ]);
    all
}
