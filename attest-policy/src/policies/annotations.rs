//! What stands before a policy: `@id`, `@reason`, `@step_up`, `@approval`.

use attest_core::claims::is_name;
use cedar_policy::{Effect, Policy};

use super::Rule;
use crate::decision::Need;

/// Longest reason, in bytes: it goes to people, and beside a refusal.
const MAX_REASON: usize = 512;

/// What is wrong, and what to do.
type Wrong = (String, &'static str);

/// The `@id`.
pub(super) fn id(policy: &Policy) -> Result<String, Wrong> {
    match policy.annotation("id") {
        None => Err((
            "this policy has no @id".to_owned(),
            "put @id(\"a-name-of-its-own\") before it: logs and refusals name it",
        )),
        Some(id) if is_name(id) => Ok(id.to_owned()),
        Some(id) => Err((format!("@id({id:?}) is no name"), "use 1 to 256 bytes without control characters")),
    }
}

/// The others.
pub(super) fn rule(policy: &Policy) -> Result<Rule, Wrong> {
    for (name, _) in policy.annotations() {
        if !["id", "reason", "step_up", "approval"].contains(&name) {
            return Err((format!("there is no annotation @{name}"), "use @id, @reason, @step_up or @approval"));
        }
    }
    let effect = policy.effect();
    let reason = policy.annotation("reason").map(str::to_owned);
    if reason
        .as_ref()
        .is_some_and(|text| text.len() > MAX_REASON || text.is_empty() || text.chars().any(char::is_control))
    {
        return Err(("the @reason is not one line of at most 512 bytes".to_owned(), "shorten it"));
    }
    let need = match (policy.annotation("step_up"), policy.annotation("approval")) {
        (None, None) => None,
        (Some(_), _) if effect == Effect::Permit => {
            return Err(("@step_up stands before a permit".to_owned(), "put it before the forbid that it lifts"));
        }
        (Some("nonce"), None) => Some(Need::Nonce),
        (Some("reattest"), None) => Some(Need::Reattest),
        (Some("approval"), Some(approval)) => Some(approvals(approval)?),
        (Some("approval"), None) => {
            return Err(("@step_up(\"approval\") does not say whose".to_owned(), "add @approval(\"1 of GROUP\")"));
        }
        (Some(word @ ("behaviour" | "probe")), _) => {
            return Err((
                format!("the step-up {word:?} is reserved: nothing can meet it yet"),
                "use \"nonce\", \"reattest\" or \"approval\", or leave @step_up out for a plain forbid",
            ));
        }
        (Some("nonce" | "reattest") | None, Some(_)) => {
            return Err((
                "@approval stands without @step_up(\"approval\")".to_owned(),
                "add that, or take @approval away",
            ));
        }
        (Some(word), _) => {
            return Err((format!("there is no step-up {word:?}"), "use \"nonce\", \"reattest\" or \"approval\""));
        }
    };
    Ok(Rule { effect, need, reason })
}

/// `2 of finance`: two different persons of this group.
fn approvals(text: &str) -> Result<Need, Wrong> {
    let parts = text.split_once(" of ").and_then(|(persons, group)| {
        let digits = persons.len() <= 3 && !persons.starts_with('0') && persons.bytes().all(|c| c.is_ascii_digit());
        let persons = digits.then(|| persons.parse::<u32>().ok()).flatten()?;
        is_name(group).then(|| Need::Approval { persons, group: group.to_owned() })
    });
    parts.ok_or_else(|| {
        (format!("@approval({text:?}) is not of the form M of GROUP"), "write it so: @approval(\"2 of finance\")")
    })
}
