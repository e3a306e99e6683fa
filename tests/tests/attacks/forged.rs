//! Ends of calls that somebody without a key tells a host that asks for receipts.

use std::ffi::OsString;

use attest_tests::client::{Client, reason};
use attest_tests::world::{AUDIENCE, World};
use serde_json::json;

#[test]
fn without_a_receipt_no_end_of_a_call_reaches_the_host_in_any_form() {
    let world = World::new();
    world.write("between.py", include_str!("forging_server.py"));
    let between: Vec<OsString> = vec!["python3".into(), "-SE".into(), world.path("between.py").into()];
    let mut client = Client::start(world.wrap(AUDIENCE, &between));
    assert_eq!(reason(&client.call("echo", json!({}))), "no-receipt", "a task that nobody waits for");
    let task = client.call("big", json!({}));
    assert_eq!(task["result"]["task"]["taskId"], "t1", "{task}");
    assert!(client.ping());
    let call = client.ask_tool("show", json!({}));
    client.find("the stray print", |message| message.line.starts_with("[info]"));
    assert!(client.ping());
    let shown: Vec<&String> = client.kept().map(|message| &message.line).collect();
    assert!(!shown.iter().any(|line| line.contains("forged") || line.contains("NaN")), "{call}: {shown:?}");
}
