//! The outline of a JSON-RPC 2.0 message.

use std::fmt;

use attest_core::json::{Value, folds_to};

/// 2^53: from here on neighbouring whole numbers share a double.
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// A request's id, comparable and usable as a key. `1` and `"1"` differ; `1` and `1.0` do not, as in the clients and
/// servers that read both into one double.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// Bits of a double that is neither NaN nor negative zero, so that equal bits and equal numbers are the same thing.
    Number(u64),
    String(Box<str>),
}

impl Id {
    /// The id in `value`, where it is a string, or a number below 2^53: larger ones cannot be told from their neighbours.
    pub fn of(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::String(s) => Some(Self(Repr::String(s.as_ref().into()))),
            // Adding zero turns negative zero into zero.
            Value::Number(n) if n.abs() < EXACT_LIMIT => Some(Self(Repr::Number((n + 0.0).to_bits()))),
            _ => None,
        }
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> usize {
        match &self.0 {
            Repr::Number(_) => size_of::<u64>(),
            Repr::String(s) => s.len(),
        }
    }

    /// The id as a JSON value, to put into a reply.
    pub fn to_value(&self) -> Value<'_> {
        match &self.0 {
            Repr::Number(bits) => Value::Number(f64::from_bits(*bits)),
            Repr::String(s) => Value::String((&**s).into()),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Repr::String(s) => write!(f, "{s:?}"),
        }
    }
}

/// The members that make the outline.
const OUTLINE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// What a message is. Names of members are compared exactly, and a name that is one of JSON-RPC's but for its case makes
/// the message [`Kind::Other`]: in Go, whose decoder ignores case, `"Method"` overrides `"method"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'v> {
    /// Has a `method` and an `id`.
    Request {
        /// Its id.
        id: Id,
        /// Its method.
        method: &'v str,
    },
    /// Has a `method` and no `id`.
    Notification {
        /// Its method.
        method: &'v str,
    },
    /// Has an `id`, no `method`, and either a `result` or an `error`.
    Response {
        /// Id of the request it answers.
        id: Id,
    },
    /// Anything else: mixtures of the above, a method that is no string, an id that is null or not exact, a name that is
    /// right but for its case, no object.
    Other,
}

impl<'v> Kind<'v> {
    /// Looks at the top-level members only.
    pub fn of(value: &'v Value<'_>) -> Self {
        let Some(object) = value.as_object() else {
            return Self::Other;
        };
        if object.iter().any(|(name, _)| is_lookalike(name)) {
            return Self::Other;
        }
        let id = object.get("id");
        let outcomes = usize::from(object.get("result").is_some()) + usize::from(object.get("error").is_some());
        match (object.get("method"), id, outcomes) {
            (Some(Value::String(method)), None, 0) => Self::Notification { method },
            (Some(Value::String(method)), Some(id), 0) => {
                Id::of(id).map_or(Self::Other, |id| Self::Request { id, method })
            }
            (None, Some(id), 1) => Id::of(id).map_or(Self::Other, |id| Self::Response { id }),
            _ => Self::Other,
        }
    }
}

/// Whether `name` differs from one of [`OUTLINE`] in case alone.
fn is_lookalike(name: &str) -> bool {
    OUTLINE.iter().any(|known| *known != name && folds_to(name, known))
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    fn id(text: &str) -> Option<Id> {
        Id::of(&parse(text.as_bytes()).unwrap())
    }

    fn is_other(text: &str) -> bool {
        Kind::of(&parse(text.as_bytes()).unwrap()) == Kind::Other
    }

    #[test]
    fn ids_are_equal_exactly_when_servers_take_them_for_equal() {
        assert_eq!(id("1"), id("1.0"));
        assert_eq!(id("0"), id("-0"));
        assert_eq!(id(r#""a""#), id(r#""\u0061""#));
        assert_ne!(id("1"), id(r#""1""#));
        assert_ne!(id("1"), id("2"));
        assert_eq!(id("1e21"), None);
        assert_eq!(id("null"), None);
        assert_eq!(id("true"), None);
    }

    #[test]
    fn an_id_comes_back_as_it_was() {
        for text in ["1", "-3", "0.5", r#""x\"y""#] {
            assert_eq!(id(text).unwrap().to_value(), parse(text.as_bytes()).unwrap());
        }
    }

    #[test]
    fn each_kind_is_told_by_its_members() {
        let request = parse(br#"{"jsonrpc":"2.0","id":"a","method":"tools/call"}"#).unwrap();
        assert_eq!(Kind::of(&request), Kind::Request { id: id(r#""a""#).unwrap(), method: "tools/call" });
        let notification = parse(br#"{"method":"notifications/cancelled"}"#).unwrap();
        assert_eq!(Kind::of(&notification), Kind::Notification { method: "notifications/cancelled" });
        for text in [r#"{"id":7,"result":{}}"#, r#"{"id":7,"error":{}}"#] {
            assert_eq!(Kind::of(&parse(text.as_bytes()).unwrap()), Kind::Response { id: id("7").unwrap() });
        }
    }

    #[test]
    fn mixtures_and_other_cases_are_no_kind() {
        assert!(is_other(r#"{"id":1,"Method":"tools/call"}"#));
        assert!(is_other(r#"{"ID":1,"method":"tools/call"}"#));
        assert!(is_other(r#"{"id":1,"method":"ping","METHOD":"tools/call"}"#));
        assert!(is_other(r#"{"id":1,"method":"tools/call","param\u017f":{}}"#));
        assert!(is_other(r#"{"id":1,"method":7}"#));
        assert!(is_other(r#"{"id":null,"method":"tools/call"}"#));
        assert!(is_other(r#"{"id":1,"method":"tools/call","result":{}}"#));
        assert!(is_other(r#"{"id":1,"result":{},"error":{}}"#));
        assert!(is_other(r#"{"id":1}"#));
        assert!(is_other("[]"));
    }
}
