//! Reference values that guards have from the database.

use attest_tests::client::reason;
use attest_tests::world::{must, must_fail};

use super::documents::{begin, call, comes_to, hex, host, put, says, store, stored, unhex};
use super::*;

/// Two guards that accept of the agent what `references` say, which names documents; none are there. The agent shows what `disclose` names.
fn world(server: &Server, world: World, references: &str, disclose: &str) -> World {
    let guard = world.read("guard.toml");
    let (before, _) = guard.split_once("[agents.").unwrap();
    let pinned = format!("[shared]\njwk = {}\n", key(&world, "shared.key"));
    world.write("guard.toml", format!("{before}[agents.tester]\n{references}\n{pinned}"));
    world.edit("agent.toml", "[measure]\n", &format!("[measure]\n{disclose}\n"));
    share(&world, &server.url("log"), 2);
    begin(&world);
    world
}

#[test]
fn a_template_from_the_database_is_the_reference_of_every_guard_as_its_signer_last_put_it() {
    let server = Server::start();
    let references = "system-prompt = { template = \"shared:prompt.template\" }\n";
    let world = world(&server, World::new(), references, "disclose = [\"system-prompt\"]");
    let failed = must_fail(world.command(&words(&world, 0)));
    assert!(failed.contains("prompt.template") && failed.contains("attest shared put"), "{failed}");
    world.write("prompt.txt", "Today is 2026-11-27. You are careful.\n");
    world.write("prompt.template", "Today is {{date}}. You are careful.\n");
    put(&world, "prompt.template", "prompt.template");
    let older = stored(&server);
    let mut hosts = [0, 1].map(|n| host(&world, n));
    hosts.iter_mut().for_each(|client| comes_to(client, ""));
    world.write("prompt.template", "Today is {{date}}. You are strict.\n");
    put(&world, "prompt.template", "prompt.template");
    hosts.iter_mut().for_each(|client| comes_to(client, "state-mismatch"));

    // The reference that accepted this prompt, brought back by somebody without the key: as it was, with other bytes, and unsigned.
    let (token, _) = unhex(&stored(&server));
    let wanted = b"Today is {{date}}. You are careful.\n";
    let (forged, wanted) = (hex(&[token.as_bytes(), b"\n", wanted].concat()), hex(wanted));
    for (bytes, said) in [(&older, "an older one"), (&forged, "not those that were signed"), (&wanted, "no signature")]
    {
        store(&server, bytes);
        for client in &mut hosts {
            says(client, said);
            assert_eq!(reason(&call(client)), "state-mismatch", "{said}");
        }
    }
    // A guard that has no copy yet does not start with it; one that has goes on by that.
    store(&server, &forged);
    hosts[1].end();
    std::fs::remove_dir_all(world.path("side-1/shared")).unwrap();
    let failed = must_fail(world.command(&words(&world, 1)));
    assert!(failed.contains("prompt.template") && failed.contains("not those that were signed"), "{failed}");
    hosts[0].end();
    let mut again = host(&world, 0);
    comes_to(&mut again, "state-mismatch");

    // One that is no template leaves the one before in force; the next good one counts.
    world.write("prompt.template", "Today is {{anything}}.\n");
    put(&world, "prompt.template", "prompt.template");
    says(&again, "the configuration before stays in force");
    assert_eq!(reason(&call(&mut again)), "state-mismatch");
    world.write("prompt.template", "Today is {{date}}. You are {{word}}.\n");
    put(&world, "prompt.template", "prompt.template");
    comes_to(&mut again, "");
    again.end();
}

#[test]
fn a_manifest_from_the_database_is_the_reference_of_every_guard() {
    let server = Server::start();
    let tools = &attest_tests::world::TOOLS;
    let made = World::with(tools, &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
    std::fs::remove_file(made.path("weights.bin")).unwrap();
    std::fs::create_dir(made.path("weights.bin")).unwrap();
    made.write("weights.bin/adapter.bin", "first");
    made.write("weights.bin/tokenizer.json", "{}");
    let manifest = "manifest = \"shared:base.manifest.json\", may_differ = [\"adapter.*\"]";
    let references = format!("system-prompt = \"any\"\nmodel-weights = {{ {manifest} }}\n");
    let world = world(&server, made, &references, "disclose = [\"model-weights\"]");
    let accept = || {
        must(world.attest(&["measure", "--manifest-out", "base.manifest.json"]));
        put(&world, "base.manifest.json", "base.manifest.json");
        std::fs::remove_file(world.path("base.manifest.json")).unwrap();
    };
    accept();
    let mut hosts = [0, 1].map(|n| host(&world, n));
    hosts.iter_mut().for_each(|client| comes_to(client, ""));
    world.write("weights.bin/adapter.bin", "other");
    for client in &mut hosts {
        assert_eq!(reason(&call(client)), "", "what may differ does");
    }
    world.write("weights.bin/tokenizer.json", "[]");
    hosts.iter_mut().for_each(|client| comes_to(client, "state-mismatch"));
    accept();
    hosts.iter_mut().for_each(|client| comes_to(client, ""));
    for client in &mut hosts {
        client.end();
    }
}
