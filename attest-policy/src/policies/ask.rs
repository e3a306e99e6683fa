//! One call put to the policies.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Authorizer, Effect, Entities, PolicyId, PolicySet, Request};

use super::slices::Slice;
use super::vocabulary::Names;
use super::{Policies, Rule};
use crate::arguments::Gathered;
use crate::decision::{Decision, Fault};
use crate::facts::{Arguments, Facts};

use super::reads::Uses;

/// The ids of what matched, and of what came to an error.
#[derive(Debug, Default)]
struct Found {
    matched: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Found {
    fn ask(&mut self, authorizer: &Authorizer, policies: &PolicySet, request: &Request, entities: &Entities) {
        if policies.is_empty() {
            return;
        }
        let answer = authorizer.is_authorized(request, policies, entities);
        let text = |id: &PolicyId| AsRef::<str>::as_ref(id).to_owned();
        // Forbids where one matched, else permits: Cedar's decision follows from which.
        self.matched.extend(answer.diagnostics().reason().map(text));
        let failed = |error: &AuthorizationError| match error {
            AuthorizationError::PolicyEvaluationError(error) => text(error.policy_id()),
        };
        self.failed.extend(answer.diagnostics().errors().map(failed));
    }
}

impl Policies {
    pub(super) fn ask(&self, facts: &Facts<'_>) -> Result<Decision, Fault> {
        facts.check()?;
        let names = self.vocabulary.names(facts);
        let slices: Vec<&Slice> = self.slices.of(&names).collect();
        self.ask_of(facts, &names, &slices)
    }

    /// The same, of these policies.
    pub(super) fn ask_of(&self, facts: &Facts<'_>, names: &Names, slices: &[&Slice]) -> Result<Decision, Fault> {
        let mut uses = Uses::default();
        slices.iter().for_each(|slice| uses.join(&slice.uses));
        let request = self.vocabulary.request(names, facts, uses.members)?;
        let entities = self.vocabulary.entities(names, &gather(facts.arguments, &uses)?)?;
        let mut found = Found::default();
        for slice in slices {
            found.ask(&self.authorizer, &slice.plain, &request, &entities);
            found.ask(&self.authorizer, &slice.step_up, &request, &entities);
        }
        Ok(self.decision(facts, found))
    }

    fn decision(&self, facts: &Facts<'_>, found: Found) -> Decision {
        if !found.failed.is_empty() {
            return Decision::Error(Fault::Policies(found.failed.into_iter().collect()));
        }
        let matched = || found.matched.iter().filter_map(|id| Some((id, self.rules.get(id)?)));
        let plain = |rule: &Rule| rule.effect == Effect::Forbid && rule.need.is_none();
        let by: Vec<String> = matched().filter(|(_, rule)| plain(rule)).map(|(id, _)| id.clone()).collect();
        if !by.is_empty() || !matched().any(|(_, rule)| rule.effect == Effect::Permit) {
            return Decision::Deny { by };
        }
        let unmet = matched().filter_map(|(id, rule)| Some((id, rule.need.as_ref()?)));
        let unmet = unmet.filter(|(_, need)| !facts.met.has(need));
        let (by, needs): (Vec<String>, BTreeSet<_>) = unmet.map(|(id, need)| (id.clone(), need.clone())).unzip();
        if by.is_empty() { Decision::Allow } else { Decision::StepUp { needs, by } }
    }
}

/// What is read of the arguments.
fn gather<'a>(arguments: Arguments<'a>, uses: &'a Uses) -> Result<Gathered<'a>, Fault> {
    if uses.arguments.is_empty() {
        return Ok(Gathered::default());
    }
    match arguments {
        Arguments::Absent => Ok(Gathered::default()),
        Arguments::NotKept => Err(Fault::ArgumentsNotKept),
        Arguments::Given(value) => uses
            .arguments
            .gather(value)
            .map_err(|(pointer, why)| Fault::Argument { pointer: pointer.as_str().to_owned(), why }),
    }
}
