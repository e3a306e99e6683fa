//! Each kind of secret, in each place it is looked for, and what only looks like one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use attest_core::digest::Salt;
use attest_core::json;
use attest_redact::{Redacted, Rules, check};

fn salts() -> impl FnMut() -> Salt {
    let mut next = 0u128;
    move || {
        next += 1;
        Salt(next.to_be_bytes())
    }
}

fn value(rules: &Rules, text: &str) -> Redacted {
    rules.value(&json::parse(text.as_bytes()).unwrap(), &mut salts())
}

fn text(text: &str) -> Redacted {
    Rules::defaults().text(text, &mut salts())
}

/// `secret` is gone from `whole`, and one salt opens a commitment to something that holds it.
fn gone(whole: &str, secret: &str, kind: &str) {
    let kept = text(whole);
    assert!(!kept.text.contains(secret), "{whole:?} -> {}", kept.text);
    assert!(kept.salts.iter().any(|left| left.kind == kind), "{whole:?} -> {}", kept.text);
    for left in &kept.salts {
        assert!(kept.text.contains(&left.commitment.to_b64()), "{}", kept.text);
    }
}

fn stays(whole: &str) {
    let kept = text(whole);
    assert_eq!(kept.text, whole);
    assert!(kept.salts.is_empty());
}

const GITHUB: &str = "ghp_Zx8Kq2Wm5Rt7Yv1Lp3Nd9Bc4Hs6Jg0Fa8Eu2";

#[test]
fn what_was_redacted_can_be_checked_and_nothing_else_fits() {
    let kept = value(Rules::defaults(), r#"{"a":"to ana@example.org now","pin":4711,"password":{"x":[1,"y"]}}"#);
    let open: Vec<&str> = vec!["ana@example.org", r#"{"x":[1,"y"]}"#, "4711"];
    assert_eq!(kept.salts.len(), 3, "{}", kept.text);
    for (left, claimed) in kept.salts.iter().zip(open) {
        assert!(check(&left.commitment, &left.salt, claimed), "{claimed} in {}", kept.text);
        assert!(!check(&left.commitment, &left.salt, "other"));
        assert!(!check(&left.commitment, &Salt([9; 16]), claimed), "a commitment says nothing without its salt");
    }
    assert!(json::parse(kept.text.as_bytes()).is_ok());
}

#[test]
fn the_same_secret_twice_has_two_commitments() {
    let kept = value(Rules::defaults(), r#"{"password":"hunter2","token":"hunter2"}"#);
    assert_ne!(kept.salts[0].commitment, kept.salts[1].commitment);
}

#[test]
fn keys_of_known_services_are_found_by_prefix() {
    gone(&format!("use {GITHUB} for it"), GITHUB, "github-token");
    gone(&format!("https://x/{GITHUB}/y"), GITHUB, "github-token");
    gone("id AKIAQ3EGRZ7XW5PLMN2V.", "AKIAQ3EGRZ7XW5PLMN2V", "aws-key");
    gone("sk-ant-api03-AbCdEf0123456789xyzXYZ", "AbCdEf0123456789", "model-key");
    gone("xoxb-1234567890-abcdefghij", "1234567890", "slack-token");
    stays("task-management-of-everything-else sk-learn-contribution-guide");
}

/// Of each kind one, and with nothing else looked for that would find it by its looks.
#[test]
fn a_key_of_every_kind_is_found_by_its_prefix_alone() {
    let rules = Rules::from_toml("[find]\nrandom = false\nassignments = false").unwrap();
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for (prefix, kind) in [
        ("ghp_", "github-token"),
        ("glpat-", "gitlab-token"),
        ("AIza", "google-key"),
        ("xoxb-", "slack-token"),
        ("sk_live_", "stripe-key"),
        ("whsec_", "webhook-secret"),
        ("sk-ant-", "model-key"),
        ("npm_", "package-token"),
        ("shpat_", "shop-token"),
        ("hvs.", "cloud-token"),
        ("SG.", "service-token"),
    ] {
        let kept = rules.text(&format!("with {prefix}{body} set"), &mut salts());
        assert!(!kept.text.contains(body), "{prefix}: {}", kept.text);
        assert_eq!(kept.salts.iter().map(|left| left.kind.as_str()).collect::<Vec<_>>(), [kind], "{prefix}");
    }
    let kept = rules.text("with AKIAQ3EGRZ7XW5PLMN2V set", &mut salts());
    assert_eq!(kept.salts[0].kind, "aws-key");
}

#[test]
fn a_name_too_long_to_be_looked_at_counts_as_a_secrets() {
    let name = "n".repeat(600);
    assert!(!value(Rules::defaults(), &format!(r#"{{"{name}":"hunter2"}}"#)).text.contains("hunter2"));
}

#[test]
fn jwts_bearers_and_basic_are_found() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    gone(&format!("got {jwt}"), "eyJzdWIi", "jwt");
    gone("sent Bearer a1b2c3d4 there", "a1b2c3d4", "credentials");
    gone("BEARER a1b2c3d4", "a1b2c3d4", "credentials");
    // user:pw
    gone("with Basic dXNlcjpwdw== set", "dXNlcjpwdw", "credentials");
    gone("Authorization: Digest username=\"me\", response=abc", "response=abc", "field");
    gone("authorization: Basic YTpi", "YTpi", "field");
    stays("the bearer of good news, a basic assumption");
}

#[test]
fn private_keys_are_found_whole_and_cut() {
    let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nbnNz\n-----END OPENSSH PRIVATE KEY-----";
    gone(&format!("a {pem} b"), "b3Bl", "private-key");
    assert!(text(&format!("a {pem} b")).text.ends_with(" b"));
    gone("-----BEGIN PRIVATE KEY-----\nMIIEcut", "MIIEcut", "private-key");
    stays("-----BEGIN CERTIFICATE-----\nMIIBshort\n-----END CERTIFICATE-----");
}

#[test]
fn cards_are_found_with_a_right_check_digit_alone() {
    for card in
        ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3056 9309 0259 04"]
    {
        gone(&format!("pay {card}, please"), card, "card");
    }
    gone("12 4111 1111 1111 1111 99", "4111 1111", "card");
    assert!(!value(Rules::defaults(), "{\"n\":4111111111111111}").text.contains("4111"));
    assert!(!value(Rules::defaults(), "{\"n\":4.111111111111111e15}").text.contains("4111"));
    stays("not 4111111111111112, at 1764197155123, +49 30 1234 5678 9013");
    assert_eq!(value(Rules::defaults(), "{\"at\":1764197155123}").text, "{\"at\":1764197155123}");
}

#[test]
fn mail_and_user_info_are_found() {
    gone("Write to ana.b+c@mail.example.org.", "ana.b+c@mail.example.org", "mail");
    gone("für jürgen@bücher.example heute", "jürgen@", "mail");
    gone("postgres://app:s3cret@db.internal/x", "app:s3cret", "url-user");
    gone("postgres://app:p@ss@db/x", "p@ss", "url-user");
    gone("postgres://app:p/ss@db.internal/x", "p/ss", "url-user");
    stays("http://localhost:8080/@user and a @ b, x@y");
}

#[test]
fn values_behind_a_name_are_found_in_texts() {
    gone("password=hunter2", "hunter2", "field");
    gone("PASSWORD: hunter2 next", "hunter2", "field");
    gone("https://x.example/?token=abc&page=2", "abc", "field");
    assert!(text("https://x.example/?token=abc&page=2").text.ends_with("&page=2"));
    gone(r#"{"password": "hun ter2", broken"#, "hun ter2", "field");
    gone(r#"said {\"password\": \"hun\\\"ter2\"}"#, "ter2", "field");
    gone("client_secret = 'hunter2'", "hunter2", "field");
    gone("Set-Cookie: a=1; b=hunter2\nnext", "hunter2", "field");
    gone("cookie: a=1; b=hunter2\nnext", "hunter2", "field");
    gone("secret := hunter2", "hunter2", "field");
    stays("max_tokens=100 author: me password: ");
}

#[test]
fn what_looks_random_is_found_and_names_are_not() {
    gone("q2Wm5Rt7Yv1Lp3Nd9Bc4", "q2Wm5Rt7Yv1Lp3Nd9Bc4", "random");
    gone("sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "9f86d081", "random");
    // base64 of "password=hunter2"
    gone("cGFzc3dvcmQ9aHVudGVyMg==", "cGFzc3dvcmQ9", "random");
    gone("/v1/keys/a8F3kd93Kd0sL2mQ8xZt/info", "a8F3kd93Kd0sL2mQ8xZt", "random");
    stays("/home/user/projects/attest/attest-core/src/verifier/cache.rs");
    stays("550e8400-e29b-41d4-a716-446655440000");
    stays(
        "getElementsByClassNameAndTagName x86_64-unknown-linux-gnu IMG_20261126_224555.jpeg 2026-11-26T22:45:55.123Z",
    );
    stays("https://docs.example.org/attest-core/0.1.0/attest_core/verifier/index.html");
}

#[test]
fn escapes_and_encodings_hide_nothing() {
    // JSON escapes are resolved by the reader.
    let kept =
        value(Rules::defaults(), r#"{"a":"gh\u0070_Zx8Kq2Wm5Rt7Yv1Lp3Nd9Bc4Hs6Jg0Fa8Eu2","p\u0061ssword":"hunter2"}"#);
    assert!(!kept.text.contains("Zx8K") && !kept.text.contains("hunter2"), "{}", kept.text);
    // In a text they are looked through, as percent-encoding is, twice.
    gone(r"gh\u0070_Zx8Kq2Wm5Rt7Yv1Lp3Nd9Bc4Hs6Jg0Fa8", "Zx8K", "github-token");
    gone("x?p%61ssword=hunter2", "hunter2", "field");
    gone("x?p%2561ssword=hunter2", "hunter2", "field");
    gone("to=ana%40example.org", "ana%40", "mail");
    // JSON in a string is JSON.
    let kept = value(Rules::defaults(), r#"{"text":"[{\"p\\u0061ssword\":\"hunter2\",\"n\":[1]}]"}"#);
    assert!(!kept.text.contains("hunter2") && kept.text.contains("[1]"), "{}", kept.text);
}

#[test]
fn names_of_members_are_looked_at() {
    let kept = value(Rules::defaults(), &format!(r#"{{"{GITHUB}":1,"ana@example.org":{{"b":2}}}}"#));
    assert!(!kept.text.contains("ghp_") && !kept.text.contains("ana@"), "{}", kept.text);
    assert!(json::parse(kept.text.as_bytes()).is_ok(), "{}", kept.text);
}

#[test]
fn a_value_beside_a_secrets_name_goes() {
    let kept = value(
        Rules::defaults(),
        r#"{"env":[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"HOME","value":"/root"}]}"#,
    );
    assert!(!kept.text.contains("hunter2") && kept.text.contains("/root"), "{}", kept.text);
}

#[test]
fn a_schema_is_kept_but_for_its_values() {
    let tool = r#"{"inputSchema":{"properties":{"password":{"type":"string","default":"hunter2","description":"yours"}},"type":"object"}}"#;
    let kept = value(Rules::defaults(), tool);
    assert!(kept.text.contains(r#""type":"string""#) && kept.text.contains("yours"), "{}", kept.text);
    assert!(!kept.text.contains("hunter2"), "{}", kept.text);
    // Outside of a schema such an object is the secret.
    assert!(!value(Rules::defaults(), r#"{"password":{"type":"hunter2"}}"#).text.contains("hunter2"));
}

#[test]
fn what_says_nothing_stays() {
    let text = r#"{"password":"","secret":null,"token":true}"#;
    assert_eq!(value(Rules::defaults(), text).text, text);
}

#[test]
fn command_lines_and_variables() {
    let args = [
        "server",
        "--token",
        "hunter2",
        "--password=hunter3",
        "-v",
        "--port",
        "80",
        "API_KEY=hunter4",
        "--secret",
        "--x",
    ];
    let kept = Rules::defaults().args(&args, &mut salts());
    assert!(!kept.text.contains("hunter"), "{}", kept.text);
    assert!(
        kept.text.starts_with(r#"["server","--token",{"redacted":"field""#)
            && kept.text.contains(r#""-v","--port","80""#)
    );
    assert!(kept.text.ends_with(r#""--secret","--x"]"#), "{}", kept.text);
    let env = [("HOME", "/root"), ("DB_PASSWORD", "hunter2"), ("URL", "redis://:hunter3@h/0"), ("EMPTY_TOKEN", "")];
    let kept = Rules::defaults().env(&env, &mut salts());
    assert!(!kept.text.contains("hunter") && kept.text.starts_with(r#"{"HOME":"/root","#), "{}", kept.text);
    assert!(kept.text.ends_with(r#""EMPTY_TOKEN":""}"#), "{}", kept.text);
}

#[test]
fn a_long_string_is_cut_and_its_rest_committed_to() {
    let rules = Rules::from_toml("longest = 64").unwrap();
    let long = format!("{}ä{}", "word ".repeat(12), "x y ".repeat(50));
    let kept = rules.text(&long, &mut salts());
    let (head, _) = kept.text.split_once("[redacted:cut:").unwrap();
    assert!(head.len() <= 64 && long.starts_with(head));
    assert!(check(&kept.salts[0].commitment, &kept.salts[0].salt, &long[head.len()..]));
    // A secret across the cut is not left as a half.
    let long = format!("{}ana@example.org {}", "word ".repeat(12), "x y ".repeat(50));
    assert!(!rules.text(&long, &mut salts()).text.contains("ana"));
}

#[test]
fn a_document_of_nothing_but_secrets_does_not_grow() {
    let many = "a@b.co ".repeat(100_000);
    let kept = text(&many);
    assert_eq!((kept.salts.len(), kept.salts[0].kind.as_str()), (1, "too-many"));
    assert!(kept.text.len() < 100 && check(&kept.salts[0].commitment, &kept.salts[0].salt, &many));
    let many = format!("[{}1]", "\"a@b.co\",".repeat(100_000));
    assert!(value(Rules::defaults(), &many).text.len() < 120);
}

#[test]
fn what_was_made_to_take_long_does_not() {
    for hostile in [
        "password:",
        "password=\"",
        "://",
        "://a:b",
        "@",
        "a@",
        "-----BEGIN PRIVATE KEY",
        "-----BEGIN ",
        "Bearer ",
        "eyJ",
        "eyJ.",
        "ghp_",
        "sk-",
        "%41",
        "\\u0041",
        "4 ",
        "41-",
        "\\",
        "\"",
        "cookie:",
        "{\"a\":",
        "[",
        "=",
        "Basic YTpi",
    ] {
        let start = std::time::Instant::now();
        text(&hostile.repeat((1 << 18) / hostile.len()));
        // Linear, it takes a second or two without optimisation; quadratic, many minutes.
        println!("{hostile:?}: {:?}", start.elapsed());
        assert!(start.elapsed().as_secs() < 60, "{hostile:?}: {:?}", start.elapsed());
    }
}
