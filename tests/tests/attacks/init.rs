//! `attest init`: all or nothing, and one at a time.

use std::fs;
use std::process::{Command, Stdio};

use attest_tests::binaries::attest;
use attest_tests::client::{Client, eventually, reason};
use attest_tests::world::{AUDIENCE, World, must, must_fail};
use serde_json::json;

use super::Stop;

fn init(world: &World, folder: &str, prompt: &str) -> Command {
    let mut init = world.attest(&["init", "--dir", folder, "--audience", AUDIENCE, "--agent", "tester"]);
    init.args(["--prompt", prompt, "--tool", "echo", "--"]).args(world.server());
    init
}

fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(world.path(folder)).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whether the agent of this folder can call the server of this folder.
fn assert_whole(world: &World) {
    assert_eq!(names(world, "f"), ["agent.toml", "delegation.chain", "guard.toml", "keys"]);
    let _stop = Stop(world, "f/agent.toml");
    let mut chain = world.attest(&["wrap", "--config", "f/agent.toml", "--audience", AUDIENCE, "--"]);
    chain.arg(attest()).args(["guard", "--config", "f/guard.toml", "--"]).args(world.server());
    let mut client = Client::start(chain);
    assert_eq!(reason(&client.call("echo", json!({}))), "", "{}", client.said());
    client.end();
}

#[test]
fn an_init_that_cannot_measure_leaves_nothing_behind_and_can_be_run_again() {
    let world = World::new();
    fs::create_dir(world.path("f")).unwrap();
    let said = must_fail(init(&world, "f", "missing.txt"));
    assert!(said.contains("missing.txt"), "{said}");
    assert_eq!(names(&world, "f"), [""; 0]);
    must(init(&world, "f", "prompt.txt"));
    assert_whole(&world);
}

#[test]
fn of_inits_that_start_at_once_in_one_folder_exactly_one_makes_it_and_makes_it_whole() {
    let world = World::new();
    for _ in 0..8 {
        fs::create_dir(world.path("f")).unwrap();
        let mut inits = [(); 4].map(|()| init(&world, "f", "prompt.txt"));
        let running = inits.each_mut().map(|i| i.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let won = running.map(|mut i| i.wait().unwrap().success());
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert_whole(&world);
        fs::remove_dir_all(world.path("f")).unwrap();
    }
}

#[test]
fn an_init_that_is_ended_while_it_measures_leaves_nothing_behind() {
    let world = World::new();
    fs::create_dir(world.path("f")).unwrap();
    // Without a block on the disk, and long enough to be read for a while.
    fs::File::create(world.path("big.bin")).unwrap().set_len(16 << 30).unwrap();
    let mut init = world.attest(&["init", "--dir", "f", "--audience", AUDIENCE, "--weights", "big.bin"]);
    init.args(["--tool", "echo", "--"]).args(world.server()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut init = init.spawn().unwrap();
    let big = world.path("big.bin").canonicalize().unwrap();
    eventually("its reading of the weights", || {
        let open = fs::read_dir(format!("/proc/{}/fd", init.id())).unwrap().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|file| file == big).then_some(())
    });
    init.kill().unwrap();
    init.wait().unwrap();
    assert_eq!(names(&world, "f"), [""; 0]);
}
