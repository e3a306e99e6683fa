//! Which policies can apply to a call, by their scopes alone.
//!
//! Each policy stands under one name of its scope: the resource, or what the resource is in; where it names none, the agent
//! or its group; else under none. A call is shown what stands under its own names. So a policy about another tool costs
//! nothing, and none that could apply is left out: a scope that names an entity holds only for calls that have that name.

use std::collections::HashMap;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicySet, PolicySetError, PrincipalConstraint, ResourceConstraint,
};

use super::reads::Uses;
use super::vocabulary::{Names, Vocabulary};

/// Policies that stand under one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    /// Permits, and forbids that nothing lifts.
    pub(super) plain: PolicySet,
    /// Forbids that a step lifts.
    pub(super) step_up: PolicySet,
    /// What both read.
    pub(super) uses: Uses,
}

/// All policies, under their names, by action.
#[derive(Debug, Default)]
pub(super) struct Slices {
    call: ByName,
    method: ByName,
}

#[derive(Debug, Default)]
struct ByName {
    any: Slice,
    named: HashMap<EntityUid, Slice>,
}

impl Slices {
    pub(super) fn add(
        &mut self,
        policy: &Policy,
        lifted: bool,
        uses: &Uses,
        vocabulary: &Vocabulary,
    ) -> Result<(), Box<PolicySetError>> {
        let applies = |action: &EntityUid| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(one) => one == *action,
            ActionConstraint::In(some) => some.contains(action),
        };
        let name = name(policy);
        for (by_name, action) in [(&mut self.call, &vocabulary.call), (&mut self.method, &vocabulary.other)] {
            if !applies(action) {
                continue;
            }
            let slice = match &name {
                Some(name) => by_name.named.entry(name.clone()).or_default(),
                None => &mut by_name.any,
            };
            let set = if lifted { &mut slice.step_up } else { &mut slice.plain };
            set.add(policy.clone()).map_err(Box::new)?;
            slice.uses.join(uses);
        }
        Ok(())
    }

    /// What can apply to a call of these names.
    pub(super) fn of<'s>(&'s self, names: &'s Names) -> impl Iterator<Item = &'s Slice> {
        let by_name = if names.is_call { &self.call } else { &self.method };
        let of_call = [&names.resource, &names.agent].into_iter().chain(&names.above).chain(&names.groups);
        let named = of_call.filter_map(|name| by_name.named.get(name));
        std::iter::once(&by_name.any).chain(named)
    }
}

fn name(policy: &Policy) -> Option<EntityUid> {
    match policy.resource_constraint() {
        ResourceConstraint::Eq(name) | ResourceConstraint::In(name) | ResourceConstraint::IsIn(_, name) => {
            return Some(name);
        }
        ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
    }
    match policy.principal_constraint() {
        PrincipalConstraint::Eq(name) | PrincipalConstraint::In(name) | PrincipalConstraint::IsIn(_, name) => {
            Some(name)
        }
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    }
}
