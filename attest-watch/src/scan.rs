//! What in texts and values gives reason to look, and whom they name. One pass, linear in the text: `spec/seen.md`, *Marks*.

mod dropped;
mod encoded;
mod hosts;
mod invisible;
mod patterns;
mod role;
mod shape;
mod typo;

use std::collections::BTreeSet;

use attest_core::json::Value;
use attest_core::seen::{Destinations, MAX_DESTINATIONS, Mark, Marks};

pub use shape::shape;

/// Names of members whose string is a host even without a scheme before it.
const HOST_MEMBERS: [&str; 8] = ["domain", "endpoint", "host", "hostname", "server", "uri", "url", "webhook"];

/// Goes through texts and values, and gathers.
#[derive(Debug, Default)]
pub struct Scan {
    marks: Marks,
    destinations: BTreeSet<String>,
    more: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The marks.
    pub marks: Marks,
    /// Hosts of URLs and domains of mail addresses.
    pub destinations: Destinations,
}

/// What is in a text.
pub fn text(text: &str) -> Found {
    Scan::default().text(text).done()
}

/// What is in the strings and the members' names of a value.
pub fn value(value: &Value<'_>) -> Found {
    Scan::default().value(value).done()
}

impl Scan {
    /// This text as well.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.look(text);
        self
    }

    /// The strings and the members' names of this value as well.
    #[must_use]
    pub fn value(mut self, value: &Value<'_>) -> Self {
        self.within(value);
        self
    }

    /// What was found.
    pub fn done(self) -> Found {
        let one_more = self.more.then_some("");
        let names = self.destinations.iter().map(String::as_str).chain(one_more);
        Found { marks: self.marks, destinations: Destinations::of(names) }
    }

    fn within(&mut self, value: &Value<'_>) {
        match value {
            Value::String(text) => self.look(text),
            Value::Array(items) => items.iter().for_each(|item| self.within(item)),
            Value::Object(object) => {
                for (name, value) in object.iter() {
                    self.look(name);
                    self.within(value);
                    if let Some(text) = value.as_str()
                        && HOST_MEMBERS.iter().any(|member| name.eq_ignore_ascii_case(member))
                        && let Some(host) = hosts::bare(text)
                    {
                        self.destination(host);
                    }
                }
            }
            _ => {}
        }
    }

    fn look(&mut self, text: &str) {
        patterns::each(text, |found| match found {
            patterns::Hit::Mark(mark) => self.marks.add(mark),
            patterns::Hit::Host(host) => self.destination(host),
        });
        for _ in 0..encoded::runs(text) {
            self.marks.add(Mark::Encoded);
        }
    }

    /// Keeps one more than an event holds, so that it is known that there were more.
    fn destination(&mut self, host: &str) {
        self.destinations.insert(host.to_lowercase());
        if self.destinations.len() > MAX_DESTINATIONS {
            self.destinations.pop_last();
            self.more = true;
        }
    }
}

#[cfg(test)]
mod tests;
