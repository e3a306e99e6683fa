//! POST with retries.

use std::path::Path;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::SinksError;

/// One attempt, from the connection to the end of the answer.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Retries after the first attempt, some 15 seconds in all.
const RETRIES: usize = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What is read of an answer, so that the connection can be used again.
const MAX_ANSWER: usize = 64 << 10;

/// One receiver.
pub(crate) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
}

/// Why an attempt failed, and whether another may do better.
pub(crate) struct Failed {
    why: String,
    again: bool,
}

impl Post {
    pub(crate) fn new(url: &str, roots: Option<&Path>) -> Result<Self, SinksError> {
        let wrong = || SinksError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(wrong)?;
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(wrong());
        }
        // Reached in the clear, it needs no authorities.
        let store = if scheme == "https" { authorities(roots)? } else { rustls::RootCertStore::empty() };
        let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| SinksError::Tls(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { client, uri })
    }

    /// Sends `body` until it is taken, with what `headers` says for each attempt.
    pub(crate) async fn send(
        &self,
        body: String,
        headers: impl Fn() -> Result<HeaderMap, String>,
    ) -> Result<(), String> {
        let body = Bytes::from(body);
        let backoff = ExponentialBuilder::new()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(RETRIES)
            .with_jitter();
        let attempt = || async {
            let headers = headers().map_err(|why| Failed { why, again: false })?;
            tokio::time::timeout(ATTEMPT, self.attempt(body.clone(), headers))
                .await
                .unwrap_or_else(|_| Err(Failed { why: "no answer in time".into(), again: true }))
        };
        attempt.retry(backoff).when(|failed: &Failed| failed.again).await.map_err(|failed| failed.why)
    }

    async fn attempt(&self, body: Bytes, headers: HeaderMap) -> Result<(), Failed> {
        let gone = |why: String| Failed { why, again: true };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.request(request).await.map_err(|error| gone(error.to_string()))?;
        let status = answer.status();
        // Read to its end where it is short; what it says is not looked at.
        let _ = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        if status.is_success() {
            return Ok(());
        }
        // Redirects are not followed: an alert goes where the operator said. 4xx will be the same again, but for two.
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        Err(Failed { why: format!("answered {status}"), again })
    }
}

fn authorities(roots: Option<&Path>) -> Result<rustls::RootCertStore, SinksError> {
    let mut store = rustls::RootCertStore::empty();
    let Some(path) = roots else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(SinksError::Tls(
                "this system has no certificate authorities; install ca-certificates, or name a file".into(),
            ));
        }
        return Ok(store);
    };
    let wrong = |why: String| SinksError::Tls(format!("{}: {why}", path.display()));
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        store.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if store.is_empty() { Err(wrong("holds no certificate".into())) } else { Ok(store) }
}
