//! Sinks with real receivers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use attest_sinks::{Alert, Config, Severity, Sinks, SinksError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, UdpSocket, UnixDatagram};

const PATIENCE: Duration = Duration::from_secs(20);

fn alert(reason: &str) -> Alert {
    Alert {
        time_ms: 1_764_197_155_123,
        rule: "tool-changed".into(),
        severity: Severity::High,
        reason: reason.into(),
        server: Some("files\" ]x".into()),
        tool: Some("read".into()),
        entries: vec!["a1".into(), "b2".into()],
    }
}

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Answers with each status in turn, and then 200; a status of 0 is no answer at all.
async fn receiver(statuses: &'static [u16]) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let seen: Seen = Arc::default();
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let all = Arc::clone(&all);
            let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
                let all = Arc::clone(&all);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let count = {
                        let mut all = all.lock().unwrap();
                        all.push((head.headers, body));
                        all.len()
                    };
                    let status = statuses.get(count - 1).copied().unwrap_or(200);
                    if status == 0 {
                        std::future::pending::<()>().await;
                    }
                    Response::builder().status(status).body(Full::new(Bytes::from_static(b"{}")))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (url, seen)
}

fn secret(folder: &Path) -> (String, Vec<u8>) {
    let key = vec![7u8; 32];
    let path = folder.join("secret");
    fs::write(&path, format!("whsec_{}\n", STANDARD.encode(&key))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (path.to_str().unwrap().to_owned(), key)
}

fn start(toml: &str) -> Sinks {
    Sinks::start(&Config::from_toml(toml).unwrap()).unwrap()
}

#[tokio::test]
async fn a_webhook_is_signed_and_sent_again_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (secret_file, key) = secret(folder.path());
    let (url, seen) = receiver(&[500, 500]).await;
    let sinks = start(&format!("[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{secret_file}\""));
    sinks.send(alert("changed"));
    sinks.close(PATIENCE).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    for (headers, body) in seen.iter() {
        let get = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(get("webhook-id"), seen[0].0["webhook-id"].to_str().unwrap(), "the id stays over attempts");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", get("webhook-id"), get("webhook-timestamp")).as_bytes());
        mac.update(body);
        assert_eq!(get("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(body["type"], "attest.alert");
        assert_eq!(body["timestamp"], "2025-11-26T22:45:55.123Z");
        assert_eq!(serde_json::from_value::<Alert>(body["data"].clone()).unwrap(), alert("changed"));
    }
}

#[tokio::test]
async fn what_a_receiver_refuses_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (secret_file, _) = secret(folder.path());
    let (url, seen) = receiver(&[400]).await;
    let sinks = start(&format!("[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{secret_file}\""));
    sinks.send(alert("one"));
    while sinks.status()[0].failed == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_never_answers_slows_nobody_and_costs_alerts_there_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (secret_file, _) = secret(folder.path());
    let (url, _) = receiver(&[0; 8]).await;
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let sinks = start(&format!(
        "[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{secret_file}\"\n[[sink]]\nto = \"syslog\"\nunix = \"{}\"",
        path.display()
    ));
    let begin = Instant::now();
    for n in 0..1_000 {
        sinks.send(alert(&n.to_string()));
    }
    // A sink that waited would take its ten seconds for each.
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let mut room = [0; 4_096];
    socket.recv(&mut room).await.unwrap();
    let status = sinks.status();
    assert_eq!((status[0].sink, status[0].sent), ("webhook", 0));
    assert!(status[0].dropped >= 1_000 - 256 - 1, "{status:?}");
    sinks.close(Duration::from_millis(10)).await;
}

#[tokio::test]
async fn syslog_over_a_unix_socket_is_rfc_5424_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let sinks = start(&format!("[[sink]]\nto = \"syslog\"\nunix = \"{}\"", path.display()));
    sinks.send(alert("changed\n<1>1 - forged"));
    let mut room = [0; 4_096];
    let length = socket.recv(&mut room).await.unwrap();
    let text = String::from_utf8(room[..length].to_vec()).unwrap();
    // authpriv is 10, error is 3.
    assert!(text.starts_with("<83>1 2025-11-26T22:45:55.123Z "), "{text}");
    assert!(
        text.contains(&format!(
            " attest {} alert [attest@32473 rule=\"tool-changed\" severity=\"high\" ",
            std::process::id()
        )),
        "{text}"
    );
    assert!(text.contains(r#"server="files\" \]x" tool="read" entries="a1,b2"] "#), "{text}");
    assert!(text.ends_with("changed <1>1 - forged"), "{text}");
}

#[tokio::test]
async fn syslog_over_udp_and_tcp() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sinks = start(&format!(
        "[[sink]]\nto = \"syslog\"\nudp = \"{}\"\n[[sink]]\nto = \"syslog\"\ntcp = \"{}\"",
        udp.local_addr().unwrap(),
        tcp.local_addr().unwrap()
    ));
    sinks.send(alert("one"));
    let mut room = [0; 4_096];
    let length = udp.recv(&mut room).await.unwrap();
    assert!(room[..length].starts_with(b"<83>1 ") && room[..length].ends_with(b"one"));
    let (mut stream, _) = tcp.accept().await.unwrap();
    let length = stream.read(&mut room).await.unwrap();
    let text = String::from_utf8(room[..length].to_vec()).unwrap();
    let (count, message) = text.split_once(' ').unwrap();
    assert_eq!(count.parse::<usize>().unwrap(), message.len());
    // The connection is closed on the other side; a later alert comes over a new one.
    drop(stream);
    for _ in 0..3 {
        sinks.send(alert("two"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::timeout(PATIENCE, tcp.accept()).await.unwrap().unwrap();
}

#[tokio::test]
async fn otlp_is_what_the_sdks_types_read() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("header");
    fs::write(&header, "X-Api-Key: abc\n").unwrap();
    fs::set_permissions(&header, fs::Permissions::from_mode(0o600)).unwrap();
    let (url, seen) = receiver(&[503]).await;
    let sinks = start(&format!("[[sink]]\nto = \"otlp\"\nurl = \"{url}\"\nheader_file = \"{}\"", header.display()));
    sinks.send(alert("changed"));
    sinks.close(PATIENCE).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].0["x-api-key"], "abc");
    let read: ExportLogsServiceRequest = serde_json::from_slice(&seen[1].1).unwrap();
    let record = &read.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((record.time_unix_nano, record.severity_number), (1_764_197_155_123_000_000, 17));
    assert_eq!(record.attributes.len(), 4);
    assert!(format!("{:?}", record.body).contains("changed"));
}

#[tokio::test]
async fn alerts_below_what_a_sink_wants_stay_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let sinks = start(&format!("[[sink]]\nto = \"syslog\"\nleast = \"high\"\nunix = \"{}\"", path.display()));
    sinks.send(Alert { severity: Severity::Medium, ..alert("low") });
    sinks.send(alert("high"));
    let mut room = [0; 4_096];
    let length = socket.recv(&mut room).await.unwrap();
    assert!(room[..length].ends_with(b"high"));
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn standard_error_gets_one_line_whatever_the_alert_says() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let sinks = start("[[sink]]\nto = \"stderr\"");
    sinks.send(alert("a\nb\u{1b}[31m"));
    sinks.close(PATIENCE).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("tool-changed") && text.contains("a1,b2") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn what_cannot_work_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (secret_file, _) = secret(folder.path());
    let wrong = |toml: String| match Config::from_toml(&toml).and_then(|config| Sinks::start(&config)) {
        Ok(_) => panic!("{toml} works"),
        Err(error) => error,
    };
    let webhook =
        |url: &str, file: &str| format!("[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{file}\"");
    assert!(matches!(wrong(webhook("ftp://x", &secret_file)), SinksError::Url(_)));
    assert!(matches!(wrong(webhook("http://me:pw@x/", &secret_file)), SinksError::Url(_)));
    assert!(matches!(wrong(webhook("http://x", "/nowhere")), SinksError::File { .. }));
    assert!(matches!(wrong("[[sink]]\nto = \"pager\"".into()), SinksError::Toml(_)));
    assert!(matches!(wrong("[[sink]]\nto = \"stderr\"\nurl = \"x\"".into()), SinksError::Toml(_)));
    fs::write(&secret_file, "whsec_").unwrap();
    assert!(matches!(wrong(webhook("http://x", &secret_file)), SinksError::Secret { .. }));
    fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(wrong(webhook("http://x", &secret_file)), SinksError::Wide { .. }));
}
