//! A layer over the fixture's service: the place for whatever checks a request before a tool may run.
#![allow(clippy::unwrap_used, reason = "what a test rests on is there, or the test fails at that line")]

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest_rmcp::converse::{Era, Script, Server, Talk};
use attest_rmcp::serve::{ServeError, listen, serve, url};
use attest_rmcp::server::{Fixture, Handler, service};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use rmcp::transport::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio_util::sync::CancellationToken;
use tower::layer::{Layer as _, layer_fn};
use tower::{Service, service_fn};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PASS: (&str, &str) = ("x-pass", "yes");

type Fixed = StreamableHttpService<Handler, LocalSessionManager>;

/// Lets only requests with the header pass, and counts the others.
fn guard(
    inner: Fixed,
    kept_out: Arc<AtomicUsize>,
) -> impl Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone {
    service_fn(move |request: Request<Body>| {
        let (mut inner, kept_out) = (inner.clone(), kept_out.clone());
        async move {
            if request.headers().get(PASS.0).is_some_and(|value| value == PASS.1) {
                return inner.call(request).await.map(IntoResponse::into_response);
            }
            kept_out.fetch_add(1, Ordering::SeqCst);
            Ok(StatusCode::FORBIDDEN.into_response())
        }
    })
}

/// A fixture behind the guard: its URL, and how many requests were kept out.
async fn guarded(fixture: &Fixture) -> (String, Arc<AtomicUsize>) {
    let (stop, kept_out) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let listener = listen(LOOPBACK).await.unwrap();
    let url = url(&listener).unwrap();
    let counter = kept_out.clone();
    let layer = layer_fn(move |inner| guard(inner, counter.clone()));
    tokio::spawn(serve(listener, layer.layer(service(fixture, &stop)), stop));
    (url, kept_out)
}

fn call(url: &str, headers: Vec<(String, String)>) -> Talk {
    Talk {
        server: Server::Url { url: url.to_owned(), headers },
        script: Script::Call {
            tool: "test_simple_text".to_owned(),
            arguments: "{}".to_owned(),
            times: 1,
            refused: false,
        },
        era: Era::Auto,
        workdir: None,
    }
}

#[tokio::test]
async fn what_the_layer_keeps_out_runs_no_tool() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let fixture = Fixture::new(Some(&runs)).unwrap();
    let (url, kept_out) = guarded(&fixture).await;

    call(&url, Vec::new()).hold(&mut Vec::new()).await.unwrap_err();
    assert!(kept_out.load(Ordering::SeqCst) > 0);
    assert_eq!(fs::read_to_string(&runs).unwrap(), "");

    let before = kept_out.load(Ordering::SeqCst);
    let pass = vec![(PASS.0.to_owned(), PASS.1.to_owned())];
    let surprises = call(&url, pass).hold(&mut Vec::new()).await.unwrap();
    assert_eq!(surprises, Vec::<String>::new());
    assert_eq!(kept_out.load(Ordering::SeqCst), before, "the header goes with every request");
    assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn nothing_listens_where_other_machines_could_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = listen(address.parse().unwrap()).await.unwrap_err();
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
    }
}
