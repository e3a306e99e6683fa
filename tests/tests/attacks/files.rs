//! The signer's files: it writes over nothing that is not its own.

use std::fs;
use std::os::unix::fs::symlink;

use attest_tests::client::{Client, reason};
use attest_tests::world::{AUDIENCE, World, must, must_fail};
use serde_json::json;

use super::{Stop, of_type};

/// Sets where an agent's log and socket are.
fn place(world: &World, log: &str, socket: &str) {
    world.edit("agent.toml", "log = \"signer.db\"", &format!("log = \"{log}\"\nsocket = \"{socket}\""));
}

#[test]
fn a_log_that_is_named_as_the_socket_is_keeps_its_entries_when_a_wrap_starts_the_signer() {
    let world = World::new();
    place(&world, "signer.log", "signer.sock");
    let _stop = Stop(&world, "agent.toml");
    for round in 1..=3 {
        let mut client = Client::start(world.wrap(AUDIENCE, &world.guard()));
        assert_eq!(reason(&client.call("echo", json!({}))), "", "{}", client.said());
        client.end();
        must(world.attest(&["signer", "stop"]));
        for kind in ["context", "call", "outcome"] {
            assert_eq!(of_type(&world, "signer.log", kind).len(), round, "{kind}");
        }
    }
}

#[test]
fn a_log_in_the_place_of_a_file_beside_the_socket_is_refused_and_stays_as_it_is() {
    for name in ["signer.sock.messages", "signer.sock.lock"] {
        let world = World::new();
        place(&world, name, "signer.sock");
        world.write(name, "what was there before");
        let said = must_fail(world.wrap(AUDIENCE, &world.guard()));
        assert!(said.contains("want the same file"), "{said}");
        assert_eq!(world.read(name), "what was there before");
    }
}

#[test]
fn a_link_in_the_place_of_a_file_beside_the_socket_stops_the_wrap_and_leaves_its_target_alone() {
    for name in ["signer.sock.messages", "signer.sock.lock"] {
        let world = World::new();
        place(&world, "signer.db", "shared/signer.sock");
        let _stop = Stop(&world, "agent.toml");
        fs::create_dir(world.path("shared")).unwrap();
        world.write("precious", "precious data");
        symlink(world.path("precious"), world.path("shared").join(name)).unwrap();
        let said = must_fail(world.wrap(AUDIENCE, &world.server()));
        assert!(said.contains(name), "{said}");
        assert_eq!(world.read("precious"), "precious data");
    }
}

#[test]
fn a_file_at_the_sockets_place_is_not_deleted_and_the_wrap_says_what_is_wrong() {
    let world = World::new();
    place(&world, "signer.db", "notes.txt");
    let _stop = Stop(&world, "agent.toml");
    world.write("notes.txt", "my notes");
    for command in [world.wrap(AUDIENCE, &world.server()), world.attest(&["signer", "run"])] {
        let said = must_fail(command);
        assert!(said.contains("notes.txt") && said.contains("no socket"), "{said}");
        assert_eq!(world.read("notes.txt"), "my notes");
    }
}
