//! The family `approval`: which of what people left at a request counts, and for how many.

use serde_json::{Value, json};

use super::call::{AGENT, NOW, STRANGER};
use super::file::Vector;
use super::token::{Seed, Token, b64, canonical, flipped, hash, jwk, thumbprint};

const ADA: Seed = 50;
const ADAS_OTHER: Seed = 51;
const BOB: Seed = 52;
/// Operates the agent.
const CAROL: Seed = 53;
const SALT: [u8; 16] = [7; 16];
const PARAMS: &str = r#"{"arguments":{"path":"/srv/a.txt"},"name":"read_file"}"#;

fn token(by: Seed) -> Token {
    let claims = json!({
        "aud": "files",
        "exp": NOW + 600,
        "iat": NOW,
        "jti": b64([by; 16]),
        "key": thumbprint(AGENT),
        "leaf": hash("leaf"),
        "params": hash([&SALT, PARAMS.as_bytes()].concat()),
        "request": hash("request"),
        "state": hash("state"),
        "tool": "read_file",
    });
    Token::new("mcp-approval+jwt", by, claims)
}

fn with(edit: impl FnOnce(&mut Token)) -> Token {
    let mut token = token(ADA);
    edit(&mut token);
    token
}

fn claim(name: &str, value: Value) -> Token {
    with(|token| token.claims[name] = value)
}

fn person(name: &str, groups: &[&str], keys: &[Seed], operates: &[&str]) -> Value {
    json!({"groups": groups, "keys": keys.iter().map(|seed| jwk(*seed)).collect::<Vec<_>>(), "name": name, "operates": operates})
}

/// `counts`: each group with how many of its persons. `left`: each that was left out, by its place, and why.
fn vector(name: &str, comment: &str, tokens: &[Token], counts: &str, left: &str) -> Vector {
    salted(name, comment, tokens, &SALT, counts, left)
}

fn salted(name: &str, comment: &str, tokens: &[Token], salt: &[u8; 16], counts: &str, left: &str) -> Vector {
    let approvals = tokens.iter().map(|token| json!({"salt": b64(salt), "token": token.compact()}));
    let body = json!({
        "approvals": approvals.collect::<Vec<_>>(),
        "approvers": [
            person("Ada", &["finance", "legal"], &[ADA, ADAS_OTHER], &[]),
            person("Bob", &["finance"], &[BOB], &["a2"]),
            person("Carol", &["finance"], &[CAROL], &["a1"]),
        ],
        "asked": {
            "agent": "a1", "audience": "files", "key": thumbprint(AGENT), "leaf": hash("leaf"), "params": PARAMS,
            "request": hash("request"), "state": hash("state"), "tool": "read_file",
        },
        "skew": 30,
    });
    let made = Vector::new("approval", format!("approval_{name}"), comment, canonical(&body));
    let made = made.with("now", &NOW.to_string()).with("expect", counts);
    if left.is_empty() { made } else { made.with("left", left) }
}

fn good(name: &str, comment: &str, token: Token) -> Vector {
    vector(name, comment, &[token], "finance 1 legal 1", "")
}

fn bad(name: &str, comment: &str, left: &str, token: Token) -> Vector {
    vector(name, comment, &[token], "(nobody)", &format!("0 {left}"))
}

fn persons() -> Vec<Vector> {
    vec![
        good("good", "the page's example: one person, in two groups", token(ADA)),
        vector("two", "two persons", &[token(ADA), token(BOB)], "finance 2 legal 1", ""),
        vector(
            "two_keys",
            "one person with two keys",
            &[token(ADA), token(ADAS_OTHER)],
            "finance 1 legal 1",
            "1 same-person",
        ),
        vector(
            "second_after_bad",
            "one that does not hold, and another by the same person",
            &[claim("tool", json!("write_file")), token(ADAS_OTHER)],
            "finance 1 legal 1",
            "0 tool",
        ),
        vector("twice", "the same one twice", &[token(BOB), token(BOB)], "finance 1", "1 same-person"),
        vector("none", "nobody said anything", &[], "(nobody)", ""),
        bad("own_call", "by who operates the agent", "own-call", token(CAROL)),
        bad("own_key", "by the caller's own key", "unknown-approver", token(AGENT)),
        bad("unknown_key", "by a key that no person has", "unknown-approver", token(STRANGER + 40)),
        bad("others_signature", "a person's name over another's signature", "signature", with(|t| t.by = BOB)),
        bad("signature_flipped", "a signature with one bit wrong", "signature", with(|t| t.signature = flipped)),
    ]
}

fn bindings() -> Vec<Vector> {
    vec![
        bad("other_audience", "made out to another server", "audience", claim("aud", json!("mail"))),
        bad("other_key", "made out to another caller", "caller", claim("key", json!(thumbprint(STRANGER)))),
        bad("other_leaf", "for a call under another grant", "leaf", claim("leaf", json!(hash("other")))),
        bad("other_state", "for another state of the agent", "state", claim("state", json!(hash("other")))),
        bad("other_tool", "made out to another tool", "tool", claim("tool", json!("write_file"))),
        bad("other_params", "made out to other parameters", "params", claim("params", json!(hash("other")))),
        bad("params_unsalted", "parameters without their salt", "params", claim("params", json!(hash(PARAMS)))),
        salted("other_salt", "with another salt", &[token(ADA)], &[9; 16], "(nobody)", "0 params"),
        bad("other_request", "for another request", "request", claim("request", json!(hash("other")))),
    ]
}

fn times() -> Vec<Vector> {
    let timed = |iat: u64, exp: u64| with(|t| (t.claims["iat"], t.claims["exp"]) = (json!(iat), json!(exp)));
    vec![
        bad("expired_at_the_limit", "expired by exactly the skew", "expired", timed(NOW - 60, NOW - 30)),
        good("not_expired_within_skew", "expired by a second less than the skew", timed(NOW - 60, NOW - 29)),
        bad(
            "future_beyond_skew",
            "dated a second more than the skew in the future",
            "not-yet-valid",
            timed(NOW + 31, NOW + 100),
        ),
        good("future_within_skew", "dated the skew in the future", timed(NOW + 30, NOW + 100)),
        bad("life_too_long", "a life of a day and a second", "life-too-long", timed(NOW, NOW + 86_401)),
        good("longest_life", "a life of a day, the longest", timed(NOW, NOW + 86_400)),
        bad("life_backwards", "over before it was made", "life-too-long", timed(NOW, NOW)),
    ]
}

fn forms() -> Vec<Vector> {
    let form = |name: &str, comment: &str, token| bad(name, comment, "form", token);
    let mut all: Vec<Vector> = ["aud", "exp", "iat", "jti", "key", "leaf", "params", "request", "state", "tool"]
        .iter()
        .map(|claim| {
            let token = with(|t| drop(t.claims.as_object_mut().unwrap().remove(*claim).unwrap()));
            form(&format!("no_{claim}"), &format!("no claim {claim}"), token)
        })
        .collect();
    all.extend([
        form("unknown_claim", "a claim that it does not have", claim("iss", json!("ada"))),
        form("jti_short", "a jti of 15 bytes", claim("jti", json!(b64([4; 15])))),
        form("typ", "a declassification in its place", with(|t| t.typ = "mcp-declassification+jwt")),
    ]);
    all
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [persons(), bindings(), times(), forms()].concat()
}
