//! 2025-11-25 and before.

use mcp_relay::http::gateway::GatewayOptions;
use serde_json::{Value, json};

use super::modern;
use super::world::{Answer, BOTH, Caller, JSON, Pairs, World, call, said, with_token};

const NEWEST: &str = "2025-11-25";

/// A client in a session.
pub struct Session {
    caller: Caller,
    id: String,
}

pub fn initialize(version: &str) -> Value {
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}

impl Session {
    pub async fn open(world: &World) -> Self {
        Self::of_version(world, NEWEST).await
    }

    pub async fn of_version(world: &World, version: &str) -> Self {
        let caller = world.caller();
        let answer = caller.post(&[BOTH], &initialize(version)).await;
        assert_eq!(answer.status, 200);
        let id = answer.header("mcp-session-id").unwrap().to_owned();
        assert_eq!(answer.only().await["result"]["protocolVersion"], version);
        let session = Self { caller, id };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(session.post(&initialized).await.status, 202);
        session
    }

    async fn send(&self, method: &str, more: Pairs<'_>, body: String) -> Answer {
        let mut headers = vec![("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", NEWEST)];
        headers.extend(more);
        self.caller.send(method, &headers, body).await
    }

    pub async fn post(&self, message: &Value) -> Answer {
        self.send("POST", &[BOTH], message.to_string()).await
    }

    async fn listen(&self) -> Answer {
        self.send("GET", &[("accept", "text/event-stream")], String::new()).await
    }

    async fn resume(&self, event: &str) -> Answer {
        self.send("GET", &[("accept", "text/event-stream"), ("last-event-id", event)], String::new()).await
    }

    /// Has the server say something that belongs to no request.
    async fn poke(&self, n: u32) {
        let poke = json!({"jsonrpc": "2.0", "method": "notifications/poke", "params": {"n": n}});
        assert_eq!(self.post(&poke).await.status, 202);
    }

    pub async fn end(&self) -> Answer {
        self.send("DELETE", &[], String::new()).await
    }
}

#[tokio::test]
async fn a_session_lives_from_initialize_to_delete() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let answer = session.post(&with_token(call(7, "echo", json!({"x": "ü"})), "t")).await;
    assert!(answer.is_stream() && answer.status == 200);
    let messages = answer.messages().await;
    assert_eq!(messages[0]["params"]["progressToken"], "t");
    assert_eq!((&messages[1]["id"], said(&messages[1]), messages.len()), (&json!(7), json!({"x": "ü"}), 2));
    assert_eq!(session.end().await.status, 200);
    world.child_ends().await;
    let answers = [session.post(&call(8, "echo", json!({}))).await, session.listen().await, session.end().await];
    assert_eq!(answers.map(|answer| answer.status.as_u16()), [404; 3]);
}

#[tokio::test]
async fn a_message_without_a_session_or_with_a_version_that_is_none_is_refused() {
    let world = World::new().await;
    let caller = world.caller();
    let ping = json!({"jsonrpc": "2.0", "id": 3, "method": "ping"});
    let missing = caller.post(&[BOTH], &ping).await;
    assert_eq!(missing.status, 400);
    assert_eq!(missing.json().await["id"], 3);
    assert_eq!(caller.send("GET", &[BOTH], String::new()).await.status, 400);
    assert_eq!(caller.send("DELETE", &[], String::new()).await.status, 400);
    assert_eq!(caller.post(&[BOTH, ("mcp-session-id", "guess")], &ping).await.status, 404);
    let session = Session::open(&world).await;
    let headers = [BOTH, ("mcp-session-id", session.id.as_str()), ("mcp-protocol-version", "1999-01-01")];
    assert_eq!(caller.post(&headers, &ping).await.status, 400);
    let none = [("accept", "text/html"), ("mcp-session-id", session.id.as_str())];
    assert_eq!(caller.post(&none, &ping).await.status, 406);
    for body in ["[]", "{", r#"{"id":null,"method":"ping"}"#, r#"{"id":1,"id":1,"method":"ping"}"#] {
        assert_eq!(session.send("POST", &[BOTH], body.into()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn an_initialize_that_the_server_refuses_opens_no_session() {
    let world = World::new().await;
    let answer = world.caller().post(&[BOTH], &initialize("refused")).await;
    assert_eq!(answer.header("mcp-session-id"), None);
    assert_eq!(answer.only().await["error"]["code"], -32602);
    world.child_ends().await;
}

#[tokio::test]
async fn each_session_has_a_server_of_its_own_and_the_other_era_another() {
    let world = World::new().await;
    let (one, two) = (Session::open(&world).await, Session::open(&world).await);
    for (session, count) in [(&one, 1), (&one, 2), (&two, 1)] {
        assert_eq!(said(&session.post(&call(1, "count", json!({}))).await.only().await), count);
    }
    assert_eq!(said(&modern::tool(&world.caller(), "count", json!({})).await.json().await), 1);
    let stolen = Session { caller: world.caller(), id: two.id.clone() };
    two.end().await;
    assert_eq!(stolen.post(&call(1, "count", json!({}))).await.status, 404);
    assert_eq!(said(&one.post(&call(1, "count", json!({}))).await.only().await), 3);
}

#[tokio::test]
async fn what_the_server_asks_comes_on_the_open_stream_and_is_answered_by_post() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let mut answer = session.post(&call(1, "ask", json!({}))).await;
    let asked = answer.message().await.unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    let reply = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
    assert_eq!(session.post(&reply).await.status, 202);
    assert_eq!(said(&answer.message().await.unwrap()), json!({"action": "decline"}));
    assert_eq!(answer.message().await, None);
}

#[tokio::test]
async fn what_belongs_to_no_request_comes_on_the_stream_of_get_once_and_to_the_last_who_listens() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    session.poke(1).await;
    let mut first = session.listen().await;
    assert_eq!(first.message().await.unwrap()["params"]["n"], 1);
    let mut second = session.listen().await;
    session.poke(2).await;
    assert_eq!(second.message().await.unwrap()["params"]["n"], 2);
    assert_eq!(first.message().await, None);
}

#[tokio::test]
async fn a_broken_stream_is_resumed_where_it_broke_and_only_that_one() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let mut broken = session.post(&with_token(call(1, "hold", json!({"key": "a"})), "t")).await;
    let (primed, data) = broken.event().await.unwrap();
    assert_eq!((data.as_str(), primed.is_some()), ("", true), "it can be resumed from the first moment");
    let (id, _) = broken.event().await.unwrap();
    let id = id.unwrap();
    drop(broken);
    let released = session.post(&call(2, "release", json!({"keys": ["a"]}))).await;
    assert_eq!(said(released.messages().await.last().unwrap()), "released");
    for _ in 0..2 {
        let resumed = session.resume(&id).await.messages().await;
        let texts: Vec<_> = resumed[..2].iter().map(|m| m["params"]["message"].as_str().unwrap()).collect();
        assert_eq!((texts, said(&resumed[2]), resumed.len()), (vec!["a one", "a two"], json!("a"), 3));
    }
    assert_eq!(session.resume(&primed.unwrap()).await.messages().await.len(), 4);
    for unknown in ["99-1", "1", "", "x-y"] {
        assert_eq!(session.resume(unknown).await.status, 400, "{unknown}");
    }
    let other = Session::open(&world).await;
    assert_eq!(other.resume(&id).await.status, 400, "another session's events");
}

#[tokio::test]
async fn a_stream_can_be_resumed_while_its_request_still_runs() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let mut broken = session.post(&with_token(call(1, "hold", json!({"key": "a"})), "t")).await;
    broken.event().await.unwrap();
    let (id, _) = broken.event().await.unwrap();
    drop(broken);
    let resumed = session.resume(&id.unwrap()).await;
    session.post(&call(2, "release", json!({"keys": ["a"]}))).await;
    assert_eq!(said(resumed.messages().await.last().unwrap()), "a");
}

#[tokio::test]
async fn clients_older_than_the_empty_event_are_not_sent_one() {
    let world = World::new().await;
    let session = Session::of_version(&world, "2025-06-18").await;
    let mut answer = session.post(&call(1, "echo", json!({}))).await;
    assert_ne!(answer.event().await.unwrap().1, "");
}

#[tokio::test]
async fn a_caller_that_takes_only_json_gets_json() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let message = with_token(call(1, "echo", json!({"x": 1})), "t");
    assert_eq!(said(&session.send("POST", &[JSON], message.to_string()).await.json().await), json!({"x": 1}));
}

#[tokio::test]
async fn an_id_that_is_open_cannot_be_used_again() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let first = session.post(&call(1, "hold", json!({"key": "a"}))).await;
    let second = session.post(&call(1, "echo", json!({}))).await;
    assert_eq!((second.status.as_u16(), second.json().await["id"].clone()), (400, json!(1)));
    session.post(&call(2, "release", json!({"keys": ["a"]}))).await;
    assert_eq!(said(&first.messages().await[0]), "a");
}

#[tokio::test]
async fn when_the_server_dies_open_requests_are_told_and_the_session_is_gone() {
    let world = World::new().await;
    let session = Session::open(&world).await;
    let held = session.post(&call(1, "hold", json!({"key": "a"}))).await;
    let died = session.post(&call(2, "die", json!({}))).await;
    for (answer, id) in [(held, 1), (died, 2)] {
        let message = answer.only().await;
        assert_eq!((&message["id"], &message["error"]["code"]), (&json!(id), &json!(-32603)));
    }
    assert_eq!(session.post(&call(3, "echo", json!({}))).await.status, 404);
}

#[tokio::test]
async fn an_initialize_whose_caller_hangs_up_leaves_no_session_behind() {
    let world = World::with(GatewayOptions { sessions: 1, ..GatewayOptions::default() }).await;
    let caller = world.caller();
    let opening = tokio::spawn(async move { caller.post(&[BOTH], &initialize("silent")).await });
    world.hears("silent").await;
    opening.abort();
    world.child_ends().await;
    Session::open(&world).await;
}
