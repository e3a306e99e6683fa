//! Witnesses and guards as processes: who is down, who lies, who is shown another log, and what a kill leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "witness/guard.rs"]
mod guard;
#[path = "witness/killed.rs"]
mod killed;
#[path = "../../attest-log/tests/trees/mod.rs"]
mod trees;

use std::path::Path;

use attest_tests::client::eventually;
use attest_tests::listening::Listening;
use attest_tests::world::World;
use sha2::{Digest as _, Sha256};
use ureq::Agent;

/// `attest witness` in the folder of `world`, with a state folder of its name.
struct Watching {
    process: Option<Listening>,
    /// `witness <name> <vkey> <url>`, as it says itself.
    line: String,
    name: String,
    logs: Vec<String>,
}

impl Watching {
    fn start(world: &World, name: &str, logs: &[String]) -> Self {
        Self::listening(world, name, logs, "127.0.0.1:0")
    }

    fn listening(world: &World, name: &str, logs: &[String], address: &str) -> Self {
        let mut command = world.attest(&["witness", "--state", name, "--name", name, "--listen", address]);
        for log in logs {
            command.args(["--log", log]);
        }
        let process = Listening::start(command);
        // On standard output; that it listens it says on standard error.
        let line = eventually("the line for a policy", || {
            process.said().lines().find_map(|line| line.strip_prefix("policy  ")).map(str::to_owned)
        });
        Self { process: Some(process), line, name: name.to_owned(), logs: logs.to_vec() }
    }

    fn url(&self) -> &str {
        self.line.rsplit(' ').next().unwrap()
    }

    fn vkey(&self) -> &str {
        self.line.split(' ').nth(2).unwrap()
    }

    fn stop(&mut self) {
        assert!(self.process.take().unwrap().end().success());
    }

    /// Starts it again where it was.
    fn again(&mut self, world: &World) {
        let address = self.url().trim_start_matches("http://").to_owned();
        *self = Self::listening(world, &self.name.clone(), &self.logs.clone(), &address);
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(std::time::Duration::from_secs(20))).build().into()
}

/// The keys of a log, as a configuration has them.
fn keys_of(log: &Path) -> String {
    let keys = attest_log::Reader::open(log).unwrap().log_keys().unwrap();
    keys.all().last().unwrap().0.to_string()
}

#[test]
fn a_witness_says_its_key_and_speaks_http_as_c2sp_has_it() {
    let world = World::new();
    let log = trees::Signed::new("log.example", 1);
    let tree = trees::Tree::new(9, 9, "");
    let mut witness = Watching::start(&world, "w", &[log.vkey.to_string()]);
    let (agent, url) = (agent(), witness.url().to_owned());
    let post = |body: &str| agent.post(format!("{url}/add-checkpoint")).send(body).unwrap();
    let mut answer = post(&tree.add(&log, 0, 5).to_text());
    assert_eq!(answer.status(), 200);
    let line = answer.body_mut().read_to_string().unwrap();
    assert!(line.starts_with("\u{2014} w "), "{line}");
    let mut answer = post(&tree.add(&log, 0, 7).to_text());
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (409, &"text/x.tlog.size".parse().unwrap())
    );
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "5\n");
    assert_eq!(post("nonsense").status(), 400);
    // Not read at all: whoever still sends may find the connection closed before the answer.
    let long = agent.post(format!("{url}/add-checkpoint")).send("a".repeat(200_000));
    assert!(long.is_err() || long.is_ok_and(|answer| answer.status() == 413));
    let get = |path: &str| agent.get(format!("{url}{path}")).call().unwrap();
    let hash: String = Sha256::digest("log.example").iter().map(|byte| format!("{byte:02x}")).collect();
    let mut shown = get(&format!("/{hash}/checkpoint"));
    assert_eq!((shown.status().as_u16(), &shown.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
    let note = shown.body_mut().read_to_string().unwrap();
    assert!(note.starts_with("log.example\n5\n") && note.ends_with(&line), "{note}");
    assert_eq!(get("/add-checkpoint").status(), 405);
    assert_eq!(get("/").status(), 404);
    assert_eq!(get(&format!("/{}/checkpoint", "0".repeat(64))).status(), 404);
    assert_eq!(agent.delete(format!("{url}/{hash}/checkpoint")).call().unwrap().status(), 405);
    witness.stop();
}
