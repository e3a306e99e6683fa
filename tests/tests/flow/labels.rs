//! Where the labels of an answer come from, besides the configuration.

use attest_core::digest::Jti;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::names::RECEIPT;
use attest_core::receipt::Receipt;
use attest_tests::client::Client;
use attest_tests::forge::Forge;
use attest_tests::world::World;
use serde_json::json;

/// The labels in the receipt for a call.
fn labels_of(client: &mut Client, forge: &Forge, id: u64, tool: &str) -> Vec<String> {
    client.send(forge.call(id, tool, json!({"text": "a"})).line);
    let answer = client.answer(id);
    let receipt = answer["result"]["_meta"][RECEIPT][0]["receipt"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let receipt = Unverified::<Receipt>::read(receipt).unwrap();
    receipt.peek().labels.iter().map(str::to_owned).collect()
}

#[test]
fn an_answer_has_the_labels_of_its_call_and_a_store_gives_out_what_was_written_into_it_over_a_restart_too() {
    let world = World::new();
    let flow = "[flow.tools.echo]\nstore = \"notes\"\n[flow.tools.show]\n";
    world.write("guard.toml", format!("{}\n{flow}", world.read("guard.toml")));
    let clean = Forge { context: Jti([6; 16]), ..Forge::of(&world) };
    let knowing = Forge { labels: Labels::of(&["untrusted"]).unwrap(), ..Forge::of(&world) };
    let mut client = world.start_guard();
    assert_eq!(labels_of(&mut client, &knowing, 1, "show"), ["untrusted"], "an answer may repeat what was asked");
    assert!(labels_of(&mut client, &clean, 2, "show").is_empty());
    assert!(labels_of(&mut client, &clean, 3, "echo").is_empty(), "nothing was written yet");
    labels_of(&mut client, &knowing, 4, "echo");
    assert_eq!(labels_of(&mut client, &clean, 5, "echo"), ["untrusted"], "it comes out with what went in");
    client.end();
    let mut client = world.start_guard();
    assert_eq!(labels_of(&mut client, &clean, 6, "echo"), ["untrusted"]);
    client.end();
}
