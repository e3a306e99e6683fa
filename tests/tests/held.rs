//! Calls that are held open while people are asked: real guards, real approvals, in both transports and both eras.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "held/over_http.rs"]
mod over_http;
#[path = "held/over_stdio.rs"]
mod over_stdio;

use std::time::Duration;

use attest_core::sign::Sign as _;
use attest_keys::{Form, SecretKey};
use attest_tests::client::{Client, eventually, reason};
use attest_tests::forge::Forge;
use attest_tests::world::{World, must};
use serde_json::{Value, json};

/// A guard that holds calls of `show` for so long, until so many of the treasury approved them. Ada and Bob are of it. The call of
/// another tool needs nobody.
fn office(hold: &str, persons: u8) -> World {
    office_of(World::new(), hold, persons)
}

fn office_of(world: World, hold: &str, persons: u8) -> World {
    let risk = String::from_utf8(must(world.attest(&["policy", "show-default", "--risk"])).stdout).unwrap();
    world.write("risk.toml", format!("{risk}\n[classes.shown]\nrisk = \"high\"\ntools = [\"tools#show\", \"tools#whoami\"]\n[classes.plain]\nrisk = \"low\"\ntools = [\"tools#echo\"]\n"));
    world.write(
        "mine.cedar",
        format!(
            "@id(\"all\")\npermit (principal, action, resource);\n\
             @id(\"asked\")\n@step_up(\"approval\")\n@approval(\"{persons} of treasury\")\n\
             forbid (principal, action, resource) when {{ context.risk.contains(Risk::\"high\") }};\n"
        ),
    );
    let policy = format!("[policy]\nrisk = \"risk.toml\"\nfiles = [\"mine.cedar\"]\nhold = \"{hold}\"\n");
    let persons = ["Ada", "Bob"].map(|name| person(&world, name)).concat();
    world.write("guard.toml", format!("{}\n{policy}\n{persons}", world.read("guard.toml")));
    world
}

/// A person of the treasury, as guard.toml names one; the key lies in `NAME.key`.
fn person(world: &World, name: &str) -> String {
    let key = SecretKey::generate().unwrap();
    key.write(&world.path(&format!("{name}.key")), Form::Pem).unwrap();
    let x = key.public().x();
    let jwk = format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{}\" }}", x.as_str());
    format!("[[approver]]\nname = \"{name}\"\ngroups = [\"treasury\"]\njwks = [{jwk}]\n")
}

/// The requests that people can answer.
fn open_requests(world: &World) -> Vec<String> {
    let folders = std::fs::read_dir(world.path("guard.db.approvals")).into_iter().flatten().flatten();
    let asked = folders.filter(|folder| folder.path().join("request.json").exists());
    asked.map(|folder| folder.file_name().into_string().unwrap()).collect()
}

/// The one request that is there within moments.
fn the_request(world: &World) -> String {
    eventually("a request", || open_requests(world).pop())
}

fn approve_as(world: &World, config: &str, request: &str, name: &str) {
    let key = format!("{name}.key");
    must(world.attest(&["approvals", "--config", config, "approve", request, "--key", &key]));
}

fn approve(world: &World, request: &str, name: &str) {
    approve_as(world, "guard.toml", request, name);
}

fn refuse(world: &World, request: &str) {
    must(world.attest(&["approvals", "--config", "guard.toml", "refuse", request]));
}

/// What the `_meta` of each request of an era has, and a token under which to tell of progress.
fn meta(era: &str, token: Value) -> Value {
    match era {
        "2025-11-25" => json!({"progressToken": token}),
        era => json!({
            "progressToken": token,
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientCapabilities": {},
        }),
    }
}

const ERAS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// A call of `show`, signed by hand, that asks for progress.
fn show(forge: &Forge, era: &str, id: u64, what: &str) -> String {
    let params = json!({"name": "show", "arguments": {"what": what}, "_meta": meta(era, json!("t"))});
    forge.sign(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()).line
}

/// What a client is told in a progress notification for the token `t`: how far, and what.
fn told(message: &Value) -> Option<(f64, String)> {
    let params = message.get("params").filter(|_| message["method"] == "notifications/progress")?;
    assert_eq!(params["progressToken"], "t");
    Some((params["progress"].as_f64().unwrap(), params["message"].as_str().unwrap().to_owned()))
}

fn next_told(client: &mut Client, wanted: &str) -> f64 {
    let found = client.find(wanted, |message| told(&message.value).is_some_and(|(_, text)| text == wanted));
    told(&found.value).unwrap().0
}

/// Whether the server ran nothing but what is harmless, also when some time has passed.
fn ran_nothing(world: &World) -> bool {
    std::thread::sleep(Duration::from_millis(1_500));
    world.runs().iter().all(|run| run["tool"] != "show")
}

/// How calls of `show` were decided, oldest first: what for, or empty where they passed.
fn decided(world: &World) -> Vec<String> {
    let decisions = world.entries("guard.db", &[("type", "decision"), ("tool", "show")]);
    decisions.iter().map(|decision| decision["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

fn verify_log(world: &World) {
    let key = String::from_utf8(must(world.attest(&["log", "key", "guard.db"])).stdout).unwrap();
    must(world.attest(&["log", "verify", "guard.db", "--key", key.trim(), "--trust", "guard.toml"]));
}
