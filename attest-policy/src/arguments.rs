//! Arguments as policies see them: by JSON pointer and by kind, exact or not at all.
//!
//! A policy that forbids amounts above 100 must not be got round by `100.5`, `"1000"` or `[1000]`. So what a policy reads is
//! given to it as what it is, or the call is refused. What no policy reads is not looked at.

mod pointer;

use std::collections::BTreeMap;

use attest_core::json::Value;

pub use pointer::{Pointer, PointerError};

/// Longest text that a policy is given, in bytes; of a list, all texts together.
pub const MAX_TEXT: usize = 65_536;
/// Most items of a list that a policy is given.
pub const MAX_LIST: usize = 4_096;

/// The kinds as which policies read an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `context.texts`
    Text,
    /// `context.numbers`
    Number,
    /// `context.flags`
    Flag,
    /// `context.lists`
    List,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Number, Self::Flag, Self::List];

    /// The member of the context, which is also how a policy names it.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::Text => "texts",
            Self::Number => "numbers",
            Self::Flag => "flags",
            Self::List => "lists",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Why an argument cannot be given to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The arguments are no object, or something on the way to it is none.
    #[error("something on the way to it is no object")]
    NoObject,
    /// There is a member on the way to it whose name differs only in upper and lower case, which some servers take for it.
    #[error("another member there has the same name but for upper and lower case")]
    Case,
    /// It is of a kind that no policy reads it as.
    #[error("it is of another kind than they ask for")]
    Kind,
    /// A number that is not whole, or beyond 2^53.
    #[error("it is a number that is not whole, or too large to be exact")]
    Inexact,
    /// A list of other things than texts.
    #[error("it is a list of other things than texts")]
    Items,
    /// Beyond [`MAX_TEXT`] or [`MAX_LIST`].
    #[error("it is longer than what a policy is given")]
    TooLong,
}

/// Which arguments are read, and as which kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads(BTreeMap<Pointer, u8>);

impl Reads {
    pub(crate) fn add(&mut self, pointer: Pointer, kind: Kind) {
        *self.0.entry(pointer).or_default() |= kind.bit();
    }

    pub(crate) fn join(&mut self, other: &Self) {
        for (pointer, kinds) in &other.0 {
            match self.0.get_mut(pointer) {
                Some(there) => *there |= kinds,
                None => _ = self.0.insert(pointer.clone(), *kinds),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is read of `arguments`.
    pub(crate) fn gather<'a>(&'a self, arguments: &'a Value<'a>) -> Result<Gathered<'a>, (&'a Pointer, Unreadable)> {
        let mut gathered = Gathered::default();
        for (pointer, kinds) in &self.0 {
            let found = pointer.find(arguments).map_err(|why| (pointer, why))?;
            if let Some(value) = found {
                gathered.add(pointer.as_str(), value, *kinds).map_err(|why| (pointer, why))?;
            }
        }
        Ok(gathered)
    }
}

/// What policies read of one call's arguments.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Gathered<'a> {
    pub(crate) texts: Vec<(&'a str, &'a str)>,
    pub(crate) numbers: Vec<(&'a str, i64)>,
    pub(crate) flags: Vec<(&'a str, bool)>,
    pub(crate) lists: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, at: &'a str, value: &'a Value<'a>, kinds: u8) -> Result<(), Unreadable> {
        let asked = |kind: Kind| if kinds & kind.bit() == 0 { Err(Unreadable::Kind) } else { Ok(()) };
        match value {
            // As if it were not there: a policy that minds what is absent minds this.
            Value::Null => {}
            Value::String(text) => {
                asked(Kind::Text)?;
                within(text.len(), MAX_TEXT)?;
                self.texts.push((at, text));
            }
            Value::Number(number) => {
                asked(Kind::Number)?;
                self.numbers.push((at, whole(*number).ok_or(Unreadable::Inexact)?));
            }
            Value::Bool(flag) => {
                asked(Kind::Flag)?;
                self.flags.push((at, *flag));
            }
            Value::Array(items) => {
                asked(Kind::List)?;
                within(items.len(), MAX_LIST)?;
                let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                let items = items.ok_or(Unreadable::Items)?;
                within(items.iter().map(|item| item.len()).sum(), MAX_TEXT)?;
                self.lists.push((at, items));
            }
            Value::Object(_) => return Err(Unreadable::Kind),
        }
        Ok(())
    }
}

fn within(size: usize, most: usize) -> Result<(), Unreadable> {
    if size <= most { Ok(()) } else { Err(Unreadable::TooLong) }
}

/// The number, if it is whole and below 2^53: up to there a double holds every integer.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}
