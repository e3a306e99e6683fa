//! Logs whose entries have tokens beside them: what was used up, and what was let go.

use serde_json::{Value, json};

use super::{TIME, deny, start};
use crate::vectors::call::NOW;
use crate::vectors::file::Vector;
use crate::vectors::token::{Token, b64, canonical, hash, thumbprint};
use crate::vectors::watched::{CALL, DIGEST, trail, with};

fn declassification(edit: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "aud": "files",
        "exp": NOW + 60,
        "iat": NOW - 60,
        "jti": b64([4; 16]),
        "key": thumbprint(crate::vectors::call::AGENT),
        "labels": ["hr"],
        "params": DIGEST,
        "tool": "read_file",
    });
    edit(&mut claims);
    Token::new("mcp-declassification+jwt", crate::vectors::trust::OWNER, claims).compact()
}

/// A person's word on a call.
fn approval(edit: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "aud": "files",
        "exp": NOW + 60,
        "iat": NOW - 3_600,
        "jti": b64([5; 16]),
        "key": thumbprint(crate::vectors::call::AGENT),
        "leaf": DIGEST,
        "params": DIGEST,
        "request": DIGEST,
        "state": DIGEST,
        "tool": "read_file",
    });
    edit(&mut claims);
    Token::new("mcp-approval+jwt", crate::vectors::trust::OWNER, claims).compact()
}

fn used(token: &str) -> Value {
    json!({"audience": "files", "call": CALL, "time": TIME, "token": hash(token), "type": "used"})
}

/// A log with tokens beside its entries, which forgot every use that ended up to `NOW + 360`.
fn tokens(name: &str, comment: &str, entries: &[(Value, Option<&str>)]) -> Vector {
    let line = |(entry, token): &(Value, Option<&str>)| {
        let token = token.map(|token| format!("\t{token}")).unwrap_or_default();
        [canonical(entry), token.into_bytes(), b"\n".to_vec()].concat()
    };
    let lines = entries.iter().flat_map(line).collect::<Vec<u8>>();
    Vector::new("audit", format!("audit_{name}"), comment, lines).with("horizon", &(NOW + 360).to_string())
}

pub(super) fn of_uses() -> Vec<Vector> {
    let token = declassification(|_| ());
    let one = |name: &str, comment: &str, check: &str, entry: Value, token: Option<&str>| {
        tokens(name, comment, &[(start(), None), (entry, token)]).with("expect", check).with("index", "1")
    };
    let changed = |name: &str, comment: &str, check: &str, edit: &dyn Fn(&mut Value)| {
        let token = declassification(edit);
        one(name, comment, check, used(&token), Some(&token))
    };
    let said = approval(|_| ());
    let twice = [(start(), None), (used(&token), Some(&*token)), (used(&token), Some(&*token))];
    let other = declassification(|c| c["jti"] = json!(b64([3; 16])));
    let two = [(start(), None), (used(&token), Some(&*token)), (used(&other), Some(&*other))];
    vec![
        tokens("used", "a declassification is used", &twice[..2]).with("expect", "whole"),
        tokens("used_approval", "an approval is used", &[(start(), None), (used(&said), Some(&*said))])
            .with("expect", "whole"),
        {
            let token = approval(|c| c["iat"] = json!(NOW + 60 - 86_401));
            let entry = used(&token);
            one("used_approval_life", "an approval of a longer life than a day", "evidence", entry, Some(&token))
        },
        {
            let token = approval(|c| (c["iat"], c["exp"]) = (json!(NOW - 400), json!(NOW - 360)));
            one("used_approval_expired", "an approval that had expired", "time", used(&token), Some(&token))
        },
        tokens("used_two", "two declassifications are used", &two).with("expect", "whole"),
        tokens("used_twice", "a declassification is used twice", &twice).with("expect", "replay").with("index", "2"),
        one("used_no_token", "the declassification is not there", "own-token", used(&token), None),
        one(
            "used_other_token",
            "another declassification than the one that is named",
            "own-token",
            used(&token),
            Some(&other),
        ),
        one("token_of_none", "a token beside an entry that names none", "own-token", deny(), Some(&token)),
        one("used_no_declassification", "the token is none", "evidence", used("x"), Some("x")),
        changed("used_other_audience", "a declassification for another server", "agreement", &|c| {
            c["aud"] = json!("mail")
        }),
        changed("used_life_too_long", "a declassification of a longer life than there may be", "evidence", &|c| {
            c["iat"] = json!(NOW - 541);
        }),
        changed("used_expired", "a declassification that had expired", "time", &|c| {
            (c["iat"], c["exp"]) = (json!(NOW - 400), json!(NOW - 360));
        }),
        changed("used_not_yet", "a declassification that was made later", "time", &|c| {
            (c["iat"], c["exp"]) = (json!(NOW + 361), json!(NOW + 420));
        })
        .with("horizon", &(NOW + 360).to_string()),
        changed("used_not_in_the_window", "a use that the log should not have forgotten yet", "replay-window", &|c| {
            c["exp"] = json!(NOW + 61);
        }),
        tokens(
            "used_in_a_watched_host",
            "in the log of a host whose servers are only watched",
            &[(trail(), None), (used(&token), Some(&*token))],
        )
        .with("expect", "context")
        .with("index", "1"),
        tokens("used_before_start", "before anything started", &[(used(&token), Some(&*token)), (start(), None)])
            .with("expect", "context")
            .with("index", "0"),
        {
            let token = declassification(|c| c["aud"] = json!("mail"));
            one(
                "used_of_another",
                "of another verifier",
                "context",
                with(used(&token), &json!({"audience": "mail"})),
                Some(&token),
            )
        },
    ]
}

fn forgotten(before: u64) -> Value {
    json!({"before": before, "time": TIME, "type": "forgotten"})
}

/// Logs from which tokens were let go, with the mark of it.
pub(super) fn of_what_was_let_go() -> Vec<Vector> {
    let token = declassification(|_| ());
    let with_mark = |name: &str, comment: &str, entries: &[(Value, Option<&str>)], mark: u64| {
        tokens(name, comment, entries).with("forgotten", &mark.to_string())
    };
    let gone = [(start(), None), (used(&token), None), (forgotten(2), None)];
    let twice = [gone[0].clone(), gone[1].clone(), gone[2].clone(), (deny(), None), (forgotten(4), None)];
    let wrong = |vector: Vector, check: &str, index: Option<u64>| {
        let vector = vector.with("expect", check);
        index.map_or(vector.clone(), |index| vector.with("index", &index.to_string()))
    };
    vec![
        with_mark("forgotten", "a token was let go", &gone, 2).with("expect", "whole"),
        with_mark("forgotten_twice", "tokens were let go twice", &twice, 4).with("expect", "whole"),
        with_mark(
            "forgotten_still_there",
            "a token that is still there",
            &[(start(), None), (used(&token), Some(&*token)), (forgotten(2), None)],
            2,
        )
        .with("expect", "whole"),
        wrong(
            with_mark(
                "forgotten_still_there_and_another",
                "a token that is still there, and not the one that is named",
                &[(start(), None), (used(&token), Some("x")), (forgotten(2), None)],
                2,
            ),
            "own-token",
            Some(1),
        ),
        wrong(
            with_mark(
                "forgotten_not_that_one",
                "a token is missing that was not let go",
                &[(start(), None), (used(&token), None), (forgotten(1), None)],
                1,
            ),
            "own-token",
            Some(1),
        ),
        wrong(
            with_mark("forgotten_itself", "it lets go of its own", &[(start(), None), (forgotten(2), None)], 2),
            "forgotten",
            Some(1),
        ),
        wrong(
            with_mark(
                "forgotten_less",
                "less than was let go before",
                &[(start(), None), (deny(), None), (forgotten(2), None), (forgotten(1), None)],
                2,
            ),
            "forgotten",
            Some(3),
        ),
        wrong(
            with_mark("forgotten_none", "nothing is let go", &[(start(), None), (forgotten(0), None)], 0),
            "forgotten",
            Some(1),
        ),
        wrong(
            with_mark(
                "forgotten_no_entry",
                "a mark that no entry explains",
                &[(start(), None), (used(&token), None), (deny(), None)],
                2,
            ),
            "forgotten",
            None,
        ),
        wrong(
            with_mark(
                "forgotten_no_mark",
                "an entry without the mark",
                &[(start(), None), (deny(), None), (forgotten(2), None)],
                0,
            ),
            "forgotten",
            None,
        ),
    ]
}
