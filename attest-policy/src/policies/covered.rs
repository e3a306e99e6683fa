//! Permits that can never let anything through, because a forbid without conditions takes all that they give.

use cedar_policy::{ActionConstraint, Effect, EntityUid, PrincipalConstraint, ResourceConstraint};

use super::read::Placed;
use super::vocabulary::Vocabulary;
use crate::problem::Problem;

/// One remark for each such permit.
pub(super) fn remarks(placed: &[Placed<'_>], vocabulary: &Vocabulary) -> Vec<Problem> {
    let forbids: Vec<&Placed<'_>> = placed.iter().filter(|one| takes_all(one)).collect();
    let permits = placed.iter().filter(|one| one.rule.effect == Effect::Permit);
    let covered = permits.filter_map(|permit| {
        let forbid = forbids.iter().find(|forbid| covers(forbid, permit, vocabulary))?;
        let what =
            format!("the permit {:?} lets nothing through: the forbid {:?} takes all of it", permit.id, forbid.id);
        let todo = "take one of the two away, or give the forbid a condition";
        Some(Problem::remark(permit.file, what, todo).at(permit.text, permit.offset))
    });
    covered.collect()
}

/// A forbid that nothing lifts, for all of its scope.
fn takes_all(one: &Placed<'_>) -> bool {
    one.rule.effect == Effect::Forbid && one.rule.need.is_none() && !one.policy.has_non_scope_constraint()
}

fn covers(wide: &Placed<'_>, narrow: &Placed<'_>, vocabulary: &Vocabulary) -> bool {
    let actions = |one: &Placed<'_>| match one.policy.action_constraint() {
        ActionConstraint::Any => vec![vocabulary.call.clone(), vocabulary.other.clone()],
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
    };
    let (wide_actions, narrow_actions) = (actions(wide), actions(narrow));
    // What is called is a tool, so `is Tool` says nothing beside the action.
    let said = |kind: &cedar_policy::EntityTypeName| {
        let of = |action: &EntityUid| if *action == vocabulary.call { "Tool" } else { "Method" };
        narrow_actions.iter().all(|action| of(action) == kind.basename())
    };
    let all = matches!(wide.policy.resource_constraint(), ResourceConstraint::Is(kind) if said(&kind));
    narrow_actions.iter().all(|action| wide_actions.contains(action))
        && principals(wide, narrow)
        && (all || resources(wide, narrow))
}

/// Every principal is an agent, so `is Agent` says nothing.
fn principals(wide: &Placed<'_>, narrow: &Placed<'_>) -> bool {
    use PrincipalConstraint::{Any, Eq, In, Is, IsIn};
    match (wide.policy.principal_constraint(), narrow.policy.principal_constraint()) {
        (Any | Is(_), _) => true,
        (Eq(wide), Eq(narrow)) => wide == narrow,
        (In(wide) | IsIn(_, wide), Eq(narrow) | In(narrow) | IsIn(_, narrow)) => wide == narrow,
        _ => false,
    }
}

fn resources(wide: &Placed<'_>, narrow: &Placed<'_>) -> bool {
    use ResourceConstraint::{Any, Eq, In, Is, IsIn};
    match (wide.policy.resource_constraint(), narrow.policy.resource_constraint()) {
        (Any, _) => true,
        (Is(wide), Is(narrow) | IsIn(narrow, _)) => wide == narrow,
        (Is(wide), Eq(narrow)) => wide == *narrow.type_name(),
        (Eq(wide), Eq(narrow)) => wide == narrow,
        (In(wide), Eq(narrow) | In(narrow) | IsIn(_, narrow)) => within(&narrow, &wide),
        (IsIn(kind, wide), IsIn(other, narrow)) => kind == other && within(&narrow, &wide),
        (IsIn(kind, wide), Eq(narrow)) => kind == *narrow.type_name() && within(&narrow, &wide),
        _ => false,
    }
}

/// Whether all of `narrow` is in `wide`: itself, or a tool or method, whose name begins with its server's.
fn within(narrow: &EntityUid, wide: &EntityUid) -> bool {
    let server = narrow.id().unescaped().split_once('#').map(|(server, _)| server);
    narrow == wide || (wide.type_name().basename() == "Server" && server == Some(wide.id().unescaped()))
}
