//! A reverse proxy that looks at nothing: `plain-proxy URL [ADDRESS]`, prints the URL to call it by.
//!
//! hyper on both sides, as the guard has it, bodies streamed through as they come: the least that a proxy of this kind costs.

use std::io::Write as _;

use attest_benches::Outcome;
use attest_benches::http::listen;
use http::Uri;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let upstream: Uri = arguments.next().ok_or("usage: plain-proxy URL [ADDRESS]")?.parse()?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(tcp);
        let listener = listen(&address)?;
        writeln!(std::io::stdout(), "http://{}{}", listener.local_addr()?, upstream.path())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (client, upstream) = (client.clone(), upstream.clone());
            let service = service_fn(move |mut request: http::Request<Incoming>| {
                *request.uri_mut() = upstream.clone();
                request.headers_mut().remove(CONNECTION);
                let asked = client.request(request);
                async move {
                    let mut answer = asked.await?;
                    answer.headers_mut().remove(CONNECTION);
                    answer.headers_mut().remove(TRANSFER_ENCODING);
                    Ok::<_, hyper_util::client::legacy::Error>(answer)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
