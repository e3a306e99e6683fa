//! Status lists, from the command line to the refusal.

use std::fs;
use std::process::Command;

use attest_tests::client::reason;
use attest_tests::http::Served;
use attest_tests::world::{World, must, must_fail};

use super::*;

const URI: &str = "https://status.example/agents";

#[test]
fn an_agent_that_is_revoked_is_refused_by_a_guard_that_runs_and_let_in_again_when_it_is_restored() {
    let world = listed(URI, "file = \"list.jwt\"", "1h");
    let mut client = world.start();
    passes(&mut client);
    revoke(&world, &[]);
    comes_to(&mut client, "revoked");
    revoke(&world, &["--restore"]);
    comes_to_pass(&mut client);
    revoke(&world, &["--suspend"]);
    comes_to(&mut client, "revoked");
    client.end();
    let refused = world.entries("guard.db", &[("decision", "deny")]);
    assert!(refused.iter().all(|entry| entry["reason"] == "revoked" && entry["about"] == "attestation"), "{refused:?}");
    must(world.attest(&["log", "verify", "guard.db", "--unpinned"]));
}

#[test]
fn each_hop_of_a_chain_can_be_revoked_and_without_a_list_nothing_of_it_counts() {
    let world = World::new();
    let key = SecretKey::generate().unwrap();
    key.write(&world.path("status.key"), Form::Pem).unwrap();
    must(world.attest(&["revoke", "new", "--uri", URI, "--key", "status.key", "--list", "list.jwt", "--size", "8"]));
    // The same agent, by way of one more hop: it hands the grant on to itself.
    let chain = ["delegate", "--key", "keys/agent.key", "--to", "keys/agent.key.pub", "--parent", "delegation.chain"];
    must(world.attest(&[&chain[..], &["--status-uri", URI, "--status-idx", "3", "--out", "next.chain"]].concat()));
    world.edit("agent.toml", "delegation.chain", "next.chain");
    let mut client = world.start();
    assert_eq!(reason(&call(&mut client)), "status-unknown", "no key is pinned for the list");
    client.end();
    pin(&world, URI, key.public().x().as_str(), "file = \"list.jwt\"");
    must(world.attest(&["signer", "stop"]));
    let mut client = world.start();
    passes(&mut client);
    must(world.attest(&["revoke", "next.chain", "--list", "list.jwt", "--key", "status.key"]));
    comes_to(&mut client, "revoked");
    client.end();
    let refused = world.entries("guard.db", &[("reason", "revoked")]);
    assert!(refused.iter().all(|entry| entry["about"] == "delegation 1"), "{refused:?}");
    let checked = Command::output(&mut world.attest(&["verify", "next.chain", "--json"])).unwrap();
    assert!(String::from_utf8_lossy(&checked.stdout).contains("\"revoked\""), "{checked:?}");
}

/// A web server of the folder, on a port of its own.
fn serve(world: &World, port: &str) -> Client {
    let mut web = Command::new("python3");
    web.args(["-u", "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", "web"]);
    let mut web = Client::start(world.place(web));
    web.find("a web server", |said| said.line.contains("Serving"));
    web
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[test]
fn a_list_from_a_web_server_is_had_again_before_it_is_stale_and_never_an_older_one() {
    let port = free_port();
    let uri = format!("http://127.0.0.1:{port}/list.jwt");
    let world = listed(&uri, "", "3s");
    fs::create_dir(world.path("web")).unwrap();
    fs::copy(world.path("list.jwt"), world.path("web/list.jwt")).unwrap();
    let publish = |world: &World| fs::copy(world.path("list.jwt"), world.path("web/list.jwt")).unwrap();
    // Nobody there: nothing is known.
    let mut client = world.start();
    comes_to(&mut client, "status-unknown");
    let mut web = serve(&world, &port);
    must(world.attest(&["revoke", "renew", "--list", "list.jwt", "--key", "status.key"]));
    publish(&world);
    comes_to_pass(&mut client);
    let before = fs::read(world.path("list.jwt")).unwrap();
    revoke(&world, &[]);
    publish(&world);
    comes_to(&mut client, "revoked");
    // Somebody shows the list of before: it is not taken, and said.
    world.write("web/list.jwt", before);
    eventually("a word about it", || client.said().contains("is held already").then_some(()));
    assert_eq!(reason(&call(&mut client)), "revoked");
    client.end();
    // Nor after a restart, with nobody to ask.
    web.kill();
    let mut client = world.start();
    assert_eq!(reason(&call(&mut client)), "revoked", "{}", client.said());
    client.end();
}

#[test]
fn a_list_that_nobody_renews_lets_nothing_through_unless_the_configuration_says_so() {
    let world = listed(URI, "file = \"list.jwt\"", "1s");
    world.edit("guard.toml", "audience =", "skew_seconds = 0\naudience =");
    let mut client = world.start();
    comes_to(&mut client, "status-unknown");
    world.edit("guard.toml", "[[status.list]]", "[status]\nstale = { critical = \"accept\" }\n[[status.list]]");
    comes_to_pass(&mut client);
    assert!(client.said().contains("without a fresh status list"), "{}", client.said());
    revoke(&world, &[]);
    comes_to(&mut client, "revoked");
    client.end();
}

#[test]
fn what_a_call_carries_with_it_decides_how_fresh_a_list_must_be() {
    let world = listed(URI, "file = \"list.jwt\"", "1s");
    world.edit("guard.toml", "audience =", "skew_seconds = 0\naudience =");
    world.edit("guard.toml", "[[status.list]]", "[status]\nstale = { low = \"accept\" }\n[[status.list]]");
    let risk = "unknown = \"low\"\nmethod = \"low\"\n[can]\ndanger = \"low\"\ninward = \"low\"\nout = \"low\"\n\
                [hints]\ndestructive = \"low\"\nopen-world = \"low\"\nwrites = \"low\"\n\
                [[labels]]\nlabel = \"untrusted\"\nrisk = \"high\"\n";
    world.write("risk.toml", risk);
    world.write("all.cedar", "@id(\"all\")\npermit (principal, action, resource);\n");
    let more = "[flow]\nlabels = [\"untrusted\"]\n\
                [policy]\nfiles = [\"all.cedar\"]\nrisk = \"risk.toml\"\n";
    world.write("guard.toml", format!("{}\n{more}", world.read("guard.toml")));
    // The list is stale by now.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let mut client = world.start();
    passes(&mut client);
    assert_eq!(reason(&call(&mut client)), "status-unknown", "it has seen what nobody vouches for");
    client.end();
}

#[test]
fn a_status_key_with_another_role_stops_the_guard_from_starting() {
    let world = World::new();
    let attester = attest_keys::read_public(&world.path("keys/attester.key.pub")).unwrap();
    pin(&world, URI, attester.x().as_str(), "file = \"list.jwt\"");
    let words = world.guard();
    assert!(must_fail(world.command(&words)).contains("twice"));
    world.write("guard.toml", world.read("guard.toml").split("[[status.list]]").next().unwrap());
    let log = attest_keys::read_public(&world.path("keys/guard-log.key.pub")).unwrap();
    pin(&world, URI, log.x().as_str(), "file = \"list.jwt\"");
    let words = world.guard();
    assert!(must_fail(world.command(&words)).contains("a key has one role"));
}

#[test]
fn revoke_says_what_it_cannot_do_and_leaves_the_list_as_it_was() {
    let world = listed(URI, "file = \"list.jwt\"", "1h");
    SecretKey::generate().unwrap().write(&world.path("other.key"), Form::Pem).unwrap();
    revoke(&world, &[]);
    let before = world.read("list.jwt");
    let list = ["--list", "list.jwt", "--key", "status.key"];
    let fails = |args: &[&str]| must_fail(world.attest(&[&["revoke"][..], args].concat()));
    assert!(fails(&[&[PLACE, "--suspend"][..], &list].concat()).contains("--restore"));
    assert!(fails(&[&["5000"][..], &list].concat()).contains("behind the last"));
    assert!(fails(&[PLACE, "--list", "list.jwt", "--key", "other.key"]).contains("not signed by the key"));
    assert!(fails(&[&["delegation.chain"][..], &list].concat()).contains("no token with a place"));
    assert!(fails(&[&["agent.toml"][..], &list].concat()).contains("no token with a place"));
    assert!(fails(&[PLACE, "--list", "agent.toml", "--key", "status.key"]).contains("no status list"));
    assert!(fails(&["new", "--uri", URI, "--key", "status.key", "--list", "list.jwt"]).contains("never replaced"));
    assert!(fails(&[PLACE, "--suspend", "--restore"]).contains("cannot be used with"));
    assert_eq!(world.read("list.jwt"), before);
    let shown = must(world.attest(&["revoke", "show", "--list", "list.jwt", "--json"]));
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["marked"], json!([{"idx": 7, "status": 1}]));
    assert_eq!(shown["uri"], URI);
    let one_bit = ["revoke", "new", "--uri", URI, "--key", "status.key", "--list", "one.jwt", "--bits", "1"];
    must(world.attest(&one_bit));
    assert!(fails(&["3", "--suspend", "--list", "one.jwt", "--key", "status.key"]).contains("--bits 2"));
}

#[test]
fn a_guard_that_listens_has_lists_as_well() {
    let world = listed(URI, "file = \"list.jwt\"", "1h");
    let server = world.server();
    let mut guard = world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--"]);
    guard.args(server);
    let mut guard = Served::attest(guard);
    let wrap =
        ["wrap", "--config", "agent.toml", "--audience", attest_tests::world::AUDIENCE, "--upstream", &guard.url];
    let mut client = Client::start(world.attest(&wrap));
    initialize(&mut client);
    passes(&mut client);
    revoke(&world, &[]);
    comes_to(&mut client, "revoked");
    client.end();
    assert!(guard.end().success(), "{}", guard.said());
}
