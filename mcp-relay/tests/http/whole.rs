//! Answers that come whole, and those that the relay gives itself.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use mcp_relay::http::Limits;
use mcp_relay::{Defect, Handling, ToClient, ToServer};

use crate::remote::Remote;
use crate::world::{CALL, DONE, Heard, Rules, ServerGone, Setup, World, server};

fn left(line: &'static str) -> Rules {
    Rules { left: vec![Bytes::from_static(line.as_bytes())], ..Rules::default() }
}

#[tokio::test]
async fn an_answer_passes_with_its_status_and_body() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    for (number, (status, body)) in [(200, DONE), (401, "not strict {"), (202, "")].into_iter().enumerate() {
        let mut client = world.post("", CALL).await;
        let arrived = remote.next().await;
        assert_eq!(arrived.body, CALL);
        arrived.answer(status, &[("content-type", "x/y; charset=utf-7"), ("www-authenticate", "Bearer")], body);
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert!(answer.head.contains("content-type: x/y\r\n") && answer.head.contains("www-authenticate: bearer"));
        world.hears(number, Heard::Client(CALL.into())).await;
        if !body.is_empty() {
            world.hears(number, server(body)).await;
        }
        world.hears(number, ServerGone).await;
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn notifications_and_answers_of_the_client_go_to_the_server() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    for line in [r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, r#"{"jsonrpc":"2.0","id":4,"result":{}}"#]
    {
        let mut client = world.post("mcp-session-id: s\r\n", line).await;
        let arrived = remote.next().await;
        assert_eq!((&arrived.body[..], arrived.header("mcp-session-id")), (line.as_bytes(), Some("s")));
        arrived.accepted();
        assert_eq!(client.answer().await.status, 202);
    }
}

#[tokio::test]
async fn an_answer_may_be_replaced_or_dropped() {
    let mut remote = Remote::start().await;
    let rules = Rules::server(|line| {
        Handling::later(async move {
            if line == r#"{"id":2}"# {
                ToClient::Drop
            } else {
                ToClient::Replace(Bytes::from_static(b"longer than before"))
            }
        })
    });
    let world = World::start(rules, &remote.url).await;
    // What is no object is dropped unasked, even where the rule would put something in its place.
    for (status, said, shown) in [
        (200, r#"{"id":1}"#, "longer than before"),
        (200, r#"{"id":2}"#, ""),
        (200, r#"[{"id":1}]"#, ""),
        (200, "1", ""),
        (400, r#"[{"id":1}]"#, ""),
    ] {
        let mut client = world.post("", CALL).await;
        remote.next().await.answer(status, &[("content-type", "application/json; charset=utf-8")], said);
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, shown), "{said}");
    }
}

const AGAIN: &str = r#"{"id":1,"error":{}}"#;

#[tokio::test]
async fn a_request_is_sent_in_another_form_at_most_twice() {
    let mut remote = Remote::start().await;
    let rules = Rules::server(|line| {
        Handling::Now(if line == DONE { ToClient::Pass } else { ToClient::Resend(Bytes::from_static(b"{\"id\":9}")) })
    });
    let world = World::start(rules, &remote.url).await;
    let mut client = world.post("mcp-session-id: s\r\n", CALL).await;
    remote.next().await.json(AGAIN);
    let again = remote.next().await;
    assert_eq!((&again.body[..], again.header("mcp-session-id")), (&b"{\"id\":9}"[..], Some("s")));
    again.json(DONE);
    assert_eq!(client.answer().await.body, DONE);

    let mut client = world.post("", CALL).await;
    for _ in 0..3 {
        remote.next().await.json(AGAIN);
    }
    assert_eq!(client.answer().await.status, 502);
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_reply_has_the_status_that_mcp_gives_to_its_code() {
    let remote = Remote::start().await;
    let rules = Rules::client(|line| {
        let code = String::from_utf8(line.to_vec()).unwrap().replace(r#"{"method":"m","params":"#, "");
        Handling::Now(ToServer::Reply(format!(r#"{{"id":1,"error":{{"code":{code}}}"#).into()))
    });
    let world = World::start(rules, &remote.url).await;
    for (code, status) in [
        ("-32700", 400),
        ("-32600", 400),
        ("-32020", 400),
        ("-32021", 400),
        ("-32022", 400),
        ("-32601", 404),
        ("-32602", 200),
        ("-31401", 200),
    ] {
        let answer = world.post("", &format!(r#"{{"method":"m","params":{code}}}"#)).await.answer().await;
        assert_eq!(answer.status, status, "{code}: {}", answer.body);
        assert!(answer.head.contains("content-type: application/json"));
    }
}

#[tokio::test]
async fn what_is_no_message_reaches_nobody() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let cases = [
        ("", "[]", Defect::NotAnObject, 400),
        ("mcp-method: tools/list\r\n", CALL, Defect::HeaderMismatch, 400),
        ("mcp-name: t\r\nmcp-name: t\r\n", CALL, Defect::HeaderMismatch, 400),
        ("content-encoding: gzip\r\n", CALL, Defect::Encoded, 400),
        ("content-encoding: identity\r\ncontent-encoding: br\r\n", CALL, Defect::Encoded, 400),
    ];
    for (number, (head, body, defect, status)) in cases.into_iter().enumerate() {
        assert_eq!(world.post(head, body).await.answer().await.status, status, "{head}");
        world.hears(number, Heard::Defect(defect)).await;
        if matches!(defect, Defect::NotAnObject | Defect::HeaderMismatch) {
            world.hears(number, ServerGone).await;
        }
    }
    let types = ["", "content-type: text/plain\r\n", "content-type: application/json; charset=utf-7\r\n"];
    for (number, kind) in types.into_iter().enumerate() {
        let mut client = world.connect().await;
        let length = CALL.len();
        client.send(&format!("POST /mcp HTTP/1.1\r\nhost: h\r\n{kind}content-length: {length}\r\n\r\n{CALL}")).await;
        assert_eq!(client.answer().await.status, 400, "{kind}");
        world.hears(cases.len() + number, Heard::Defect(Defect::ContentType)).await;
    }
    let twice = r#"{"id":1,"method":"a","method":"b"}"#;
    let answer = world.post("", twice).await.answer().await;
    assert!(answer.status == 400 && answer.body.contains("-32700"), "{answer:?}");
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_bad_gateway_or_what_the_interceptor_says() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Uri = format!("http://{}/mcp", gone.local_addr().unwrap()).parse().unwrap();
    drop(gone);
    let mut world = World::start(Setup::default(), &url).await;
    assert_eq!(world.post("", CALL).await.answer().await.status, 502);
    world.heard().await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
    let line = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-31401,"message":"gone"}}"#;
    let world = World::start(left(line), &url).await;
    let answer = world.post("", CALL).await.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, line));
}

#[tokio::test]
async fn a_call_without_an_answer_gets_the_interceptors_word_unless_the_status_says_why() {
    let mut remote = Remote::start().await;
    let line = r#"{"id":1,"error":{"code":-31401}}"#;
    let world = World::start(left(line), &remote.url).await;
    for (status, body, shown) in [(202, "", line), (200, r#"{"id":2,"result":{}}"#, line), (401, "who?", "who?")] {
        let mut client = world.post("", CALL).await;
        remote.next().await.answer(status, &[], body);
        assert_eq!(client.answer().await.body, shown);
    }
}

#[tokio::test]
async fn an_answer_that_is_coded_broken_or_too_long_is_a_bad_gateway() {
    let mut remote = Remote::start().await;
    let setup = Setup { limits: Limits { answer: 100, ..Limits::default() }, ..Setup::default() };
    let mut world = setup.start(&remote.url).await;
    // Of a GET of the endpoint only what is no success is read whole.
    for (request, status) in [("POST", 200), ("GET /mcp", 400), ("GET /.well-known/x", 200)] {
        for case in 0..3 {
            let mut client = match request {
                "POST" => world.post("", CALL).await,
                line => world.read(line, "").await,
            };
            let arrived = remote.next().await;
            assert_eq!(arrived.header("accept-encoding"), Some("identity"));
            match case {
                0 => arrived.answer(status, &[("content-encoding", "gzip")], DONE),
                1 => arrived.answer(status, &[], "x".repeat(101)),
                _ => drop(arrived),
            }
            assert_eq!(client.answer().await.status, 502, "{request} {case}");
            if request == "POST" {
                world.heard().await;
            }
            assert_eq!(world.heard().await.1, ServerGone);
        }
    }
    world.has_said_all().await;
}

#[tokio::test]
async fn a_redirect_leads_nobody_past_the_relay() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    for (request, status, shown) in
        [("POST", 307, 502), ("GET /mcp", 302, 502), ("DELETE /mcp", 308, 502), ("GET /.well-known/x", 302, 302)]
    {
        let mut client = match request {
            "POST" => world.post("", CALL).await,
            line => world.read(line, "").await,
        };
        remote.next().await.answer(status, &[("location", "http://elsewhere.example/")], "");
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.head.contains("elsewhere")), (shown, shown == 302), "{request}");
    }
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_server_that_takes_too_long_is_given_up() {
    let mut remote = Remote::start().await;
    let limits = Limits { answer_time: Duration::from_millis(200), ..Limits::default() };
    let world = World::start(limits, &remote.url).await;
    for request in ["POST", "GET"] {
        let mut client = match request {
            "POST" => world.post("", CALL).await,
            _ => world.read("GET /mcp", "").await,
        };
        let waiting = remote.next().await;
        assert_eq!(client.answer().await.status, 504);
        waiting.closed().await;
    }
    // A stream may take as long as it likes.
    let mut client = world.post("", CALL).await;
    let events = remote.next().await.events(&[]);
    client.until("\r\n\r\n").await;
    tokio::time::sleep(limits.answer_time * 2).await;
    events.send("data: x\n\n").await;
    client.until("data: x\n\n").await;
}
