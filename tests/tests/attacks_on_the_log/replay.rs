//! The same signed call again: after a restart, and at another verifier.

use attest_tests::client::Client;
use attest_tests::world::World;
use serde_json::{Value, json};

use super::{GUARD, verify};

/// A call that the signer signed, as the guard would have been sent it.
fn signed(world: &World) -> String {
    world.write(
        "keep.py",
        "import sys\nfor line in sys.stdin:\n    open('kept', 'a').write(line)\n    sys.stdout.flush()\n",
    );
    let server = vec!["python3".into(), "-SE".into(), world.path("keep.py").into()];
    let mut client = Client::start(world.wrap("tools", &server));
    client.ask_tool("echo", json!({"text": "once"}));
    let mut tries = 0;
    loop {
        let kept = std::fs::read_to_string(world.path("kept")).unwrap_or_default();
        if let Some(line) = kept.lines().find(|line| line.contains("tools/call")) {
            return line.to_owned();
        }
        tries += 1;
        assert!(tries < 600, "the wrap sent nothing: {}", client.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn send(mut guard: Client, line: &str) -> Value {
    guard.send(line);
    let id = serde_json::from_str::<Value>(line).unwrap()["id"].clone();
    let answer = guard.answer(id);
    guard.end();
    answer
}

#[test]
fn a_call_is_refused_again_after_a_restart_and_the_log_stays_whole() {
    let world = World::new();
    let line = signed(&world);
    assert!(send(world.start_guard(), &line).get("result").is_some());
    let again = send(world.start_guard(), &line);
    assert_eq!(again["error"]["data"]["reason"], "replay", "{again}");
    let (code, report) = verify(&world, GUARD, &["--trust", "guard.toml"]);
    assert_eq!((code, report["calls"].as_u64(), report["denied"].as_u64()), (0, Some(1), Some(1)), "{report}");
}

#[test]
fn a_call_is_refused_at_another_verifier_which_has_never_seen_it() {
    let world = World::new();
    let line = signed(&world);
    // The same trust, another name, another log.
    let config = world.read("guard.toml").replace("audience = \"tools\"", "audience = \"other\"");
    let config = config.replace("log = \"guard.db\"", "log = \"other.db\"").replace("guard-log.key", "other-log.key");
    world.write("other.toml", config.replace("tools#", "other#"));
    let mut words = world.guard();
    let at = words.iter().position(|word| word == "--config").unwrap();
    words[at + 1] = world.path("other.toml").into();
    let answer = send(Client::start(world.command(&words)), &line);
    assert_eq!(answer["error"]["data"]["reason"], "wrong-audience", "{answer}");
}
