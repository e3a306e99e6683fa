//! The smallest MCP endpoint over HTTP that measurements need: `http-echo [ADDRESS]`, prints its URL.
//!
//! Reads of a message what it must (the id) and answers every request with the same result, so that it costs little
//! beside what stands in front of it.

use std::convert::Infallible;
use std::io::Write as _;

use attest_benches::Outcome;
use attest_benches::http::listen;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;

/// Tells an MCP client as much as a client must hear, and a caller a result of usual length.
const RESULT: &str = concat!(
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"},"#,
    r#""content":[{"type":"text","text":"3 issues found: 1041, 1207, 1333"}],"isError":false}"#,
);

#[derive(Deserialize)]
struct Head {
    id: Option<u64>,
}

fn main() -> Outcome<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(&address)?;
        writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    })
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let id = serde_json::from_slice(&body).ok().and_then(|head: Head| head.id);
    let mut response = http::Response::new(Full::default());
    match id {
        Some(id) => {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{RESULT}}}"#);
            *response.body_mut() = Full::from(line);
            let json = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        }
        None => *response.status_mut() = http::StatusCode::ACCEPTED,
    }
    Ok(response)
}
