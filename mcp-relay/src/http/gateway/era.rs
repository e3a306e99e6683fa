//! Which era of MCP a message belongs to.

use attest_core::json::Value;
use http::HeaderMap;

use super::headers;
use crate::Kind;
use crate::http::encode::{SESSION, VERSION};

/// The member of `params._meta` that makes a request one of 2026-07-28 or later.
const VERSION_MEMBER: &str = "io.modelcontextprotocol/protocolVersion";
/// The other member that such a request must have.
const CAPABILITIES_MEMBER: &str = "io.modelcontextprotocol/clientCapabilities";

/// The revisions with `initialize` and sessions. The list is closed: what comes later is of the other era.
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// An era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28 on.
    Modern,
}

/// The era of a message. The body decides before the headers do, because the server will read the body alone.
///
/// `initialize` is never modern, whatever it claims: it would change the state of a child that all callers share.
pub(super) fn of(message: &Value<'_>, kind: &Kind<'_>, headers: &HeaderMap) -> Era {
    let by_body = match kind {
        Kind::Request { method: "initialize", .. } => return Era::Legacy,
        Kind::Request { method: "server/discover", .. } => true,
        Kind::Request { .. } | Kind::Notification { .. } => version(message).is_some(),
        Kind::Response { .. } | Kind::Other => false,
    };
    if by_body || (!headers.contains_key(SESSION) && is_modern_header(headers)) { Era::Modern } else { Era::Legacy }
}

/// The protocol version that the body names.
pub(super) fn version<'v>(message: &'v Value<'_>) -> Option<&'v str> {
    meta(message)?.as_object()?.get(VERSION_MEMBER)?.as_str()
}

/// Whether a member is missing that every request must have; `-32602` then means that the request is malformed.
pub(super) fn lacks_metadata(message: &Value<'_>) -> bool {
    let capabilities = meta(message).and_then(|meta| meta.as_object()?.get(CAPABILITIES_MEMBER)?.as_object());
    version(message).is_none() || capabilities.is_none()
}

/// `params._meta`.
fn meta<'v, 'a>(message: &'v Value<'a>) -> Option<&'v Value<'a>> {
    message.as_object()?.get("params")?.as_object()?.get("_meta")
}

/// Whether the headers name a version of the modern era.
pub(super) fn is_modern_header(headers: &HeaderMap) -> bool {
    headers::single(headers, &VERSION).is_some_and(|version| !is_legacy(version))
}

/// Whether `version` is one with sessions.
pub(super) fn is_legacy(version: &str) -> bool {
    LEGACY.contains(&version)
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;
    use http::HeaderValue;

    use super::*;

    fn era(text: &str, pairs: &[(&'static str, &'static str)]) -> Era {
        let headers = pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        let message = parse(text.as_bytes()).unwrap();
        of(&message, &Kind::of(&message), &headers)
    }

    const NEW: &str =
        r#"{"id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    const BARE: &str = r#"{"id":1,"method":"tools/list"}"#;

    #[test]
    fn a_version_in_the_body_makes_a_request_modern_whatever_the_headers_say() {
        assert_eq!(era(NEW, &[]), Era::Modern);
        assert_eq!(era(NEW, &[("mcp-session-id", "x"), ("mcp-protocol-version", "2025-11-25")]), Era::Modern);
        assert_eq!(era(r#"{"id":1,"method":"server/discover"}"#, &[]), Era::Modern);
        assert_eq!(era(&NEW.replace(r#""2026-07-28""#, "7"), &[]), Era::Legacy);
    }

    #[test]
    fn initialize_never_reaches_the_shared_child() {
        let initialize = NEW.replace("tools/list", "initialize");
        assert_eq!(era(&initialize, &[("mcp-protocol-version", "2026-07-28")]), Era::Legacy);
    }

    #[test]
    fn without_a_version_in_the_body_the_session_decides_and_then_the_header() {
        assert_eq!(era(BARE, &[]), Era::Legacy);
        assert_eq!(era(BARE, &[("mcp-protocol-version", "2025-06-18")]), Era::Legacy);
        assert_eq!(era(BARE, &[("mcp-protocol-version", "2026-07-28")]), Era::Modern);
        assert_eq!(era(BARE, &[("mcp-protocol-version", "2026-07-28"), ("mcp-session-id", "x")]), Era::Legacy);
        assert_eq!(era(r#"{"id":1,"result":{}}"#, &[("mcp-protocol-version", "2026-07-28")]), Era::Modern);
    }
}
