//! A server that is reached over HTTP.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::peer::PeerKey;
use super::tls::{self, TlsError};
use super::{BoxError, Request, Response};

/// How long a connection to the server may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept. Shorter than what servers keep (Node: 5 s), so that a request seldom meets a
/// connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);

/// Which name of the server is sent as `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostName {
    /// The one that the client used: the relay stands in front of a server that looks at it itself.
    Clients,
    /// The one in the server's address: the relay stands in front of a client.
    Servers,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// Not an absolute `http:` or `https:` URL.
    #[error("{0:?} is not an http:// or https:// URL such as http://127.0.0.1:3000/mcp")]
    Address(String),
    /// A header that HTTP does not allow.
    #[error("the header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A remote server, with the connections to it. Speaks HTTP/1.1, in which `Host` is the client's to choose.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    endpoint: PathAndQuery,
    host: HostName,
    headers: HeaderMap,
    key: PeerKey,
}

impl Upstream {
    /// The server at `address`. `roots` is a file of certificate authorities to believe instead of the system's.
    pub fn new(address: &str, host: HostName, roots: Option<&Path>) -> Result<Self, UpstreamError> {
        let wrong = || UpstreamError::Address(address.to_owned());
        let parts = address.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(wrong()) };
        // A password in it would go nowhere; it belongs into a header.
        if authority.as_str().contains('@') {
            return Err(wrong());
        }
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new();
        let key = PeerKey::default();
        let connector = if scheme == Scheme::HTTPS {
            builder.with_tls_config(tls::client(roots, key.clone())?).https_only().enable_http1().wrap_connector(tcp)
        } else if scheme == Scheme::HTTP {
            // Never used for TLS, so it needs no authorities.
            let none = rustls::RootCertStore::empty();
            let provider = rustls::crypto::ring::default_provider();
            let config = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .map_err(TlsError::from)?
                .with_root_certificates(none)
                .with_no_client_auth();
            builder.with_tls_config(config).https_or_http().enable_http1().wrap_connector(tcp)
        } else {
            return Err(wrong());
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let endpoint = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { client, scheme, authority, endpoint, host, headers: HeaderMap::new(), key })
    }

    /// Adds a header to every request, in place of the client's of that name.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, UpstreamError> {
        let wrong = || UpstreamError::Header(name.to_owned());
        let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
        // What an operator configures may be a secret: it stays out of debug output.
        value.set_sensitive(true);
        self.headers.insert(name.parse::<HeaderName>().map_err(|_| wrong())?, value);
        Ok(self)
    }

    /// The key that the server shows.
    pub fn peer_key(&self) -> PeerKey {
        self.key.clone()
    }

    /// The path of the MCP endpoint.
    pub fn path(&self) -> &str {
        self.endpoint.path()
    }

    /// The address of the MCP endpoint.
    pub fn uri(&self) -> Uri {
        self.at(self.endpoint.clone())
    }

    /// Where a request for `asked` goes. A query that the operator wrote is not the client's to change.
    fn target(&self, asked: &Uri) -> PathAndQuery {
        match asked.path_and_query() {
            Some(target) if target.path() != self.endpoint.path() || self.endpoint.query().is_none() => target.clone(),
            _ => self.endpoint.clone(),
        }
    }

    fn at(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        // All three parts are there, which is all that this can fail for.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

impl tower_service::Service<Request> for Upstream {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        *request.uri_mut() = self.at(self.target(request.uri()));
        *request.version_mut() = http::Version::HTTP_11;
        let headers = request.headers_mut();
        if self.host == HostName::Servers {
            headers.remove(HOST);
        }
        headers.extend(self.headers.clone());
        let answer = self.client.request(request);
        Box::pin(async move { Ok(answer.await?.map(|body| body.map_err(BoxError::from).boxed_unsync())) })
    }
}
