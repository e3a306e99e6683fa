//! A server that goes away: before, while and after something is sealed to it.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use attest_tests::forge::Forge;
use attest_tests::world::{must, must_fail};

use super::common::{Store, calls};
use super::{sealed, stage};

#[test]
fn while_the_server_is_gone_it_is_said_what_cannot_be_read_and_all_else_goes_on() {
    for store in [Store::File, Store::Database] {
        let (stage, mut server) = sealed(store);
        let shown = stage.said(&["log", "show", "LOG", "300"]);
        server.kill();
        let refused = must_fail(stage.world.attest(&["log", "show", &stage.log, "300"]));
        let (code, unverified) = stage.verify();
        assert_eq!(code, Some(2), "{unverified}");
        for said in [&refused, &unverified] {
            assert!(said.contains("are sealed at s3://logs/files") && said.contains("cannot be reached"), "{said}");
        }
        assert!(refused.contains("entries 256 to 511") && refused.contains("tile/entries/001"), "{refused}");
        // What is in the log is shown and proved, a guard starts, and what it writes is no part of what cannot be read.
        must(stage.world.attest(&["log", "show", &stage.log, "520"]));
        must(stage.world.attest(&["log", "prove", &stage.log, "520", "--out", "520.proof"]));
        let mut client = stage.guard();
        calls(&mut client, &Forge::of(&stage.world), 1_000..1_200);
        client.end();
        let rows = stage.rows();
        let refused = must_fail(stage.world.attest(&["log", "seal", &stage.log, "--to", &stage.to]));
        assert!(refused.contains("/logs/files/checkpoint") && refused.contains("cannot be reached"), "{refused}");
        assert_eq!(stage.rows(), rows, "nothing leaves the log for a place that is not there");
        server.up();
        assert_eq!(stage.said(&["log", "show", "LOG", "300"]), shown);
        stage.verified();
        assert_eq!(stage.seal(&["--before", "768"]), (512, 768));
        stage.verified();
    }
}

#[test]
fn a_server_that_is_killed_while_something_is_sealed_loses_nothing() {
    let (stage, mut server) = stage(Store::File);
    let listed = stage.said(&["log", "list", "LOG", "--json"]);
    let mut client = stage.guard();
    let (mut cut, mut rode) = (0, 0);
    for round in 0..12 {
        calls(&mut client, &Forge::of(&stage.world), 1_000 * (round + 1)..1_000 * (round + 1) + 150);
        let mut sealing = stage.world.attest(&["log", "seal", &stage.log, "--to", &stage.to]);
        let mut sealing = sealing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(20 + round * 67 % 400));
        server.kill();
        // Every other time it is back while the sealing still tries.
        if round % 2 == 1 {
            server.up();
            rode += u32::from(sealing.wait().unwrap().success());
        } else {
            cut += u32::from(!sealing.wait().unwrap().success());
            server.up();
        }
        let now = stage.said(&["log", "list", "LOG", "--json"]);
        assert!(now.starts_with(&listed), "round {round}");
        stage.verified();
    }
    client.end();
    assert!(cut > 0 && rode > 0, "{cut} were cut short, {rode} came through");
    let (_, until) = stage.seal(&[]);
    assert_eq!(stage.rows().1, until);
    stage.verified();
}
