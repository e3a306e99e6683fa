//! The rules applied.

use std::collections::BTreeSet;

use attest_core::json::Value;
use attest_core::seen::{Can, Hints};

use super::rules::ArgumentRule;
use super::{Risk, RiskRules};
use crate::facts::Asked;

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The server's audience.
    pub server: &'a str,
    /// What is asked of it.
    pub asked: &'a Asked,
    /// What is passed.
    pub arguments: Option<&'a Value<'a>>,
    /// The labels of the context.
    pub labels: &'a BTreeSet<String>,
    /// What the tool can do, as far as its listing tells; none where it was not seen.
    pub can: Option<Can>,
    /// What the server says of it.
    pub hints: Hints,
}

/// What the rules come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessed {
    /// The risk.
    pub risk: Risk,
    /// The tool's classes.
    pub classes: BTreeSet<String>,
}

impl Risk {
    /// What could come of `call`, and the classes of its tool.
    pub fn of(rules: &RiskRules, call: &Call<'_>) -> Assessed {
        let Asked::Tool(tool) = call.asked else {
            let classes = BTreeSet::new();
            let risk = rules.method.max(labels(rules, call, &classes));
            return Assessed { risk, classes };
        };
        let within = |class: &super::Class| class.tools.iter().any(|glob| glob.is_tool(call.server, tool));
        let of: Vec<_> = rules.classes.iter().filter(|(_, class)| within(class)).collect();
        let classes: BTreeSet<String> = of.iter().map(|(name, _)| (*name).clone()).collect();
        let base = of.iter().map(|(_, class)| class.risk).max().unwrap_or_else(|| capable(rules, call.can));
        let about = |rule: &&ArgumentRule| {
            rule.tools.as_ref().is_none_or(|tools| tools.iter().any(|glob| glob.is_tool(call.server, tool)))
        };
        let raised = rules.arguments.iter().filter(about).filter(|rule| raises(rule, call.arguments));
        let risk = raised.map(|rule| rule.risk).fold(base, Risk::max);
        let risk = risk.max(hinted(rules, call.hints)).max(labels(rules, call, &classes));
        Assessed { risk, classes }
    }
}

fn capable(rules: &RiskRules, can: Option<Can>) -> Risk {
    let Can { danger, inward, out } = can.unwrap_or_default();
    let known = [(danger, rules.can.danger), (inward, rules.can.inward), (out, rules.can.out)];
    // That a listing shows nothing is its author's word, so it is no better than not to know.
    known.into_iter().filter(|(has, _)| *has).map(|(_, risk)| risk).max().unwrap_or(rules.unknown)
}

fn hinted(rules: &RiskRules, hints: Hints) -> Risk {
    let said = [
        (hints.destructive == Some(true), rules.hints.destructive),
        (hints.open_world == Some(true), rules.hints.open_world),
        (hints.read_only == Some(false), rules.hints.writes),
    ];
    said.into_iter().filter(|(is, _)| *is).map(|(_, risk)| risk).max().unwrap_or(Risk::Low)
}

fn labels(rules: &RiskRules, call: &Call<'_>, classes: &BTreeSet<String>) -> Risk {
    let raised = rules.labels.iter().filter(|rule| {
        let of = rule.classes.as_ref().is_none_or(|of| of.iter().any(|class| classes.contains(class)));
        of && call.labels.iter().any(|label| rule.label.is_like(label))
    });
    raised.map(|rule| rule.risk).max().unwrap_or(Risk::Low)
}

/// Whether an argument raises. One that is there and cannot be told, such as a text where a number is asked for, does.
fn raises(rule: &ArgumentRule, arguments: Option<&Value<'_>>) -> bool {
    let Some(arguments) = arguments else { return false };
    let value = match rule.at.find(arguments) {
        Ok(None | Some(Value::Null)) => return false,
        Ok(Some(value)) => value,
        Err(_) => return true,
    };
    if let Some(like) = &rule.like {
        return match value {
            Value::String(text) => like.is_like(text),
            Value::Array(items) => items.iter().any(|item| item.as_str().is_none_or(|text| like.is_like(text))),
            _ => true,
        };
    }
    match (value.as_number(), rule.above, rule.below) {
        (Some(number), Some(limit), _) => number > limit,
        (Some(number), _, Some(limit)) => number < limit,
        // Asked for a number, and it is none; or asked for any value.
        _ => true,
    }
}
