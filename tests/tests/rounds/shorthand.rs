//! Hashes in place of tokens, between wrap and guard.

use std::os::unix::fs::MetadataExt as _;

use attest_tests::client::{Client, eventually, text};
use attest_tests::forge::now;
use attest_tests::http::{HttpClient, Served};
use attest_tests::world::{AUDIENCE, World};
use serde_json::json;

use crate::recorder::Recorder;
use crate::{Peer, allowed, http_guard, http_wrap, initialize, modern, outcomes, rmcp_server};

const TOOL: &str = "greet";
/// How the two forms of a carrier begin: the hash of an attestation, and the header of one.
const SHORT: &str = r#""att":"sha256:"#;
const FULL: &str = r#""att":"ey"#;

/// A world whose files have rested for as long as a file system's clock may take for one step: of a younger one the signer
/// cannot know that it did not change, and attests anew for each call.
fn rested() -> World {
    let world = World::granting(&[TOOL]);
    let ctime = |name| std::fs::metadata(world.path(name)).unwrap().ctime();
    let newest = ["agent.toml", "delegation.chain", "prompt.txt"].map(ctime).into_iter().max().unwrap();
    eventually("the files to rest", || now().checked_sub(3).filter(|then| *then >= newest.cast_unsigned()));
    world
}

/// How often each form stands in `wire`: full, short.
fn forms(wire: &str) -> (usize, usize) {
    (wire.matches(FULL).count(), wire.matches(SHORT).count())
}

fn greet(peer: &mut Peer, id: u64) {
    let answer = peer.ask(&modern(id, "tools/call", json!({"name": TOOL, "arguments": {"name": "Ada"}})));
    assert_eq!(text(&answer), "Hello, Ada!", "{answer}");
}

/// Full, short, and short again after the guard has forgotten everything, which comes to full.
fn goes_short(world: &World, mut guard: Served, server: &Served, recorder: &Recorder, peer: &mut Peer) {
    assert!(peer.ask(&modern(1, "server/discover", json!({})))["result"].is_object());
    recorder.asked();
    greet(peer, 2);
    assert_eq!(forms(&recorder.asked()), (1, 0), "the first call brings its tokens");
    for id in 3..5 {
        greet(peer, id);
        assert_eq!(forms(&recorder.asked()), (0, 1), "the guard has them now");
    }
    assert_eq!((world.runs().len(), allowed(world, "guard.db", TOOL).len()), (3, 3));

    guard.end();
    let guard = http_guard(world, &server.url);
    recorder.lead_to(guard.address());
    recorder.answered();
    greet(peer, 5);
    assert_eq!(forms(&recorder.asked()), (1, 1), "sent short, and then once more in full");
    assert_eq!(recorder.answered().matches(r#""reason":"not-cached""#).count(), 1);
    greet(peer, 6);
    assert_eq!(forms(&recorder.asked()), (0, 1));

    let (runs, entries) = (world.runs(), allowed(world, "guard.db", TOOL));
    assert_eq!((runs.len(), entries.len()), (5, 5), "what was sent twice ran once");
    for entry in &entries {
        assert_eq!(outcomes(world, "guard.db", &entry["call"]).len(), 1);
    }
    // One signature, sent in two forms.
    assert_eq!(allowed(world, "signer.db", TOOL).len(), 5);
}

#[test]
fn over_http_a_call_goes_short_once_its_tokens_are_known_and_in_full_where_they_are_forgotten() {
    let world = rested();
    let server = Served::server(rmcp_server(&world));
    let guard = http_guard(&world, &server.url);
    let recorder = Recorder::new(guard.address());
    let wrap = http_wrap(&world, &recorder.url());
    let mut peer = Peer::Http(HttpClient::new(&wrap.url), vec![wrap]);
    goes_short(&world, guard, &server, &recorder, &mut peer);
    peer.end();
}

#[test]
fn from_stdio_to_http_it_is_the_same() {
    let world = rested();
    let server = Served::server(rmcp_server(&world));
    let guard = http_guard(&world, &server.url);
    let recorder = Recorder::new(guard.address());
    let wrap = ["wrap", "--config", "agent.toml", "--audience", AUDIENCE, "--upstream", &recorder.url()];
    let mut peer = Peer::Stdio(Client::start(world.attest(&wrap)));
    goes_short(&world, guard, &server, &recorder, &mut peer);
    peer.end();
}

/// A guard that makes no offer, because nothing was asked that it could answer with one, is sent everything in full.
#[test]
fn without_an_offer_nothing_goes_short() {
    let world = rested();
    let server = Served::server(rmcp_server(&world));
    let guard = http_guard(&world, &server.url);
    let recorder = Recorder::new(guard.address());
    let wrap = http_wrap(&world, &recorder.url());
    let mut peer = Peer::Http(HttpClient::new(&wrap.url), vec![wrap, guard, server]);
    for id in 1..4 {
        greet(&mut peer, id);
    }
    assert_eq!(forms(&recorder.asked()), (3, 0));
    // The offer comes with the answer to `initialize` too.
    assert!(peer.ask(&initialize(4))["result"].is_object());
    greet(&mut peer, 5);
    greet(&mut peer, 6);
    assert_eq!(forms(&recorder.asked()), (1, 1));
    peer.end();
}
