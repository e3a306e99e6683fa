//! TLS towards clients and towards the server.

use std::path::PathBuf;

use http::Uri;
use mcp_relay::http::{HostName, Listener, Upstream};
use rcgen::{CertifiedKey, PublicKeyData as _, generate_simple_self_signed};
use tempfile::TempDir;

use crate::remote::Remote;
use crate::world::{CALL, DONE, ServerGone, Setup, World};

struct Files {
    _dir: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

fn files() -> Files {
    let dir = TempDir::new().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    Files { _dir: dir, certificate, key }
}

/// A relay that speaks TLS in front of `remote`, and its address.
async fn secured(remote: &Remote, files: &Files) -> (World, Uri) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let listener = listener.with_tls(&files.certificate, &files.key).unwrap();
    assert_eq!(listener.scheme(), "https");
    let url = format!("https://localhost:{}/mcp", listener.address().unwrap().port()).parse().unwrap();
    let upstream = Upstream::new(&remote.url.to_string(), HostName::Clients, None).unwrap();
    (Setup::default().over(upstream, listener), url)
}

/// A relay that reaches `url` with the authorities of `files`.
async fn towards(url: &Uri, files: &Files) -> World {
    let upstream = Upstream::new(&url.to_string(), HostName::Servers, Some(&files.certificate)).unwrap();
    Setup::default().over(upstream, Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap())
}

#[tokio::test]
async fn two_relays_talk_over_tls() {
    let mut remote = Remote::start().await;
    let files = files();
    let (_outer, url) = secured(&remote, &files).await;
    let inner = towards(&url, &files).await;
    let mut client = inner.post("", CALL).await;
    let arrived = remote.next().await;
    assert_eq!((&arrived.body[..], arrived.header("host")), (CALL.as_bytes(), url.authority().map(|a| a.as_str())));
    let events = arrived.events(&[]);
    events.send(&format!("data: {DONE}\n\n")).await;
    client.until(&format!("data: {DONE}\n\n")).await;
    // Closing goes all the way too.
    drop(client);
    events.closed().await;
}

#[tokio::test]
async fn a_server_that_cannot_show_a_known_authority_or_its_name_is_not_asked() {
    let mut remote = Remote::start().await;
    let ours = files();
    let (outer, url) = secured(&remote, &ours).await;
    let by_address = url.to_string().replace("localhost", "127.0.0.1").parse().unwrap();
    for mut inner in [towards(&url, &files()).await, towards(&by_address, &ours).await] {
        assert_eq!(inner.post("", CALL).await.answer().await.status, 502);
        inner.heard().await;
        inner.hears(0, ServerGone).await;
    }
    assert!(remote.is_quiet());
    // Nor is it bad HTTP on the other side.
    outer.has_said_all().await;
}

#[tokio::test]
async fn plain_http_gets_nothing_from_a_listener_with_tls() {
    let mut remote = Remote::start().await;
    let (world, _) = secured(&remote, &files()).await;
    let mut client = world.post("", CALL).await;
    assert!(!client.closes().await.starts_with(b"HTTP/"));
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn the_key_that_a_server_shows_is_known_once_it_was_believed() {
    let mut remote = Remote::start().await;
    let ours = files();
    let (_outer, url) = secured(&remote, &ours).await;
    let upstream =
        |files: &Files| Upstream::new(&url.to_string(), HostName::Servers, Some(&files.certificate)).unwrap();
    let listener = || async { Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap() };

    // Shown, and not believed.
    let other = upstream(&files());
    let unbelieved = other.peer_key();
    let mut inner = Setup::default().over(other, listener().await);
    assert_eq!(inner.post("", CALL).await.answer().await.status, 502);
    inner.heard().await;
    inner.hears(0, ServerGone).await;
    assert_eq!(unbelieved.get(), None);

    let upstream = upstream(&ours);
    let key = upstream.peer_key();
    assert_eq!(key.get(), None, "nobody was asked yet");
    let inner = Setup::default().over(upstream, listener().await);
    let mut client = inner.post("", CALL).await;
    let arrived = remote.next().await;
    let events = arrived.events(&[]);
    events.send(&format!("data: {DONE}\n\n")).await;
    client.until(&format!("data: {DONE}\n\n")).await;
    let shown = std::fs::read_to_string(&ours.key).unwrap();
    assert_eq!(key.get().as_deref(), Some(&rcgen::KeyPair::from_pem(&shown).unwrap().subject_public_key_info()[..]));
}
