//! Over TLS an alert goes to whom the named authorities vouch for, and to nobody else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails there")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use attest_sinks::{Alert, Config, Severity, Sinks, SinksError};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Longer than a delivery takes, shorter than all attempts.
const PATIENCE: Duration = Duration::from_secs(3);

fn alert() -> Alert {
    Alert {
        time_ms: 1,
        rule: "tool-changed".into(),
        severity: Severity::High,
        reason: "changed".into(),
        server: None,
        tool: None,
        entries: Vec::new(),
    }
}

/// A certificate for `localhost` of its own, written to a file of this name.
fn certificate(folder: &Path, name: &str) -> (CertifiedKey<rcgen::KeyPair>, PathBuf) {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.join(name);
    fs::write(&path, made.cert.pem()).unwrap();
    (made, path)
}

/// A receiver over TLS: its port, and how many alerts came.
async fn receiver(of: &CertifiedKey<rcgen::KeyPair>) -> (u16, Arc<AtomicUsize>) {
    let key = PrivateKeyDer::from_pem_slice(of.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![of.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let all = came.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let all = all.clone();
            let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
                let all = all.clone();
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    assert!(body.windows(7).any(|window| window == b"changed"));
                    all.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, http::Error>(Response::new(Full::new(Bytes::new())))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (port, came)
}

fn sink(kind: &str, folder: &Path, port: u16, roots: &Path) -> Sinks {
    let secret = folder.join("secret");
    fs::write(&secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let more = if kind == "webhook" { format!("secret_file = {secret:?}") } else { String::new() };
    let text =
        format!("[[sink]]\nto = \"{kind}\"\nurl = \"https://localhost:{port}/hook\"\nroots = {roots:?}\n{more}\n");
    Sinks::start(&Config::from_toml(&text).unwrap()).unwrap()
}

#[tokio::test]
async fn an_alert_reaches_a_receiver_that_the_named_authorities_vouch_for() {
    let folder = tempfile::tempdir().unwrap();
    let (own, roots) = certificate(folder.path(), "roots.pem");
    let (port, came) = receiver(&own).await;
    for kind in ["webhook", "otlp"] {
        let sinks = sink(kind, folder.path(), port, &roots);
        sinks.send(alert());
        sinks.close(PATIENCE).await;
    }
    assert_eq!(came.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_receiver_that_nobody_vouches_for_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (own, _) = certificate(folder.path(), "own.pem");
    let (_, roots) = certificate(folder.path(), "others.pem");
    let (port, came) = receiver(&own).await;
    let sinks = sink("webhook", folder.path(), port, &roots);
    sinks.send(alert());
    sinks.close(PATIENCE).await;
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_goes_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let (_, roots) = certificate(folder.path(), "roots.pem");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sinks = sink("webhook", folder.path(), listener.local_addr().unwrap().port(), &roots);
    sinks.send(alert());
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [22], "a handshake, RFC 8446, section 5.1");
    sinks.close(Duration::from_millis(10)).await;
}

#[tokio::test]
async fn authorities_that_are_none_are_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for roots in [empty, folder.path().join("none.pem")] {
        let text = format!("[[sink]]\nto = \"otlp\"\nurl = \"https://localhost:1/\"\nroots = {roots:?}\n");
        let started = Sinks::start(&Config::from_toml(&text).unwrap());
        assert!(matches!(started.err(), Some(SinksError::Tls(_))), "{roots:?}");
    }
}
