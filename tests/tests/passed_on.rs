//! What is passed on of logs and guards, read by those it is for: DuckDB, the published schema of OCSF, Prometheus.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "passed_on/forms.rs"]
mod forms;
#[path = "passed_on/otlp.rs"]
mod otlp;
#[path = "passed_on/prometheus.rs"]
mod prometheus;

use attest_tests::client::{eventually, reason};
use attest_tests::world::World;
use serde_json::json;

/// Calls that were let through, that failed, and that were refused; with the alerts that a trail raises over them.
fn busy() -> World {
    let world = World::granting(&["echo", "fail"]);
    world.write("guard.toml", format!("{}\n[trail]\n", world.read("guard.toml")));
    let mut client = world.start();
    for n in 0..5 {
        client.call("echo", json!({"text": format!("secret-argument-{n}")}));
    }
    client.call("fail", json!({}));
    for _ in 0..6 {
        assert_eq!(reason(&client.call("show", json!({}))), "tool-not-granted");
    }
    eventually("an alert", || world.entries("guard.db", &[("type", "alert")]).pop());
    client.end();
    world
}
