//! Bytes that some server takes for a call and some reader does not.

use std::collections::BTreeMap;

use attest_tests::client::{Client, reason};
use attest_tests::forge::Forge;
use attest_tests::world::World;
use serde_json::{Value, json};

use super::CALL;

/// One member of a gzip file (RFC 1952) with the text in a stored block.
fn gzip(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(text.bytes());
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    assert!(!out.iter().any(|b| matches!(b, b'\n' | b'\r')), "one line is to be sent");
    out
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect()
}

/// A trick: its name, its bytes, and the reason that the log gives.
struct Trick {
    name: &'static str,
    line: Vec<u8>,
    logged: &'static str,
}

/// A call with one place changed.
fn swapped(from: &str, to: &str) -> String {
    assert!(CALL.contains(from));
    CALL.replacen(from, to, 1)
}

fn tricks() -> Vec<Trick> {
    let trick = |name, line: Vec<u8>, logged| Trick { name, line, logged };
    let text = |name, line: String, logged| trick(name, line.into_bytes(), logged);
    vec![
        text("no proof", CALL.to_owned(), "no-proof"),
        text("an escape in the method", swapped("tools/call", r"tools\u002fcall"), "no-proof"),
        text("an escaped slash in the method", swapped("tools/call", r"tools\/call"), "no-proof"),
        text("an escape in a member's name", swapped("method", r"meth\u006fd"), "no-proof"),
        text("an array", format!("[{CALL}]"), "not-strict-json"),
        text("an array in an array", format!("[[{CALL}]]"), "not-strict-json"),
        text("a second method", swapped(r#""method""#, r#""method":"ping","method""#), "duplicate-member"),
        text(
            "a second method in other letters",
            swapped(r#""method""#, r#""method":"ping","\u006dethod""#),
            "duplicate-member",
        ),
        text("a second params", swapped(r#""params""#, r#""params":{},"params""#), "duplicate-member"),
        text("a second name", swapped(r#""name""#, r#""name":"show","name""#), "duplicate-member"),
        text("a byte-order mark", format!("\u{feff}{CALL}"), "not-strict-json"),
        trick("UTF-16, little-endian", utf16(CALL, u16::to_le_bytes), "not-strict-json"),
        trick("UTF-16, big-endian", utf16(CALL, u16::to_be_bytes), "not-strict-json"),
        trick("gzip", gzip(CALL), "not-strict-json"),
        text("Method", swapped("method", "Method"), "bad-request"),
        text("METHOD beside method", swapped(r#""method""#, r#""method":"ping","METHOD""#), "bad-request"),
        text("PARAMS beside params", swapped(r#""params""#, r#""params":{"name":"x"},"PARAMS""#), "bad-request"),
        text("Name beside name", swapped(r#""name""#, r#""name":"x","Name""#), "bad-request"),
        text("two texts in one line", format!(r#"{{"jsonrpc":"2.0","method":"x"}}{CALL}"#), "not-strict-json"),
        text(
            "two texts with a blank between",
            format!(r#"{{"jsonrpc":"2.0","method":"x"}} {CALL}"#),
            "not-strict-json",
        ),
        text("a line within a line", format!("{{\"x\":\r{CALL}\r}}"), "not-strict-json"),
        text(
            "a line within a good line",
            format!("{{\"jsonrpc\":\"2.0\",\"x\":\r{CALL}\r,\"method\":\"x\"}}"),
            "not-strict-json",
        ),
        text("a CR before the line", format!("\r{CALL}"), "not-strict-json"),
        text("NUL after a text", format!("{{\"jsonrpc\":\"2.0\",\"method\":\"x\"}}\0{CALL}"), "not-strict-json"),
        text("NUL before a text", format!("\0{CALL}"), "not-strict-json"),
        text("NUL in a name", swapped("echo", "echo\0"), "not-strict-json"),
        text("an escaped NUL in a name", swapped("echo", r"echo\u0000"), "bad-request"),
        text("a lone surrogate", swapped(r#"{"n":1}"#, r#"{"n":"\ud800"}"#), "not-strict-json"),
        text("a number that no double holds", swapped(r#"{"n":1}"#, r#"{"n":9007199254740993}"#), "number-range"),
        text("an unknown member", swapped(r#""params""#, r#""trailer":1,"params""#), "bad-request"),
        text("a null id", swapped(r#""id":"x""#, r#""id":null"#), "no-id"),
        text("a nest of 65", swapped("1}}}", &format!("{}1{}}}}}}}", "[".repeat(65), "]".repeat(65))), "too-large"),
    ]
}

#[test]
fn each_trick_runs_a_tool_without_the_guard() {
    // Else the test below could not fail.
    let world = World::new();
    let mut client = Client::start(world.command(&world.server()));
    for Trick { name, line, .. } in tricks() {
        let before = world.runs().len();
        client.send(&line);
        assert!(client.ping());
        assert!(world.runs().len() > before, "{name}: the server is too strict to show anything");
    }
}

#[test]
fn no_trick_runs_anything_behind_the_guard_and_each_is_refused_and_counted_for_its_reason() {
    let world = World::new();
    let mut client = world.start_guard();
    let mut expected = BTreeMap::new();
    for Trick { name, line, logged } in tricks() {
        client.send(&line);
        assert!(client.ping(), "{name}");
        let messages = client.take_kept();
        let refusals: Vec<&str> = messages.iter().map(|m| reason(&m.value)).collect();
        match logged {
            // Without an id nobody is answered.
            "no-id" => assert_eq!(refusals, [""; 0], "{name}"),
            "no-proof" => assert_eq!(refusals, ["unauthenticated"], "{name}"),
            _ => assert_eq!(refusals, ["malformed"], "{name}"),
        }
        *expected.entry(logged.to_owned()).or_insert(0) += 1;
    }
    assert!(client.end().success());
    assert_eq!(counted(&world), expected);
    assert_eq!(world.entries("guard.db", &[("type", "decision")]), [] as [Value; 0]);
    assert_eq!(world.runs(), [] as [Value; 0]);
}

/// A reader in C ends a string at its first NUL (cJSON does), and takes both for calls.
#[test]
fn no_escaped_nul_makes_a_call_for_a_reader_in_c() {
    let world = World::new();
    let mut client = world.start_guard();
    for (from, to) in [("tools/call", r"tools/call\u0000"), ("method", r"method\u0000")] {
        client.send(swapped(from, to));
        assert!(client.ping());
        assert_eq!(world.runs(), [] as [Value; 0], "{to}");
    }
}

/// How many refusals of strangers the guard's log tells of, by reason.
fn counted(world: &World) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in world.entries("guard.db", &[("type", "refused")]) {
        *counts.entry(entry["reason"].as_str().unwrap().to_owned()).or_insert(0) += entry["count"].as_u64().unwrap();
    }
    counts
}

#[test]
fn a_call_without_an_id_runs_nothing_even_with_a_proof() {
    let world = World::new();
    let forged = Forge::of(&world).call(7, "echo", json!({}));
    let mut client = world.start_guard();
    client.send(forged.line.replacen(r#""id":7,"#, "", 1));
    client.send(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#);
    assert!(client.ping());
    assert_eq!(client.kept().count(), 0);
    client.end();
    assert_eq!(counted(&world)["no-id"], 2);
    assert!(world.runs().is_empty());
}

#[test]
fn a_line_over_the_limit_is_refused_and_the_next_one_is_read_as_a_line_of_its_own() {
    let world = World::new();
    world.set("guard.toml", "max_request_bytes = 20000");
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    // A whole call stands where a reader that cuts at the limit would begin again.
    let padding = " ".repeat(20_000 - 8);
    client.send(format!(r#"{{"x":"{padding}"}}{CALL}"#));
    assert!(client.ping());
    assert_eq!(client.kept().map(|m| reason(&m.value)).collect::<Vec<_>>(), ["malformed"]);
    client.send(forge.call(7, "echo", json!({"n": "x".repeat(20_000)})).line);
    assert!(client.ping());
    client.send(forge.call(8, "echo", json!({"n": 8})).line);
    assert_eq!(reason(&client.answer(8)), "");
    client.end();
    assert_eq!(counted(&world)["too-large"], 2);
    assert_eq!(world.runs().len(), 1);
}
