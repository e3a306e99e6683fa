//! What the server sends, as lines.

use attest_core::json::{self, Value};
use bytes::Bytes;
use memchr::memchr2;
use serde::Serialize;

use crate::{Id, Kind};

/// A message of the server, seen from a request; `line` is without its ending.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The request's answer.
    Answer(Bytes),
    /// The answer to another request.
    Stray { id: Id, line: Bytes },
    /// No answer.
    Other(Bytes),
}

/// A text that cannot be made one line: it has line breaks, and where they may go is known for strict JSON only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotOneLine;

/// Reads what a stream or a body says to the request `id`. An error without an id, which a server sends that could not or
/// would not read so far, is the answer where there is a request, and gets its id.
pub(super) fn read(text: &Bytes, id: Option<&Id>) -> Result<Incoming, NotOneLine> {
    let line = one_line(text)?;
    let answered = match json::parse(&line) {
        Ok(value) => match (Id::of_answer(&value), id) {
            (None, Some(id)) => match anonymous_error(&value, id) {
                Some(answer) => return Ok(Incoming::Answer(answer)),
                None => None,
            },
            (answered, _) => answered,
        },
        Err(_) => Id::of_opaque_answer(&line),
    };
    Ok(match answered {
        None => Incoming::Other(line),
        Some(answered) if Some(&answered) == id => Incoming::Answer(line),
        Some(answered) => Incoming::Stray { id: answered, line },
    })
}

/// `text` on one line, byte for byte where it is on one, else in canonical form.
fn one_line(text: &Bytes) -> Result<Bytes, NotOneLine> {
    let line = text.slice_ref(text.trim_ascii());
    if memchr2(b'\n', b'\r', &line).is_none() {
        return Ok(line);
    }
    json::parse(&line).map(|value| Bytes::from(value.to_canonical())).map_err(|_| NotOneLine)
}

#[derive(Serialize)]
struct ErrorAnswer<'v> {
    jsonrpc: &'static str,
    id: Value<'v>,
    error: &'v Value<'v>,
}

fn anonymous_error(value: &Value<'_>, id: &Id) -> Option<Bytes> {
    let message = value.as_object()?;
    let nameless = matches!(message.get("id"), None | Some(Value::Null)) && message.get("method").is_none();
    let error = message.get("error").filter(|_| nameless)?;
    // Other protocols than JSON-RPC have an `error` too (OAuth's is a string).
    error.as_object()?.get("code")?.as_number()?;
    serde_json::to_vec(&ErrorAnswer { jsonrpc: "2.0", id: id.to_value(), error }).ok().map(Bytes::from)
}

/// The code of the error that a line is.
pub(super) fn error_code(line: &[u8]) -> Option<f64> {
    json::parse(line).ok()?.as_object()?.get("error")?.as_object()?.get("code")?.as_number()
}

/// The result in a strict answer.
pub(super) fn with_result<T>(line: &[u8], read: impl FnOnce(&json::Object<'_>) -> T) -> Option<T> {
    let value = json::parse(line).ok()?;
    if !matches!(Kind::of(&value), Kind::Response { .. }) {
        return None;
    }
    value.as_object()?.get("result")?.as_object().map(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seven() -> Id {
        Id::of(&Value::Number(7.0)).unwrap()
    }

    fn read_str(text: &'static str) -> Result<Incoming, NotOneLine> {
        read(&Bytes::from_static(text.as_bytes()), Some(&seven()))
    }

    fn answer(line: &'static str) -> Result<Incoming, NotOneLine> {
        Ok(Incoming::Answer(Bytes::from_static(line.as_bytes())))
    }

    #[test]
    fn a_text_on_one_line_keeps_its_bytes_and_one_with_breaks_becomes_canonical() {
        assert_eq!(read_str("{\"id\": 7, \"result\": {}}\r\n"), answer("{\"id\": 7, \"result\": {}}"));
        assert_eq!(
            read_str("{\n \"result\": {\"b\":1,\r\"a\":2},\n \"id\": 7\n}"),
            answer("{\"id\":7,\"result\":{\"a\":2,\"b\":1}}")
        );
    }

    #[test]
    fn breaks_in_what_is_not_strict_json_are_refused() {
        assert_eq!(read_str("{\"id\":7,\n\"result\":{\"n\":9007199254740993}}"), Err(NotOneLine));
        assert_eq!(read_str("{\"id\":7,\n\"id\":7,\"result\":{}}"), Err(NotOneLine));
        assert_eq!(read_str("<html>\n</html>"), Err(NotOneLine));
        assert_eq!(
            read_str("{\"id\":7,\"result\":{\"n\":9007199254740993}}"),
            answer("{\"id\":7,\"result\":{\"n\":9007199254740993}}")
        );
    }

    #[test]
    fn an_error_without_an_id_answers_the_request() {
        let wanted = answer("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32001,\"message\":\"x\"}}");
        assert_eq!(read_str("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"x\"}}"), wanted);
        assert_eq!(read_str("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":\"x\"}}"), wanted);
        for text in [
            "{\"error\":\"invalid_token\"}",
            "{\"error\":{\"message\":\"x\"}}",
            "{\"method\":\"a\",\"error\":{\"code\":1}}",
        ] {
            assert_eq!(read_str(text), Ok(Incoming::Other(Bytes::from_static(text.as_bytes()))));
        }
    }

    #[test]
    fn the_answer_to_another_request_is_told_apart() {
        let id = Id::of(&Value::Number(8.0)).unwrap();
        let line = Bytes::from_static(b"{\"id\":8,\"result\":{}}");
        assert_eq!(read_str("{\"id\":8,\"result\":{}}"), Ok(Incoming::Stray { id, line }));
    }
}
