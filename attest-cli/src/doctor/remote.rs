//! Remote servers: whether they answer, and what time it is there.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, DATE};
use http::{Request, StatusCode};
use http_body_util::Full;
use mcp_relay::http::{Backend as _, HostName, Upstream, UpstreamError};

use super::{Findings, clock, meta};

const ABOUT: &str = "upstream";

/// Longest that an answer is waited for.
const LONGEST: Duration = Duration::from_secs(5);

/// Harmless in every version of MCP, and no tool call.
const PING: &str = r#"{"jsonrpc":"2.0","id":"attest-doctor","method":"ping"}"#;

/// A remote server.
pub(super) struct Remote {
    pub name: String,
    pub upstream: Upstream,
}

impl Remote {
    pub fn new(name: String, url: &str) -> Result<Self, UpstreamError> {
        Ok(Self { name, upstream: Upstream::new(url, HostName::Servers, None)? })
    }
}

/// Asks all of them at once; then, if they are to be probed, one after the other.
pub(super) fn ask(remotes: &[Remote], probe: bool, findings: &mut Findings) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut asked = tokio::task::JoinSet::new();
        for (at, remote) in remotes.iter().enumerate() {
            let request = Request::post(remote.upstream.uri())
                .header(ACCEPT, "application/json, text/event-stream")
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from_static(PING.as_bytes())))?;
            let upstream = remote.upstream.clone();
            asked.spawn(async move {
                let start = Instant::now();
                let answer = tokio::time::timeout(LONGEST, upstream.ask(request)).await;
                (at, answer, start.elapsed(), SystemTime::now())
            });
        }
        let mut answers = asked.join_all().await;
        answers.sort_by_key(|(at, ..)| *at);
        for (remote, (_, answer, took, now)) in remotes.iter().zip(answers) {
            let name = &remote.name;
            let answer = match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    findings.wrong(
                        ABOUT,
                        format_args!("{name} does not answer: {}; is it running, is the address right?", root(&*error)),
                    );
                    continue;
                }
                Err(_) => {
                    findings.wrong(ABOUT, format_args!("{name} does not answer within {} s", LONGEST.as_secs()));
                    continue;
                }
            };
            match answer.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => findings.wrong(
                    ABOUT,
                    format_args!(
                        "{name} wants a sign-in ({}); give a token's header in [upstream.NAME.headers] of agent.toml",
                        answer.status()
                    ),
                ),
                StatusCode::NOT_FOUND => {
                    findings
                        .wrong(ABOUT, format_args!("{name} has nothing at that address (404); give its MCP endpoint"));
                }
                status if status.is_server_error() => findings.warning(ABOUT, format_args!("{name} answers {status}")),
                // A server may want a session first; that it says so is an answer.
                _ => findings.ok(ABOUT, format_args!("{name} answers")),
            }
            if let Some(date) = answer.headers().get(DATE).and_then(|date| date.to_str().ok()) {
                clock::server(name, date, now, took, findings);
            }
            if probe {
                meta::ask(remote, findings).await;
            }
        }
        Ok(())
    })
}

/// What the system said, without the layers around it.
fn root<'e>(error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    error.source().map_or(error, root)
}
