//! Policies as an operator wrote them, read once and asked about each call.

mod annotations;
mod ask;
mod covered;
mod nesting;
mod read;
mod reads;
mod slices;
mod vocabulary;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use attest_core::digest::Digest;
use cedar_policy::{Authorizer, Effect};

use crate::decision::{Decision, Need};
use crate::facts::Facts;
use crate::problem::Problem;
use slices::Slices;
use vocabulary::Vocabulary;

/// A set of policies that was found good.
#[derive(Debug)]
pub struct Policies {
    authorizer: Authorizer,
    digest: Digest,
    remarks: Vec<Problem>,
    rules: BTreeMap<String, Rule>,
    slices: Slices,
    vocabulary: Vocabulary,
}

/// What we know of one policy besides what Cedar does.
#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    need: Option<Need>,
    reason: Option<String>,
}

impl Policies {
    /// What comes of a call with these facts.
    ///
    /// A policy that comes to an error makes the decision one. A forbid that matches denies, whatever steps were taken. Where
    /// no permit matches the call is denied. What is left are the forbids that ask for a step that was not taken.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        self.ask(facts).unwrap_or_else(Decision::Error)
    }

    /// What the policies are, for a log: SHA-256 over the canonical JSON of `{"policies":[text,…],"schema":text}`, the files'
    /// texts in ascending order of their bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The ids of all policies, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// What the policy of this id says to people, by its `@reason`.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.rules.get(id)?.reason.as_deref()
    }

    /// Everything that the policies can ask for; what cannot be given makes a call that needs it wait for ever.
    pub fn needs(&self) -> impl Iterator<Item = &Need> {
        self.rules.values().filter_map(|rule| rule.need.as_ref())
    }

    /// Policies that do not do what they seem to: they can be used all the same.
    pub fn remarks(&self) -> &[Problem] {
        &self.remarks
    }
}
