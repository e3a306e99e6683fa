//! Header fields: which travel on, and which repeat part of the message.

use attest_core::json::{Object, Value};
use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::encode::{METHOD, NAME, PARAM, VERSION, decode};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields of one connection and not of the message (RFC 9110, section 7.6.1), and the length, which is set anew.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes away what belongs to the connection it came over.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&listed) {
        headers.remove(name);
    }
}

/// Has the server send its answer plain: what is coded cannot be looked at.
pub(super) fn ask_for_plain(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Whether the body is said to be JSON in UTF-8, once and in so many words. Of what a server decodes it from, by a
/// `charset`, we see nothing: in UTF-7 the same bytes are another message.
pub fn is_plain_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    let Ok(kind) = kind.to_str() else { return false };
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameter = parameters.trim().to_ascii_lowercase();
    kind.trim().eq_ignore_ascii_case("application/json")
        && matches!(parameter.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

/// What the server is told of the body: what it is, in the words of nobody else.
pub(super) fn say_plain_json(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

/// Leaves of an answer's type the media type alone; false where the type is not one readable value. JSON is UTF-8 (RFC 8259,
/// section 8.1), and so are events: a `charset` would have somebody read other characters than were looked at. In UTF-7,
/// which Express's `json()` decodes, any text may hold a quotation mark.
pub(super) fn plain_type(headers: &mut HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (first, None) = (types.next(), types.next()) else { return false };
    let Some(first) = first else { return true };
    let Ok(text) = first.to_str() else { return false };
    let plain = text.split([';', ',']).next().unwrap_or_default().trim();
    match HeaderValue::from_str(plain) {
        Ok(plain) => headers.insert(CONTENT_TYPE, plain).is_some(),
        Err(_) => false,
    }
}

/// Whether the fields say in two ways where the body ends (RFC 9112, section 6.3).
pub fn is_framed_twice(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_LENGTH).iter().count() > 1
        || (headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING))
}

/// Whether every header field that repeats a part of `message` (MCP 2026-07-28, "Request Metadata") agrees with it. Absent
/// fields are the server's to miss. Which argument `Mcp-Param-…` repeats stands in the tool's schema, so here it must
/// agree with some argument.
pub(super) fn agree(headers: &HeaderMap, message: &Object<'_>) -> bool {
    let single = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
            (Some(_), Some(_)) => Err(()),
        }
    };
    let (Ok(method), Ok(name), Ok(_)) = (single(&METHOD), single(&NAME), single(&VERSION)) else {
        return false;
    };
    let said = message.get("method").and_then(Value::as_str);
    if method.is_some() && method != said {
        return false;
    }
    let params = message.get("params").and_then(Value::as_object);
    let repeated = match said.unwrap_or_default() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        method if method.starts_with("tasks/") => Some("taskId"),
        _ => None,
    };
    if let (Some(name), Some(member)) = (name, repeated) {
        let member = params.and_then(|params| params.get(member)).and_then(Value::as_str);
        if decode(name).as_deref() != member {
            return false;
        }
    }
    let arguments = params.and_then(|params| params.get("arguments"));
    headers.keys().filter(|name| said == Some("tools/call") && name.as_str().starts_with(PARAM)).all(|name| {
        let value = single(name).ok().flatten().and_then(decode);
        value.is_some_and(|value| arguments.is_some_and(|arguments| holds(arguments, &value)))
    })
}

fn holds(value: &Value<'_>, text: &str) -> bool {
    match value {
        Value::String(s) => s == text,
        Value::Number(n) => text.parse() == Ok(*n),
        Value::Bool(b) => text == if *b { "true" } else { "false" },
        Value::Object(object) => object.iter().any(|(_, value)| holds(value, text)),
        Value::Array(items) => items.iter().any(|value| holds(value, text)),
        Value::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    fn agrees(fields: &[(&'static str, &'static str)], message: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        agree(&headers, parse(message.as_bytes()).unwrap().as_object().unwrap())
    }

    const CALL: &str =
        r#"{"id":1,"method":"tools/call","params":{"name":"é","arguments":{"at":{"n":42,"s":"x","b":true}}}}"#;

    #[test]
    fn fields_that_repeat_the_message_agree_with_it() {
        assert!(agrees(&[], CALL));
        assert!(agrees(&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?w6k=?=")], CALL));
        assert!(agrees(&[("mcp-param-a", "42.0"), ("mcp-param-b", "x"), ("mcp-param-c", "true")], CALL));
        let task = r#"{"id":1,"method":"tasks/get","params":{"taskId":"t"}}"#;
        assert!(agrees(&[("mcp-name", "t")], task));
    }

    #[test]
    fn a_field_that_says_something_else_is_noticed() {
        for fields in [
            [("mcp-method", "tools/list")],
            [("mcp-method", "Tools/Call")],
            [("mcp-name", "e")],
            [("mcp-name", "=?base64?w6k?=")],
            [("mcp-name", "=?base64?/w==?=")],
            [("mcp-param-a", "43")],
            [("mcp-param-a", "")],
        ] {
            assert!(!agrees(&fields, CALL), "{fields:?}");
        }
        assert!(!agrees(&[("mcp-method", "tools/call")], r#"{"id":1,"result":{}}"#));
        assert!(!agrees(&[("mcp-name", "t")], r#"{"id":1,"method":"tasks/get"}"#));
    }

    #[test]
    fn a_field_that_stands_twice_is_noticed_even_where_it_agrees() {
        for name in ["mcp-method", "mcp-name", "mcp-param-a", "mcp-protocol-version"] {
            assert!(!agrees(&[(name, "tools/call"), (name, "tools/call")], CALL), "{name}");
        }
    }

    #[test]
    fn a_body_is_json_in_utf_8_or_not_read() {
        let plain = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            is_plain_json(&headers)
        };
        for fine in ["application/json", "Application/JSON ; Charset=UTF-8", "application/json; charset=\"utf-8\""] {
            assert!(plain(&[fine]), "{fine}");
        }
        for odd in [
            "application/json; charset=utf-7",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "application/json; boundary=x",
            "text/plain",
            "",
        ] {
            assert!(!plain(&[odd]), "{odd}");
        }
        assert!(!plain(&[]) && !plain(&["application/json", "application/json"]));
    }

    #[test]
    fn fields_of_one_connection_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "x-secret, close"), ("x-secret", "1"), ("te", "trailers"), ("host", "h"), ("origin", "o")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "origin"]);
    }
}
