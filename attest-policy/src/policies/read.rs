//! Files of policies, read and held to the schema.

use std::collections::BTreeMap;

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use cedar_policy::{Authorizer, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::reads::Uses;
use super::slices::Slices;
use super::vocabulary::Vocabulary;
use super::{Policies, Rule, annotations, covered, nesting};
use crate::SCHEMA;
use crate::problem::{Problem, Weight};

/// Longest file, in bytes.
pub const MAX_FILE: usize = 1 << 20;
/// Bytes of stack while files are read.
const STACK: usize = 64 << 20;
/// Most policies, of all files together.
pub const MAX_POLICIES: usize = 10_000;

/// A policy, and where it stands.
pub(super) struct Placed<'f> {
    pub(super) file: &'f str,
    pub(super) text: &'f str,
    pub(super) offset: Option<usize>,
    pub(super) id: String,
    pub(super) policy: Policy,
    pub(super) rule: Rule,
    uses: Uses,
}

impl Policies {
    /// Reads files, each a name and a text; the names are for messages alone.
    ///
    /// # Errors
    /// Everything that is wrong, each with its file, its place and what to do.
    pub fn read(files: &[(&str, &str)]) -> Result<Self, Vec<Problem>> {
        // On a stack of its own, that is enough for what `nesting` lets through, wherever this is called.
        stacker::grow(STACK, || Self::read_here(files))
    }

    fn read_here(files: &[(&str, &str)]) -> Result<Self, Vec<Problem>> {
        let ours = |error: &dyn core::fmt::Display| {
            vec![Problem::error("", format!("the schema that is shipped is broken: {error}"), "report this")]
        };
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| ours(&error))?;
        let validator = Validator::new(schema);
        let vocabulary = Vocabulary::new().map_err(|error| ours(&error))?;

        let mut problems = Vec::new();
        let mut placed = Vec::new();
        for (file, text) in files {
            read_file(file, text, &validator, &mut placed, &mut problems);
        }
        twice(&placed, &mut problems);
        if placed.len() > MAX_POLICIES {
            let what = format!("{} policies; at most {MAX_POLICIES} are read", placed.len());
            problems.push(Problem::error("", what, "join those that differ in a name alone, by groups or classes"));
        }
        let broken = problems.iter().any(|problem| problem.weight == Weight::Error);
        if !broken && !placed.iter().any(|one| one.rule.effect == Effect::Permit) {
            let todo = "without one every call is refused; add for instance: @id(\"all\") permit (principal, action, resource);";
            problems.push(Problem::error("", "there is no permit among the policies", todo));
        }
        let (errors, mut remarks): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.weight == Weight::Error);
        if !errors.is_empty() {
            return Err(errors);
        }

        remarks.extend(covered::remarks(&placed, &vocabulary));
        let mut slices = Slices::default();
        let mut rules = BTreeMap::new();
        for one in placed {
            slices.add(&one.policy, one.rule.need.is_some(), &one.uses, &vocabulary).map_err(|error| ours(&error))?;
            rules.insert(one.id, one.rule);
        }
        let digest = digest(files.iter().map(|(_, text)| *text).collect());
        Ok(Self { authorizer: Authorizer::new(), digest, remarks, rules, slices, vocabulary })
    }
}

fn digest(mut texts: Vec<&str>) -> Digest {
    #[derive(serde::Serialize)]
    struct Read<'a> {
        policies: Vec<&'a str>,
        schema: &'a str,
    }
    texts.sort_unstable();
    Digest::of(jcs(&Read { policies: texts, schema: SCHEMA }))
}

fn read_file<'f>(
    file: &'f str,
    text: &'f str,
    validator: &Validator,
    placed: &mut Vec<Placed<'f>>,
    problems: &mut Vec<Problem>,
) {
    if text.len() > MAX_FILE {
        let what = format!("{} bytes; at most {MAX_FILE} are read", text.len());
        return problems.push(Problem::error(file, what, "split the file"));
    }
    if let Some(offset) = nesting::too_deep(text) {
        let problem = Problem::error(file, "a policy is nested too deeply, or too long", "split the policy in two");
        return problems.push(problem.at(text, Some(offset)));
    }
    let read: PolicySet = match text.parse() {
        Ok(read) => read,
        Err(errors) => {
            return problems.extend(errors.iter().map(|error| Problem::of(Weight::Error, file, text, error)));
        }
    };
    for template in read.templates() {
        let what = format!("a template ({})", template.annotation("id").unwrap_or("without @id"));
        problems.push(Problem::error(file, what, "write the entity where ?principal or ?resource stands"));
    }
    let before = problems.len();
    let mut own = PolicySet::new();
    // In the order of the text, in which Cedar numbers them: policy0, policy1, …
    let mut policies: Vec<&Policy> = read.policies().collect();
    policies.sort_by_key(|policy| offset(policy));
    for policy in policies {
        match placed_policy(file, text, policy) {
            // That an id is there twice is said for all files together.
            Ok(one) => {
                let _ = own.add(one.policy.clone());
                placed.push(one);
            }
            Err((what, todo)) => problems.push(Problem::error(file, what, todo).at(text, offset(policy))),
        }
    }
    let found = validator.validate(&own, ValidationMode::Strict);
    problems.extend(found.validation_errors().map(|error| Problem::of(Weight::Error, file, text, error)));
    problems.extend(found.validation_warnings().map(|warning| Problem::of(Weight::Remark, file, text, warning)));
    if let Some(new) = problems.get_mut(before..) {
        new.sort_by_key(|problem| problem.at);
    }
    // The validator says the same of each action.
    problems.dedup_by(|one, other| {
        one.at.is_some() && (&one.file, one.at, one.weight) == (&other.file, other.at, other.weight)
    });
}

fn placed_policy<'f>(file: &'f str, text: &'f str, policy: &Policy) -> Result<Placed<'f>, (String, &'static str)> {
    let id = annotations::id(policy)?;
    let rule = annotations::rule(policy)?;
    let mut uses = Uses::default();
    let unread = |_| ("this policy cannot be looked into".to_owned(), "write it in another way");
    uses.add(policy.to_pst().map_err(unread)?.body().clauses())?;
    let policy_of = policy.new_id(PolicyId::new(&id));
    Ok(Placed { file, text, offset: offset(policy), id, policy: policy_of, rule, uses })
}

/// Where a policy begins in its text.
fn offset(policy: &Policy) -> Option<usize> {
    policy.as_ref().loc().map(|loc| loc.start())
}

fn twice(placed: &[Placed<'_>], problems: &mut Vec<Problem>) {
    let mut first: BTreeMap<&str, &Placed<'_>> = BTreeMap::new();
    for one in placed {
        match first.get(one.id.as_str()) {
            Some(before) => {
                let there = Problem::error(before.file, "", "").at(before.text, before.offset);
                let place = there.at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
                let what = format!("the id {:?} is taken, by the policy at {}{place}", one.id, before.file);
                problems.push(Problem::error(one.file, what, "give it another").at(one.text, one.offset));
            }
            None => _ = first.insert(&one.id, one),
        }
    }
}
