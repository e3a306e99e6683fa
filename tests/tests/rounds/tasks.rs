//! Calls that become tasks: who may feed or stop them, and how they end in the logs.

use std::ffi::OsString;

use attest_tests::client::{Client, eventually, reason};
use attest_tests::forge::Forge;
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::{AUDIENCE, World};
use serde_json::{Value, json};

use crate::{
    Named, Peer, allowed, changed, guard_of, guarded, guarded_http, http_wrap, initialize, legacy, modern, outcomes,
};

/// Asks for a task's state until `wanted` is it.
fn wait_for(peer: &mut Peer, task: &str, wanted: &str) -> Value {
    eventually(wanted, || {
        let state = peer.ask(&modern("get", "tasks/get", json!({"taskId": task})));
        assert!(state["result"]["status"].is_string(), "{state}");
        (state["result"]["status"] == wanted).then_some(state)
    })
}

/// The task that a call became.
fn task_of(answer: &Value) -> String {
    assert_eq!(answer["result"]["resultType"], "task", "{answer}");
    answer["result"]["taskId"].as_str().unwrap().to_owned()
}

fn steer(id: u64, method: &str, mut params: Value, task: &str) -> String {
    params["taskId"] = json!(task);
    modern(id, method, params)
}

#[test]
fn a_task_is_fed_only_by_signed_input_and_its_result_ends_the_call() {
    let tool = "confirm_delete";
    let world = World::granting(&[tool]);
    let forge = Forge::of(&world);
    let input =
        |confirm: bool| json!({"inputResponses": {"confirm": {"action": "accept", "content": {"confirm": confirm}}}});
    for (way, mut peer) in guarded(&world) {
        let call = forge.sign(&modern(1, "tools/call", json!({"name": tool, "arguments": {"filename": "a"}})));
        let task = task_of(&peer.ask(&call.line));
        wait_for(&mut peer, &task, "input_required");
        assert_eq!(outcomes(&world, "guard.db", &json!(call.call)).len(), 0, "{way}: it is still at work");

        let sign = |id| forge.sign(&steer(id, "tasks/update", input(false), &task));
        let tricks = [
            ("unsigned", "unauthenticated", steer(2, "tasks/update", input(true), &task)),
            (
                "changed",
                "params-mismatch",
                changed(&sign(3).line, |m| {
                    m["params"]["inputResponses"]["confirm"]["content"]["confirm"] = json!(true);
                }),
            ),
            (
                "of another task",
                "params-mismatch",
                changed(&forge.sign(&steer(4, "tasks/update", input(true), "other")).line, |m| {
                    m["params"]["taskId"] = json!(task);
                }),
            ),
            (
                "signed as another method",
                "method-mismatch",
                changed(&forge.sign(&steer(5, "tasks/get", input(true), &task)).line, |m| {
                    m["method"] = json!("tasks/update");
                }),
            ),
        ];
        for (trick, expected, line) in tricks {
            let answer = peer.ask(&line);
            assert_eq!(reason(&answer), expected, "{way}: {trick}: {answer}");
            wait_for(&mut peer, &task, "input_required");
        }
        let fed = peer.ask(&sign(6).line);
        assert!(fed["result"].is_object(), "{way}: {fed}");
        let end = wait_for(&mut peer, &task, "completed");
        assert_eq!(end["result"]["result"]["content"][0]["text"], "a: confirmed = false", "{way}");
        // Once more: the call has one outcome.
        wait_for(&mut peer, &task, "completed");
        peer.end();
        let ends = outcomes(&world, "guard.db", &json!(call.call));
        assert!(matches!(&*ends, [end] if end["status"] == "result" && end["result"].is_string()), "{way}: {ends:?}");
    }
    assert_eq!(allowed(&world, "guard.db", tool).len(), 2);
}

#[test]
fn a_task_is_cancelled_only_by_who_signs_for_it() {
    let tool = "slow_compute";
    let world = World::granting(&[tool]);
    let forge = Forge::of(&world);
    for (way, mut peer) in guarded(&world) {
        let call = forge.sign(&modern(1, "tools/call", json!({"name": tool, "arguments": {"seconds": 600}})));
        let task = task_of(&peer.ask(&call.line));
        let of_another = forge.sign(&steer(2, "tasks/cancel", json!({}), "other")).line;
        let tricks = [
            ("unauthenticated", steer(3, "tasks/cancel", json!({}), &task)),
            ("params-mismatch", changed(&of_another, |m| m["params"]["taskId"] = json!(task))),
        ];
        for (expected, line) in tricks {
            let answer = peer.ask(&line);
            assert_eq!(reason(&answer), expected, "{way}: {answer}");
            wait_for(&mut peer, &task, "working");
        }
        let cancelled = peer.ask(&forge.sign(&steer(4, "tasks/cancel", json!({}), &task)).line);
        assert!(cancelled["result"].is_object(), "{way}: {cancelled}");
        wait_for(&mut peer, &task, "cancelled");
        peer.end();
        let ends = outcomes(&world, "guard.db", &json!(call.call));
        assert!(matches!(&*ends, [end] if end["status"] == "cancelled"), "{way}: {ends:?}");
    }
}

/// What each log says of the ends of a tool's calls: status and digest, by call. They must say the same.
fn agreed_ends(world: &World, tool: &str) -> Vec<(Value, Value)> {
    let ends = |log: &str| -> Vec<Value> {
        let calls = allowed(world, log, tool);
        calls.iter().flat_map(|entry| outcomes(world, log, &entry["call"])).collect()
    };
    let of = |entry: &Value| [&entry["call"], &entry["status"], &entry["result"]].map(Value::clone);
    // The caller's log is written after the answer has gone.
    let (ours, theirs) = eventually("the outcome in both logs", || {
        let (ours, theirs) = (ends("signer.db"), ends("guard.db"));
        (ours.len() == theirs.len()).then_some((ours, theirs))
    });
    assert_eq!(ours.iter().map(of).collect::<Vec<_>>(), theirs.iter().map(of).collect::<Vec<_>>(), "{tool}");
    theirs.iter().map(|entry| (entry["status"].clone(), entry["result"].clone())).collect()
}

#[test]
fn the_logs_of_caller_and_server_agree_on_how_a_task_ended() {
    let world = World::granting(&["confirm_delete", "failing_job", "protocol_error_job", "slow_compute"]);
    let Peer::Http(_, mut served) = guarded_http(&world) else { panic!("over HTTP") };
    let wrap = http_wrap(&world, &served[0].url);
    let client = HttpClient::new(&wrap.url);
    served.insert(0, wrap);
    let mut peer = Peer::Http(client, served);
    for (tool, ends) in [("failing_job", "completed"), ("protocol_error_job", "failed"), ("slow_compute", "cancelled")]
    {
        let call = modern(1, "tools/call", json!({"name": tool, "arguments": {}}));
        let call = if tool == "slow_compute" {
            call.replace(r#""arguments":{}"#, r#""arguments":{"seconds":600}"#)
        } else {
            call
        };
        let task = task_of(&peer.ask(&call));
        if ends == "cancelled" {
            assert!(peer.ask(&steer(2, "tasks/cancel", json!({}), &task))["result"].is_object());
        }
        wait_for(&mut peer, &task, ends);
    }
    peer.end();
    for (tool, status, digest) in [
        ("failing_job", "tool-error", true),
        ("protocol_error_job", "error", true),
        ("slow_compute", "cancelled", false),
    ] {
        let ends = agreed_ends(&world, tool);
        assert!(matches!(&*ends, [(s, d)] if s == status && d.is_string() == digest), "{tool}: {ends:?}");
    }
}

/// wrap and guard in front of the server of 2025-11-25: it speaks stdio, and over HTTP stands behind the guard's gateway.
fn legacy_chains(world: &World) -> impl Iterator<Item = (&'static str, Peer)> {
    fn server(world: &World) -> Vec<OsString> {
        world.write("legacy_tasks.py", include_str!("legacy_tasks.py"));
        vec!["python3".into(), "-SE".into(), world.path("legacy_tasks.py").into(), world.path("runs").into()]
    }
    let stdio = |world: &World| Peer::Stdio(Client::start(world.wrap(AUDIENCE, &guard_of(world, server(world)))));
    let http = |world: &World| {
        let mut guard = world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--"]);
        guard.args(server(world));
        let guard = Served::attest(guard);
        let wrap = http_wrap(world, &guard.url);
        Peer::Http(HttpClient::new(&wrap.url), vec![wrap, guard])
    };
    let both: [Named; 2] = [("stdio", stdio), ("http", http)];
    both.into_iter().map(|(name, start)| {
        let mut peer = start(world);
        assert!(peer.ask(&initialize(0))["result"]["capabilities"]["tasks"].is_object());
        peer.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        (name, peer)
    })
}

#[test]
fn in_2025_11_25_the_result_that_is_fetched_ends_the_call_in_both_logs() {
    let world = World::granting(&["good", "bad"]);
    for (round, (way, mut peer)) in legacy_chains(&world).enumerate() {
        for tool in ["good", "bad"] {
            let call = json!({"name": tool, "arguments": {}, "task": {"ttl": 60000}});
            let begun = peer.ask(&legacy(1, "tools/call", call));
            let task = begun["result"]["task"]["taskId"].clone();
            assert!(task.is_string(), "{way}: {begun}");
            for expected in ["working", "completed"] {
                assert_eq!(peer.ask(&legacy(2, "tasks/get", json!({"taskId": task})))["result"]["status"], expected);
            }
            assert_eq!(agreed_ends(&world, tool).len(), round, "{way}: nobody has seen the result");
            let result = peer.ask(&legacy(3, "tasks/result", json!({"taskId": task})));
            assert_eq!(result["result"]["content"][0]["text"], format!("{tool} is done"), "{way}: {result}");
        }
        peer.end();
        for (tool, status) in [("good", "result"), ("bad", "tool-error")] {
            let ends = agreed_ends(&world, tool);
            assert_eq!(ends.len(), round + 1, "{way} {tool}");
            assert!(ends.iter().all(|(s, digest)| s == status && digest.is_string()), "{way} {tool}: {ends:?}");
        }
    }
    assert_eq!(world.runs().len(), 4);
}

/// Here the answer to the cancellation says how the task ended, and a client need not ask again.
#[test]
fn in_2025_11_25_the_answer_to_a_cancellation_ends_the_call_in_both_logs() {
    let world = World::granting(&["lasting"]);
    for (round, (way, mut peer)) in legacy_chains(&world).enumerate() {
        let call = json!({"name": "lasting", "arguments": {}, "task": {"ttl": 60000}});
        let task = peer.ask(&legacy(1, "tools/call", call))["result"]["task"]["taskId"].clone();
        let cancelled = peer.ask(&legacy(2, "tasks/cancel", json!({"taskId": task})));
        assert_eq!(cancelled["result"]["status"], "cancelled", "{way}: {cancelled}");
        peer.end();
        let ends = agreed_ends(&world, "lasting");
        assert_eq!(ends.len(), round + 1, "{way}");
        assert!(ends.iter().all(|(status, digest)| status == "cancelled" && digest.is_null()), "{way}: {ends:?}");
    }
}
