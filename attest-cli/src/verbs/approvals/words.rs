//! A request in words. Whatever somebody else wrote stands there as JSON, in one line, with nothing in it that moves a cursor or
//! turns the direction of writing: it cannot pretend to be ours.

use std::fmt::Write as _;

use attest_core::json::{self, Value};
use server_verifier::approvals::{Request, Shown, Standard};

use super::desk::{Failure, Standing};
use crate::verbs::delegate::words::{chain, labels, quoted, time};

/// A heading, and lines below it.
pub(crate) type Section = (&'static str, Vec<String>);

/// One line for each.
pub(super) fn list(requests: &[Request]) -> String {
    let mut out = String::new();
    for request in requests {
        let id: String = request.id.to_b64().chars().take(12).collect();
        let _ = writeln!(out, "{id}  {}  until {}", title(request), time(request.expires));
    }
    if requests.is_empty() {
        out.push_str("nothing waits for approval\n");
    }
    out
}

/// Who wants what, in one line.
pub(crate) fn title(request: &Request) -> String {
    plain(&format!("{} asks for {} of {}", quoted(&request.agent), quoted(&request.tool), quoted(&request.audience)))
}

/// Sections as text.
pub(super) fn text(sections: &[Section]) -> String {
    let mut out = String::new();
    for (heading, lines) in sections {
        let _ = writeln!(out, "{heading}");
        for line in lines {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// Everything that a person has to know of a request.
pub(crate) fn whole(request: &Request, standing: &Standing) -> Result<Vec<Section>, Failure> {
    let behalf = chain(&request.chain).map_err(|error| format!("the chain of the request: {error}"))?;
    let mut sections = vec![
        ("Request", vec![request.id.to_b64()]),
        ("Who asks", vec![format!("agent {} with the key {}", quoted(&request.agent), request.key)]),
        ("On whose behalf", behalf.lines().map(str::to_owned).collect()),
        ("Tool", vec![format!("{} of the server {}", quoted(&request.tool), quoted(&request.audience))]),
        ("Arguments", arguments(request)?),
        ("Why it waits", why(request)),
        (
            "Data that the caller has seen",
            vec![match request.labels.is_empty() {
                true => "none that is labelled".to_owned(),
                false => labels(&request.labels),
            }],
        ),
        ("State of the agent", request.state.iter().map(component).collect()),
        ("Time", vec![format!("asked at {}", time(request.asked)), format!("open until {}", time(request.expires))]),
        ("So far", so_far(request, standing)),
    ];
    sections.iter_mut().flat_map(|(_, lines)| lines).for_each(|line| *line = plain(line));
    Ok(sections)
}

fn arguments(request: &Request) -> Result<Vec<String>, Failure> {
    let params = json::parse(request.params.as_bytes()).map_err(|error| format!("the parameters: {error}"))?;
    let params = params.as_object().ok_or("the parameters are no object")?;
    let line = |(name, value): (&str, &Value<'_>)| format!("{}: {}", quoted(name), written(value));
    let mut lines = match params.get("arguments") {
        None => vec!["none".to_owned()],
        Some(value) => match value.as_object() {
            Some(object) if object.is_empty() => vec!["an empty object".to_owned()],
            Some(object) => object.iter().map(line).collect(),
            None => vec![written(value)],
        },
    };
    // `task`, `inputResponses` and `requestState` change what runs.
    let others = params.iter().filter(|(name, _)| !["arguments", "name"].contains(name));
    lines.extend(others.map(|other| format!("besides the arguments, {}", line(other))));
    Ok(lines)
}

fn written(value: &Value<'_>) -> String {
    String::from_utf8_lossy(&value.to_canonical()).into_owned()
}

fn why(request: &Request) -> Vec<String> {
    let mut lines = vec![quoted(&request.reason)];
    if !request.by.is_empty() {
        let names: Vec<_> = request.by.iter().map(|by| quoted(by)).collect();
        lines.push(format!("says the policy {}", names.join(", ")));
    }
    lines.push(format!("risk: {}", quoted(&request.risk)));
    let need = |(persons, group): &(u32, String)| match persons {
        1 => format!("needs one person of {}", quoted(group)),
        n => format!("needs {n} persons of {}", quoted(group)),
    };
    lines.extend(request.needs.iter().map(need));
    lines
}

fn component(Shown { measured, standard }: &Shown) -> String {
    let standard = match standard {
        Standard::Listed => "the accepted one",
        Standard::Rule => "within a rule, not one that was listed",
        Standard::Any => "anything is accepted here",
    };
    format!("{} {}, {}: {standard}", measured.component, measured.digest, measured.grade)
}

fn so_far(request: &Request, standing: &Standing) -> Vec<String> {
    let Standing { approved, refused } = standing;
    let mut lines = Vec::new();
    if *refused {
        lines.push("REFUSED".to_owned());
    }
    let counted = approved.counted.iter();
    lines.extend(counted.map(|one| format!("approved by {} at {}", quoted(&one.person), time(one.issued_at))));
    let numbers = approved.numbers();
    for (persons, group) in &request.needs {
        lines.push(format!("{} of {persons} of {}", numbers.get(group).unwrap_or(&0), quoted(group)));
    }
    lines.extend(approved.left_out.iter().map(|(_, unfit)| format!("an approval that does not count: {unfit}")));
    lines
}

/// The text with whatever is no plain visible character written out.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Escaped as JSON already.
            '"' | '\\' | '\'' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_move_a_cursor_or_turn_the_writing() {
        let sly = "a\u{1b}[2K\r\nrisk: none\u{202e}\u{200b}\u{2028}\u{9b}\u{7f}";
        let shown = plain(&quoted(sly));
        assert!(shown.chars().all(|c| c.is_ascii() && !c.is_ascii_control()), "{shown}");
        assert_eq!(shown.lines().count(), 1);
        assert_eq!(plain("\"grüße \\\" 'x'\""), "\"grüße \\\" 'x'\"", "and what is harmless is left");
    }
}
