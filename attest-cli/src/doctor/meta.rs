//! Whether `_meta` arrives: a call with a proof that is none, whose refusal tells how far it came.
//!
//! No signed call is needed. A guard calls such a proof malformed; one that was sent no proof says that, and then something
//! on the way dropped it. What answers otherwise checks nothing. The call names no tool that there is, and the guard writes the
//! refusal down, so it is made only when asked for.

use std::time::Duration;

use attest_core::names::PROOF;
use attest_core::{json, reply};
use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited};
use mcp_relay::http::{Backend as _, BoxError};

use super::Findings;
use super::remote::Remote;

const ABOUT: &str = "upstream";

/// Longest that an answer is waited for.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest answer in bytes that is read; a refusal has some hundred.
const MOST: usize = 65_536;

/// Asks one server.
pub(super) async fn ask(remote: &Remote, findings: &mut Findings) {
    let name = &remote.name;
    let reason = match tokio::time::timeout(LONGEST, reason(remote)).await {
        Ok(Ok(reason)) => reason,
        Ok(Err(error)) => return findings.warning(ABOUT, format_args!("{name}: the probe was not answered: {error}")),
        Err(_) => {
            return findings
                .warning(ABOUT, format_args!("{name}: the probe was not answered within {} s", LONGEST.as_secs()));
        }
    };
    match reason.as_deref() {
        Some("malformed") => findings.ok(ABOUT, format_args!("{name}: a guard is there, and `_meta` arrives at it")),
        Some("unauthenticated") => findings.wrong(
            ABOUT,
            format_args!("{name}: a guard is there, and `_meta` is dropped on the way to it; have the gateway in between keep params._meta"),
        ),
        Some(other) => findings.warning(ABOUT, format_args!("{name}: a guard is there, and refuses every call now ({other})")),
        None => findings.warning(
            ABOUT,
            format_args!("{name}: no guard is there, so calls are signed and nobody checks them; put `attest guard` in front of it"),
        ),
    }
}

/// The reason of the refusal, as on the wire; `None` where the answer is none.
async fn reason(remote: &Remote) -> Result<Option<String>, BoxError> {
    let call = serde_json::json!({
        "jsonrpc": "2.0", "id": "attest-doctor", "method": "tools/call",
        "params": { "name": "attest-doctor", "arguments": {}, "_meta": { PROOF: {} } },
    });
    let request = Request::post(remote.upstream.uri())
        .header(ACCEPT, "application/json, text/event-stream")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(call.to_string())))?;
    let answer = Limited::new(remote.upstream.ask(request).await?.into_body(), MOST).collect().await?.to_bytes();
    // An event stream has the message behind `data:`.
    let line = answer.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
    let Ok(message) = json::parse(line.unwrap_or(&answer).trim_ascii()) else { return Ok(None) };
    let Some(told) = reply::retell(&message) else { return Ok(None) };
    let told: serde_json::Value = serde_json::from_slice(&told)?;
    let data = told
        .pointer("/error/data")
        .or_else(|| told.pointer("/result/_meta").and_then(|meta| meta.as_object()?.values().next()));
    Ok(data.and_then(|data| data.get("reason")?.as_str()).map(str::to_owned))
}
