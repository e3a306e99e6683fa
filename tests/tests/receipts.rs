//! Receipts between real processes: what the host sees, what is kept, and what becomes of an answer that somebody changed on
//! its way from the guard to the wrap.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use attest_core::checkpoint::LogKeys;
use attest_core::digest::Digest;
use attest_core::json as strict;
use attest_core::note::{Kind, Vkey};
use attest_core::receipt::{self, Carried};
use attest_core::sign::Sign as _;
use attest_keys::SecretKey;
use attest_tests::binaries::attest;
use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::http::Served;
use attest_tests::world::{AUDIENCE, World, must, must_fail};
use serde_json::{Value, json};

/// Tools whose answers can bear a receipt.
const TOOLS: [&str; 7] = ["plain", "spaced", "meta", "empty", "fails", "error", "error_data"];
/// Tools whose answers can bear none.
const BARE: [&str; 3] = ["error_text", "null", "number"];

fn world() -> World {
    let world = World::granting(&[&TOOLS[..], &BARE, &["task", "held"]].concat());
    world.write("server.py", include_str!("receipts/server.py"));
    world.write("tamper.py", include_str!("receipts/tamper.py"));
    world
}

fn python(world: &World, words: &[&str]) -> Vec<OsString> {
    let (script, rest) = words.split_first().unwrap();
    let script = [OsString::from("python3"), "-SE".into(), world.path(script).into()];
    script.into_iter().chain(rest.iter().map(OsString::from)).collect()
}

fn guard_with(world: &World, config: &str) -> Vec<OsString> {
    let words = [attest().into(), "guard".into(), "--config".into(), world.path(config).into(), "--".into()];
    [&words[..], &python(world, &["server.py"])].concat()
}

/// A host, behind a wrap, somebody on the way, and a guard.
fn tampered(world: &World, trick: &str) -> Client {
    let between = [python(world, &["tamper.py", trick, "--"]), guard_with(world, "guard.toml")].concat();
    Client::start(world.wrap(AUDIENCE, &between))
}

fn call(id: u64, tool: &str, arguments: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

fn asks(id: u64, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The line that answers, as it came.
fn line(client: &mut Client, request: &str) -> String {
    let id = serde_json::from_str::<Value>(request).unwrap()["id"].clone();
    assert!(client.send(request), "{}", client.said());
    client.answer_line(id).line
}

/// What the caller's log says of the receipts that it looked at, once there are so many.
fn receipts(world: &World, count: usize) -> Vec<Value> {
    eventually("the receipts in the caller's log", || {
        Some(world.entries("signer.db", &[("type", "receipt")])).filter(|found| found.len() >= count)
    })
}

fn log_keys(world: &World) -> LogKeys {
    let config = world.read("agent.toml");
    let line = config.lines().find(|line| line.starts_with("log_keys")).unwrap();
    LogKeys::parse(&[line.split('"').nth(1).unwrap()]).unwrap()
}

#[test]
fn over_stdio_the_host_sees_what_the_server_sent_byte_for_byte() {
    let world = world();
    let mut direct = Client::start(world.command(&python(&world, &["server.py"])));
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    let tools = (1..).zip(TOOLS);
    for (id, tool) in tools {
        let request = call(id, tool, json!({}));
        assert_eq!(line(&mut host, &request), line(&mut direct, &request), "{tool}");
    }
    for method in ["initialize", "ping"] {
        let request = asks(50, method, json!({"capabilities": {}}));
        let [seen, sent] = [&mut host, &mut direct].map(|client| line(client, &request));
        assert_eq!(strict::parse(seen.as_bytes()), strict::parse(sent.as_bytes()), "{method}");
    }
    host.end();
    let kept = receipts(&world, TOOLS.len());
    assert_eq!(kept.len(), TOOLS.len());
    assert!(kept.iter().all(|entry| entry["check"] == "ok" && entry["log"] == AUDIENCE), "{kept:?}");
}

/// POSTs a message and answers the body of what comes back, not a byte changed but that a chunked one is put together.
fn post(url: &str, message: &str, modern: bool) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let read: Value = serde_json::from_str(message).unwrap();
    let name = read["params"]["name"].as_str().unwrap_or_default();
    let own = if modern {
        format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {name}\r\n")
    } else {
        "mcp-protocol-version: 2025-11-25\r\n".to_owned()
    };
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{own}content-length: {}\r\n\r\n{message}",
        message.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}

fn modern_call(id: u64, tool: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}, "_meta": meta}})
        .to_string()
}

#[test]
fn over_http_the_host_sees_what_the_server_sent_byte_for_byte_in_either_era_as_json_and_as_events() {
    let world = world();
    let mut looked_at = 0;
    for path in ["/mcp", "/events"] {
        let server = Served::server(world.command(&python(&world, &["server.py", "--http", path])));
        let guard = ["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--upstream", &server.url];
        let guard = Served::attest(world.attest(&guard));
        let wrap = world.listening_wrap(&guard.url);
        for (id, tool) in (1..).zip(TOOLS) {
            for modern in [false, true] {
                let request = if modern { modern_call(id, tool) } else { call(id, tool, json!({})) };
                let [seen, sent] = [wrap.url(), &server.url].map(|url| post(url, &request, modern));
                assert!(sent.contains("jsonrpc"), "{path} {tool}: {sent}");
                assert_eq!(seen, sent, "{path} {tool}");
                looked_at += 1;
            }
        }
        for tool in BARE {
            let seen = post(wrap.url(), &call(90, tool, json!({})), false);
            assert!(seen.contains("no-receipt"), "{path} {tool}: {seen}");
        }
        wrap.end();
    }
    let kept = receipts(&world, looked_at + 2 * BARE.len());
    assert_eq!(kept.iter().filter(|entry| entry["check"] == "ok").count(), looked_at);
}

#[test]
fn an_answer_that_can_bear_no_receipt_is_withheld_and_the_log_says_so() {
    let world = world();
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    for (id, tool) in (1..).zip(BARE) {
        assert_eq!(reason(&host.call(tool, json!({}))), "no-receipt", "{tool} {id}");
    }
    host.end();
    let kept = receipts(&world, BARE.len());
    assert!(kept.iter().all(|e| e["check"] == "no-receipt" && e["about"] == "missing" && e["receipt"].is_null()));
    // Both logs have the call, and that it ended.
    assert_eq!(world.entries("guard.db", &[("type", "outcome")]).len(), BARE.len());
}

/// What is done on the way, the tool, and what the host and the caller's log are told: reason and word.
const TRICKS: [(&str, &str, &str, &str); 17] = [
    ("result", "plain", "bad-receipt", "result"),
    ("result", "fails", "bad-receipt", "result"),
    ("result", "error_data", "bad-receipt", "result"),
    ("status", "plain", "bad-receipt", "status"),
    ("error", "plain", "bad-receipt", "status"),
    ("drop", "plain", "no-receipt", "missing"),
    ("drop", "error", "no-receipt", "missing"),
    ("drop_and_change", "plain", "no-receipt", "missing"),
    ("receipt", "plain", "bad-receipt", "call"),
    ("token", "plain", "bad-receipt", "call"),
    ("proof", "plain", "bad-receipt", "index"),
    ("replay", "plain", "bad-receipt", "call"),
    ("both", "plain", "no-receipt", "missing"),
    ("case", "plain", "no-receipt", "missing"),
    ("twice", "plain", "no-receipt", "missing"),
    ("unknown_refusal", "plain", "no-receipt", "missing"),
    ("none", "plain", "", ""),
];

/// The first of two calls is only looked at where the trick needs a second.
const NEED_TWO: [&str; 4] = ["receipt", "token", "proof", "replay"];

#[test]
fn over_stdio_an_answer_that_was_changed_on_its_way_is_withheld_for_the_right_reason() {
    for (trick, tool, expected, word) in TRICKS {
        let world = world();
        let mut host = tampered(&world, trick);
        for _ in 0..2 {
            let first = line(&mut host, &call(1, tool, json!({"n": 1})));
            assert!(NEED_TWO.contains(&trick) || !expected.is_empty() || first.contains("plain"), "{trick}: {first}");
            if NEED_TWO.contains(&trick) {
                assert!(first.contains("\"plain\""), "{trick}: {first}");
                break;
            }
        }
        let answer = line(&mut host, &call(2, tool, json!({"n": 2})));
        assert!(!answer.contains("TAMPERED"), "{trick}: {answer}");
        assert_eq!(reason(&serde_json::from_str(&answer).unwrap()), expected, "{trick} {tool}: {answer}");
        host.end();
        let last = receipts(&world, 2).pop().unwrap();
        let (check, about) = (last["check"].as_str().unwrap(), last["about"].as_str().unwrap_or_default());
        let expected = if expected.is_empty() { "ok" } else { expected };
        assert_eq!((check, about), (expected, word), "{trick} {tool}: {last}");
        // What was wrong is kept: it is evidence.
        assert_eq!(last["receipt"].is_string(), word != "missing", "{trick}: {last}");
    }
}

#[test]
fn over_http_an_answer_that_was_changed_on_its_way_is_withheld_for_the_right_reason() {
    for path in ["/mcp", "/events"] {
        let world = world();
        let server = Served::server(world.command(&python(&world, &["server.py", "--http", path])));
        let guard = ["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--upstream", &server.url];
        let guard = Served::attest(world.attest(&guard));
        for (trick, tool, expected, _) in TRICKS {
            let proxy = Served::server(world.command(&python(&world, &["tamper.py", trick, &guard.url])));
            let wrap = world.listening_wrap(&proxy.url);
            let first = post(wrap.url(), &call(1, tool, json!({})), false);
            assert!(!NEED_TWO.contains(&trick) || first.contains("\"plain\""), "{path} {trick}: {first}");
            let answer = post(wrap.url(), &modern_call(2, tool), true);
            assert!(!answer.contains("TAMPERED"), "{path} {trick}: {answer}");
            let told =
                if expected.is_empty() { "\"plain\"".to_owned() } else { format!("{{\"reason\":\"{expected}\"}}") };
            assert!(answer.contains(&told), "{path} {trick} {tool}: {answer}");
            wrap.end();
        }
    }
}

#[test]
fn a_refusal_that_somebody_made_up_tells_the_host_a_reason_of_the_set_and_nothing_else() {
    for trick in ["refusal", "refusal_result"] {
        let world = world();
        let mut host = tampered(&world, trick);
        let answer = line(&mut host, &call(1, "plain", json!({})));
        assert!(answer.contains("This very call was made before") && !answer.contains("TAMPERED"), "{answer}");
        assert_eq!(reason(&serde_json::from_str(&answer).unwrap()), "replay", "{trick}");
    }
}

#[test]
fn what_no_strict_reader_reads_is_dropped_while_a_call_is_open() {
    let world = world();
    let mut host = tampered(&world, "text");
    host.send(call(1, "plain", json!({})));
    assert!(line(&mut host, &asks(2, "ping", json!({}))).contains("pong"));
    assert_eq!(host.kept().count(), 0, "{:?}", host.kept().collect::<Vec<_>>());
}

#[test]
fn a_refusal_of_the_guard_reaches_the_host_and_needs_no_receipt() {
    let world = world();
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    let refused = host.call("delete_everything", json!({}));
    assert_eq!(reason(&refused), "tool-not-granted", "{refused}");
    assert_eq!(text(&host.call("plain", json!({}))), "plain");
    host.end();
    assert_eq!(receipts(&world, 1).len(), 1);
}

#[test]
fn a_receipt_by_another_key_than_the_pinned_one_is_refused() {
    let world = world();
    must(world.attest(&["keygen", "keys/other.key"]));
    world.edit("guard.toml", "keys/guard-log.key", "keys/other.key");
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    assert_eq!(reason(&host.call("plain", json!({}))), "bad-receipt");
    host.end();
    let last = receipts(&world, 1).pop().unwrap();
    assert_eq!((&last["check"], &last["about"]), (&json!("bad-receipt"), &json!("checkpoint")), "{last}");
}

#[test]
fn a_guard_that_gives_no_receipts_is_good_enough_only_where_none_is_required() {
    let world = world();
    world.set("guard.toml", "receipts = false");
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    assert_eq!(reason(&host.call("plain", json!({}))), "no-receipt");
    host.end();
    must(world.attest(&["signer", "stop"]));
    world.set("agent.toml", "receipts = \"checked\"");
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    assert_eq!(text(&host.call("plain", json!({}))), "plain");
    host.end();
    // Either time it is written down.
    let kept = receipts(&world, 2);
    assert!(kept.iter().all(|entry| entry["check"] == "no-receipt"), "{kept:?}");
}

#[test]
fn where_receipts_are_checked_a_wrong_one_is_refused_all_the_same() {
    let world = world();
    world.set("agent.toml", "receipts = \"checked\"");
    for (trick, expected) in [("result", "bad-receipt"), ("drop", ""), ("replay", "bad-receipt")] {
        let mut host = tampered(&world, trick);
        host.call("plain", json!({}));
        assert_eq!(reason(&host.call("plain", json!({}))), expected, "{trick}");
    }
}

#[test]
fn without_a_pinned_key_receipts_are_ignored_and_the_host_does_not_see_them_and_cannot_be_required() {
    let world = world();
    let config = world.read("agent.toml");
    let at = config.find("[[server]]").unwrap();
    world.write("agent.toml", &config[..at]);
    let mut host = tampered(&world, "none");
    let mut direct = Client::start(world.command(&python(&world, &["server.py"])));
    for (id, tool) in (1..).zip(TOOLS.into_iter().chain(BARE)) {
        let request = call(id, tool, json!({}));
        assert_eq!(line(&mut host, &request), line(&mut direct, &request), "{tool}");
    }
    host.end();
    assert_eq!(world.entries("signer.db", &[("type", "receipt")]), [Value::Null; 0]);
    must(world.attest(&["signer", "stop"]));
    for asked in ["required", "checked"] {
        world.write("agent.toml", format!("receipts = \"{asked}\"\n{}", &config[..at]));
        let said = must_fail(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
        assert!(said.contains("pins no key of the log of \"tools\""), "{said}");
        must(world.attest(&["signer", "stop"]));
    }
}

#[test]
fn a_key_of_the_agents_own_is_no_key_of_a_servers_log() {
    let world = world();
    // The log's key is found beside the log once the signer has run.
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    host.call("plain", json!({}));
    host.end();
    must(world.attest(&["signer", "stop"]));
    for line in ["log_keys = []", "log_keys = [\"tools\"]", "log_keys = [\"tools+00000000+AAAA\"]"] {
        let config = world.read("agent.toml");
        let old = config.lines().find(|line| line.starts_with("log_keys")).unwrap();
        world.write("agent.toml", config.replace(old, line));
        let said = must_fail(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
        assert!(said.contains("agent.toml") && said.contains("log_keys"), "{line}: {said}");
        world.write("agent.toml", config);
    }
}

#[test]
fn two_servers_have_two_logs_and_the_receipts_of_one_do_not_pass_for_the_others() {
    let world = world();
    world.edit("guard.toml", "[\"tools#*\"]", "[\"tools#*\", \"second#*\"]");
    let guard = world.read("guard.toml");
    must(world.attest(&["keygen", "keys/second-log.key"]));
    let second = guard
        .replace("audience = \"tools\"", "audience = \"second\"")
        .replace("guard.db", "second.db")
        .replace("keys/guard-log.key", "keys/second-log.key");
    world.write("second.toml", second);
    must(world.attest(&[
        "delegate",
        "--key",
        "keys/root.key",
        "--issuer",
        "self",
        "--to",
        "keys/agent.key.pub",
        "--tool",
        "tools#plain",
        "--tool",
        "second#plain",
        "--out",
        "both.chain",
        "--life",
        "1h",
    ]));
    world.edit("agent.toml", "delegation.chain", "both.chain");
    let key = SecretKey::read(&world.path("keys/second-log.key")).unwrap();
    let vkey = Vkey::new("second", Kind::Log, key.public().clone()).unwrap();
    let config = world.read("agent.toml");
    world.write("agent.toml", format!("{config}\n[[server]]\naudience = \"second\"\nlog_keys = [\"{vkey}\"]\n"));
    for (audience, config) in [(AUDIENCE, "guard.toml"), ("second", "second.toml")] {
        let mut host = Client::start(world.wrap(audience, &guard_with(&world, config)));
        let answer = host.call("plain", json!({}));
        assert_eq!(text(&answer), "plain", "{audience}: {answer}");
        host.end();
    }
    let kept = receipts(&world, 2);
    let logs: Vec<_> = kept.iter().map(|entry| (entry["audience"].clone(), entry["log"].clone())).collect();
    assert_eq!(logs, [(json!("tools"), json!("tools")), (json!("second"), json!("second"))]);
    // The keys the other way round.
    must(world.attest(&["signer", "stop"]));
    let config = world.read("agent.toml");
    let swapped = config.replace("audience = \"tools\"", "audience = \"@\"");
    let swapped = swapped.replace("audience = \"second\"", "audience = \"tools\"").replace("\"@\"", "\"second\"");
    world.write("agent.toml", swapped);
    for (audience, config) in [(AUDIENCE, "guard.toml"), ("second", "second.toml")] {
        let mut host = Client::start(world.wrap(audience, &guard_with(&world, config)));
        assert_eq!(reason(&host.call("plain", json!({}))), "bad-receipt", "{audience}");
        host.end();
    }
    let kept = receipts(&world, 4);
    assert!(kept[2..].iter().all(|entry| entry["about"] == "log"), "{kept:?}");
}

#[test]
fn a_call_that_was_cancelled_and_answered_all_the_same_has_its_receipt() {
    let world = world();
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    host.send(call(1, "held", json!({"until": world.text_path("go")})));
    host.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string());
    assert!(line(&mut host, &asks(2, "ping", json!({}))).contains("pong"));
    world.write("go", "");
    assert_eq!(text(&host.answer(1)), "plain");
    host.end();
    assert_eq!(receipts(&world, 1)[0]["check"], "ok");
}

#[test]
fn a_tasks_result_has_its_receipt_wherever_it_is_told_first() {
    for (how, told) in [("tasks/get", "from the task"), ("tasks/result", "from the task"), ("tell", "from the task")] {
        let world = world();
        let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
        let mut direct = Client::start(world.command(&python(&world, &["server.py"])));
        for client in [&mut host, &mut direct] {
            assert!(line(client, &call(1, "task", json!({}))).contains("\"taskId\":\"t-1\""));
        }
        let request = asks(2, how, json!({"taskId": "t-1"}));
        let [seen, sent] = [&mut host, &mut direct].map(|client| {
            let answer = line(client, &request);
            let told = client.kept().map(|message| message.line.clone()).collect::<Vec<_>>();
            (answer, told)
        });
        assert_eq!(seen, sent, "{how}");
        assert!(format!("{seen:?}").contains(told), "{how}: {seen:?}");
        // Asked again, it is the same, and passes without a second receipt.
        let again = asks(3, "tasks/get", json!({"taskId": "t-1"}));
        assert_eq!(line(&mut host, &again), line(&mut direct, &again), "{how}");
        host.end();
        let kept = receipts(&world, 1);
        assert!(matches!(&*kept, [entry] if entry["check"] == "ok"), "{how}: {kept:?}");
    }
}

#[test]
fn the_answer_to_a_signed_question_that_ends_a_task_has_two_receipts() {
    let world = world();
    for (trick, expected) in [("none", ""), ("one_of_two", "no-receipt")] {
        let mut host = tampered(&world, trick);
        host.send(call(1, "task", json!({})));
        host.answer(1);
        let answer = line(&mut host, &asks(2, "tasks/cancel", json!({"taskId": "t-1"})));
        assert_eq!(reason(&serde_json::from_str(&answer).unwrap()), expected, "{trick}: {answer}");
        host.end();
    }
    let kept = receipts(&world, 4);
    let checks: Vec<_> = kept.iter().map(|entry| entry["check"].as_str().unwrap()).collect();
    assert_eq!(checks[..2], ["ok", "ok"]);
    assert_eq!(checks[2..].iter().filter(|check| **check == "no-receipt").count(), 1, "{checks:?}");
}

#[test]
fn a_tasks_result_that_was_changed_is_withheld_the_first_time_and_every_time() {
    for (trick, how) in [("result", "tasks/get"), ("result", "tasks/result"), ("drop_and_change", "tasks/result")] {
        let world = world();
        let mut host = tampered(&world, trick);
        host.send(call(1, "task", json!({})));
        host.answer(1);
        for id in 2..4 {
            let answer = line(&mut host, &asks(id, how, json!({"taskId": "t-1"})));
            assert!(!answer.contains("TAMPERED") && answer.contains("-receipt"), "{trick} {how}: {answer}");
        }
    }
    // What was right the first time, and is changed when it is asked for again.
    let world = world();
    let mut host = tampered(&world, "again");
    host.send(call(1, "task", json!({})));
    host.answer(1);
    let get = |id| asks(id, "tasks/get", json!({"taskId": "t-1"}));
    assert!(line(&mut host, &get(2)).contains("from the task"));
    assert!(line(&mut host, &get(3)).contains("bad-receipt"));
    // A notification is dropped.
    let world = self::world();
    let mut host = tampered(&world, "result");
    host.send(call(1, "task", json!({})));
    host.answer(1);
    line(&mut host, &asks(2, "tell", json!({})));
    assert_eq!(host.kept().count(), 0, "{:?}", host.kept().collect::<Vec<_>>());
}

#[test]
fn what_is_kept_can_be_checked_later_with_the_pinned_key_alone() {
    let world = world();
    let mut host = Client::start(world.wrap(AUDIENCE, &guard_with(&world, "guard.toml")));
    for tool in TOOLS {
        host.call(tool, json!({}));
    }
    host.end();
    let keys = log_keys(&world);
    receipts(&world, TOOLS.len());
    let log = world.log("signer.db");
    let mut checked = 0;
    for (index, entry) in log.iter().enumerate().filter(|(_, entry)| entry["type"] == "receipt") {
        let shown = must(world.attest(&["log", "show", "signer.db", &index.to_string()]));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let kept = shown["tokens"][entry["receipt"].as_str().unwrap()]["kept"].as_str().unwrap();
        assert_eq!(Digest::of(kept).to_b64(), entry["receipt"], "{entry}");
        let kept = strict::parse(kept.as_bytes()).unwrap();
        let opened = receipt::open(Carried::read(&kept).unwrap(), &keys).unwrap();
        assert_eq!(opened.receipt.call.to_b64(), entry["call"]);
        assert_eq!((json!(opened.receipt.index), json!(opened.size)), (entry["index"].clone(), entry["size"].clone()));
        // The entry that it proves is the one in the server's log, and the outcome the one in both.
        let decision = &world.log("guard.db")[usize::try_from(opened.receipt.index).unwrap()];
        assert_eq!((&decision["call"], &decision["decision"]), (&entry["call"], &json!("allow")));
        let ended =
            |log| world.entries(log, &[("type", "outcome"), ("call", entry["call"].as_str().unwrap())]).remove(0);
        for outcome in [ended("signer.db"), ended("guard.db")] {
            assert_eq!(outcome["status"], opened.receipt.outcome.status.as_str());
            assert_eq!(outcome["result"], opened.receipt.outcome.digest.unwrap().to_b64());
        }
        checked += 1;
    }
    assert_eq!(checked, TOOLS.len());
}
