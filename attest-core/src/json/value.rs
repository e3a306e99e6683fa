//! A JSON value, borrowed from the text where it can be.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A strict JSON value. Strings without escapes borrow from the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Never infinite or NaN; never negative zero.
    Number(f64),
    /// A string, escapes resolved.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Object<'a>),
}

impl<'a> Value<'a> {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(o) => Some(o),
            _ => None,
        }
    }

    /// The array's elements, if it is one.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The number as a whole number from 0 to 2^53 − 1, the range in which a double is exact.
    pub fn as_u53(&self) -> Option<u64> {
        let n = self.as_number()?;
        // The reader has refused integers from 2^53 on, so the cast is exact.
        ((0.0..9_007_199_254_740_992.0).contains(&n) && n.fract() == 0.0).then_some(n as u64)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The same value, owning all its strings.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Number(n) => Value::Number(n),
            Value::String(s) => Value::String(Cow::Owned(s.into_owned())),
            Value::Array(a) => Value::Array(a.into_iter().map(Value::into_owned).collect()),
            Value::Object(o) => Value::Object(Object {
                members: o.members.into_iter().map(|(k, v)| (Cow::Owned(k.into_owned()), v.into_owned())).collect(),
            }),
        }
    }
}

/// An object: members in the order of RFC 8785 (UTF-16 code units of the name), each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Object<'a> {
    /// An object of members that are already in canonical order, each once.
    pub(crate) fn sorted(members: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        debug_assert!(members.windows(2).all(|w| matches!(w, [a, b] if utf16_cmp(&a.0, &b.0) == Ordering::Less)));
        Self { members }
    }

    /// Sorts the members; fails with the index, in the given order, of a repeated name.
    pub(super) fn from_members(mut members: Vec<(Cow<'a, str>, Value<'a>)>) -> Option<Self> {
        let sorted = members.windows(2).all(|w| matches!(w, [a, b] if utf16_cmp(&a.0, &b.0) == Ordering::Less));
        if !sorted {
            members.sort_by(|a, b| utf16_cmp(&a.0, &b.0));
            if members.windows(2).any(|w| matches!(w, [a, b] if a.0 == b.0)) {
                return None;
            }
        }
        Some(Self { members })
    }

    /// The member of this exact name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        // Objects on the wire are small: a scan beats a binary search with a UTF-16 comparison.
        self.members.iter().find(|(k, _)| k == name).map(|(_, v)| v)
    }

    /// The same with this member, in place of one of this name where there is one.
    #[must_use]
    pub(crate) fn with(&self, name: &'static str, value: Value<'a>) -> Self {
        let mut members = self.members.clone();
        match members.binary_search_by(|(there, _)| utf16_cmp(there, name)) {
            Ok(at) => {
                if let Some((_, there)) = members.get_mut(at) {
                    *there = value;
                }
            }
            Err(at) => members.insert(at, (Cow::Borrowed(name), value)),
        }
        Self { members }
    }

    /// The same without the member of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self { members: self.members.iter().filter(|(there, _)| there != name).cloned().collect() }
    }

    /// All members in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.members.iter().map(|(k, v)| (k.as_ref(), v))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// Order of names in canonical JSON: by UTF-16 code units (RFC 8785, section 3.2.3).
pub(super) fn utf16_cmp(a: &str, b: &str) -> Ordering {
    // UTF-8 byte order equals code point order, and that differs from UTF-16 order only where a supplementary character
    // meets one from U+E000 to U+FFFF. Bytes from 0xEE on start exactly those characters.
    if a.bytes().chain(b.bytes()).all(|c| c < 0xEE) { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{SerializeMap as _, SerializeSeq as _};
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            // A whole number as such, so that a person is not shown `1.0` where the text has `1`; the reader has refused
            // those that the cast could not hold.
            Value::Number(n) if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 => {
                serializer.serialize_i64(*n as i64)
            }
            Value::Number(n) => serializer.serialize_f64(*n),
            Value::String(s) => serializer.serialize_str(s),
            Value::Array(items) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    out.serialize_element(item)?;
                }
                out.end()
            }
            Value::Object(object) => {
                let mut out = serializer.serialize_map(Some(object.len()))?;
                for (name, value) in object.iter() {
                    out.serialize_entry(name, value)?;
                }
                out.end()
            }
        }
    }
}
