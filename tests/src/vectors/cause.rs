//! The family `cause`: the decision on whose behalf a call is made, and how a server is told of it.

use attest_core::names::FLOW;
use serde_json::{Value, json};

use super::call::{AGENT, ATTESTER, Call, HOLDER, NOW, STRANGER, chain};
use super::file::Vector;
use super::flow::{accepted, of, releases, request};
use super::log::{LOG, NEXT, ORIGIN};
use super::token::{Token, b64, canonical, flipped, hash, text, thumbprint};
use super::trust::MAIL;

const FAMILY: &str = "cause";

/// The decision on a call by the holder of the chain's first token.
pub(super) fn decision(labels: &[&str]) -> Token {
    let claims = json!({
        "aud": "files",
        "call": hash("a call"),
        "exp": NOW + 3_000,
        "iat": NOW - 600,
        "key": thumbprint(HOLDER),
        "labels": labels,
        "leaf": hash("a leaf"),
        "log": ORIGIN,
    });
    Token::new("mcp-decision+jwt", NEXT, claims)
}

/// The call is made on behalf of what this decision let through.
pub(super) fn on_behalf(call: &mut Call, token: Token) {
    let provenance = call.provenance().as_object_mut().unwrap();
    provenance.remove("origin");
    provenance.insert("cause".to_owned(), Value::Null);
    call.cause = Some(token);
}

fn with(edit: impl FnOnce(&mut Token)) -> Token {
    let mut token = decision(&[]);
    edit(&mut token);
    token
}

fn claim(name: &str, value: Value) -> Token {
    with(|token| token.claims[name] = value)
}

fn refused(code: &str, name: &str, comment: &str, token: Token) -> Vector {
    request(FAMILY, name, comment, |c| on_behalf(c, token)).0.refused(code)
}

fn good(name: &str, comment: &str, labels: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    accepted(FAMILY, name, comment, labels, edit)
}

fn on_calls() -> Vec<Vector> {
    vec![
        good(
            "good",
            "the page's example: the chain passes through the key of the cause, and grants no call of his own accord",
            "",
            |c| {
                c.detail(0)[FLOW] = json!({"release": {}});
                on_behalf(c, decision(&[]));
            },
        ),
        good("origin_granted_too", "a cause, although the holder may act of its own accord", "", |c| {
            on_behalf(c, decision(&[]))
        }),
        good("middle", "a cause in the middle of four", "", |c| {
            c.chain = chain(4);
            on_behalf(c, claim("key", json!(thumbprint(HOLDER + 2))));
        }),
        good("other_audience", "a decision about a call to another server", "", |c| {
            on_behalf(c, claim("aud", json!("planner")));
        }),
        good("other_log", "a decision of another log that is pinned", "", |c| {
            on_behalf(
                c,
                with(|token| {
                    (token.kid, token.by) = (MAIL, MAIL);
                    token.claims["log"] = json!("mail");
                }),
            );
        }),
        good("labels", "the labels of the cause, which are released", "hr pay", |c| {
            releases(c, 0, json!({"*": ["hr", "pay"]}));
            super::flow::claims(c, &["pay"]);
            on_behalf(c, decision(&["hr"]));
        }),
        refused(
            "flow-not-granted",
            "labels_not_released",
            "the labels of the cause, which are not released",
            decision(&["hr"]),
        )
        .about("hr"),
        refused(
            "unknown-cause",
            "unknown_log",
            "a decision of a log that is not pinned",
            claim("log", json!("planner")),
        ),
        refused(
            "unknown-cause",
            "retired_key",
            "a decision by the log's retired key",
            with(|t| (t.kid, t.by) = (LOG, LOG)),
        ),
        refused(
            "unknown-cause",
            "key_of_another_log",
            "a decision by the key of another log",
            with(|t| (t.kid, t.by) = (MAIL, MAIL)),
        ),
        refused(
            "unknown-cause",
            "by_the_attester",
            "a decision by the attester's key",
            with(|t| (t.kid, t.by) = (ATTESTER, ATTESTER)),
        ),
        refused(
            "unknown-cause",
            "signature_flipped",
            "a signature with one bit wrong",
            with(|t| t.signature = flipped),
        ),
        refused(
            "cause-not-in-chain",
            "stranger",
            "a decision on the call of a key that the chain does not pass through",
            claim("key", json!(thumbprint(STRANGER + 40))),
        ),
        refused(
            "cause-not-in-chain",
            "own_key",
            "the agent's own key, which holds the leaf",
            claim("key", json!(thumbprint(AGENT))),
        ),
        request(FAMILY, "chain_of_one", "a chain of one, which passes through nobody", |c| {
            c.chain = chain(1);
            on_behalf(c, claim("key", json!(thumbprint(AGENT))));
        })
        .0
        .refused("cause-not-in-chain"),
        request(FAMILY, "not_in_chain_and_label", "looked at before the labels", |c| {
            super::flow::claims(c, &["hr"]);
            on_behalf(c, claim("key", json!(thumbprint(AGENT))));
        })
        .0
        .refused("cause-not-in-chain"),
    ]
}

fn times() -> Vec<Vector> {
    let timed = |iat: u64, exp: u64| with(|t| (t.claims["iat"], t.claims["exp"]) = (json!(iat), json!(exp)));
    let bad =
        |code: &str, name: &str, comment: &str, iat, exp| refused(code, name, comment, timed(iat, exp)).about("cause");
    let good = |name: &str, comment: &str, iat, exp| good(name, comment, "", |c| on_behalf(c, timed(iat, exp)));
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
        bad("life-too-long", "life_too_long", "a life of a day and a second", NOW - 10, NOW + 86_391),
        good("longest_life", "a life of a day, the longest", NOW - 10, NOW + 86_390),
        request(FAMILY, "expired_after_the_call_proof", "an expired call proof comes first", |c| {
            on_behalf(c, timed(NOW - 60, NOW - 30));
            (c.proof.claims["iat"], c.proof.claims["exp"]) = (json!(NOW - 60), json!(NOW - 30));
        })
        .0
        .refused("expired")
        .about("call proof"),
    ]
}

fn wrong_claims() -> Vec<Vector> {
    let bad = |name: &str, comment: &str, token: Token| refused("token-claims", name, comment, token).about("cause");
    let mut all: Vec<Vector> = ["aud", "call", "exp", "iat", "key", "labels", "leaf", "log"]
        .iter()
        .map(|claim| {
            let token = with(|t| drop(t.claims.as_object_mut().unwrap().remove(*claim).unwrap()));
            bad(&format!("no_{claim}"), &format!("no claim {claim}"), token)
        })
        .collect();
    all.extend([
        bad("unknown_claim", "a claim that a decision does not have", claim("jti", json!(b64([1; 16])))),
        bad("key_short", "a thumbprint of 42 characters", claim("key", json!(&thumbprint(HOLDER)[..42]))),
        bad("labels_order", "labels that are not ascending", claim("labels", json!(["pay", "hr"]))),
        bad("labels_text", "a label that is in no list", claim("labels", json!("hr"))),
        refused("token-header", "typ", "a receipt in place of the decision", with(|t| t.typ = "mcp-receipt+jwt"))
            .about("cause"),
    ]);
    all
}

fn told(name: &str, comment: &str, request: &str, grant: &[&str], forward: &str) -> Vector {
    let decision = decision(&["hr"]).compact();
    let mut body = json!({"decision": decision, "request": request});
    let mut member = json!({"decision": decision});
    if !grant.is_empty() {
        body["grant"] = json!(grant);
        member["grant"] = json!(grant);
    }
    let forward = forward.replace('@', &text(&member));
    let forward = canonical(&serde_json::from_str(&forward).unwrap());
    Vector::new("tell", format!("{FAMILY}_{name}"), comment, canonical(&body))
        .with("expect", "changed")
        .with("forward", &b64(forward))
}

fn telling() -> Vec<Vector> {
    const M: &str = r#""io.github.agent-attest/cause":@"#;
    let read = |name: &str, comment: &str, value: Value, expect: &str| {
        Vector::new("told", format!("{FAMILY}_{name}"), comment, canonical(&value)).with("expect", expect)
    };
    let token = decision(&[]).compact();
    vec![
        told(
            "tell",
            "a request without _meta",
            r#"{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{"arguments":{"_meta":{}},"name":"x"}}"#,
            &[],
            &format!(
                r#"{{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{{"_meta":{{{M}}},"arguments":{{"_meta":{{}}}},"name":"x"}}}}"#
            ),
        ),
        told(
            "tell_meta",
            "a request with _meta",
            r#"{"id":7,"method":"tools/call","params":{"_meta":{"progressToken":1},"name":"x"}}"#,
            &[],
            &format!(r#"{{"id":7,"method":"tools/call","params":{{"_meta":{{{M},"progressToken":1}},"name":"x"}}}}"#),
        ),
        told(
            "tell_grant",
            "with a chain that the caller passes on",
            r#"{"id":7,"method":"tools/call","params":{"_meta":{"a/b":"c"},"name":"x"}}"#,
            &["root", "leaf"],
            &format!(r#"{{"id":7,"method":"tools/call","params":{{"_meta":{{"a/b":"c",{M}}},"name":"x"}}}}"#),
        ),
        told(
            "tell_no_params",
            "a request of another method whose parameters are empty",
            r#"{"id":7,"method":"prompts/list","params":{}}"#,
            &[],
            &format!(r#"{{"id":7,"method":"prompts/list","params":{{"_meta":{{{M}}}}}}}"#),
        ),
        read("told", "the token alone", json!({"decision": token}), "yes"),
        read("told_grant", "token and chain", json!({"decision": token, "grant": ["root", "leaf"]}), "yes"),
        read("told_grant_empty", "an empty chain", json!({"decision": token, "grant": []}), "no"),
        read("told_grant_text", "a chain that is no list", json!({"decision": token, "grant": "root"}), "no"),
        read("told_no_decision", "a chain alone", json!({"grant": ["root"]}), "no"),
        read("told_member", "a member that it does not have", json!({"decision": token, "labels": []}), "no"),
        read("told_text", "the token in place of the object", json!(token), "no"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let grant = accepted(FAMILY, "grant", "a chain for the server, at which nobody looks", "", |c| {
        c.grant = vec!["root".to_owned()]
    });
    let short = |name: &str, comment: &str, edit: fn(&mut Call)| {
        let mut call = Call::default();
        edit(&mut call);
        on_behalf(&mut call, decision(&[]));
        let sent = call.sign().with(super::carrier::shorten);
        of(FAMILY, name, comment, sent.bytes()).with("after", "attestation_good.vec")
    };
    let known = short("in_shorthand", "a cause beside shorthands of remembered tokens", |c| {
        c.proof.claims["jti"] = json!(b64([2; 16]));
    });
    let unknown = short("in_shorthand_unknown", "a cause beside shorthands of tokens that nobody remembers", |c| {
        c.attestation.claims["jti"] = json!(b64([8; 16]));
    });
    let shorts = vec![grant, known.accepted(&Call::default().forward()), unknown.refused("not-cached")];
    [on_calls(), times(), wrong_claims(), telling(), shorts].concat()
}
