//! Over stdio: order, cancellations, and what changes while a call is held.

use std::time::Instant;

use attest_core::delegation::Delegation;
use attest_core::jws::Unverified;
use attest_tests::forge::now;

use super::*;

fn cancelled(id: u64) -> String {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}).to_string()
}

#[test]
fn it_runs_when_enough_persons_said_yes_its_caller_sees_whom_it_waits_for_and_other_calls_go_on() {
    for era in ERAS {
        let world = office("60s", 2);
        let forge = Forge::of(&world);
        let mut client = world.start_guard();
        client.send(show(&forge, era, 1, "this"));
        let first = next_told(&mut client, "waiting for 2 of 2 of treasury");
        client.send(forge.call(2, "echo", json!({"text": "meanwhile"})).line);
        assert!(client.answer(2).get("result").is_some());
        let request = the_request(&world);
        approve(&world, &request, "Ada");
        let then = next_told(&mut client, "waiting for 1 of 2 of treasury");
        assert!(0.0 < first && first < then && then < 1.0, "{first}, {then}");
        assert!(ran_nothing(&world));
        approve(&world, &request, "Bob");
        let shown = client.answer(1);
        assert!(shown["result"].is_object(), "{shown}");
        client.end();
        assert_eq!(world.runs().iter().map(|run| run["tool"].clone()).collect::<Vec<_>>(), ["echo", "show"]);
        assert_eq!(decided(&world), [""], "one decision: what was only looked at is none");
        assert_eq!(world.entries("guard.db", &[("type", "used")]).len(), 2);
        verify_log(&world);
    }
}

#[test]
fn a_person_who_refuses_ends_it_at_once() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    refuse(&world, &the_request(&world));
    assert_eq!(reason(&client.answer(1)), "policy-denied");
    assert!(ran_nothing(&world) && open_requests(&world).is_empty());
    client.end();
    assert_eq!(decided(&world), ["policy-denied"]);
}

#[test]
fn at_its_limit_it_is_refused_as_waiting_and_the_next_one_is_picked_up() {
    let world = office("2s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    let began = Instant::now();
    client.send(forge.call(1, "show", json!({"what": "this"})).line);
    let refused = client.answer(1);
    assert_eq!((reason(&refused), &refused["error"]["data"]["required"]), ("step-up-required", &json!(["approval"])));
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(client.kept().count(), 0, "who asks for no progress gets none");
    approve(&world, &the_request(&world), "Ada");
    client.send(forge.call(2, "show", json!({"what": "this"})).line);
    assert!(client.answer(2).get("result").is_some());
    client.end();
    assert_eq!(decided(&world), ["step-up-required", ""]);
}

#[test]
fn it_is_held_no_longer_than_its_proof_is_good() {
    let world = office("60s", 1);
    world.set("guard.toml", "skew_seconds = 0");
    let forge = Forge { life: 4, ..Forge::of(&world) };
    let mut client = world.start_guard();
    let began = Instant::now();
    client.send(show(&forge, ERAS[0], 1, "this"));
    assert_eq!(reason(&client.answer(1)), "step-up-required", "and not expired, which would say nothing of people");
    assert!(began.elapsed() < Duration::from_secs(20));
    client.end();
}

#[test]
fn who_takes_it_back_has_it_never_sent_on_and_his_id_again() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    let request = the_request(&world);
    client.send(cancelled(7));
    client.send(cancelled(1));
    eventually("a line in the log", || (decided(&world) == ["step-up-required"]).then_some(()));
    approve(&world, &request, "Ada");
    assert!(ran_nothing(&world));
    client.send(forge.call(1, "echo", json!({"text": "again"})).line);
    assert!(client.answer(1).get("result").is_some(), "the first answer under this id");
    client.end();
    assert_eq!(decided(&world), ["step-up-required"]);
}

#[test]
fn a_client_that_leaves_ends_it() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    let request = the_request(&world);
    let began = Instant::now();
    client.end();
    assert!(began.elapsed() < Duration::from_secs(30));
    approve(&world, &request, "Ada");
    assert!(ran_nothing(&world));
    assert_eq!(decided(&world), ["step-up-required"]);
    verify_log(&world);
}

#[test]
fn a_chain_that_ends_meanwhile_is_noticed_whatever_persons_say() {
    let world = office("60s", 1);
    world.set("guard.toml", "skew_seconds = 0");
    let mut forge = Forge::of(&world);
    let root = Unverified::<Delegation>::read(&forge.chain[0]).unwrap().peek().clone();
    let expires = now() + 4;
    forge.chain = vec![Delegation { expires, ..root }.sign(&forge.root).unwrap()];
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    let request = the_request(&world);
    eventually("the chain's end", || (now() > expires).then_some(()));
    approve(&world, &request, "Ada");
    assert_eq!(reason(&client.answer(1)), "stale");
    assert!(ran_nothing(&world));
    client.end();
    // Whose it was is not known any more once the times do not hold.
    assert_eq!((decided(&world).len(), world.entries("guard.db", &[("reason", "expired")]).len()), (0, 1));
}

#[test]
fn a_person_who_may_not_approve_any_more_does_not_count() {
    let world = office("60s", 1);
    world.write("before.toml", world.read("guard.toml"));
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    let request = the_request(&world);
    world.edit("guard.toml", "name = \"Ada\"\ngroups = [\"treasury\"]", "name = \"Ada\"\ngroups = [\"others\"]");
    eventually("the new rules", || world.entries("guard.db", &[("type", "config")]).pop());
    approve_as(&world, "before.toml", &request, "Ada");
    assert!(ran_nothing(&world));
    approve(&world, &request, "Bob");
    assert!(client.answer(1).get("result").is_some());
    client.end();
    let passed = world.entries("guard.db", &[("type", "decision"), ("tool", "show")]);
    assert_eq!(passed.len(), 1);
    assert_eq!(world.runs().len(), 1);
    verify_log(&world);
}

#[test]
fn rules_that_ask_nobody_any_more_let_it_go_on_and_rules_that_hold_nothing_end_it() {
    for (from, to, wanted) in [("high", "low", ""), ("hold = \"60s\"", "", "step-up-required")] {
        let world = office("60s", 1);
        let forge = Forge::of(&world);
        let mut client = world.start_guard();
        client.send(show(&forge, ERAS[0], 1, "this"));
        the_request(&world);
        if to == "low" {
            world.edit("risk.toml", "[classes.shown]\nrisk = \"high\"", "[classes.shown]\nrisk = \"low\"");
        } else {
            world.edit("guard.toml", from, to);
        }
        let answer = client.answer(1);
        assert_eq!(reason(&answer), wanted, "{answer}");
        client.end();
        assert_eq!(decided(&world), [wanted]);
    }
}

#[test]
fn past_its_number_an_agent_is_refused_at_once() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    for id in 1..=16 {
        client.send(show(&forge, ERAS[0], id, "this"));
    }
    client.send(show(&forge, ERAS[0], 17, "this"));
    assert_eq!(reason(&client.answer(17)), "step-up-required");
    client.send(cancelled(3));
    eventually("a place", || {
        client.send(show(&forge, ERAS[0], 18, "this"));
        // Answered, there was none; a ping that is answered first shows that it is held.
        client.ping();
        let refused = client.take_kept().iter().any(|message| message.value["id"] == 18);
        (!refused).then_some(())
    });
    approve(&world, &the_request(&world), "Ada");
    let ran = client.find("one of them", |message| message.value.get("result").is_some()).value;
    assert!(ran["id"].as_u64().unwrap() != 17);
    client.end();
    assert_eq!(world.runs().iter().filter(|run| run["tool"] == "show").count(), 1, "an approval serves one call");
}

#[test]
fn an_id_that_is_held_is_nobody_elses() {
    let world = office("60s", 1);
    let forge = Forge::of(&world);
    let mut client = world.start_guard();
    client.send(show(&forge, ERAS[0], 1, "this"));
    let request = the_request(&world);
    client.send(forge.call(1, "echo", json!({"text": "same"})).line);
    assert_eq!(reason(&client.answer(1)), "malformed");
    client.send(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string());
    assert_eq!(reason(&client.answer(1)), "malformed");
    approve(&world, &request, "Ada");
    assert!(client.answer(1)["result"].is_object());
    client.end();
}

#[test]
fn a_host_behind_its_wrap_sees_whom_it_waits_for_and_then_the_answer() {
    let world = office("60s", 1);
    let mut client = world.start();
    let id = client
        .ask("tools/call", json!({"name": "show", "arguments": {"what": "this"}, "_meta": meta(ERAS[0], json!("t"))}));
    next_told(&mut client, "waiting for 1 of 1 of treasury");
    assert!(client.call("echo", json!({"text": "meanwhile"})).get("result").is_some());
    approve(&world, &the_request(&world), "Bob");
    let shown = client.answer(id);
    assert!(shown["result"].is_object(), "{shown}");
    let id = client.ask_tool("show", json!({"what": "that"}));
    the_request(&world);
    client.send(cancelled(id));
    eventually("a line in the log", || (decided(&world) == ["", "step-up-required"]).then_some(()));
    client.end();
    assert_eq!(world.runs().len(), 2);
    verify_log(&world);
}
