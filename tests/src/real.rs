//! The published clients and servers of `tests/real`, and conversations with them that are held twice.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::binaries::converse;
use crate::world::{World, output, tests_folder};

/// A file of `tests/real`.
pub fn real(file: &str) -> PathBuf {
    tests_folder().join("real").join(file)
}

/// A file that `scripts/setup-test-env` installed.
pub fn env(file: &str) -> PathBuf {
    let path = tests_folder().join("../.test-env").join(file);
    assert!(path.exists(), "{} is missing; run scripts/setup-test-env", path.display());
    path
}

/// The command of a client, without its options: one of `tests/real`, or `rmcp` for ours on rmcp.
pub fn client(name: &str) -> Vec<OsString> {
    let (program, script) = match name {
        "python" => ("python/bin/python", "python/converse.py"),
        "python-v1" => ("python-v1/bin/python", "python/converse_v1.py"),
        "fastmcp" => ("fastmcp/bin/python", "python/converse_fastmcp.py"),
        "node" => ("bin/node", "node/converse.mjs"),
        "node-v2" => ("bin/node", "node/converse_v2.mjs"),
        "inspector" => ("bin/node", "node/converse_inspector.mjs"),
        "rmcp" => return vec![converse().into()],
        _ => panic!("there is no client {name}"),
    };
    vec![env(program).into(), real(script).into()]
}

/// The tools that a scenario calls, one for each call.
pub fn calls_of(scenario: &str) -> Vec<String> {
    let text = std::fs::read_to_string(real("scenarios.json")).unwrap();
    let scenarios: Value = serde_json::from_str(&text).unwrap();
    let about = &scenarios[scenario];
    let steps = about.get("steps").unwrap_or_else(|| &scenarios[about["like"].as_str().unwrap()]["steps"]);
    let tool = |step: &Value| Some(step.get("tool")?.as_str()?.to_owned());
    steps.as_array().unwrap().iter().filter_map(tool).collect()
}

/// An agent that is granted what a scenario calls.
pub fn world_for(scenario: &str) -> World {
    let calls = calls_of(scenario);
    let tools: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    World::granting(&tools.into_iter().collect::<Vec<_>>())
}

/// Holds a conversation directly, and once more as `through` tells `tests/real/compare`; fails where the two differ.
pub fn is_equal(world: &World, client_name: &str, scenario: &str, through: &[OsString]) {
    env("stamp");
    let mut compare = world.place(Command::new("python3"));
    compare.arg(real("compare")).args(["--scenario", scenario]);
    if client_name == "rmcp" {
        // As a list: a path may have blanks.
        compare.arg("--client-command").arg(serde_json::to_string(&[converse()]).unwrap());
    } else {
        compare.args(["--client", client_name]);
    }
    // The clients give a server's command almost nothing of their own environment.
    compare.arg("--env").arg(format!("XDG_RUNTIME_DIR={}", world.text_path("run")));
    compare.args(through);
    let compared = output(compare);
    let (out, err) = (String::from_utf8_lossy(&compared.stdout), String::from_utf8_lossy(&compared.stderr));
    assert_eq!(compared.status.code(), Some(0), "{client_name}/{scenario}: {out}\n{err}");
}

/// Looks that each of `calls` was let in, and is in both logs with its outcome.
pub fn is_logged(world: &World, mut calls: Vec<String>) {
    let of = |entries: &[Value], name: &str| -> Vec<String> {
        let mut all: Vec<_> = entries.iter().map(|e| e[name].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let decisions = world.entries("guard.db", &[("type", "decision")]);
    calls.sort();
    assert_eq!(of(&decisions, "tool"), calls);
    assert!(decisions.iter().all(|d| d["decision"] == "allow"));
    assert_eq!(of(&decisions, "call"), of(&world.entries("signer.db", &[("type", "call")]), "call"));
    assert_eq!(of(&decisions, "call"), of(&world.entries("guard.db", &[("type", "outcome")]), "call"));
}
