//! A shared log over TCP, with a real PostgreSQL that has a certificate: what is sent where, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use attest_tests::certificates::{authority, certificate};
use attest_tests::client::{Client, text};
use attest_tests::forge::Forge;
use attest_tests::postgres::Server;
use attest_tests::world::{World, must, must_fail};
use serde_json::json;

const PASSWORD: &str = "s3cret";

fn url(server: &Server, host: &str, more: &str) -> String {
    format!("postgresql://attest:{PASSWORD}@{host}:{}/log?{more}", server.port())
}

/// Why this log is not opened by who trusts these authorities.
fn refused(world: &World, url: &str, authorities: &Path) -> String {
    let mut command = world.attest(&["log", "list", url]);
    command.env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
    let failed = must_fail(command);
    assert!(!failed.contains(PASSWORD), "{failed}");
    failed
}

/// A guard over this log lets a call through, with what it needs to know in its environment.
fn serves(world: &World, url: &str, side: &str, environment: &[(&str, &Path)]) {
    let place = format!("log = \"{url}\"\nside = \"{side}\"");
    let changed = world.read("guard.toml").replacen("log = \"guard.db\"", &place, 1);
    world.write("guard-tls.toml", changed);
    let mut words = world.guard();
    for word in &mut words {
        if word.to_str().is_some_and(|word| word.ends_with("guard.toml")) {
            *word = world.path("guard-tls.toml").into();
        }
    }
    let mut command = world.command(&words);
    command.envs(environment.iter().copied()).env_remove("SSL_CERT_DIR");
    let mut client = Client::start(command);
    client.send(Forge::of(world).call(1, "echo", json!({"text": side})).line);
    let answer = client.answer(1);
    assert!(text(&answer).contains(side), "{answer}; {}", client.said());
    client.end();
}

#[test]
fn a_server_is_believed_by_its_name_and_its_authority_and_what_is_sent_to_it_is_encrypted() {
    let world = World::new();
    let (ca, other) = (authority(&world, "ca"), authority(&world, "other"));
    let [certificate, key] = certificate(&world);
    let server = Server::listening(PASSWORD, Some([&certificate, &key]));
    // TLS that is asked for on the machine itself, and TLS that goes without asking for a name that is elsewhere.
    let here = url(&server, "localhost", "sslmode=require");
    let elsewhere = url(&server, "db.test", "hostaddr=127.0.0.1");
    serves(&world, &here, "one", &[("SSL_CERT_FILE", &ca)]);
    serves(&world, &elsewhere, "two", &[("SSL_CERT_FILE", &ca)]);
    let mut list = world.attest(&["log", "list", &elsewhere]);
    list.env("SSL_CERT_FILE", &ca);
    assert!(String::from_utf8(must(list).stdout).unwrap().contains("allow"));

    let failed = refused(&world, &elsewhere, &other);
    assert!(failed.contains("certificate"), "an authority that is not trusted: {failed}");
    assert!(failed.contains("SSL_CERT_FILE"), "it is said what names authorities: {failed}");
    for (host, more) in [("other.test", "hostaddr=127.0.0.1"), ("127.0.0.1", "sslmode=require")] {
        let failed = refused(&world, &url(&server, host, more), &ca);
        assert!(failed.contains("certificate") && failed.contains("db.test"), "a name that is not its own: {failed}");
    }
    world.write("none.pem", "");
    let failed = refused(&world, &elsewhere, &world.path("none.pem"));
    assert!(failed.contains("SSL_CERT_FILE"), "{failed}");
    // The server takes nothing that is not encrypted, so what was let through above was.
    let failed = refused(&world, &url(&server, "localhost", ""), &ca);
    assert!(failed.contains("no encryption"), "{failed}");
}

#[test]
fn a_server_elsewhere_that_offers_no_tls_is_refused_unless_the_address_turns_it_off() {
    let world = World::new();
    let ca = authority(&world, "ca");
    let server = Server::listening(PASSWORD, None);
    for (host, more) in [("db.test", "hostaddr=127.0.0.1"), ("localhost", "sslmode=require")] {
        let failed = refused(&world, &url(&server, host, more), &ca);
        assert!(failed.contains("TLS"), "{failed}");
    }
    serves(&world, &url(&server, "db.test", "hostaddr=127.0.0.1&sslmode=disable"), "off", &[]);
    // On the machine itself there is none; the password may be in the environment.
    let bare = format!("postgresql://attest@127.0.0.1:{}/log", server.port());
    serves(&world, &bare, "here", &[("PGPASSWORD", Path::new(PASSWORD))]);
    let wrong = bare.replacen("attest@", "attest:wrong@", 1);
    assert!(refused(&world, &wrong, &ca).contains("password"), "a wrong password");
}
