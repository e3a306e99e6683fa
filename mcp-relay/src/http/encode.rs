//! The header fields of MCP: their names, and the form of values that repeat members of a message.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

/// The session of the revisions up to 2025-11-25.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The version of the protocol.
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Repeats `method`.
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Repeats what a request is about.
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Begins the names of fields that repeat an argument.
pub(super) const PARAM: &str = "mcp-param-";
/// Where a broken stream is to go on.
pub(super) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// Around a value in base64 (2026-07-28, Streamable HTTP, "Value Encoding").
const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// `text` as a header value: as it is where every reader of headers leaves it so, else in base64.
pub(super) fn value(text: &str) -> Option<HeaderValue> {
    if is_plain(text) {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::from_str(&format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(text))).ok()
}

/// `text` as the value of a header that knows no base64. `None` where it cannot be said: the server then misses the header
/// and says so, which beats a header that says something else.
pub(super) fn plain_value(text: &str) -> Option<HeaderValue> {
    is_plain(text).then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// The text that a header value was made from; `None` where it says base64 and is none, or none of UTF-8.
pub(super) fn decode(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)) {
        Some(coded) => Some(String::from_utf8(STANDARD.decode(coded).ok()?).ok()?.into()),
        None => Some(value.into()),
    }
}

fn is_plain(text: &str) -> bool {
    let visible = text.bytes().all(|c| matches!(c, b'\t' | b' '..=b'~'));
    // Blanks around a value are not part of it (RFC 9110, 5.5).
    let bare = text.trim_matches([' ', '\t']).len() == text.len();
    visible && bare && !(text.starts_with(PREFIX) && text.ends_with(SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_in_the_table_of_the_specification() {
        for (text, wanted) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("", ""),
            ("a\tb", "a\tb"),
            ("\u{7f}", "=?base64?fw==?="),
        ] {
            assert_eq!(value(text).unwrap(), wanted, "{text:?}");
            assert_eq!(decode(wanted).unwrap(), text);
        }
    }

    #[test]
    fn a_value_that_cannot_be_said_plainly_is_left_out_where_base64_is_not_understood() {
        assert_eq!(plain_value("tools/call").unwrap(), "tools/call");
        assert_eq!(plain_value("tools/cäll"), None);
        assert_eq!(plain_value(" tools/call"), None);
        assert_eq!(plain_value("tools\r\ncall"), None);
    }
}
