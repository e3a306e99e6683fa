//! The request headers of Streamable HTTP.

use std::borrow::Cow;

use attest_core::json::Value;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName};

use super::era;
use super::problem::Problem;
use crate::http::encode::{METHOD, NAME, VERSION, decode};

/// The value of a header that is there exactly once and is plain text.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The kinds of answer that a caller takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepts {
    /// `application/json`
    pub json: bool,
    /// `text/event-stream`
    pub sse: bool,
}

impl Accepts {
    /// What `Accept` says. No such header means anything (RFC 9110, section 12.5.1); weights are ignored but for zero.
    pub fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(ACCEPT) {
            return Self { json: true, sse: true };
        }
        let mut accepts = Self { json: false, sse: false };
        for range in headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let refused = parts.any(|p| {
                p.strip_prefix("q=").or(p.strip_prefix("Q=")).is_some_and(|q| q.parse::<f64>().is_ok_and(|q| q <= 0.0))
            });
            match media.as_str() {
                _ if refused => {}
                "*/*" => accepts = Self { json: true, sse: true },
                "application/json" | "application/*" => accepts.json = true,
                "text/event-stream" | "text/*" => accepts.sse = true,
                _ => {}
            }
        }
        accepts
    }
}

/// Whether the headers that must mirror a modern request's body are there and do (2026-07-28, Streamable HTTP, "Server
/// Validation"). A child cannot tell: it never sees them.
pub(super) fn mirror(headers: &HeaderMap, message: &Value<'_>, method: &str) -> Result<(), Problem> {
    let version = required(headers, &VERSION)?;
    // Where the body names none, that is the server's to answer.
    if era::version(message).is_some_and(|body| body != version) {
        return Err(Problem::HeaderDiffers(VERSION));
    }
    if required(headers, &METHOD)? != method {
        return Err(Problem::HeaderDiffers(METHOD));
    }
    let (member, is_required) = match method {
        "tools/call" | "prompts/get" => ("name", true),
        "resources/read" => ("uri", true),
        // The tasks extension asks its clients for it (SEP-2663), the transport itself does not.
        "tasks/get" | "tasks/update" | "tasks/cancel" => ("taskId", false),
        _ => return Ok(()),
    };
    let params = message.as_object().and_then(|o| o.get("params")?.as_object());
    let Some(name) = params.and_then(|params| params.get(member)?.as_str()) else {
        return Ok(());
    };
    if !is_required && !headers.contains_key(NAME) {
        return Ok(());
    }
    if shown(headers, &NAME)? == name { Ok(()) } else { Err(Problem::HeaderDiffers(NAME)) }
}

/// What a required header mirrors, decoded.
pub(super) fn shown<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Cow<'h, str>, Problem> {
    decode(required(headers, name)?).ok_or_else(|| Problem::HeaderInvalid(name.clone()))
}

fn required<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Problem> {
    if !headers.contains_key(name) {
        return Err(Problem::HeaderMissing(name.clone()));
    }
    single(headers, name).map(|v| v.trim_matches([' ', '\t'])).ok_or_else(|| Problem::HeaderInvalid(name.clone()))
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;
    use http::HeaderValue;

    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn call(name: &str) -> String {
        format!(
            r#"{{"id":1,"method":"tools/call","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},"name":"{name}"}}}}"#
        )
    }

    fn check(name: &str, pairs: &[(&'static str, &'static str)]) -> Result<(), Problem> {
        mirror(&map(pairs), &parse(call(name).as_bytes()).unwrap(), "tools/call")
    }

    const V: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const M: (&str, &str) = ("mcp-method", "tools/call");

    #[test]
    fn headers_that_mirror_the_body_pass_plain_and_encoded() {
        check("add", &[V, M, ("mcp-name", "add")]).unwrap();
        check("Hello, 世界", &[V, M, ("mcp-name", "=?base64?SGVsbG8sIOS4lueVjA==?=")]).unwrap();
    }

    #[test]
    fn each_header_that_is_missing_double_or_different_is_refused() {
        let good = [V, M, ("mcp-name", "add")];
        for missing in 0..good.len() {
            let pairs: Vec<_> = (0..good.len()).filter(|i| *i != missing).map(|i| good[i]).collect();
            assert!(matches!(check("add", &pairs), Err(Problem::HeaderMissing(_))));
            let double: Vec<_> = good.iter().chain(&good[missing..=missing]).copied().collect();
            assert!(matches!(check("add", &double), Err(Problem::HeaderInvalid(_))));
            let mut other = good;
            other[missing].1 = "other";
            assert!(matches!(check("add", &other), Err(Problem::HeaderDiffers(_))));
        }
        assert!(matches!(check("add", &[V, M, ("mcp-name", "=?base64?!?=")]), Err(Problem::HeaderInvalid(_))));
    }

    #[test]
    fn accept_is_read_with_wildcards_and_refusals() {
        let accepts = |value| {
            let Accepts { json, sse } = Accepts::of(&map(&[("accept", value)]));
            (json, sse)
        };
        assert_eq!(accepts("application/json, text/event-stream"), (true, true));
        assert_eq!(accepts("*/*"), (true, true));
        assert_eq!(accepts("Application/JSON;charset=utf-8"), (true, false));
        assert_eq!(accepts("text/event-stream, application/json;q=0"), (false, true));
        assert_eq!(accepts("text/html"), (false, false));
        assert_eq!(Accepts::of(&HeaderMap::new()), Accepts { json: true, sse: true });
    }
}
