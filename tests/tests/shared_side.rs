//! What guards of one shared log share besides it, with real guards over a real PostgreSQL: what people say to a call at one of them counts
//! at all, and once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "shared_side/approvals.rs"]
mod approvals;
#[path = "shared_side/documents.rs"]
mod documents;
#[path = "shared_side/pages.rs"]
mod pages;
#[path = "shared_side/references.rs"]
mod references;

use std::ffi::OsString;

use attest_core::sign::Sign as _;
use attest_keys::{Form, SecretKey};
use attest_tests::client::Client;
use attest_tests::postgres::Server;
use attest_tests::world::World;

/// Puts the log of a world's guards at this address: `guard-0.toml` and so on, a folder for each.
fn share(world: &World, url: &str, guards: usize) {
    let text = world.read("guard.toml");
    for n in 0..guards {
        let place = format!("log = \"{url}\"\nside = \"side-{n}\"");
        let changed = text.replacen("log = \"guard.db\"", &place, 1);
        assert_ne!(changed, text);
        world.write(&format!("guard-{n}.toml"), changed);
    }
}

fn guard(world: &World, n: usize) -> Client {
    Client::start(world.command(&words(world, n)))
}

/// The command of a guard.
fn words(world: &World, n: usize) -> Vec<OsString> {
    let mut words = world.guard();
    for word in &mut words {
        if word.to_str().is_some_and(|word| word.ends_with("guard.toml")) {
            *word = world.path(&format!("guard-{n}.toml")).into();
        }
    }
    words
}

/// A new key in a file; its public half as guard.toml has it.
fn key(world: &World, file: &str) -> String {
    let key = SecretKey::generate().unwrap();
    key.write(&world.path(file), Form::Pem).unwrap();
    format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{}\" }}", key.public().x().as_str())
}

/// How many rows there are that this names.
fn count(server: &Server, of: &str) -> usize {
    server.sql("log", &format!("SELECT count(*) FROM attest_log.{of}")).trim().parse().unwrap()
}
