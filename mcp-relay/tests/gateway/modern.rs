//! 2026-07-28.

use serde_json::{Value, json};

use super::world::{Answer, BOTH, Caller, JSON, World, call, said, soon, with_token};

const VERSION: &str = "2026-07-28";

/// Adds what each modern request has.
pub fn modern(mut message: Value) -> Value {
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = VERSION.into();
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    message
}

/// Posts with the headers that belong to the message.
pub async fn post(caller: &Caller, message: &Value, accept: (&str, &str)) -> Answer {
    let method = message["method"].as_str().unwrap();
    let mut headers = vec![accept, ("mcp-protocol-version", VERSION), ("mcp-method", method)];
    if let Some(name) = message["params"]["name"].as_str() {
        headers.push(("mcp-name", name));
    }
    caller.post(&headers, message).await
}

pub async fn tool(caller: &Caller, name: &str, arguments: Value) -> Answer {
    post(caller, &modern(call(1, name, arguments)), BOTH).await
}

/// A call with id 1 and progress token 1, as every caller here makes it.
async fn held(caller: &Caller, key: &str) -> Answer {
    let mut answer = post(caller, &with_token(modern(call(1, "hold", json!({"key": key}))), 1), BOTH).await;
    let first = answer.message().await.unwrap();
    assert_eq!(first["params"], json!({"progressToken": 1, "progress": 1, "message": format!("{key} held")}));
    answer
}

#[tokio::test]
async fn an_answer_alone_is_json_and_one_with_progress_before_it_is_a_stream() {
    let world = World::new().await;
    let caller = world.caller();
    let alone = post(&caller, &modern(call("a", "echo", json!({"x": "ü"}))), BOTH).await;
    assert_eq!(alone.status, 200);
    let alone = alone.json().await;
    assert_eq!((&alone["id"], said(&alone)), (&json!("a"), json!({"x": "ü"})));

    let streamed = post(&caller, &with_token(modern(call(7, "echo", json!({}))), "t"), BOTH).await;
    assert_eq!((streamed.status.as_u16(), streamed.header("x-accel-buffering")), (200, Some("no")));
    assert_eq!(streamed.header("mcp-session-id"), None);
    let messages = streamed.messages().await;
    assert_eq!(messages[0]["params"], json!({"progressToken": "t", "progress": 1, "message": "echoing"}));
    assert_eq!((&messages[1]["id"], messages.len()), (&json!(7), 2));
}

#[tokio::test]
async fn a_caller_that_takes_only_json_gets_the_answer_and_no_progress() {
    let world = World::new().await;
    let answer = post(&world.caller(), &with_token(modern(call(7, "echo", json!({}))), "t"), JSON).await;
    assert_eq!(answer.json().await["id"], 7);
}

#[tokio::test]
async fn two_callers_with_equal_ids_and_tokens_get_only_their_own_messages() {
    let world = World::new().await;
    let [alice, bob] = [world.caller(), world.caller()];
    let (from_a, from_b) = (held(&alice, "alice").await, held(&bob, "bob").await);
    let released = tool(&world.caller(), "release", json!({"keys": ["bob", "alice"]})).await;
    assert_eq!(said(&released.json().await), "released");
    for (answer, key) in [(from_a, "alice"), (from_b, "bob")] {
        let messages = answer.messages().await;
        let [one, two, last] = &messages[..] else { panic!("{messages:?}") };
        for (message, round) in [(one, "one"), (two, "two")] {
            let wanted = json!({"progressToken": 1, "progress": 1, "message": format!("{key} {round}")});
            assert_eq!(message["params"], wanted);
        }
        assert_eq!((&last["id"], said(last)), (&json!(1), json!(key)));
    }
}

#[tokio::test]
async fn closing_the_stream_cancels_the_request_and_no_other() {
    let world = World::new().await;
    let [alice, bob] = [world.caller(), world.caller()];
    let (from_a, from_b) = (held(&alice, "alice").await, held(&bob, "bob").await);
    drop(from_a);
    let told = tool(&world.caller(), "await_cancelled", json!({})).await.json().await;
    assert_eq!(said(&told), "alice");
    tool(&world.caller(), "release", json!({"keys": ["bob"]})).await;
    assert_eq!(said(from_b.messages().await.last().unwrap()), "bob");
}

#[tokio::test]
async fn hanging_up_before_there_is_any_answer_cancels_too() {
    let world = World::new().await;
    let alice = world.caller();
    let request = tokio::spawn(async move { tool(&alice, "hold", json!({"key": "alice"})).await });
    tool(&world.caller(), "await_held", json!({"key": "alice"})).await;
    request.abort();
    let told = tool(&world.caller(), "await_cancelled", json!({})).await.json().await;
    assert_eq!(said(&told), "alice");
}

#[tokio::test]
async fn nobody_can_cancel_for_another() {
    let world = World::new().await;
    let [alice, bob] = [world.caller(), world.caller()];
    let from_a = held(&alice, "alice").await;
    for number in 0..9 {
        let note =
            modern(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}));
        assert_eq!(post(&bob, &note, BOTH).await.status, 202);
    }
    tool(&bob, "release", json!({"keys": ["alice"]})).await;
    assert_eq!(said(from_a.messages().await.last().unwrap()), "alice");
}

#[tokio::test]
async fn each_subscription_has_its_callers_id_stays_open_and_is_cancelled_by_closing() {
    let world = World::new().await;
    let listen = |id: Value| {
        modern(json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen",
            "params": {"notifications": {"toolsListChanged": true}}}))
    };
    let [alice, bob] = [world.caller(), world.caller()];
    let mut from_a = post(&alice, &listen(json!("mine")), BOTH).await;
    let mut from_b = post(&bob, &listen(json!(1)), BOTH).await;
    tool(&world.caller(), "touch", json!({})).await;
    for (answer, id) in [(&mut from_a, json!("mine")), (&mut from_b, json!(1))] {
        for method in ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"] {
            let message = answer.message().await.unwrap();
            assert_eq!(message["method"], method);
            assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
        }
    }
    drop(from_a);
    assert_eq!(said(&tool(&bob, "await_cancelled", json!({})).await.json().await), "subscription");
    tool(&bob, "touch", json!({})).await;
    assert_eq!(from_b.message().await.unwrap()["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn what_names_no_request_reaches_nobody() {
    let world = World::new().await;
    let [alice, bob] = [world.caller(), world.caller()];
    let from_a = held(&alice, "alice").await;
    let own = post(&bob, &with_token(modern(call(1, "gossip", json!({}))), 1), BOTH).await.json().await;
    assert_eq!(said(&own), "said");
    tool(&bob, "release", json!({"keys": ["alice"]})).await;
    assert_eq!(from_a.messages().await.len(), 3);
}

#[tokio::test]
async fn an_answer_that_only_a_lenient_reader_understands_is_not_shown() {
    let world = World::new().await;
    let answer = tool(&world.caller(), "lenient", json!({})).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)));
    assert!(!answer.to_string().contains("secret"));
}

#[tokio::test]
async fn the_servers_own_errors_have_the_status_that_the_transport_asks_for() {
    let world = World::new().await;
    let caller = world.caller();
    let message = |method: &str| json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": {}});
    let mut future = modern(message("tools/list"));
    future["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let headers = [BOTH, ("mcp-protocol-version", "2099-01-01"), ("mcp-method", "tools/list")];
    for (answer, status, code) in [
        (post(&caller, &modern(message("no/such")), BOTH).await, 404, -32601),
        (caller.post(&headers, &future).await, 400, -32022),
        (post(&caller, &modern(message("initialize")), BOTH).await, 404, -32601),
        (post(&caller, &message("server/discover"), BOTH).await, 400, -32602),
        (tool(&caller, "no such tool", json!({})).await, 200, -32602),
    ] {
        assert_eq!(answer.status, status, "{code}");
        assert_eq!(answer.json().await["error"]["code"], code);
    }
    assert_eq!(post(&caller, &modern(message("server/discover")), BOTH).await.status, 200);
}

#[tokio::test]
async fn what_the_headers_lack_is_refused_before_the_server_sees_it() {
    let world = World::new().await;
    let caller = world.caller();
    let good = [BOTH, ("mcp-protocol-version", VERSION), ("mcp-method", "tools/call"), ("mcp-name", "count")];
    let message = modern(call(1, "count", json!({})));
    for missing in 1..good.len() {
        let headers: Vec<_> = (0..good.len()).filter(|i| *i != missing).map(|i| good[i]).collect();
        let answer = caller.post(&headers, &message).await;
        assert_eq!(answer.status, 400);
        let body = answer.json().await;
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32020)), "{body}");
    }
    let other = caller.post(&[good[0], good[1], good[2], ("mcp-name", "echo")], &message).await;
    assert_eq!(other.json().await["error"]["code"], -32020);
    assert_eq!(said(&caller.post(&good, &message).await.json().await), 1, "no call before this one has run");

    let bare = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let answer = post(&caller, &bare, BOTH).await;
    assert_eq!((answer.status.as_u16(), answer.json().await["error"]["code"].clone()), (400, json!(-32602)));
}

#[tokio::test]
async fn parameters_that_the_tool_list_marks_must_stand_in_headers() {
    let world = World::new().await;
    let caller = world.caller();
    let list = modern(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}));
    assert_eq!(post(&caller, &list, BOTH).await.status, 200);
    let message = modern(call(1, "echo", json!({"x": "ü"})));
    let headers = [BOTH, ("mcp-protocol-version", VERSION), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let without = caller.post(&headers, &message).await;
    assert_eq!((without.status.as_u16(), without.json().await["error"]["code"].clone()), (400, json!(-32020)));
    let with: Vec<_> = headers.into_iter().chain([("mcp-param-x", "=?base64?w7w=?=")]).collect();
    assert_eq!(said(&caller.post(&with, &message).await.json().await), json!({"x": "ü"}));
}

#[tokio::test]
async fn there_is_nothing_to_get_or_delete_and_nothing_to_answer() {
    let world = World::new().await;
    let caller = world.caller();
    let version = ("mcp-protocol-version", VERSION);
    for method in ["GET", "DELETE", "PUT"] {
        let answer = caller.send(method, &[version, BOTH], String::new()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("POST, GET, DELETE")), "{method}");
    }
    let response = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    assert_eq!(caller.post(&[version, BOTH], &response).await.status, 400);
}

#[tokio::test]
async fn when_the_server_dies_all_who_wait_are_told_and_the_next_request_starts_another() {
    let world = World::new().await;
    let [alice, bob] = [world.caller(), world.caller()];
    let mut from_a = held(&alice, "alice").await;
    let from_b = tool(&bob, "die", json!({})).await.json().await;
    for message in [from_a.message().await.unwrap(), from_b] {
        assert_eq!((&message["id"], &message["error"]["code"]), (&json!(1), &json!(-32603)));
    }
    assert_eq!(from_a.message().await, None);
    assert_eq!(said(&tool(&bob, "count", json!({})).await.json().await), 1);
    // Twice in a row without an answer in between, so that a delay is due.
    for _ in 0..2 {
        assert_eq!(tool(&bob, "die", json!({})).await.json().await["error"]["code"], -32603);
    }
    assert_eq!(said(&tool(&bob, "count", json!({})).await.json().await), 1);
}

#[tokio::test]
async fn closing_the_gateway_answers_who_waits_and_ends_the_children() {
    let world = World::new().await;
    let alice = world.caller();
    let mut from_a = held(&alice, "alice").await;
    soon(world.gateway.close()).await;
    assert_eq!(from_a.message().await.unwrap()["error"]["code"], -32603);
    world.child_ends().await;
    assert_eq!(tool(&alice, "echo", json!({})).await.status, 503);
}
