//! Installing and removing is the identity, on files that nobody thought of.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use attest_hosts::{Host, install, remove};
use common::{Folder, audit, wrap};
use proptest::prelude::*;

/// What may stand between two tokens.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        Just("\n  ".to_owned()),
        Just("\r\n\t".to_owned()),
        Just("// é \"x\": [\n".to_owned()),
        Just("/* } */".to_owned()),
    ]
}

/// A string literal, some of it escaped.
fn literal() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("a".to_owned()),
            Just("é".to_owned()),
            Just("\\u0061".to_owned()),
            Just("\\\"".to_owned()),
            Just("\\\\".to_owned()),
            Just("😀".to_owned()),
            Just("--".to_owned()),
            Just("/sse".to_owned()),
            Just("${env:X}".to_owned()),
        ],
        1..4,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn list(items: Vec<String>, gaps: [String; 3], comma: bool, open: char, close: char) -> String {
    let [a, b, c] = gaps;
    let inner = items.join(&format!("{a},{b}"));
    let last = if comma && !inner.is_empty() { "," } else { "" };
    format!("{open}{c}{inner}{a}{last}{b}{close}")
}

fn gaps() -> impl Strategy<Value = [String; 3]> {
    [gap(), gap(), gap()]
}

fn args() -> impl Strategy<Value = String> {
    (prop::collection::vec(literal(), 0..4), gaps(), any::<bool>())
        .prop_map(|(items, gaps, comma)| list(items, gaps, comma, '[', ']'))
}

fn entry() -> impl Strategy<Value = String> {
    let member = |name: &'static str, value: BoxedStrategy<String>| {
        (gap(), value).prop_map(move |(gap, value)| format!("\"{name}\"{gap}:{gap}{value}"))
    };
    let other = prop_oneof![
        member("env", Just("{\"A\": \"b\", }".to_owned()).boxed()),
        member("cwd", literal().boxed()),
        member("x", Just("[1, {\"command\": 2e-1}, null]".to_owned()).boxed()),
    ];
    let command = member("command", literal().boxed());
    let arguments = prop::option::of(member("args", args().boxed()));
    let local = (command, arguments, any::<bool>()).prop_map(|(command, args, first)| {
        let mut members: Vec<_> = args.into_iter().collect();
        members.insert(if first { 0 } else { members.len() }, command);
        members
    });
    let url = literal().prop_map(|text| format!("\"https://x.example/{}", &text[1..]));
    let remote = (
        member("url", url.boxed()),
        prop::option::of(member("headers", Just("{\"Accept\": \"a\"}".to_owned()).boxed())),
        prop::option::of(member("type", Just("\"http\"".to_owned()).boxed())),
    )
        .prop_map(|(url, headers, kind)| [headers, Some(url), kind].into_iter().flatten().collect::<Vec<_>>());
    (prop_oneof![local, remote], prop::option::of(other), any::<bool>(), gaps(), any::<bool>()).prop_map(
        |(mut members, other, first, gaps, comma)| {
            if let Some(other) = other {
                members.insert(if first { 0 } else { members.len() }, other);
            }
            list(members, gaps, comma, '{', '}')
        },
    )
}

fn file() -> impl Strategy<Value = String> {
    (prop::collection::vec((gap(), entry()), 0..4), gaps(), any::<bool>(), gap()).prop_map(
        |(entries, gaps, comma, gap)| {
            let servers = entries.into_iter().enumerate();
            let members = servers.map(|(n, (gap, entry))| format!("\"s{n}\"{gap}:{entry}")).collect();
            let servers = list(members, gaps, comma, '{', '}');
            format!("{gap}{{\"a\":1,{gap}\"mcpServers\":{servers}{gap}}}{gap}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn install_then_remove_is_the_identity(text in file(), wrapped in any::<bool>()) {
        let folder = Folder::new();
        let path = folder.write("mcp.json", text.as_bytes());
        let way = if wrapped { wrap() } else { audit() };
        let plan = install(Host::Cursor, &path, &way, None).unwrap();
        plan.apply().unwrap();
        prop_assert!(!install(Host::Cursor, &path, &way, None).unwrap().changes());
        remove(Host::Cursor, &path, None).unwrap().apply().unwrap();
        prop_assert_eq!(folder.text("mcp.json"), text);
        prop_assert_eq!(folder.names(), ["mcp.json"]);
    }

    /// As after an edit that touched every entry, or where the record is lost: what the entry says is enough to get a server
    /// with the same command and arguments.
    #[test]
    fn without_the_record_the_server_is_the_same(text in file()) {
        let folder = Folder::new();
        let path = folder.write("mcp.json", text.as_bytes());
        let shape = |text: &str| -> Vec<serde_json::Value> {
            let value = jsonc_parser::parse_to_serde_value::<serde_json::Value>(text, &Default::default()).unwrap();
            let servers = value["mcpServers"].as_object().unwrap().values().cloned();
            servers.map(|mut server| {
                if server.get("command").is_some() && server.get("args").is_none() {
                    server["args"] = serde_json::json!([]);
                }
                // Header fields are known to the record alone.
                server.as_object_mut().unwrap().remove("headers");
                server
            }).collect()
        };
        install(Host::Cursor, &path, &audit(), None).unwrap().apply().unwrap();
        let _ = std::fs::remove_file(folder.path("mcp.json.attest-state"));
        for n in 0..4 {
            remove(Host::Cursor, &path, Some(&format!("s{n}"))).unwrap().apply().unwrap();
        }
        prop_assert_eq!(shape(&folder.text("mcp.json")), shape(&text));
    }
}
