//! Requests whose framing is odd, or no HTTP: what hyper lets through, and what becomes of it.

use mcp_relay::Defect;

use crate::remote::Remote;
use crate::world::{CALL, DONE, Heard, Setup, World};

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// hyper reads these in one way (RFC 9112, section 6.3), and it is that reading which goes on, framed anew: no reader
/// behind can come to another.
#[tokio::test]
async fn whatever_the_framing_was_what_goes_on_has_one_length() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    let length = CALL.len();
    let chunks = chunked(CALL);
    let extended = format!("{length:x};a=b\r\n{CALL}\r\n0;c\r\nx-trailer: t\r\n\r\n");
    for framing in [
        format!("content-length: {length}\r\ncontent-length: {length}\r\n\r\n{CALL}"),
        format!("content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        format!("transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n{chunks}"),
        format!("transfer-encoding: chunked\r\n\r\n{extended}"),
        format!("transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n{}", &CALL[..1], chunked(&CALL[1..])),
    ] {
        let mut client = world.connect().await;
        client.send(&format!("POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{framing}")).await;
        let arrived = remote.next().await;
        assert_eq!(arrived.body, CALL, "{framing}");
        let lengths: Vec<_> = arrived.headers.get_all("content-length").iter().collect();
        assert_eq!(lengths, [length.to_string().as_str()], "{framing}");
        assert!(arrived.header("transfer-encoding").is_none() && arrived.header("x-trailer").is_none());
        arrived.json(DONE);
        assert_eq!(client.answer().await.body, DONE);
        if framing.contains("content-length: 3") {
            // Whoever stands in front may have seen another end: nothing that follows is believed.
            client.end().await;
        }
    }
    assert_eq!(world.bad_http(), 0);
}

#[tokio::test]
async fn a_connection_without_http_is_closed_and_told_once() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let cases = [
        "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{CALL}"
        ),
        format!("POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: +3\r\n\r\n{CALL}"),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked, gzip\r\n\r\n{}",
            chunked(CALL)
        ),
        format!(
            "POST /mcp HTTP/1.0\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}",
            chunked(CALL)
        ),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nx: a\r\n b\r\ncontent-length: {}\r\n\r\n{CALL}",
            CALL.len()
        ),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length : {}\r\n\r\n{CALL}",
            CALL.len()
        ),
        "GET /mcp HTTP/1.1\r\nhost: h\r\nx: \0\r\n\r\n".to_owned(),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let mut client = world.connect().await;
        client.send(bytes).await;
        let answer = client.end().await;
        assert!(answer.is_empty() || answer.contains(" 400 "), "{bytes:?}: {answer}");
        assert_eq!(world.bad_http(), number + 1, "{bytes:?}");
    }
    assert!(remote.is_quiet());
    let _ = &mut world;
    assert_eq!(world.finish().await, (Vec::new(), cases.len()));
}

#[tokio::test]
async fn a_body_that_is_badly_framed_is_a_defect_of_its_exchange_alone() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    for (number, body) in ["zz\r\n", "1\r\n{x", "-1\r\n", "10000000000000000\r\n"].into_iter().enumerate() {
        let mut client = world.connect().await;
        client.send(&format!("POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{body}")).await;
        assert!(client.end().await.contains(" 400 "));
        world.hears(number, Heard::Defect(Defect::Http)).await;
    }
    assert!(remote.is_quiet());
    world.has_said_all().await;
}

#[tokio::test]
async fn a_request_for_reading_has_no_body() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    for (number, method) in ["GET", "HEAD", "OPTIONS", "DELETE"].into_iter().enumerate() {
        let mut client = world.connect().await;
        client.send(&format!("{method} /mcp HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{{}}")).await;
        assert!(client.until("\r\n\r\n").await.contains(" 400 "));
        world.hears(number, Heard::Defect(Defect::Http)).await;
    }
    assert!(remote.is_quiet());
    world.has_said_all().await;
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let mut remote = Remote::start().await;
    let world = World::start(Setup::default(), &remote.url).await;
    let mut client = world.connect().await;
    let other = CALL.replace(":1,", ":2,");
    client.send(&(crate::world::post("", CALL) + &crate::world::post("", &other))).await;
    let second = DONE.replace(":1,", ":2,");
    for (line, done) in [(CALL, DONE), (&other, &second)] {
        let arrived = remote.next().await;
        assert_eq!(arrived.body, line);
        arrived.json(done.to_owned());
    }
    assert_eq!(client.answer().await.body, DONE);
    assert_eq!(client.answer().await.body, second);
}
