//! `attest guard --metrics`, scraped by a real Prometheus.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use attest_tests::client::{Client, eventually};
use attest_tests::world::{AUDIENCE, World, must_fail};
use serde_json::{Value, json};
use ureq::Agent;

/// An address that was free just now.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(Duration::from_secs(20))).build().into()
}

/// A client behind wrap and a guard that shows its counters at `address`.
fn start(world: &World, address: &str) -> Client {
    let mut guard = world.guard();
    guard.splice(2..2, ["--metrics".into(), address.into()]);
    Client::start(world.wrap(AUDIENCE, &guard))
}

/// Calls: four let through, of which one fails, and two refused.
fn call(client: &mut Client) {
    for _ in 0..3 {
        client.call("echo", json!({"text": "hello"}));
    }
    client.call("fail", json!({}));
    for _ in 0..2 {
        client.call("show", json!({}));
    }
}

/// Prometheus, ended with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn prometheus_knows_how_many_calls_were_made_and_how_they_ended() {
    if Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("skipped: there is no prometheus here; on Debian, apt-get install prometheus");
        return;
    }
    let world = World::granting(&["echo", "fail"]);
    let (shown, listens) = (free(), free());
    world.write(
        "prometheus.yml",
        format!(
            "global:\n  scrape_interval: 300ms\n  scrape_timeout: 300ms\nscrape_configs:\n- job_name: guard\n  static_configs:\n  - targets: ['{shown}']\n"
        ),
    );
    let mut prometheus = Command::new("prometheus");
    prometheus
        .arg(format!("--config.file={}", world.text_path("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", world.text_path("tsdb")))
        .arg(format!("--web.listen-address={listens}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _prometheus = Prometheus(prometheus.spawn().unwrap());
    let mut client = start(&world, &shown);
    call(&mut client);
    let agent = agent();
    let query = |query: &str| -> Option<f64> {
        let url = format!("http://{listens}/api/v1/query");
        let mut answer = agent.get(url).query("query", query).call().ok()?;
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
        answer.pointer("/data/result/0/value/1")?.as_str()?.parse().ok()
    };
    let is = |what: &str, expected: f64| {
        eventually(what, || query(what).filter(|value| (value - expected).abs() < 1e-9));
    };
    is("sum(attest_decisions_total)", 6.0);
    is("attest_decisions_total{decision=\"allow\",server=\"tools\"}", 4.0);
    is("attest_decisions_total{decision=\"deny\",reason=\"tool-not-granted\"}", 2.0);
    is("attest_outcomes_total{status=\"result\"}", 3.0);
    is("attest_outcomes_total{status=\"tool-error\"}", 1.0);
    is("attest_verdict_seconds_count", 6.0);
    is("attest_outcome_seconds_count", 4.0);
    is("attest_calls_running", 0.0);
    is("attest_log_entries", world.log("guard.db").len() as f64);
    is("attest_log_stopped", 0.0);
    is("time() - attest_log_checkpoint_timestamp_seconds < bool 120", 1.0);
    is("up{job=\"guard\"}", 1.0);
    client.end();
}

#[test]
fn counters_are_shown_to_this_machine_only_and_name_nobody() {
    let world = World::granting(&["echo", "fail"]);
    let address = free();
    let mut client = start(&world, &address);
    call(&mut client);
    let agent = agent();
    let url = format!("http://{address}/metrics");
    let mut answer = agent.get(&url).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.body_mut().read_to_string().unwrap();
    assert!(text.contains("attest_decisions_total{server=\"tools\",decision=\"allow\",reason=\"\"} 4"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    for name in ["tester", "echo", "show"] {
        assert!(!text.contains(name), "{name} is no label: {text}");
    }
    // A page in a browser of this machine comes under another name, whatever that resolves to.
    let rebound = agent.get(&url).header("host", "evil.example:80").call().unwrap();
    assert_eq!(rebound.status(), 403);
    let other = agent.get(&url).header("origin", "http://evil.example").call().unwrap();
    assert_eq!(other.status(), 403);
    assert_eq!(agent.get(format!("http://{address}/")).call().unwrap().status(), 404);
    assert_eq!(agent.post(&url).send_empty().unwrap().status(), 405);
    client.end();

    // For other machines only on purpose; and a page that cannot be shown is no guard that starts without.
    let mut guard = world.guard();
    guard.splice(2..2, ["--metrics".into(), "0.0.0.0:0".into()]);
    let said = must_fail(world.command(&guard));
    assert!(said.contains("[metrics] hosts"), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut guard = world.guard();
    guard.splice(2..2, ["--metrics".into(), taken.local_addr().unwrap().to_string().into()]);
    let said = must_fail(world.command(&guard));
    assert!(said.contains("cannot listen on"), "{said}");
}
