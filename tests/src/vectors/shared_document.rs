//! The family `shared_document`: files that verifiers share through a place that they do not trust.

use serde_json::{Value, json};

use super::call::STRANGER;
use super::file::Vector;
use super::token::{Token, flipped, hash, jwk, text};
use super::trust::OWNER;

const BYTES: &str = "what was revoked\n";

fn token(bytes: &str) -> Token {
    let claims = json!({"aud": "files", "digest": hash(bytes), "name": "list.jwt", "version": 1_800_000_000_u64});
    Token::new("mcp-shared-document+jwt", OWNER, claims)
}

fn with(edit: impl FnOnce(&mut Token)) -> Token {
    let mut token = token(BYTES);
    edit(&mut token);
    token
}

fn claim(name: &str, value: Value) -> Token {
    with(|token| token.claims[name] = value)
}

fn stored(name: &str, comment: &str, stored: impl Into<Vec<u8>>, expect: &str) -> Vector {
    Vector::new("shared-document", format!("shared_document_{name}"), comment, stored)
        .with("jwk", &text(&jwk(OWNER)))
        .with("audience", "files")
        .with("document", "list.jwt")
        .with("expect", expect)
}

fn good(name: &str, comment: &str, bytes: &str) -> Vector {
    let whole = format!("{}\n{bytes}", token(bytes).compact());
    stored(name, comment, whole, "accept").with("forward", &super::token::b64(bytes))
}

fn bad(code: &str, name: &str, comment: &str, token: &Token) -> Vector {
    stored(name, comment, format!("{}\n{BYTES}", token.compact()), code)
}

pub(super) fn vectors() -> Vec<Vector> {
    let whole = token(BYTES).compact();
    let long = "n".repeat(65);
    vec![
        good("good", "the page's example", BYTES),
        good("good_empty", "a document of no bytes", ""),
        good("good_line_feeds", "a document of several lines, of which the first is empty", "\n\na\n"),
        stored("unsigned", "bytes without a token", BYTES, "bad-token"),
        stored("nothing", "no bytes at all", "", "bad-token"),
        stored("no_line_feed", "a token of no bytes, and no line feed behind it", token("").compact(), "bad-token"),
        stored("carriage_return", "a carriage return before the line feed", format!("{whole}\r\n{BYTES}"), "bad-token"),
        stored("second_line", "the token in the second line", format!("\n{whole}\n{BYTES}"), "bad-token"),
        bad("bad-token", "other_typ", "a token of another type", &with(|t| t.typ = "mcp-approval+jwt")),
        bad("bad-token", "more", "a claim more", &claim("exp", json!(1_900_000_000_u64))),
        bad(
            "bad-token",
            "no_version",
            "a claim less",
            &with(|t| drop(t.claims.as_object_mut().unwrap().remove("version"))),
        ),
        bad("bad-token", "version_text", "a version that is a text", &claim("version", json!("7"))),
        bad("bad-token", "name_empty", "no name", &claim("name", json!(""))).with("document", ""),
        bad("bad-token", "name_up", "a name that leads elsewhere", &claim("name", json!("../list.jwt")))
            .with("document", "../list.jwt"),
        bad("bad-token", "name_dot", "a name with a dot in front", &claim("name", json!(".list")))
            .with("document", ".list"),
        bad("bad-token", "name_beyond_ascii", "a name beyond ASCII", &claim("name", json!("büro")))
            .with("document", "büro"),
        bad("bad-token", "name_of_65_bytes", "a name of 65 bytes", &claim("name", json!(long))).with("document", &long),
        bad("bad-signature", "flipped", "a signature with one bit wrong", &with(|t| t.signature = flipped)),
        bad(
            "bad-signature",
            "by_a_stranger",
            "by a key that is not pinned",
            &with(|t| (t.kid, t.by) = (STRANGER, STRANGER)),
        ),
        bad("bad-signature", "by_another", "in the pinned key's name by another", &with(|t| t.by = STRANGER)),
        bad(
            "bad-signature",
            "by_a_stranger_for_another",
            "by a key that is not pinned, and for another server: that comes second",
            &with(|t| {
                (t.kid, t.by) = (STRANGER, STRANGER);
                t.claims["aud"] = json!("mail");
            }),
        ),
        bad("other-audience", "other_audience", "for another server", &claim("aud", json!("mail"))),
        bad("other-name", "other_name", "another document", &claim("name", json!("refs.toml"))),
        bad("other-bytes", "other_bytes", "other bytes than were signed", &token("what was not revoked\n")),
        stored("cut_off", "the last byte is missing", format!("{whole}\n{}", BYTES.trim_end()), "other-bytes"),
        stored("appended", "a line feed more", format!("{whole}\n{BYTES}\n"), "other-bytes"),
        bad(
            "other-audience",
            "other_everything",
            "for another server, another document, other bytes: the first counts",
            &with(|t| t.claims = json!({"aud": "mail", "digest": hash("x"), "name": "refs.toml", "version": 1})),
        ),
        bad(
            "other-name",
            "other_name_and_bytes",
            "another document and other bytes: the first counts",
            &with(|t| (t.claims["name"], t.claims["digest"]) = (json!("refs.toml"), json!(hash("x")))),
        ),
    ]
}
