//! The pages for one person, over what lies in the database.

use std::collections::BTreeSet;

use attest_tests::client::{eventually, reason};
use attest_tests::forge::Forge;
use attest_tests::page::Page;

use super::approvals::{LYING, REQUESTS, office, show, waits};
use super::*;

/// `attest approvals serve`, as Ada, with the configuration of one guard.
fn desk(world: &World, n: usize) -> Page {
    Page::open(world.attest(&["approvals", "--config", &format!("guard-{n}.toml"), "serve", "--key", "Ada.key"]))
}

/// The path of the one request on the list.
fn request(page: &Page) -> String {
    let list = page.get("");
    assert_eq!(list.status, 200, "{list:?}");
    let link = format!("{}r/", page.base);
    let ids: BTreeSet<&str> = list.body.split(&link).skip(1).map(|rest| &rest[..43]).collect();
    assert_eq!(ids.len(), 1, "{}", list.body);
    ids.into_iter().map(|id| format!("r/{id}")).collect()
}

/// Presses a button of a request's own page.
fn press(page: &Page, request: &str, button: &str) {
    let shown = page.get(request).body;
    let form = shown.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let other = page.post(&format!("{request}/{button}"), "form=AAAA");
    assert_eq!(other.status, 403, "{other:?}");
    let done = page.post(&format!("{request}/{button}"), &format!("form={form}"));
    assert_eq!(done.status, 303, "{done:?}");
}

#[test]
fn what_is_approved_or_refused_on_the_page_counts_at_every_guard() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    // The first of them makes the tables.
    one.ping();
    // Each page is that of another guard's people, and both show the same.
    let pages = [desk(&world, 0), desk(&world, 1)];
    let list = pages[0].get("");
    assert!(list.status == 200 && !list.body.contains("/r/"), "nothing waits: {list:?}");
    waits(&forge, &mut one, 1, "this & <that>");
    let path = request(&pages[1]);
    assert_eq!(request(&pages[0]), path);
    let shown = pages[1].get(&path).body;
    assert!(shown.contains("show") && shown.contains("this &amp; &lt;that&gt;"), "{shown}");
    press(&pages[1], &path, "approve");
    assert!(pages[0].get(&path).body.contains("Ada"), "the other page says who approved");
    let answer = show(&forge, &mut other, 2, "this & <that>");
    assert!(answer["result"].is_object(), "{answer}; {}", other.said());
    assert_eq!(pages[1].post(&format!("{path}/approve"), "form=AAAA").status, 409, "it is over");

    waits(&forge, &mut other, 3, "more");
    let path = request(&pages[0]);
    press(&pages[0], &path, "refuse");
    assert_eq!(reason(&show(&forge, &mut one, 4, "more")), "policy-denied");
    assert_eq!(count(&server, LYING), 0);

    // While the database is away the page says so, and shows what waits when it is back.
    waits(&forge, &mut one, 5, "last");
    server.down("fast");
    let failed = pages[0].get("");
    assert_eq!(failed.status, 409, "{failed:?}");
    assert!(failed.body.contains("postgresql://"), "{failed:?}");
    server.up();
    eventually("the page, again", || (pages[0].get("").status == 200).then_some(()));
    assert!(pages[0].get(&request(&pages[0])).body.contains("last"));
    one.end();
    other.end();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn the_browsers_view_shows_the_shared_log_and_what_waits_beside_it() {
    let server = Server::start();
    let world = office(&server, "");
    let forge = Forge::of(&world);
    let (mut one, mut other) = (guard(&world, 0), guard(&world, 1));
    let url = server.url("log");
    waits(&forge, &mut one, 1, "this");
    let key = String::from_utf8(attest_tests::world::must(world.attest(&["log", "key", &url])).stdout).unwrap();
    let page = Page::open(world.attest(&["ui", &url, "--trust", "guard-0.toml", "--key", key.trim()]));
    let waiting = page.get("api/approvals").json();
    let found = waiting["requests"].as_array().unwrap();
    assert_eq!((found.len(), waiting["counted"].as_bool()), (1, Some(true)), "{waiting}");
    assert_eq!((found[0]["tool"].as_str(), found[0]["refused"].as_bool()), (Some("show"), Some(false)), "{waiting}");
    assert!(!waiting["requests"][0]["sections"].to_string().contains("Ada approved"), "{waiting}");
    let desk = desk(&world, 1);
    press(&desk, &request(&desk), "approve");
    let waiting = page.get("api/approvals").json();
    assert!(waiting["requests"][0]["sections"].to_string().contains("Ada"), "{waiting}");
    let answer = show(&forge, &mut other, 2, "this");
    assert!(answer["result"].is_object(), "{answer}; {}", other.said());
    // The calls of both guards come as they are made.
    eventually("the call that was let through", || {
        let rows = page.get("api/rows?tool=show&verdict=allow").json();
        (rows["rows"].as_array().unwrap().len() == 1).then_some(())
    });
    let waiting = page.get("api/approvals").json();
    assert_eq!((count(&server, REQUESTS), waiting["requests"].as_array().unwrap().len()), (0, 0), "{waiting}");
    let refused = page.get("api/rows?tool=show&verdict=deny").json();
    assert_eq!(refused["rows"].as_array().unwrap().len(), 1, "{refused}");
    eventually("a verification", || {
        let last = page.get("api/logs").json()["logs"][0]["check"]["last"].clone();
        (last["verdict"] == "whole").then_some(())
    });
    one.end();
    other.end();
}
