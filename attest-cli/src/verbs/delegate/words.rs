//! A chain in words: who may call what, until when, and what each lost against the one before.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use attest_core::constraint::{Bound, Constraint, Range};
use attest_core::delegation::Delegation;
use attest_core::flow::Flow;
use attest_core::json::Value;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::pins::Accepted;
use attest_core::tools::Arguments;

use super::Failure;

/// Every token of a chain, one paragraph each.
pub(crate) fn chain(tokens: &[String]) -> Result<String, Failure> {
    let paragraphs = each(tokens)?;
    if paragraphs.is_empty() {
        return Err("the chain's file holds no token".into());
    }
    Ok(paragraphs.join("\n"))
}

/// Every token of a chain in words.
pub(crate) fn each(tokens: &[String]) -> Result<Vec<String>, Failure> {
    let mut above: Option<Delegation> = None;
    let mut all = Vec::new();
    for (n, text) in tokens.iter().enumerate() {
        let token = Unverified::<Delegation>::read(text).map_err(|e| format!("token {}: {e}", n + 1))?;
        let token = token.peek().clone();
        all.push(one(&token, above.as_ref()));
        above = Some(token);
    }
    Ok(all)
}

fn one(token: &Delegation, above: Option<&Delegation>) -> String {
    let holder = token.key.thumbprint();
    let mut out = match above {
        None => format!("{} grants to {holder}:\n", quoted(&token.issuer)),
        Some(parent) => format!("{} passes on to {holder}:\n", parent.key.thumbprint()),
    };
    if token.tools.0.is_empty() {
        out.push_str("  may call nothing\n");
    }
    for (tool, arguments) in &token.tools.0 {
        let _ = writeln!(out, "  may call {} {}", quoted(tool), with(arguments));
    }
    let _ = writeln!(out, "  until {}", time(token.expires));
    let left = token.max_depth.saturating_sub(token.depth);
    let _ = writeln!(
        out,
        "  may {}",
        match left {
            0 => "not pass it on".to_owned(),
            1 => "pass it on once".to_owned(),
            2 => "pass it on twice".to_owned(),
            n => format!("pass it on {n} times"),
        }
    );
    match (&token.flow, above) {
        (Some(flow), _) => out.push_str(&flowing(flow)),
        (None, None) => out.push_str("  of its own accord; only data for everybody may flow to its tools\n"),
        (None, Some(_)) => out.push_str("  with data as the token above says\n"),
    }
    if let Some(pins) = &token.pins {
        let shown = |who: &str, pinned: &Accepted, out: &mut String| {
            for (component, digests) in pinned {
                let digests: Vec<String> = digests.iter().map(|digest| digest.to_b64()).collect();
                let _ = writeln!(out, "  {who} must show {component} {}", digests.join(" or "));
            }
        };
        shown("the holder", &pins.holder, &mut out);
        shown("everybody below", &pins.below, &mut out);
        let _ = writeln!(out, "  an attestation stands for that {} seconds", pins.max_age);
    }
    if let Some(parent) = above {
        let lost = lost(token, parent);
        if lost.is_empty() {
            out.push_str("  lost nothing\n");
        }
        for line in lost {
            let _ = writeln!(out, "  lost: {line}");
        }
    }
    out
}

/// What a child has no more, as far as it can be said in one line each.
fn lost(child: &Delegation, parent: &Delegation) -> Vec<String> {
    let mut lost = Vec::new();
    for (tool, wide) in &parent.tools.0 {
        match child.tools.0.get(tool) {
            None => lost.push(quoted(tool)),
            Some(narrow) if narrow != wide => {
                for name in narrow.keys().chain(wide.keys()).collect::<BTreeSet<_>>() {
                    let words = |arguments: &Arguments| arguments.get(name).map_or("anything".to_owned(), constraint);
                    let (now, before) = (words(narrow), words(wide));
                    if now != before {
                        lost.push(format!("{}: {} was {before}, is {now}", quoted(tool), quoted(name)));
                    }
                }
            }
            Some(_) => {}
        }
    }
    if child.expires < parent.expires {
        lost.push(format!("time: until {} and not {}", time(child.expires), time(parent.expires)));
    }
    let left = |token: &Delegation| token.max_depth.saturating_sub(token.depth);
    if left(child) + 1 < left(parent) {
        lost.push(format!("passing on: {} more, of {}", left(child), left(parent).saturating_sub(1)));
    }
    if let Some(flow) = &child.flow {
        let before = parent.flow.as_ref().unwrap_or(Flow::public());
        if before.of_own_accord && !flow.of_own_accord {
            lost.push("calling of its own accord".to_owned());
        }
        let gone = before.all().without(&flow.all());
        if !gone.is_empty() {
            lost.push(format!("letting {} flow", labels(&gone)));
        }
    }
    lost
}

fn flowing(flow: &Flow) -> String {
    let mut out = match flow.of_own_accord {
        true => "  of its own accord\n".to_owned(),
        false => "  only on behalf of a call that was made to it\n".to_owned(),
    };
    if flow.release.is_empty() {
        out.push_str("  only data for everybody may flow to its tools\n");
    }
    for (tool, released) in &flow.release {
        let tool = if tool == "*" { "every tool".to_owned() } else { quoted(tool) };
        let _ = writeln!(out, "  {} may flow to {tool}", labels(released));
    }
    out
}

pub(crate) fn labels(labels: &Labels) -> String {
    match labels {
        Labels::Every => "data of every label".to_owned(),
        some => format!("data labelled {}", some.iter().collect::<Vec<_>>().join(", ")),
    }
}

fn with(arguments: &Arguments) -> String {
    if arguments.is_empty() {
        return "with any arguments".to_owned();
    }
    let each = arguments.iter().map(|(name, wanted)| format!("{} {}", quoted(name), constraint(wanted)));
    format!("with {}", each.collect::<Vec<_>>().join(", "))
}

fn constraint(constraint_: &Constraint) -> String {
    let joined = |values: &[Value<'_>], word: &str| match values {
        [] => "nothing".to_owned(),
        values => values.iter().map(value).collect::<Vec<_>>().join(word),
    };
    let clauses = |clauses: &[Constraint], word: &str| {
        format!("({})", clauses.iter().map(constraint).collect::<Vec<_>>().join(word))
    };
    match constraint_ {
        Constraint::Exact(wanted) => format!("exactly {}", value(wanted)),
        Constraint::Range(range) => range_(range),
        Constraint::OneOf(values) => joined(values, " or "),
        Constraint::NotOneOf(values) => format!("not {}", joined(values, " nor ")),
        Constraint::Contains(values) => format!("a list that has {}", joined(values, " and ")),
        Constraint::Subset(values) => format!("a list of nothing but {}", joined(values, ", ")),
        Constraint::PathPrefix(folder) => format!("a path below {}", quoted(folder.as_str())),
        Constraint::Wildcard => "anything".to_owned(),
        Constraint::All(all) => clauses(all, " and "),
        Constraint::Any(any) => clauses(any, " or "),
        _ => "what this version has no words for".to_owned(),
    }
}

fn range_(range: &Range) -> String {
    let bound = |bound: Option<Bound>, closed: &str, open: &str| {
        bound.map(|b| format!("{} {}", if b.inclusive { closed } else { open }, b.value))
    };
    let bounds = [bound(range.min, "at least", "more than"), bound(range.max, "at most", "less than")];
    match bounds.into_iter().flatten().collect::<Vec<_>>() {
        none if none.is_empty() => "any number".to_owned(),
        some => format!("a number, {}", some.join(" and ")),
    }
}

/// As in JSON: what somebody wrote into a token cannot pretend to be words of ours.
fn value(value: &Value<'_>) -> String {
    String::from_utf8_lossy(&value.to_canonical()).into_owned()
}

pub(crate) fn quoted(text: &str) -> String {
    value(&Value::String(text.into()))
}

pub(crate) fn time(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "a time beyond all calendars".to_owned(), |at| at.to_string())
}
