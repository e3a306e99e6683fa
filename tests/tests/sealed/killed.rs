//! A sealing that is killed.

use std::process::Stdio;
use std::time::Duration;

use attest_tests::forge::Forge;

use super::common::{Stage, Store, calls};

fn killed(store: Store) {
    let stage = Stage::new(store);
    let forge = Forge::of(&stage.world);
    let mut client = stage.guard();
    let rounds = if std::env::var_os("ATTEST_LONG").is_some() { 100 } else { 12 };
    let mut cut = 0;
    for round in 0..rounds {
        calls(&mut client, &forge, round * 1_000 + 1..round * 1_000 + 301);
        let before: Vec<_> = stage.reader().entries(0..u64::MAX).map(|entry| entry.unwrap()).collect();
        let mut sealing = stage.world.attest(&["log", "seal", &stage.log, "--to", "sealed"]);
        let mut sealing = sealing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 + (round * 61) % 330));
        let _ = sealing.kill();
        cut += u32::from(!sealing.wait().unwrap().success());
        // Whatever it was doing: every entry is there, with its token, and the guard goes on.
        let after: Vec<_> = stage.reader().entries(0..before.len() as u64).map(|entry| entry.unwrap()).collect();
        assert!(before == after, "round {round}");
    }
    client.end();
    assert!(cut > 0, "no sealing was cut short");
    stage.verified();
    let mut client = stage.guard();
    calls(&mut client, &forge, 900_000..900_004);
    client.end();
    let (_, until) = stage.seal(&[]);
    let size = stage.reader().len().unwrap();
    assert!(size - until <= 256, "{until} of {size}");
    assert_eq!(stage.rows(), (size - until, until));
    stage.verified();
}

#[test]
fn a_sealing_of_a_file_that_is_killed_loses_nothing_and_is_finished_by_the_next() {
    killed(Store::File);
}

#[test]
fn a_sealing_of_a_database_that_is_killed_loses_nothing_and_is_finished_by_the_next() {
    killed(Store::Database);
}
