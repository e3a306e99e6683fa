//! Over HTTP: the answer begins as events while people think.

use std::process::Command;

use attest_tests::binaries::attested_server;
use attest_tests::client::text;
use attest_tests::http::{HttpClient, Served};

use super::*;

/// A client of an era, ready to call.
fn client_of(era: &str, url: &str) -> HttpClient {
    let mut client = HttpClient::new(url);
    if era == ERAS[0] {
        let info = json!({"protocolVersion": era, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let opened =
            client.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info}).to_string());
        assert_eq!(opened.status, 200);
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
    }
    client
}

fn behind(world: &World) -> Vec<std::ffi::OsString> {
    let mut words = vec!["--".into()];
    words.extend(world.server());
    words
}

#[test]
fn it_runs_when_enough_persons_said_yes_and_progress_comes_before_the_answer() {
    for era in ERAS {
        let world = office("60s", 2);
        let forge = Forge::of(&world);
        let guard = world.listening_guard(&behind(&world));
        let mut client = client_of(era, guard.url());
        let mut messages = client.open(&show(&forge, era, 1, "this"));
        assert_eq!(told(&messages.next().unwrap()).unwrap().1, "waiting for 2 of 2 of treasury");
        // The other era's client has no session, so the same client shows that others go on.
        let params = json!({"name": "echo", "arguments": {"text": "x"}, "_meta": meta(era, json!("other"))});
        let echo =
            forge.sign(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}).to_string());
        let echoed = client.send(&echo.line).last();
        assert!(echoed.get("result").is_some(), "{echoed}");
        let request = the_request(&world);
        approve(&world, &request, "Ada");
        let one = messages.find_map(|message| told(&message).filter(|(_, text)| text.contains("1 of 2"))).unwrap();
        approve(&world, &request, "Bob");
        let last = messages.find(|message| message.get("method").is_none()).unwrap();
        assert!(last["id"] == 1 && last["result"].is_object() && one.0 > 0.0, "{last}");
        drop(messages);
        guard.end();
        assert_eq!(decided(&world), [""]);
        verify_log(&world);
    }
}

#[test]
fn a_refusal_and_the_limit_are_the_last_event() {
    let world = office("3s", 1);
    let forge = Forge::of(&world);
    let guard = world.listening_guard(&behind(&world));
    let client = client_of(ERAS[1], guard.url());
    let messages: Vec<Value> = client.open(&show(&forge, ERAS[1], 1, "this")).collect();
    assert_eq!(reason(messages.last().unwrap()), "step-up-required");
    refuse(&world, &the_request(&world));
    let messages: Vec<Value> = client.open(&show(&forge, ERAS[1], 2, "this")).collect();
    assert_eq!(reason(messages.last().unwrap()), "policy-denied");
    let mut held = client.open(&show(&forge, ERAS[1], 3, "this"));
    held.next().unwrap();
    refuse(&world, &the_request(&world));
    assert_eq!(reason(&held.last().unwrap()), "policy-denied");
    guard.end();
    assert!(world.runs().is_empty());
}

#[test]
fn a_client_that_closes_its_connection_ends_it() {
    for era in ERAS {
        let world = office("60s", 1);
        let forge = Forge::of(&world);
        let guard = world.listening_guard(&behind(&world));
        let client = client_of(era, guard.url());
        let mut messages = client.open(&show(&forge, era, 1, "this"));
        messages.next().unwrap();
        let request = the_request(&world);
        drop(messages);
        drop(client);
        eventually("a line in the log", || (decided(&world) == ["step-up-required"]).then_some(()));
        approve(&world, &request, "Ada");
        assert!(ran_nothing(&world));
        guard.end();
        assert_eq!(decided(&world), ["step-up-required"]);
    }
}

#[test]
fn in_a_session_another_exchange_takes_it_back_and_no_other_session_does() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let guard = world.listening_guard(&behind(&world));
    let (mut client, mut other) = (client_of(ERAS[0], guard.url()), client_of(ERAS[0], guard.url()));
    let mut messages = client.open(&show(&forge, ERAS[0], 1, "this"));
    messages.next().unwrap();
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string();
    assert_eq!(other.send(&cancelled).status, 202);
    assert!(messages.next().is_some_and(|message| told(&message).is_some()), "it waits on");
    assert_eq!(client.send(&cancelled).status, 202);
    assert_eq!(messages.find(|message| message.get("method").is_none()), None, "the stream ends without an answer");
    let request = the_request(&world);
    approve(&world, &request, "Ada");
    assert!(ran_nothing(&world));
    guard.end();
    assert_eq!(decided(&world), ["step-up-required"]);
}

#[test]
fn a_host_behind_a_wrap_over_http_sees_whom_it_waits_for_and_then_the_answer() {
    let world = office("60s", 1);
    let guard = world.listening_guard(&behind(&world));
    let wrap = world.listening_wrap(guard.url());
    let client = client_of(ERAS[1], wrap.url());
    let params = json!({"name": "show", "arguments": {"what": "this"}, "_meta": meta(ERAS[1], json!("t"))});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let mut messages = client.open(&call);
    assert_eq!(told(&messages.next().unwrap()).unwrap().1, "waiting for 1 of 1 of treasury");
    approve(&world, &the_request(&world), "Ada");
    let last = messages.find(|message| message.get("method").is_none()).unwrap();
    assert!(last["result"].is_object(), "{last}");
    wrap.end();
    guard.end();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_host_behind_a_wrap_that_bridges_sees_it_too() {
    let world = office("60s", 1);
    let guard = world.listening_guard(&behind(&world));
    let wrap =
        ["wrap", "--config", "agent.toml", "--audience", attest_tests::world::AUDIENCE, "--upstream", guard.url()];
    let mut client = Client::start(world.attest(&wrap));
    let params = json!({"name": "show", "arguments": {"what": "this"}, "_meta": meta(ERAS[1], json!("t"))});
    let id = client.ask("tools/call", params);
    next_told(&mut client, "waiting for 1 of 1 of treasury");
    approve(&world, &the_request(&world), "Ada");
    let shown = client.answer(id);
    assert!(shown["result"].is_object(), "{shown}");
    client.end();
    guard.end();
}

#[test]
fn a_guard_that_is_told_to_end_does_not_wait_for_people() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let guard = world.listening_guard(&behind(&world));
    let client = client_of(ERAS[1], guard.url());
    let mut messages = client.open(&show(&forge, ERAS[1], 1, "this"));
    messages.next().unwrap();
    let reader = std::thread::spawn(move || messages.last().unwrap());
    guard.end();
    assert_eq!(reason(&reader.join().unwrap()), "step-up-required");
    assert!(ran_nothing(&world));
    assert_eq!(decided(&world), ["step-up-required"]);
    verify_log(&world);
}

#[test]
fn inside_a_server_the_tool_knows_who_calls_it_after_the_wait_too() {
    let world = office_of(World::granting(&["whoami"]), "60s", 1);
    let forge = Forge::of(&world);
    let mut server = Served::server(world.place(Command::new(attested_server())));
    let client = client_of(ERAS[0], &server.url);
    let mut messages = client.open(&forge.call(1, "whoami", json!({})).line);
    approve(&world, &the_request(&world), "Ada");
    let answer = messages.find(|message| message.get("method").is_none()).unwrap();
    assert_eq!(text(&answer), "tester on behalf of self");
    drop(messages);
    server.end();
    assert_eq!(world.entries("guard.db", &[("type", "decision"), ("tool", "whoami")]).len(), 1);
}
