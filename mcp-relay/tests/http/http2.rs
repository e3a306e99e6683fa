//! Clients that speak HTTP/2.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_relay::Defect;
use mcp_relay::http::{Callers, Limits};
use tokio::net::TcpStream;

use crate::remote::Remote;
use crate::support::soon;
use crate::world::{CALL, ClientGone, DONE, Heard, ServerGone, Setup, World};

type Client = SendRequest<Full<Bytes>>;

async fn connect(world: &World) -> Client {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn request(authority: &str) -> http::request::Builder {
    http::Request::post(format!("http://{authority}/mcp")).header("content-type", "application/json")
}

fn call() -> Full<Bytes> {
    Full::new(Bytes::from_static(CALL.as_bytes()))
}

#[tokio::test]
async fn the_authority_is_the_host_by_which_callers_know_us() {
    let mut remote = Remote::start().await;
    let world = Setup { callers: Callers::of_this_machine(), ..Setup::default() }.start(&remote.url).await;
    let mut client = connect(&world).await;
    for authority in ["localhost:9", "[::1]"] {
        let asked = tokio::spawn(client.send_request(request(authority).body(call()).unwrap()));
        let arrived = remote.next().await;
        assert_eq!((arrived.header("host"), &arrived.body[..]), (Some(authority), CALL.as_bytes()));
        arrived.json(DONE);
        let answer = soon(asked).await.unwrap().unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), DONE);
    }
    let answer = soon(client.send_request(request("evil.example").body(call()).unwrap())).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_host_that_is_not_the_authority_is_refused() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let mut client = connect(&world).await;
    let request = request("evil.example").header("host", "localhost").body(call()).unwrap();
    assert_eq!(soon(client.send_request(request)).await.unwrap().status(), 400);
    world.hears(0, Heard::Defect(Defect::Http)).await;
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn too_many_fields_are_refused_as_over_http_1() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { headers: 5, ..Limits::default() }, &remote.url).await;
    let mut client = connect(&world).await;
    let mut request = request("localhost");
    for n in 0..6 {
        request = request.header(format!("x-{n}"), "1");
    }
    assert_eq!(soon(client.send_request(request.body(call()).unwrap())).await.unwrap().status(), 431);
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn streams_of_one_connection_do_not_wait_for_each_other_and_end_alone() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let mut client = connect(&world).await;
    let first = tokio::spawn(client.send_request(request("localhost").body(call()).unwrap()));
    let events = remote.next().await.events(&[]);
    let mut streamed = soon(first).await.unwrap().unwrap().into_body();
    events.send("data: 1\n\n").await;
    assert_eq!(soon(streamed.frame()).await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    let second = tokio::spawn(client.send_request(request("localhost").body(call()).unwrap()));
    remote.next().await.json(DONE);
    assert_eq!(soon(second).await.unwrap().unwrap().status(), 200);
    drop(streamed);
    events.closed().await;
    let mut of_first = Vec::new();
    while of_first.last() != Some(&ServerGone) {
        let (exchange, heard) = world.heard().await;
        if exchange == 0 {
            of_first.push(heard);
        }
    }
    assert_eq!(of_first[2..], [ClientGone, ServerGone]);
}
