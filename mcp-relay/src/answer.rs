//! Which request a message answers, told as leniently as a client would.

use attest_core::json::Value;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Id;

impl Id {
    /// The id of the request that `message` answers: whatever has an id and no method. A client may take it for the answer
    /// even where it is none by the letter (both `result` and `error`, neither, a strange name beside them).
    pub fn of_answer(message: &Value<'_>) -> Option<Self> {
        let object = message.as_object()?;
        match object.get("method") {
            None => Self::of(object.get("id")?),
            Some(_) => None,
        }
    }

    /// The same of a line that the strict reader refuses, for example because a result holds an integer beyond 2^53: the
    /// request has its answer all the same. Nothing else is read from such a line.
    pub fn of_opaque_answer(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Outline {
            id: Lenient,
            #[serde(default)]
            method: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Lenient {
            Number(f64),
            String(String),
        }
        let outline: Outline = serde_json::from_slice(line).ok()?;
        if outline.method.is_some() {
            return None;
        }
        match outline.id {
            Lenient::Number(n) => Self::of(&Value::Number(n)),
            Lenient::String(s) => Self::of(&Value::String(s.into())),
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
        let big = br#"{"id":7,"result":{"n":9007199254740993}}"#;
        assert_eq!(Id::of_opaque_answer(big), Id::of(&Value::Number(7.0)));
    }

    #[test]
    fn a_servers_own_request_is_no_answer() {
        let text = br#"{"id":7,"method":"sampling/createMessage"}"#;
        assert_eq!(Id::of_answer(&parse(text).unwrap()), None);
        assert_eq!(Id::of_opaque_answer(text), None);
    }
}
