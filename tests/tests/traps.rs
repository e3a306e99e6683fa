//! Traps in the parts we build on, pinned, so that an upgrade or a new dependency cannot bring one back unseen.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use attest_core::json;
use attest_core::request::{Message, classify};
use attest_tests::client::text;
use attest_tests::world::{World, must, tests_folder};
use serde_json::Value;

/// The packages that are shipped.
const SHIPPED: [&str; 4] = ["-p", "attest-cli", "-p", "server-verifier"];

/// What cargo says, one line per item, without its repetitions.
fn cargo(args: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(tests_folder()).args(args);
    let out = String::from_utf8(must(cargo).stdout).unwrap();
    out.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// The features of `package` that are on in what is shipped, all of our own features on.
fn features(package: &str) -> BTreeSet<String> {
    let mut args =
        vec!["tree", "--all-features", "--edges", "features,no-dev", "--prefix", "none", "--invert", package];
    args.extend(SHIPPED);
    let start = format!("{} feature \"", package.split('@').next().unwrap());
    let lines = cargo(&args);
    let name = |line: &String| Some(line.strip_prefix(&start)?.strip_suffix('"')?.to_owned());
    let features: BTreeSet<String> = lines.iter().filter_map(name).collect();
    assert!(!features.is_empty(), "cargo tree no longer says what it said: {lines:?}");
    features
}

#[test]
fn serde_json_rounds_decimals_right_and_turns_no_object_into_a_number() {
    let features = features("serde_json");
    assert!(features.contains("float_roundtrip"), "{features:?}");
    for trap in ["arbitrary_precision", "unbounded_depth"] {
        assert!(!features.contains(trap), "{trap}: {features:?}");
    }
}

#[test]
fn ed25519_dalek_is_built_without_the_features_that_are_no_good_for_evidence() {
    let features = features("ed25519-dalek@3");
    for trap in ["batch", "legacy_compatibility", "hazmat", "serde"] {
        assert!(!features.contains(trap), "{trap}: {features:?}");
    }
}

#[test]
fn there_is_one_ed25519_dalek_in_what_is_shipped() {
    let mut args = vec!["tree", "--all-features", "--edges", "no-dev", "--prefix", "none"];
    args.extend(SHIPPED);
    let lines = cargo(&args);
    let found: Vec<&String> = lines.iter().filter(|line| line.starts_with("ed25519-dalek ")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn the_core_can_reach_no_clock_file_network_or_randomness() {
    let lines = cargo(&["tree", "-p", "attest-core", "--all-features", "--edges", "no-dev", "--prefix", "none"]);
    let names: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("serde_jcs"), "{names:?}");
    // `rand_core`, which p256 brings, holds traits and no source.
    let impure = ["tokio", "getrandom", "rusqlite", "rustix", "mio", "rand", "chrono", "jiff", "time", "tempfile"];
    for name in impure {
        assert!(!names.contains(name), "{name}: {names:?}");
    }
    // What the standard library has of these.
    let source = tests_folder().join("../attest-core/src");
    let mut grep = Command::new("grep");
    grep.args(["-rnE", r"std::(fs|net|process|thread|env|os)\b|SystemTime|Instant|\bunsafe\b"]).arg(source);
    let found = grep.output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn imports_go_down_only() {
    let below: BTreeMap<&str, &[&str]> = [
        ("attest-core", &[][..]),
        ("attest-keys", &["attest-core"]),
        ("attest-measure", &["attest-core"]),
        ("attest-hosts", &[]),
        ("attest-log", &["attest-core", "attest-keys"]),
        ("attest-watch", &["attest-core"]),
        ("attest-policy", &["attest-core"]),
        ("attest-redact", &["attest-core"]),
        ("attest-kept", &["attest-core", "attest-redact"]),
        ("attest-sinks", &[]),
        ("attest-forensics", &["attest-core", "attest-keys", "attest-kept", "attest-log"]),
        ("mcp-relay", &["attest-core"]),
        ("model-relay", &["attest-core", "mcp-relay"]),
        (
            "attest-trail",
            &["attest-core", "attest-log", "attest-watch", "attest-redact", "attest-kept", "attest-sinks", "mcp-relay"],
        ),
        (
            "agent-signer",
            &[
                "attest-core",
                "attest-keys",
                "attest-measure",
                "attest-log",
                "attest-policy",
                "attest-trail",
                "attest-watch",
                "mcp-relay",
                "model-relay",
            ],
        ),
        (
            "server-verifier",
            &[
                "attest-core",
                "attest-keys",
                "attest-measure",
                "attest-log",
                "attest-policy",
                "attest-sinks",
                "attest-trail",
                "attest-watch",
                "mcp-relay",
            ],
        ),
    ]
    .into();
    // They may use everything, and nothing uses them.
    let top = ["attest-cli", "attest-tests", "attest-benches", "attest-rmcp", "attest-count-server"];
    let mut metadata = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    metadata.current_dir(tests_folder()).args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&must(metadata).stdout).unwrap();
    let mut seen = BTreeSet::new();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        seen.insert(name);
        let allowed = below.get(name);
        assert!(
            allowed.is_some() || top.contains(&name),
            "{name} has no place in the order of imports; give it one here"
        );
        // Of all kinds: a test that imports upwards makes a circle as well.
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            if !ours.contains(dependency) {
                continue;
            }
            assert!(!top.contains(&dependency), "{name} imports {dependency}");
            let fine = allowed.is_none_or(|allowed| allowed.contains(&dependency));
            assert!(fine, "{name} imports {dependency}");
        }
    }
    assert!(below.keys().all(|name| seen.contains(name)), "{seen:?}");
}

/// Objects that `serde_json` reads as something else, where a crate in the build turns its magic on.
const MAGIC: &str =
    r#"{"n":{"$serde_json::private::Number":"7"},"path":{"$serde_json::private::RawValue":"\"/etc/shadow\""}}"#;

#[test]
fn an_object_with_a_magic_key_is_an_object_to_the_strict_reader() {
    let value = json::parse(MAGIC.as_bytes()).unwrap();
    let path = value.as_object().unwrap().get("path").unwrap();
    let inner = path.as_object().unwrap().get("$serde_json::private::RawValue").unwrap();
    assert_eq!(inner.as_str(), Some("\"/etc/shadow\""));
    assert_eq!(value.to_canonical(), MAGIC.as_bytes());
    let call = format!(r#"{{"id":1,"method":"tools/call","params":{{"arguments":{MAGIC},"name":"x"}}}}"#);
    let message = json::parse(call.as_bytes()).unwrap();
    let Ok(Message::Call(call)) = classify(&message) else { panic!("a call") };
    assert!(call.arguments().unwrap().get("path").unwrap().as_object().is_some());
}

#[test]
fn an_object_with_a_magic_key_reaches_the_server_unchanged_through_wrap_and_guard() {
    let world = World::new();
    let mut client = world.start();
    client.send(format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"show","arguments":{MAGIC}}}}}"#
    ));
    let shown = client.answer(1);
    assert!(text(&shown).contains(&format!(r#""arguments":{MAGIC}"#)), "{shown}");
    assert_eq!(world.runs()[0]["arguments"].to_string(), MAGIC);
}

#[test]
fn what_reaches_the_server_is_the_canonical_form_and_no_spelling_of_the_clients() {
    let world = World::new();
    let mut client = world.start();
    let odd = r#"{ "params" : {"name":"sh\u006fw", "arguments":{"z":1.0,"a":-0,"\u00e9":"\u0041\/","e":1e2}} , "method":"tools\/call","id":1.0,"jsonrpc":"2.0" }"#;
    client.send(odd);
    let line = client.answer(1);
    assert_eq!(
        text(&line),
        r#"{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{"arguments":{"a":0,"e":100,"z":1,"é":"A/"},"name":"show"}}"#
    );
}
