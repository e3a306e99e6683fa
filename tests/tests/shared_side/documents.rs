//! Documents that guards have from the log's database.

use std::time::Duration;

use attest_tests::client::{eventually, reason};
use attest_tests::forge::Forge;
use attest_tests::world::{must, must_fail};
use serde_json::{Value, json};

use super::*;

const URI: &str = "https://status.test/list";
const PLACE: &str = "7";

/// Guards that have a status list and a rule for the configuration's reference from the database; both are there.
fn shared(server: &Server) -> World {
    let world = World::new();
    let status = key(&world, "status.key");
    let new = ["revoke", "new", "--uri", URI, "--key", "status.key", "--list", "list.jwt", "--size", "100"];
    must(world.attest(&new));
    world.write("agent.toml", format!("{}\n[status]\nuri = \"{URI}\"\nidx = {PLACE}\n", world.read("agent.toml")));
    let list = format!("[[status.list]]\nuri = \"{URI}\"\njwk = {status}\nfile = \"shared:list.jwt\"\n");
    let pinned = format!("[shared]\njwk = {}\n", key(&world, "shared.key"));
    world.write("guard.toml", format!("{}\n{list}\n{pinned}", world.read("guard.toml")));
    share(&world, &server.url("log"), 2);
    world
}

/// Makes the tables, as a guard does whose configuration names no document.
pub(super) fn begin(world: &World) {
    let text = world.read("guard-0.toml");
    let bare: String = text.split_inclusive('\n').filter(|line| !line.contains("shared:")).collect();
    let bare = bare.replace("[policy]\n", "").replace("[[status.list]]", "[[status.list]]\nfile = \"list.jwt\"");
    world.write("bare.toml", bare);
    let mut words = words(world, 0);
    for word in &mut words {
        if word.to_str().is_some_and(|word| word.ends_with("guard-0.toml")) {
            *word = world.path("bare.toml").into();
        }
    }
    let mut client = Client::start(world.command(&words));
    client.ping();
    client.end();
}

pub(super) fn put(world: &World, name: &str, file: &str) {
    must(world.attest(&["shared", "--config", "guard-0.toml", "put", name, file, "--key", "shared.key"]));
}

fn revoke(world: &World, more: &[&str]) {
    must(world.attest(&[&["revoke", PLACE, "--list", "list.jwt", "--key", "status.key"][..], more].concat()));
}

/// A host behind its wrap, which starts this guard.
pub(super) fn host(world: &World, n: usize) -> Client {
    Client::start(world.wrap(attest_tests::world::AUDIENCE, &words(world, n)))
}

pub(super) fn call(client: &mut Client) -> Value {
    client.call("echo", json!({"text": "hello"}))
}

pub(super) fn comes_to(client: &mut Client, wanted: &str) {
    eventually(wanted, || (reason(&call(client)) == wanted).then_some(()));
}

pub(super) fn says(client: &Client, what: &str) {
    eventually(what, || client.said().contains(what).then_some(()));
}

#[test]
fn what_is_revoked_once_is_revoked_at_every_guard_within_moments() {
    let server = Server::start();
    let world = shared(&server);
    begin(&world);
    must_fail(world.attest(&["shared", "--config", "guard-0.toml", "get", "list.jwt"]));
    put(&world, "list.jwt", "list.jwt");
    let mut hosts = [0, 1].map(|n| host(&world, n));
    for client in &mut hosts {
        let answer = call(client);
        assert!(answer.get("result").is_some(), "{answer}; {}", client.said());
    }
    revoke(&world, &["--suspend"]);
    put(&world, "list.jwt", "list.jwt");
    for client in &mut hosts {
        comes_to(client, "revoked");
    }
    let older = stored(&server);
    // Made at least a second later, as lists are told apart by.
    std::thread::sleep(Duration::from_millis(1_100));
    revoke(&world, &["--restore"]);
    put(&world, "list.jwt", "list.jwt");
    for client in &mut hosts {
        comes_to(client, "");
    }
    store(&server, &older);
    hosts.iter().for_each(|client| says(client, "an older one"));
    store(&server, &hex(&std::fs::read(world.path("list.jwt")).unwrap()));
    hosts.iter().for_each(|client| says(client, "no signature"));
    let (token, _) = unhex(&older);
    store(&server, &hex(&[token.as_bytes(), b"\nother"].concat()));
    hosts.iter().for_each(|client| says(client, "not those that were signed"));
    server.sql("log", "DELETE FROM attest_log.side_file WHERE folder = 'shared'");
    hosts.iter().for_each(|client| says(client, "not in the database any more"));
    // The one in force stays, over a restart too.
    for client in &mut hosts {
        comes_to(client, "");
        client.end();
    }
    let mut again = host(&world, 0);
    comes_to(&mut again, "");
    again.end();
}

/// The one document that is stored, in hexadecimal digits.
pub(super) fn stored(server: &Server) -> String {
    server.sql("log", "SELECT encode(bytes, 'hex') FROM attest_log.side_file WHERE folder = 'shared'").trim().to_owned()
}

/// Puts something in its place, as somebody does who can write the database and has no key.
pub(super) fn store(server: &Server, hex: &str) {
    let sql = format!("UPDATE attest_log.side_file SET bytes = decode('{hex}', 'hex') WHERE folder = 'shared'");
    server.sql("log", &sql);
}

/// Policies that let every call through but those of one tool.
fn forbid(tool: &str) -> String {
    format!(
        "@id(\"all\")\npermit (principal, action, resource);\n\
         @id(\"none\")\nforbid (principal, action, resource) when {{ resource == Tool::\"tools#{tool}\" }};\n"
    )
}

/// Guards that have their policies from the database; none are there.
fn ruled(server: &Server) -> World {
    let world = World::new();
    let pinned = format!("[shared]\njwk = {}\n", key(&world, "shared.key"));
    let policy = "[policy]\nfiles = [\"shared:mine.cedar\"]\n";
    world.write("guard.toml", format!("{}\n{policy}\n{pinned}", world.read("guard.toml")));
    share(&world, &server.url("log"), 2);
    // A guard makes the tables, and ends without its policies.
    world.write("mine.cedar", forbid("show"));
    world
}

/// Callers of guards, who try until they are answered so.
struct Callers {
    forge: Forge,
    id: u64,
}

impl Callers {
    fn comes_to(&mut self, client: &mut Client, tool: &str, wanted: &str) {
        eventually(wanted, || {
            self.id += 1;
            client.send(self.forge.call(self.id, tool, json!({"text": "x", "what": "x"})).line);
            (reason(&client.answer(self.id)) == wanted).then_some(())
        });
    }
}

#[test]
fn policies_come_to_every_guard_and_a_bad_one_leaves_the_one_before_in_force() {
    let server = Server::start();
    let world = ruled(&server);
    begin(&world);
    let failed = must_fail(world.command(&words(&world, 0)));
    assert!(failed.contains("mine.cedar") && failed.contains("attest shared put"), "{failed}");
    put(&world, "mine.cedar", "mine.cedar");
    let mut callers = Callers { forge: Forge::of(&world), id: 0 };
    let mut guards = [0, 1].map(|n| guard(&world, n));
    for client in &mut guards {
        callers.comes_to(client, "show", "policy-denied");
        callers.comes_to(client, "echo", "");
    }
    world.write("mine.cedar", forbid("echo"));
    put(&world, "mine.cedar", "mine.cedar");
    for client in &mut guards {
        callers.comes_to(client, "echo", "policy-denied");
        callers.comes_to(client, "show", "");
    }
    world.write("mine.cedar", "permit (everybody);");
    put(&world, "mine.cedar", "mine.cedar");
    for client in &mut guards {
        says(client, "the configuration before stays in force");
        callers.comes_to(client, "echo", "policy-denied");
    }
    // While the database is away what is here stays; what is put there when it is back comes.
    server.down("fast");
    guards.iter().for_each(|client| says(client, "shared documents cannot be had"));
    server.up();
    world.write("mine.cedar", forbid("show"));
    put(&world, "mine.cedar", "mine.cedar");
    for client in &mut guards {
        callers.comes_to(client, "show", "policy-denied");
        callers.comes_to(client, "echo", "");
        client.end();
    }
}

#[test]
fn a_document_is_worth_what_the_key_is_that_is_pinned_now() {
    let server = Server::start();
    let world = ruled(&server);
    begin(&world);
    let other = key(&world, "other.key");
    let put_by = |key: &str| {
        world.attest(&["shared", "--config", "guard-0.toml", "put", "mine.cedar", "mine.cedar", "--key", key])
    };
    assert!(must_fail(put_by("other.key")).contains("no guard would take it"));
    must(put_by("shared.key"));
    let mut callers = Callers { forge: Forge::of(&world), id: 0 };
    let mut client = guard(&world, 0);
    callers.comes_to(&mut client, "show", "policy-denied");
    // The key was lost: another is pinned, and what the lost one signed counts no more.
    let text = world.read("guard-0.toml");
    let (before, _) = text.split_once("[shared]").unwrap();
    world.write("guard-0.toml", format!("{before}[shared]\njwk = {other}\n"));
    says(&client, "and is removed");
    says(&client, "not signed by the key");
    callers.comes_to(&mut client, "show", "policy-denied");
    assert!(must_fail(put_by("shared.key")).contains("no guard would take it"));
    let listed = must(world.attest(&["shared", "--config", "guard-0.toml", "list"])).stdout;
    assert!(String::from_utf8(listed).unwrap().contains("not taken"));
    world.write("mine.cedar", forbid("echo"));
    must(put_by("other.key"));
    callers.comes_to(&mut client, "echo", "policy-denied");
    callers.comes_to(&mut client, "show", "");
    client.end();
    let got = must(world.attest(&["shared", "--config", "guard-0.toml", "get", "mine.cedar"])).stdout;
    assert_eq!(String::from_utf8(got).unwrap(), forbid("echo"));
}

#[test]
fn what_is_wrong_about_shared_documents_is_said() {
    let world = World::new();
    let jwk = key(&world, "shared.key");
    let text = world.read("guard.toml");
    let policy = |name: &str| format!("[policy]\nfiles = [\"shared:{name}\"]\n");
    let root = text.split("[[root]]").nth(1).unwrap().split("jwk = ").nth(1).unwrap().lines().next().unwrap();
    let database =
        text.replacen("log = \"guard.db\"", "log = \"postgresql:///log?host=/nowhere\"\nside = \"side-0\"", 1);
    for (change, said) in [
        (format!("{text}\n{}", policy("x")), "no key is pinned"),
        (format!("{text}\n{}[shared]\njwk = {jwk}\n", policy("x")), "set log = "),
        (format!("{database}\n{}[shared]\njwk = {jwk}\n", policy("../x")), "names no document"),
        (format!("{database}\n{}[shared]\njwk = {jwk}\nmore = 1\n", policy("x")), "more"),
        (format!("{database}\n[shared]\njwk = {root}\n"), "a key has one role"),
    ] {
        world.write("guard-0.toml", change);
        let failed = must_fail(world.command(&words(&world, 0)));
        assert!(failed.contains(said), "{said}: {failed}");
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The token of what is stored, and the document.
pub(super) fn unhex(text: &str) -> (String, Vec<u8>) {
    let bytes: Vec<u8> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    (String::from_utf8(bytes[..at].to_vec()).unwrap(), bytes[at + 1..].to_vec())
}
