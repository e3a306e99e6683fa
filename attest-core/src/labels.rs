//! Labels of data: where it came from, and what must not become of it. `spec/labels.md`.
//!
//! A set only grows, by union. One that would grow past its bound becomes every label, so that nothing is forgotten.

use std::collections::BTreeSet;

use serde::ser::{Serialize, SerializeSeq as _, Serializer};

use crate::json::Value;
use crate::limits::MAX_LABELS;

/// Every label there is, written in place of names.
const EVERY: &str = "*";
/// What no server vouches for: a result without a receipt.
pub const UNTRUSTED: &str = "untrusted";
/// What is not for everybody, where a server says no more than that.
pub const PRIVATE: &str = "private";

/// A set of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Labels {
    /// These.
    #[default]
    None,
    /// At least one, at most [`MAX_LABELS`].
    Some(BTreeSet<String>),
    /// All there are, known or not.
    Every,
}

/// Whether `text` can be a label: 1 to 64 characters of `a`–`z`, `0`–`9`, `.`, `_`, `:`, `/` and `-`, the first a letter or digit.
pub fn is_label(text: &str) -> bool {
    let inside = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._:/-".contains(&c);
    (1..=64).contains(&text.len())
        && text.bytes().all(inside)
        && text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric())
}

impl Labels {
    /// One label, or with `*` every label; `None` for a text that is neither.
    pub fn one(text: &str) -> Option<Self> {
        match text {
            EVERY => Some(Self::Every),
            text => is_label(text).then(|| Self::Some(BTreeSet::from([text.to_owned()]))),
        }
    }

    /// Of a configuration's list, in any order; `None` where one is no label.
    pub fn of<S: AsRef<str>>(texts: &[S]) -> Option<Self> {
        texts.iter().try_fold(Self::None, |all, text| Some(all.and(&Self::one(text.as_ref())?)))
    }

    /// Reads the wire's form: an array of labels, ascending, each once; or of `*` alone.
    pub fn read(value: &Value<'_>) -> Option<Self> {
        let items = value.as_array().filter(|items| items.len() <= MAX_LABELS)?;
        let texts: Vec<&str> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
        match texts.as_slice() {
            [] => Some(Self::None),
            [EVERY] => Some(Self::Every),
            texts => {
                let ascending = texts.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
                (ascending && texts.iter().all(|text| is_label(text)))
                    .then(|| Self::Some(texts.iter().map(|text| (*text).to_owned()).collect()))
            }
        }
    }

    /// Whether there is none: data for everybody.
    pub fn is_empty(&self) -> bool {
        *self == Self::None
    }

    /// Whether each of these is one of `others`.
    pub fn within(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::None, _) | (_, Self::Every) => true,
            (Self::Some(these), Self::Some(those)) => these.is_subset(those),
            (Self::Every | Self::Some(_), _) => false,
        }
    }

    /// The union.
    #[must_use]
    pub fn and(self, others: &Self) -> Self {
        match (self, others) {
            (Self::Every, _) | (_, Self::Every) => Self::Every,
            (these, Self::None) => these,
            (Self::None, those) => those.clone(),
            (Self::Some(mut these), Self::Some(those)) => {
                these.extend(those.iter().cloned());
                if these.len() > MAX_LABELS { Self::Every } else { Self::Some(these) }
            }
        }
    }

    /// Those that are not among `others`. Of every label only every label can be taken.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        match (self, others) {
            (_, Self::Every) => Self::None,
            (Self::Some(these), Self::Some(those)) => {
                let rest: BTreeSet<String> = these.difference(those).cloned().collect();
                if rest.is_empty() { Self::None } else { Self::Some(rest) }
            }
            (these, _) => these.clone(),
        }
    }

    /// In ascending order; `*` alone for every label.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (some, every) = match self {
            Self::None => (None, None),
            Self::Some(these) => (Some(these), None),
            Self::Every => (None, Some(EVERY)),
        };
        some.into_iter().flatten().map(String::as_str).chain(every)
    }

    /// Appends the wire's form. Nothing in a label needs an escape.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (n, label) in self.iter().enumerate() {
            out.extend_from_slice(if n > 0 { b",\"" } else { b"\"" });
            out.extend_from_slice(label.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for label in self.iter() {
            sequence.serialize_element(label)?;
        }
        sequence.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Labels {
        Labels::of(texts).unwrap_or(Labels::Every)
    }

    #[test]
    fn a_union_holds_both_and_taking_away_takes_no_more_than_was_named() {
        let both = of(&["b"]).and(&of(&["a"]));
        assert_eq!(both, of(&["a", "b"]));
        assert!(of(&["a"]).within(&both) && !both.within(&of(&["a"])));
        assert_eq!(both.without(&of(&["a"])), of(&["b"]));
        assert_eq!(Labels::Every.without(&both), Labels::Every, "what is unknown stays");
        assert!(!Labels::Every.within(&both) && both.within(&Labels::Every) && Labels::None.within(&Labels::None));
    }

    #[test]
    fn a_set_that_grows_too_large_is_every_label_and_never_a_smaller_one() {
        let many: Vec<String> = (0..=MAX_LABELS).map(|n| format!("l{n}")).collect();
        assert_eq!(Labels::of(&many), Some(Labels::Every));
    }
}
