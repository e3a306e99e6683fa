//! Which request a message answers, told as leniently as a client would.

use std::fmt;

use attest_core::json::Value;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Id;

impl Id {
    /// The id of the request that `message` answers: whatever has an id and no method. A client may take it for the answer
    /// even where it is none by the letter (both `result` and `error`, neither, a strange name beside them).
    pub fn of_answer(message: &Value<'_>) -> Option<Self> {
        let object = message.as_object()?;
        match object.get("method") {
            None | Some(Value::Null) => Self::of(object.get("id")?),
            Some(_) => None,
        }
    }

    /// The same of a line that the strict reader refuses, for example because a result holds an integer beyond 2^53 or a
    /// member twice: the request has its answer all the same. As in the clients, the last of several ids counts. Nothing
    /// else is read from such a line.
    pub fn of_opaque_answer(line: &[u8]) -> Option<Self> {
        let Outline { id, is_request } = serde_json::from_slice(line).ok()?;
        if is_request { None } else { id }
    }
}

/// Whether a client that reads more leniently than we do might take the line for an answer, or for a batch with one, where
/// we see none. A stray print, such as `[info] …`, is none. What is an object in JSON, though without canonical form, says
/// whether it has an id: it is doubted only while somebody waits for an answer (`waiting`), which another reading of a
/// member that it holds twice could make of it. What is no object in JSON is always doubted: over HTTP it may come on
/// another stream than the answer, and before it.
pub fn might_answer(line: &[u8], message: Option<&Value<'_>>, waiting: impl FnOnce() -> bool) -> bool {
    let text = line.trim_ascii_start();
    let first = text.strip_prefix(b"[").map_or(text, <[u8]>::trim_ascii_start);
    let unread = first.starts_with(b"{") && message.and_then(Value::as_object).is_none();
    unread && (waiting() || serde_json::from_slice::<Outline>(line).is_err())
}

#[derive(Default)]
struct Outline {
    id: Option<Id>,
    is_request: bool,
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Outline;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Outline, A::Error> {
                let mut outline = Outline::default();
                while let Some(Name(name)) = members.next_key()? {
                    match name.as_slice() {
                        b"id" => outline.id = members.next_value::<Lenient>()?.id(),
                        b"method" => outline.is_request = !matches!(members.next_value()?, Lenient::Null(())),
                        _ => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(outline)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member's name as bytes: it may hold bad UTF-8 or half a surrogate pair, which clients forgive.
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(bytes.to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Null(()),
    Number(f64),
    String(String),
    Other(IgnoredAny),
}

impl Lenient {
    fn id(self) -> Option<Id> {
        match self {
            Self::Number(n) => Id::of(&Value::Number(n)),
            Self::String(s) => Id::of(&Value::String(s.into())),
            Self::Null(()) | Self::Other(IgnoredAny) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    #[test]
    fn an_answer_is_told_by_its_id_even_where_it_is_malformed() {
        for text in [
            r#"{"id":7,"result":{}}"#,
            r#"{"id":7,"result":{},"error":null}"#,
            r#"{"id":7.0,"Error":1}"#,
            r#"{"id":7}"#,
        ] {
            assert_eq!(Id::of_answer(&parse(text.as_bytes()).unwrap()), Id::of(&Value::Number(7.0)), "{text}");
            assert_eq!(Id::of_opaque_answer(text.as_bytes()), Id::of(&Value::Number(7.0)), "{text}");
        }
    }

    #[test]
    fn an_answer_that_only_a_lenient_client_can_read_is_still_told() {
        for line in [
            &br#"{"id":7,"result":{"n":9007199254740993}}"#[..],
            br#"{"id":6,"id":7,"result":{}}"#,
            br#"{"id":7,"\ud800":1,"result":{"\ud800":"\udc00"}}"#,
            b"{\"id\":7,\"\xff\":1,\"result\":{}}",
            br#"{"method":null,"id":7,"result":{"a":1,"a":2}}"#,
            b"{\"id\":7,\r\"result\":{}}",
        ] {
            assert_eq!(Id::of_opaque_answer(line), Id::of(&Value::Number(7.0)), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_servers_own_request_is_no_answer() {
        let text = br#"{"id":7,"method":"sampling/createMessage"}"#;
        assert_eq!(Id::of_answer(&parse(text).unwrap()), None);
        assert_eq!(Id::of_opaque_answer(text), None);
        assert_eq!(Id::of_opaque_answer(b"[7\r]"), None);
    }

    fn doubted(line: &str, waiting: bool) -> bool {
        might_answer(line.as_bytes(), parse(line.as_bytes()).ok().as_ref(), || waiting)
    }

    #[test]
    fn what_begins_like_a_message_and_is_none_is_doubted_on_any_stream() {
        for line in [
            r#"{"id":7,"result":{}"#,
            r#" {"id":7,"result":{},}"#,
            r#"{'id':7}"#,
            r#"[{"id":7,"result":{}}]"#,
            r#" [ {"id":7,"result":{}},"#,
        ] {
            assert!(doubted(line, false) && doubted(line, true), "{line}");
        }
    }

    #[test]
    fn an_object_without_canonical_form_is_doubted_while_somebody_waits() {
        let line = r#"{"method":"x","params":{"a":1,"a":2}}"#;
        assert!(doubted(line, true) && !doubted(line, false));
        assert!(!doubted(r#"{"method":"x"}"#, true), "a message is what it is");
    }

    #[test]
    fn a_stray_print_is_not_doubted() {
        for line in ["[info] started", "Listening", "", "[1,2]", "[]"] {
            assert!(!doubted(line, true), "{line}");
        }
    }
}
