//! Edits: splices into an entry's text that put attest in between.

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged as _};

use crate::document::Document;
use crate::entry::{Entry, Transport, member};
use crate::way::{Left, Way};

/// A stretch of the text, and what stands there instead.
pub(crate) struct Splice {
    pub range: Range,
    pub text: String,
}

impl Splice {
    pub fn new(range: Range, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }

    fn insert(at: usize, text: String) -> Self {
        Self { range: Range { start: at, end: at }, text }
    }
}

/// The text within `range`, spliced. `None` where splices overlap or leave the range, which would be our mistake.
pub(crate) fn spliced(document: &Document<'_>, range: Range, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let text = document.text();
    let (mut new, mut at) = (String::with_capacity(range.end.saturating_sub(range.start)), range.start);
    for splice in &splices {
        new.push_str(text.get(at..splice.range.start)?);
        new.push_str(&splice.text);
        at = splice.range.end;
    }
    new.push_str(text.get(at..range.end)?);
    Some(new)
}

/// A string in JSON.
pub(crate) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The line break and indentation right before a position, if it begins a line.
fn lead(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let line = before.trim_end_matches([' ', '\t']);
    let above = line.strip_suffix('\n').map(|above| above.strip_suffix('\r').unwrap_or(above));
    before.get(above.or_else(|| line.strip_suffix('\r'))?.len()..)
}

/// What stands between a value and the next one that is put before `at`: a comma and, if `at` begins a line, a new line.
pub(crate) fn between(document: &Document<'_>, at: usize) -> String {
    format!(",{}", lead(document.text(), at).unwrap_or(" "))
}

/// The splices that put attest into an entry.
pub(crate) fn install(
    document: &Document<'_>,
    name: &str,
    entry: &Entry<'_, '_>,
    way: &Way,
) -> Result<Vec<Splice>, Left> {
    way.suits(name, entry)?;
    let object = entry.object.ok_or(Left::Form)?;
    let mut words: Vec<String> = way.options(name)?.iter().map(|word| json(word)).collect();
    let program = json(&way.program.to_string_lossy());
    if entry.transport() == Transport::Stdio {
        let command = property(object, "command").ok_or(Left::Form)?;
        // The very text, so that taking it out again gives the same.
        let server = document.slice(command.value.range());
        words.extend([json("--"), server.to_owned()]);
        let arguments = match member(object, "args") {
            Some(Value::Array(list)) => prepend(document, list, &words),
            Some(_) => return Err(Left::Form),
            None => {
                let comma = between(document, command.range.start);
                Splice::insert(command.range.end, format!("{comma}\"args\": [{}]", words.join(", ")))
            }
        };
        return Ok(vec![Splice::new(command.value.range(), program), arguments]);
    }
    let url = property(object, "url").or_else(|| property(object, "serverUrl")).ok_or(Left::Form)?;
    if !way.knows(name, entry.url.unwrap_or_default()) {
        words.extend([json("--upstream"), document.slice(url.value.range()).to_owned()]);
    }
    let comma = between(document, url.range.start);
    let text = format!("\"command\": {program}{comma}\"args\": [{}]", words.join(", "));
    let mut splices = vec![Splice::new(url.range, text)];
    if let Some(kind) = property(object, "type") {
        splices.push(Splice::new(kind.value.range(), json("stdio")));
    }
    splices.extend(dropped(object, "headers"));
    Ok(splices)
}

fn prepend(document: &Document<'_>, list: &Array<'_>, words: &[String]) -> Splice {
    match list.elements.first() {
        None => Splice::insert(list.range.start + 1, words.join(", ")),
        Some(first) => {
            let at = first.range().start;
            let comma = between(document, at);
            Splice::insert(at, words.iter().flat_map(|word| [word.as_str(), &comma]).collect())
        }
    }
}

pub(crate) fn property<'d, 't>(object: &'d Object<'t>, name: &str) -> Option<&'d ObjectProp<'t>> {
    object.properties.iter().find(|member| member.name.as_str() == name)
}

/// Takes a member out, with the comma and whatever else stands between it and its neighbour.
pub(crate) fn dropped(object: &Object<'_>, name: &str) -> Option<Splice> {
    let at = object.properties.iter().position(|member| member.name.as_str() == name)?;
    let member = object.properties.get(at)?;
    let before = at.checked_sub(1).and_then(|before| object.properties.get(before));
    let range = match (before, object.properties.get(at + 1)) {
        (Some(before), _) => Range { start: before.range.end, end: member.range.end },
        (None, Some(after)) => Range { start: member.range.start, end: after.range.start },
        (None, None) => member.range,
    };
    Some(Splice::new(range, ""))
}
