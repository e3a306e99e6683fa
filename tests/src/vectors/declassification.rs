//! The family `declassification`: labels that do not count for one call.

use serde_json::{Value, json};

use super::call::{AGENT, Call, NOW, STRANGER};
use super::file::Vector;
use super::flow::{accepted, claims, releases, request};
use super::token::{Token, b64, flipped, hash, thumbprint};
use super::trust::OWNER;

const FAMILY: &str = "declassification";
const ID: [u8; 16] = [4; 16];

/// For the default call.
fn token(labels: &[&str]) -> Token {
    let claims = json!({
        "aud": "files",
        "exp": NOW + 300,
        "iat": NOW - 60,
        "jti": b64(ID),
        "key": thumbprint(AGENT),
        "labels": labels,
        "params": null,
        "tool": "read_file",
    });
    Token::new("mcp-declassification+jwt", OWNER, claims)
}

fn with(edit: impl FnOnce(&mut Token)) -> Token {
    let mut token = token(&["hr"]);
    edit(&mut token);
    token
}

fn claim(name: &str, value: Value) -> Token {
    with(|token| token.claims[name] = value)
}

fn seen(call: &mut Call, token: Token) {
    claims(call, &["hr"]);
    call.declassified = vec![token];
}

fn refused(code: &str, name: &str, comment: &str, token: Token) -> Vector {
    request(FAMILY, name, comment, |c| seen(c, token)).0.refused(code)
}

fn bad(name: &str, comment: &str, token: Token) -> Vector {
    refused("bad-declassification", name, comment, token)
}

fn good(name: &str, comment: &str, labels: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    accepted(FAMILY, name, comment, labels, edit)
}

fn on_calls() -> Vec<Vector> {
    let used = request(FAMILY, "used", "one that was used before", |c| seen(c, token(&["hr"]))).0;
    let other =
        request(FAMILY, "not_granted_used", "a used one, and a label that is not released: that comes first", |c| {
            claims(c, &["hr", "pay"]);
            c.declassified = vec![token(&["hr"])];
        })
        .0;
    let id = |seed| format!("{}/{}", thumbprint(seed), b64(ID));
    vec![
        good("good", "the page's example: a label that no token releases", "hr", |c| seen(c, token(&["hr"]))),
        good("two", "two labels, each by a token of its own", "hr pay", |c| {
            claims(c, &["hr", "pay"]);
            let mut second = token(&["pay"]);
            second.claims["jti"] = json!(b64([3; 16]));
            c.declassified = vec![token(&["hr"]), second];
        }),
        good("both", "two labels by one token", "hr pay", |c| {
            claims(c, &["hr", "pay"]);
            c.declassified = vec![token(&["hr", "pay"])];
        }),
        good("beside_release", "one label is released, the other declassified", "hr untrusted", |c| {
            claims(c, &["hr", "untrusted"]);
            releases(c, 0, json!({"*": ["untrusted"]}));
            c.declassified = vec![token(&["hr"])];
        }),
        good("not_needed", "one for a label that nobody has seen", "", |c| c.declassified = vec![token(&["hr"])]),
        good("tool_does_not_accept", "a label that the chain releases and the tool does not take", "hr pay", |c| {
            c.tools(0)["files#post"] = json!({});
            c.tools(1)["files#post"] = json!({});
            c.params()["name"] = json!("post");
            claims(c, &["hr", "pay"]);
            releases(c, 0, json!({"*": ["hr", "pay"]}));
            let mut token = token(&["pay"]);
            token.claims["tool"] = json!("post");
            c.declassified = vec![token];
        }),
        good("other_keys_id", "the id of this one, used by another key", "hr", |c| seen(c, token(&["hr"])))
            .with("seen", &id(STRANGER + 40)),
        used.refused("declassification-used").with("seen", &id(OWNER)),
        other.refused("flow-not-granted").about("pay").with("seen", &id(OWNER)),
        request(FAMILY, "every_label", "of every label nothing can be taken", |c| {
            claims(c, &["*"]);
            c.declassified = vec![token(&["hr", "pay"])];
        })
        .0
        .refused("flow-not-granted")
        .about("*"),
        bad("by_a_stranger", "by a key that owns nothing", with(|t| (t.kid, t.by) = (STRANGER + 40, STRANGER + 40))),
        bad("by_the_agent", "by the caller's own key", with(|t| (t.kid, t.by) = (AGENT, AGENT))),
        bad("signature_flipped", "a signature with one bit wrong", with(|t| t.signature = flipped)),
        bad("others_label", "a label that the key does not own", token(&["hr", "untrusted"])),
        bad("owners_every_label", "every label, of which the key owns two", token(&["*"])),
        bad("other_audience", "made out to another server", claim("aud", json!("mail"))),
        bad("other_key", "made out to another caller", claim("key", json!(thumbprint(STRANGER + 40)))),
        bad("other_tool", "made out to another tool", claim("tool", json!("write_file"))),
        bad("other_params", "made out to other parameters", claim("params", json!(hash("others")))),
        {
            let mut call = Call::default();
            seen(&mut call, token(&["hr"]));
            let sent = call.sign().with(|sent| sent.carrier["dcl"][0]["salt"] = json!(b64([9; 16])));
            super::flow::of(FAMILY, "other_salt", "with another salt", sent.bytes()).refused("bad-declassification")
        },
        request(FAMILY, "not_needed_bad", "one that nobody needs, made out to another server", |c| {
            c.declassified = vec![claim("aud", json!("mail"))];
        })
        .0
        .refused("bad-declassification"),
        request(FAMILY, "other_method", "no tool is called", |c| {
            *c.bound() = json!({"meta": {"digest": null, "names": null}, "method": "resources/read", "params": null});
            c.request = json!({"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": {"uri": "x"}});
            seen(c, token(&["hr"]));
        })
        .0
        .refused("bad-declassification")
        .with("methods", "resources/read"),
    ]
}

fn times() -> Vec<Vector> {
    let timed = |iat: u64, exp: u64| with(|t| (t.claims["iat"], t.claims["exp"]) = (json!(iat), json!(exp)));
    let bad = |code: &str, name: &str, comment: &str, iat, exp| {
        refused(code, name, comment, timed(iat, exp)).about("declassification 0")
    };
    let good = |name: &str, comment: &str, iat, exp| good(name, comment, "hr", |c| seen(c, timed(iat, exp)));
    vec![
        bad("expired", "expired_at_the_limit", "expired by exactly the skew", NOW - 60, NOW - 30),
        good("not_expired_within_skew", "expired by a second less than the skew", NOW - 60, NOW - 29),
        bad(
            "not-yet-valid",
            "future_beyond_skew",
            "dated a second more than the skew in the future",
            NOW + 31,
            NOW + 100,
        ),
        bad("life-too-long", "life_too_long", "a life of ten minutes and a second", NOW - 10, NOW + 591),
        good("longest_life", "a life of ten minutes, the longest", NOW - 10, NOW + 590),
        request(FAMILY, "second_expired", "the second of two", |c| {
            seen(c, token(&["hr"]));
            c.declassified.push(timed(NOW - 60, NOW - 30));
        })
        .0
        .refused("expired")
        .about("declassification 1"),
    ]
}

fn wrong_claims() -> Vec<Vector> {
    let bad = |name: &str, comment: &str, token: Token| {
        refused("token-claims", name, comment, token).about("declassification 0")
    };
    let mut all: Vec<Vector> = ["aud", "exp", "iat", "jti", "key", "labels", "params", "tool"]
        .iter()
        .map(|claim| {
            let token = with(|t| drop(t.claims.as_object_mut().unwrap().remove(*claim).unwrap()));
            bad(&format!("no_{claim}"), &format!("no claim {claim}"), token)
        })
        .collect();
    all.extend([
        bad("labels_empty", "no label at all", token(&[])),
        bad("labels_order", "labels that are not ascending", token(&["pay", "hr"])),
        bad("unknown_claim", "a claim that it does not have", claim("iss", json!("owner"))),
        bad("jti_short", "a jti of 15 bytes", claim("jti", json!(b64([4; 15])))),
        refused("token-header", "typ", "a decision in its place", with(|t| t.typ = "mcp-decision+jwt"))
            .about("declassification 0"),
    ]);
    all
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [on_calls(), times(), wrong_claims()].concat()
}
