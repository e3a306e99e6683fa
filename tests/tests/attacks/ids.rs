//! Whose answer is whose: ids that are used twice, ids without end, answers that are none.

use attest_core::b64;
use attest_core::digest::Salt;
use attest_core::json as strict;
use attest_core::names::PROOF;
use attest_core::response::Outcome;
use attest_tests::client::{Client, Message, eventually, reason, text};
use attest_tests::forge::Forge;
use attest_tests::world::{AUDIENCE, World};
use serde_json::{Value, json};

use super::{call, careless_server, guard, of_type};

/// Who is attacked.
#[derive(Clone, Copy, Debug)]
enum Side {
    /// The guard alone, with calls that were signed by hand.
    Guard,
    /// The wrap alone, which signs them.
    Wrap,
}

impl Side {
    fn start(self, world: &World) -> Client {
        let server = careless_server(world);
        match self {
            Self::Guard => Client::start(world.command(&guard(world, server))),
            Self::Wrap => {
                world.set("agent.toml", "receipts = \"ignored\"");
                Client::start(world.wrap(AUDIENCE, &server))
            }
        }
    }

    fn line(self, world: &World, id: impl Into<Value>) -> String {
        let line = call(id, "hold", json!({ "until": world.text_path("go") }));
        match self {
            Self::Guard => Forge::of(world).sign(&line).line,
            Self::Wrap => line,
        }
    }

    /// The one outcome in the side's log is that of `answer`, under the salt that is in the proof in `line`.
    fn assert_outcome(self, world: &World, line: &Value, answer: &Message) {
        let salt = b64::decode(line["params"]["_meta"][PROOF]["salt"].as_str().unwrap()).unwrap();
        let answer = strict::parse(answer.line.as_bytes()).unwrap();
        let expected = Outcome::of(Some(&answer), &Salt(salt.try_into().unwrap()));
        let log = match self {
            Self::Guard => "guard.db",
            Self::Wrap => "signer.db",
        };
        let outcomes = eventually("the outcome", || Some(of_type(world, log, "outcome")).filter(|o| !o.is_empty()));
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["status"], expected.status.as_str(), "{self:?}");
        assert_eq!(outcomes[0]["result"], expected.digest.unwrap().to_b64(), "{self:?}");
    }

    /// The line that holds the call's proof: the one that was sent to a guard, the one that a wrap sent.
    fn proven(self, world: &World, sent: &str) -> Value {
        match self {
            Self::Guard => serde_json::from_str(sent).unwrap(),
            Self::Wrap => world.runs()[0].clone(),
        }
    }
}

fn refusal(client: &mut Client) -> String {
    let refused = client.find("a refusal", |m| m.value.get("error").is_some());
    reason(&refused.value).to_owned()
}

fn own_answer(client: &mut Client) -> Message {
    client.find("the call's own answer", |m| text(&m.value) == "the call's own")
}

#[test]
fn what_is_no_request_by_the_letter_cannot_give_a_call_its_answer() {
    for side in [Side::Guard, Side::Wrap] {
        let world = World::new();
        let mut client = side.start(&world);
        let line = side.line(&world, 1);
        client.send(&line);
        eventually("the run", || world.runs().first().cloned());
        for probe in [r#"{"id":1,"method":"ping","result":{}}"#, r#"{"id":1,"method":5}"#, r#"{"id":1}"#] {
            client.send(probe);
            assert_eq!(refusal(&mut client), "malformed", "{side:?} {probe}");
        }
        world.write("go", "");
        let answer = own_answer(&mut client);
        client.end();
        side.assert_outcome(&world, &side.proven(&world, &line), &answer);
        assert_eq!(client.kept().count(), 0, "{side:?}");
    }
}

#[test]
fn the_second_answer_to_an_id_that_two_others_used_is_no_calls() {
    for side in [Side::Guard, Side::Wrap] {
        let world = World::new();
        let mut client = side.start(&world);
        let line = side.line(&world, 1);
        world.write("go", "");
        let slow = json!({ "uri": world.text_path("slow") });
        client.send(json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": slow}).to_string());
        client.send(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        client.find("the ping's answer", |m| m.value["result"]["pong"] == true);
        client.send(&line);
        assert_eq!(refusal(&mut client), "malformed", "{side:?}");
        assert!(world.runs().is_empty());
        world.write("slow", "");
        client.find("the slow answer", |m| m.value["result"]["contents"].is_array());
        // Now the id is free.
        client.send(&line);
        let answer = own_answer(&mut client);
        client.end();
        side.assert_outcome(&world, &side.proven(&world, &line), &answer);
    }
}

#[test]
fn an_id_of_more_than_256_bytes_is_refused_whatever_the_method() {
    for side in [Side::Guard, Side::Wrap] {
        let world = World::new();
        world.write("go", "");
        let mut client = side.start(&world);
        for (length, expected) in [(256, ""), (257, "malformed"), (100_000, "malformed")] {
            let id = "x".repeat(length);
            let request = |method: &str| {
                json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"uri": world.text_path("go")}})
                    .to_string()
            };
            for line in [request("ping"), request("resources/read"), side.line(&world, &*id)] {
                client.send(&line);
                let answer = client.answer(&*id);
                assert_eq!(reason(&answer), expected, "{side:?}: {length} bytes");
            }
        }
        assert_eq!(world.runs().len(), 1, "{side:?}");
    }
}

#[test]
fn an_answer_that_only_a_lenient_client_reads_is_dropped_while_a_call_is_open_and_a_stray_print_is_not() {
    let world = World::new();
    let mut client = Side::Guard.start(&world);
    let forged = Forge::of(&world).call(7, "big", json!({}));
    client.send(&forged.line);
    client.send(r#"{"jsonrpc":"2.0","id":8,"method":"ping"}"#);
    assert_eq!(client.answer(8)["result"]["pong"], true);
    let kept: Vec<String> = client.kept().map(|m| m.line.clone()).collect();
    assert_eq!(kept, ["hello"]);
    client.end();
    assert_eq!(reason(&client.answer(7)), "server-gone");
    let outcomes = of_type(&world, "guard.db", "outcome");
    assert_eq!(outcomes.len(), 1);
    assert_eq!((&outcomes[0]["call"], &outcomes[0]["status"]), (&json!(forged.call), &json!("unknown")));
}
