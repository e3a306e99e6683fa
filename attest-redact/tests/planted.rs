//! Secrets planted anywhere in what goes between client and server: none is left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use attest_core::digest::Salt;
use attest_core::json::{self, write_string};
use attest_redact::{Rules, check};
use proptest::prelude::*;

/// A secret, and what of it must not be found in the output.
#[derive(Clone, Debug)]
struct Secret {
    text: String,
    core: String,
}

fn secret() -> impl Strategy<Value = Secret> {
    let plain = |text: String| Secret { core: text.clone(), text };
    prop_oneof![
        "ghp_[a-z0-9]{10}[A-Z0-9]{26}".prop_map(plain),
        "glpat-[a-zA-Z0-9]{19}7".prop_map(plain),
        "AKIA[A-Z0-9]{15}7".prop_map(plain),
        "sk-proj-[a-zA-Z0-9_-]{20,60}7".prop_map(plain),
        "xoxb-[0-9]{10}-[a-z0-9]{12}".prop_map(plain),
        "eyJ[a-zA-Z0-9]{12}\\.eyJ[a-zA-Z0-9]{12}\\.[a-zA-Z0-9_-]{20}".prop_map(plain),
        // Random, of both cases: three digits are fixed, since a short draw may have none.
        "[a-zA-Z0-9]{4}7[a-zA-Z0-9]{4}Q3x[a-zA-Z0-9+]{20}5Zk".prop_map(plain),
        "[0-9a-f]{8}a1b2c3[0-9a-f]{18,40}".prop_map(plain),
        "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{2,9}\\.(org|example|co)".prop_map(plain),
        Just(plain("4111 1111 1111 1111".into())),
        Just(plain("378282246310005".into())),
        ("[!-~&&[^\"'`\\s&#\\\\]]{6,20}").prop_map(|core| Secret { text: format!("password={core}"), core }),
        ("[a-z0-9]{6,20}").prop_map(|core| Secret { text: format!("https://me:{core}@host.internal/x"), core }),
        ("[a-z0-9]{5}7[a-z0-9]{6,20}").prop_map(|core| Secret { text: format!("Bearer {core}"), core }),
        ("[a-z0-9 ]{40}").prop_map(|core| Secret {
            text: format!("-----BEGIN RSA PRIVATE KEY-----\n{core}\n-----END RSA PRIVATE KEY-----"),
            core
        }),
    ]
}

/// Words, so that secrets stand in something like prose, with blanks or quotes around them.
fn prose() -> impl Strategy<Value = String> {
    "([a-zä]{1,9}[ ,\n]){0,12}"
}

fn in_text() -> impl Strategy<Value = (String, Vec<Secret>)> {
    let between = prop_oneof![Just(" "), Just("\n"), Just("\""), Just("\t")];
    (prose(), prop::collection::vec((secret(), prose(), between), 0..3)).prop_map(|(first, rest)| {
        let mut text = first;
        let mut secrets = Vec::new();
        for (secret, after, between) in rest {
            text += &format!("{between}{}{between}{after}", secret.text);
            secrets.push(secret);
        }
        (text, secrets)
    })
}

/// JSON text with secrets in its strings and names, the strings in one of several spellings.
fn in_json() -> impl Strategy<Value = (String, Vec<Secret>)> {
    let leaf = prop_oneof![
        (in_text(), 0..3u8).prop_map(|((text, secrets), spelling)| (spelt(&text, spelling), secrets)),
        ("(api_key|clientSecret|X-Auth-Token|passwd)", "[a-z]{6,12}").prop_map(|(name, core)| {
            (format!(r#"{{"{name}":"{core}"}}"#), vec![Secret { text: core.clone(), core }])
        }),
        any::<i32>().prop_map(|n| (n.to_string(), vec![])),
        Just(("null".to_owned(), vec![])),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let members = prop::collection::vec((in_text(), inner.clone()), 0..4);
        prop_oneof![
            items.prop_map(|items| {
                let (texts, secrets): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (format!("[{}]", texts.join(",")), secrets.concat())
            }),
            members.prop_map(|members| {
                let mut all = Vec::new();
                let mut texts = Vec::new();
                for (at, ((name, secrets), (value, more))) in members.into_iter().enumerate() {
                    texts.push(format!("{}:{value}", spelt(&format!("{at} {name}"), 0)));
                    all.extend(secrets);
                    all.extend(more);
                }
                (format!("{{{}}}", texts.join(",")), all)
            }),
            // JSON in a string, as many results are.
            inner.prop_map(|(text, secrets)| (spelt(&text, 0), secrets)),
        ]
    })
}

fn spelt(text: &str, spelling: u8) -> String {
    let mut out = Vec::new();
    write_string(text, &mut out);
    let plain = String::from_utf8(out).unwrap();
    match spelling {
        0 => plain,
        // Letters escaped, one in three or all.
        n => {
            let mut out = String::from("\"");
            for (at, unit) in text.encode_utf16().enumerate() {
                match char::from_u32(unit.into()).filter(|c| c.is_ascii_alphanumeric()) {
                    Some(c) if n == 1 && at % 3 != 0 => out.push(c),
                    _ => out.push_str(&format!("\\u{unit:04x}")),
                }
            }
            out + "\""
        }
    }
}

fn salts() -> impl FnMut() -> Salt {
    let mut next = 0u128;
    move || {
        next += 1;
        Salt(next.to_be_bytes())
    }
}

fn hold(output: &str, secrets: &[Secret]) -> Result<(), TestCaseError> {
    // As it is, and as a reader of the JSON would see it.
    let unescaped = output.replace("\\\"", "\"").replace("\\n", "\n");
    for secret in secrets {
        prop_assert!(!output.contains(&secret.core) && !unescaped.contains(&secret.core), "{secret:?} in {output}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_is_left_in_messages((text, secrets) in in_json()) {
        for message in [
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":{text}}}}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":{text}}}]}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32000,"message":"no","data":{text}}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"t","description":{text},"inputSchema":{{"properties":{{"p":{{"default":{text}}}}}}}}}]}}}}"#),
        ] {
            // Too deep a nesting is refused long before anything is redacted.
            let Ok(value) = json::parse(message.as_bytes()) else { continue };
            let kept = Rules::defaults().value(&value, &mut salts());
            hold(&kept.text, &secrets)?;
            let again = json::parse(kept.text.as_bytes());
            prop_assert!(again.is_ok(), "{}", kept.text);
            for left in &kept.salts {
                prop_assert!(kept.text.contains(&left.commitment.to_b64()));
            }
        }
    }

    #[test]
    fn no_secret_is_left_in_lines_arguments_and_variables((text, secrets) in in_text()) {
        hold(&Rules::defaults().text(&text, &mut salts()).text, &secrets)?;
        hold(&Rules::defaults().text(&format!("[error] {text}"), &mut salts()).text, &secrets)?;
        hold(&Rules::defaults().args(&["server", &text, "--x", &text], &mut salts()).text, &secrets)?;
        hold(&Rules::defaults().env(&[("X", &text)], &mut salts()).text, &secrets)?;
    }

    #[test]
    fn what_is_cut_out_can_be_put_back((text, _) in in_text()) {
        // Never JSON, which is spelt anew.
        let text = format!("- {text}");
        let kept = Rules::defaults().text(&text, &mut salts());
        // Everything between the placeholders is the text's, in order, and what stood in their places fits the commitments.
        let mut rest = text.as_str();
        let mut out = kept.text.as_str();
        for (at, left) in kept.salts.iter().enumerate() {
            let mark = format!("[redacted:{}:{}]", left.kind, left.commitment);
            let (before, after) = out.split_once(&mark).unwrap();
            rest = rest.strip_prefix(before).unwrap();
            out = after;
            let next = kept.salts.get(at + 1).map(|next| format!("[redacted:{}:{}]", next.kind, next.commitment));
            let upto = next.map_or(after, |next| after.split_once(&next).unwrap().0);
            let length = (0..=rest.len()).find(|length| {
                rest.is_char_boundary(*length) && rest[*length..].starts_with(upto) && check(&left.commitment, &left.salt, &rest[..*length])
            });
            rest = &rest[length.unwrap()..];
        }
        prop_assert_eq!(rest, out);
    }

    #[test]
    fn any_text_is_taken(text in ".{0,200}") {
        let kept = Rules::defaults().text(&text, &mut salts());
        prop_assert!(kept.text.len() <= text.len() * 30 + 200);
    }
}
