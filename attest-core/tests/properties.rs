//! What must hold for every input, over generated ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use attest_core::b64;
use attest_core::constraint::Constraint;
use attest_core::json::{self, Value};
use attest_core::tools::{Tools, permits};
use proptest::prelude::*;

/// Few values, so that generated constraints and arguments meet.
fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-2..4i32).prop_map(|n| n.to_string()),
        prop_oneof![Just("0.5"), Just("1.0"), Just("1e0"), Just("-0")].prop_map(str::to_owned),
        "[ab]{0,2}".prop_map(|s| format!("{s:?}")),
        path().prop_map(|s| format!("{s:?}")),
    ]
}

/// Paths near the folders of [`constraint`], some of which no reader should be trusted with.
fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &["/", "/a", "/a/b", "/a/b/a", "/ab", "/ab/a", "/b", "/b/a", "/a/", "/a/../b", "/a//b", "a/b"][..],
    )
}

fn argument() -> impl Strategy<Value = String> {
    let list = prop::collection::vec(scalar(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
    prop_oneof![3 => scalar(), 2 => list]
}

fn constraint() -> impl Strategy<Value = String> {
    let bound = |name: &'static str| {
        prop::option::of((-2..4i32, any::<bool>())).prop_map(move |bound| match bound {
            Some((n, inclusive)) => format!(r#","{name}":{n},"{name}_inclusive":{inclusive}"#),
            None => String::new(),
        })
    };
    let listed = |kind: &'static str, member: &'static str| {
        prop::collection::vec(scalar(), 0..4)
            .prop_map(move |v| format!(r#"{{"constraint_type":"{kind}","{member}":[{}]}}"#, v.join(",")))
    };
    let leaf = prop_oneof![
        scalar().prop_map(|v| format!(r#"{{"constraint_type":"exact","value":{v}}}"#)),
        (bound("min"), bound("max")).prop_map(|(min, max)| format!(r#"{{"constraint_type":"range"{min}{max}}}"#)),
        listed("one_of", "values"),
        listed("not_one_of", "excluded"),
        listed("contains", "required"),
        listed("subset", "allowed"),
        Just(r#"{"constraint_type":"wildcard"}"#.to_owned()),
        prop::sample::select(&["/", "/a", "/a/b", "/ab", "/b"][..]).prop_map(|folder| {
            format!(r#"{{"constraint_type":"io.github.agent-attest/path_prefix","prefix":{folder:?}}}"#)
        }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        (prop_oneof![Just("all"), Just("any")], prop::collection::vec(inner, 1..4))
            .prop_map(|(kind, c)| format!(r#"{{"constraint_type":"{kind}","constraints":[{}]}}"#, c.join(",")))
    })
}

/// Constraints that are about paths alone, so that parent, child and value are near each other.
fn of_paths() -> impl Strategy<Value = String> {
    let folder = prop::sample::select(&["/", "/a", "/a/b", "/ab", "/b"][..]);
    let listed = |kind: &'static str, member: &'static str| {
        prop::collection::vec(path(), 0..3)
            .prop_map(move |paths| format!(r#"{{"constraint_type":"{kind}","{member}":{paths:?}}}"#))
    };
    let prefix = folder.prop_map(|folder| {
        format!(r#"{{"constraint_type":"io.github.agent-attest/path_prefix","prefix":{folder:?}}}"#)
    });
    let leaf = prop_oneof![
        4 => prefix,
        1 => path().prop_map(|path| format!(r#"{{"constraint_type":"exact","value":{path:?}}}"#)),
        1 => listed("one_of", "values"),
        1 => listed("not_one_of", "excluded"),
    ];
    leaf.prop_recursive(1, 4, 2, |inner| {
        (prop_oneof![Just("all"), Just("any")], prop::collection::vec(inner, 1..3))
            .prop_map(|(kind, c)| format!(r#"{{"constraint_type":"{kind}","constraints":[{}]}}"#, c.join(",")))
    })
}

fn read(text: &str) -> Constraint {
    Constraint::read(&json::parse(text.as_bytes()).unwrap(), &mut 1000).unwrap()
}

fn tools(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let arguments = prop::collection::btree_map(prop::sample::select(&["x", "y"][..]), constraint(), 0..3);
    prop::collection::btree_map(prop::sample::select(names), arguments, 0..3).prop_map(|tools| {
        let tools = tools.into_iter().map(|(name, arguments)| {
            let arguments: Vec<_> = arguments.into_iter().map(|(n, c)| format!("{n:?}:{c}")).collect();
            format!("{name:?}:{{{}}}", arguments.join(","))
        });
        format!("{{{}}}", tools.collect::<Vec<_>>().join(","))
    })
}

/// Any JSON text that the strict reader accepts, with blanks and escapes.
fn document() -> impl Strategy<Value = String> {
    let text = prop::collection::vec(any::<char>(), 0..6).prop_map(|chars| {
        let escaped: String = chars
            .into_iter()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() || c.is_ascii_punctuation() => {
                    c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04X}")).collect()
                }
                c => c.to_string(),
            })
            .collect();
        format!("\"{escaped}\"")
    });
    let number = any::<f64>()
        .prop_filter("one that is signed", |n| n.is_finite() && !(9_007_199_254_740_992.0..1e21).contains(&n.abs()))
        .prop_map(|n| format!("{n:e}"));
    let leaf = prop_oneof![text.clone(), number, any::<i32>().prop_map(|n| n.to_string()), Just("null".to_owned())];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let object = prop::collection::btree_map(text.clone(), inner.clone(), 0..4).prop_map(|members| {
            let members: Vec<_> = members.into_iter().map(|(k, v)| format!(" {k} :\t{v}")).collect();
            format!("{{{}}}", members.join(" ,"))
        });
        let array = prop::collection::vec(inner, 0..4).prop_map(|items| format!("[ {} ]", items.join(" , ")));
        prop_oneof![object, array]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_narrower_constraint_allows_its_parent_allows(
        parent in constraint(), child in constraint(), value in argument(),
    ) {
        let (parent, child) = (read(&parent), read(&child));
        let value = json::parse(value.as_bytes()).unwrap();
        if child.narrows(&parent) && child.allows(&value) {
            prop_assert!(parent.allows(&value));
        }
    }

    #[test]
    fn whatever_a_narrower_constraint_of_paths_allows_its_parent_allows(
        parent in of_paths(), child in of_paths(), value in path(),
    ) {
        let (parent, child) = (read(&parent), read(&child));
        let value = Value::String(value.into());
        if child.narrows(&parent) && child.allows(&value) {
            prop_assert!(parent.allows(&value));
        }
    }

    #[test]
    fn a_constraint_read_back_from_its_token_form_is_the_same(text in constraint()) {
        let once = read(&text);
        let written = attest_core::canon::jcs(&once);
        prop_assert_eq!(read(str::from_utf8(&written).unwrap()), once);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = json::parse(&bytes);
        let _ = b64::decode(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_narrower_grant_permits_its_parent_permits(
        parent in tools(&["s#a", "s#b"]), child in tools(&["s#a", "s#b", "s#c"]),
        x in prop::option::of(argument()), y in prop::option::of(argument()),
    ) {
        let grant = |text: &str| Tools::read(&json::parse(text.as_bytes()).unwrap()).unwrap();
        let (parent, child) = (grant(&parent), grant(&child));
        let members: Vec<_> = [("x", x), ("y", y)].into_iter().filter_map(|(n, v)| Some(format!("{n:?}:{}", v?))).collect();
        let arguments = format!("{{{}}}", members.join(","));
        let arguments = json::parse(arguments.as_bytes()).unwrap();
        if child.narrows(&parent) {
            for (name, constraints) in &child.0 {
                if permits(constraints, arguments.as_object()) {
                    prop_assert!(permits(&parent.0[name], arguments.as_object()));
                }
            }
        }
    }

    #[test]
    fn the_canonical_form_is_the_same_value_and_canonical_itself(text in document()) {
        if let Ok(value) = json::parse(text.as_bytes()) {
            let canonical = value.to_canonical();
            let again = json::parse(&canonical).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(again.to_canonical(), canonical);
        }
    }

    #[test]
    fn the_canonical_form_is_that_of_serde_jcs_where_both_read(text in document()) {
        // serde_json as an oracle only: it keeps the last of duplicates, which the strict reader has refused.
        if let (Ok(value), Ok(theirs)) = (json::parse(text.as_bytes()), serde_json::from_str::<serde_json::Value>(&text)) {
            prop_assert_eq!(String::from_utf8(value.to_canonical()), serde_jcs::to_string(&theirs).map(Ok).unwrap());
        }
    }

    #[test]
    fn a_byte_string_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let text = b64::encode(&bytes);
        prop_assert_eq!(b64::decode(&text), Some(bytes.clone()));
        let mut other = text.clone().into_bytes();
        if !other.is_empty() {
            *at.get_mut(&mut other) = with;
            if other != text.as_bytes() {
                prop_assert_ne!(b64::decode(&other), Some(bytes));
            }
        }
    }
}

#[test]
fn a_document_with_a_magic_key_of_serde_json_stays_an_object() {
    for key in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let text = format!(r#"{{"path":{{"{key}":"\"/etc/shadow\""}}}}"#);
        let value = json::parse(text.as_bytes()).unwrap();
        let inner = value.as_object().and_then(|o| o.get("path")).and_then(Value::as_object);
        assert_eq!(inner.and_then(|o| o.get(key)).and_then(Value::as_str), Some("\"/etc/shadow\""));
        assert_eq!(value.to_canonical(), text.as_bytes());
    }
}
