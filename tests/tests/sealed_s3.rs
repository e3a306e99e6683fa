//! Old entries leave a log for an S3 server: they read as before, and a server that is gone, or does not let anybody in, is said, and loses nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "sealed/common.rs"]
mod common;
#[path = "sealed_s3/gone.rs"]
mod gone;
#[path = "sealed_s3/reading.rs"]
mod reading;
#[path = "sealed_s3/refused.rs"]
mod refused;
#[path = "sealed_s3/tls.rs"]
mod tls;

use attest_tests::forge::Forge;
use attest_tests::s3;
use common::{Stage, Store, calls};

/// A log with at least 600 entries, and a server that it is to be sealed to.
fn stage(store: Store) -> (Stage, s3::Server) {
    let server = s3::Server::start();
    let mut stage = Stage::new(store);
    stage.world.environment(server.environment());
    stage.to = format!("s3://{}/files", s3::BUCKET);
    fill(&stage);
    (stage, server)
}

fn fill(stage: &Stage) {
    let mut client = stage.guard();
    calls(&mut client, &Forge::of(&stage.world), 1..301);
    client.end();
}

/// One whose first 512 entries are sealed.
fn sealed(store: Store) -> (Stage, s3::Server) {
    let (stage, server) = stage(store);
    assert_eq!(stage.seal(&["--before", "512"]), (0, 512));
    (stage, server)
}
