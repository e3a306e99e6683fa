//! Paths, names and header fields.

use http::Method;
use mcp_relay::http::{Callers, Endpoint, HostName, Upstream};

use crate::remote::Remote;
use crate::world::{CALL, DONE, Setup, World};

#[tokio::test]
async fn only_the_endpoint_is_served_and_documents_about_it_for_reading() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    for line in [
        "GET /.well-known/oauth-protected-resource/mcp",
        "OPTIONS /.well-known/oauth-protected-resource",
        "GET /mcp?x=1",
        "DELETE /mcp",
    ] {
        let mut client = world.read(line, "").await;
        let arrived = remote.next().await;
        assert_eq!(format!("{} {}", arrived.method, arrived.uri), line);
        if line.starts_with("GET /mcp") {
            arrived.events(&[]).send("data: document\n\n").await;
            assert_eq!(client.answer().await.body, "data: document\n\n");
        } else {
            arrived.answer(200, &[], "document");
            assert_eq!(client.answer().await.body, "document");
        }
    }
    for line in [
        "GET /",
        "GET /mcp/",
        "GET /MCP",
        "GET //mcp",
        "GET /.well-known",
        "POST /.well-known/x",
        "DELETE /.well-known/x",
        "GET /.well-known/../admin",
        "GET /.well-known/%2e%2E/admin",
        "GET /.well-known/.%2e/admin",
        "GET /.well-known/..%2fadmin",
        "GET /.well-known/\\admin",
    ] {
        let status = world.read(line, "content-length: 0\r\n").await.answer().await.status;
        assert!(status == 404 || status == 400, "{line}: {status}");
    }
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn behind_a_router_every_path_is_served() {
    let mut remote = Remote::start().await;
    let world = Setup { endpoint: Endpoint::Any, ..Setup::default() }.start(&remote.url).await;
    let mut client = world.read("GET /any%2e/where?q", "").await;
    let arrived = remote.next().await;
    assert_eq!(arrived.uri, "/any%2e/where?q");
    arrived.answer(200, &[], "");
    client.answer().await;
}

#[tokio::test]
async fn a_query_in_the_servers_address_stays() {
    let mut remote = Remote::start().await;
    let url = format!("{}?key=k", remote.url).parse().unwrap();
    let world = World::start(Setup::default(), &url).await;
    for (asked, sent) in [
        ("/mcp", "/mcp?key=k"),
        ("/mcp?a=b", "/mcp?key=k"),
        ("/mcp?key=mine", "/mcp?key=k"),
        ("/.well-known/x", "/.well-known/x"),
        ("/.well-known/x?a=b", "/.well-known/x?a=b"),
    ] {
        let mut client = world.read(&format!("GET {asked}"), "").await;
        let arrived = remote.next().await;
        assert_eq!(arrived.uri, sent);
        arrived.answer(200, &[], "");
        client.answer().await;
    }
}

#[tokio::test]
async fn callers_must_know_us_by_name() {
    let mut remote = Remote::start().await;
    let callers = Callers::of_this_machine();
    let world = Setup { callers, ..Setup::default() }.start(&remote.url).await;
    let port = world.address.port();
    let ours = ["localhost", "LocalHost:1", "127.0.0.1", "[::1]", "[::1]:80", &format!("127.0.0.1:{port}")]
        .map(|host| format!("host: {host}\r\n"));
    let origins = ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:9"]
        .map(|origin| format!("host: localhost\r\norigin: {origin}\r\n"));
    for head in ours.iter().chain(&origins) {
        let mut client = world.connect().await;
        client.send(&format!("GET /mcp HTTP/1.1\r\n{head}\r\n")).await;
        remote.next().await.events(&[]).send("data: in\n\n").await;
        assert_eq!(client.answer().await.body, "data: in\n\n", "{head}");
    }
    let strangers = [
        "evil.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "localhost:80@evil.example",
        "127.1",
        "[::2]",
        "::1",
        "",
    ];
    let hosts = strangers.map(|host| format!("host: {host}\r\n"));
    let origins = [
        "null",
        "http://evil.example",
        "http://localhost@evil.example",
        "http://localhost.evil.example",
        "",
        "file://",
    ]
    .map(|origin| format!("host: localhost\r\norigin: {origin}\r\n"));
    let both = ["host: localhost\r\norigin: http://localhost\r\norigin: http://evil.example\r\n".to_owned()];
    for head in hosts.iter().chain(&origins).chain(&both) {
        let mut client = world.connect().await;
        client.send(&format!("GET /mcp HTTP/1.1\r\n{head}\r\n")).await;
        assert_eq!(client.answer().await.status, 403, "{head}");
    }
    let mut client = world.connect().await;
    client.send("GET /mcp HTTP/1.0\r\n\r\n").await;
    assert!(client.end().await.contains(" 403 "));
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_request_that_names_its_host_twice_or_not_at_all_is_refused() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    for bytes in [
        "GET /mcp HTTP/1.1\r\n\r\n",
        "GET /mcp HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET http://a/mcp HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = world.connect().await;
        client.send(bytes).await;
        assert_eq!(client.answer().await.status, 400, "{bytes}");
    }
    for method in ["PUT", "PATCH", "TRACE", "get", "FOO"] {
        assert_eq!(world.read(&format!("{method} /mcp"), "").await.answer().await.status, 405, "{method}");
    }
    assert!(remote.is_quiet());
}

const FIELDS: &str = "origin: http://o\r\nauthorization: Bearer t\r\nx-other: 1\r\nx-other: 2\r\naccept-encoding: gzip\r\n\
    connection: keep-alive, x-secret\r\nx-secret: s\r\nkeep-alive: 5\r\nte: trailers\r\ntrailer: x\r\nupgrade: h2c\r\n\
    proxy-authorization: p\r\nproxy-connection: close\r\nexpect: x\r\n";

#[tokio::test]
async fn fields_of_the_message_pass_and_those_of_the_connection_do_not() {
    for host in [HostName::Clients, HostName::Servers] {
        let mut remote = Remote::start().await;
        let authority = remote.url.authority().unwrap().to_string();
        let world = Setup { host, ..Setup::default() }.start(&remote.url).await;
        let mut client = world.post(FIELDS, CALL).await;
        let arrived = remote.next().await;
        assert_eq!(arrived.method, Method::POST);
        assert_eq!(arrived.header("host"), Some(if host == HostName::Clients { "localhost" } else { &authority }));
        assert_eq!(arrived.header("origin"), Some("http://o"));
        assert_eq!(arrived.header("authorization"), Some("Bearer t"));
        assert_eq!(arrived.headers.get_all("x-other").iter().count(), 2);
        assert_eq!(arrived.header("accept-encoding"), Some("identity"));
        assert_eq!(arrived.header("content-length"), Some(CALL.len().to_string().as_str()));
        for name in [
            "connection",
            "x-secret",
            "keep-alive",
            "te",
            "trailer",
            "upgrade",
            "proxy-authorization",
            "proxy-connection",
            "expect",
            "transfer-encoding",
        ] {
            assert_eq!(arrived.header(name), None, "{name}");
        }
        let head = [
            ("connection", "x-inner"),
            ("x-inner", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "x"),
            ("upgrade", "h2c"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
        ];
        arrived.answer(200, &head, DONE);
        let head = client.answer().await.head;
        assert_eq!(head.matches("set-cookie").count(), 2, "{head}");
        for name in ["x-inner", "keep-alive", "proxy-authenticate", "upgrade"] {
            assert!(!head.contains(name), "{head}");
        }
    }
}

#[tokio::test]
async fn configured_fields_take_the_place_of_the_clients() {
    let mut remote = Remote::start().await;
    let upstream = Upstream::new(&remote.url.to_string(), HostName::Servers, None).unwrap();
    let upstream = upstream.with_header("Authorization", "Bearer ours").unwrap();
    let listener = mcp_relay::http::Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let world = Setup::default().over(upstream, listener);
    let mut client = world.post("authorization: theirs\r\nauthorization: twice\r\n", CALL).await;
    let arrived = remote.next().await;
    let all: Vec<_> = arrived.headers.get_all("authorization").iter().collect();
    assert_eq!(all, ["Bearer ours"]);
    arrived.json(DONE);
    client.answer().await;
}
