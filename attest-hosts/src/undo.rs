//! Taking attest out of an entry that was edited since, so that the edits stay: what it says behind `--` or `--upstream` is
//! the server again.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::{Range, Ranged as _};

use crate::document::{Document, string};
use crate::edit::{Splice, between, dropped, json, property};

/// The splices that take attest out. `before` is the entry as it was, where that is known. `None` where the entry does not say
/// which server it is for.
pub(crate) fn remove(document: &Document<'_>, object: &Object<'_>, before: Option<&str>) -> Option<Vec<Splice>> {
    let before = before.and_then(|text| Document::parse(text).ok());
    let known = before.as_ref().and_then(|before| Some((before, before.root()?)));
    let command = property(object, "command")?;
    let Some(Value::Array(args)) = property(object, "args").map(|member| &member.value) else { return None };
    let is = |value: &Value<'_>, word| string(value) == Some(word);
    if let Some(at) = args.elements.iter().position(|value| is(value, "--")) {
        let server = args.elements.get(at + 1)?;
        let arguments = match args.elements.get(at + 2) {
            Some(next) => {
                Splice::new(Range { start: args.elements.first()?.range().start, end: next.range().start }, "")
            }
            None if known.is_some_and(|(_, old)| property(old, "args").is_none()) => dropped(object, "args")?,
            None => Splice::new(args.range, "[]"),
        };
        return Some(vec![Splice::new(command.value.range(), document.slice(server.range())), arguments]);
    }
    let old = |name| known.and_then(|(text, old)| Some(text.slice(property(old, name)?.value.range())));
    let named = args.elements.iter().enumerate().find_map(|(at, value)| match string(value)? {
        "--upstream" => args.elements.get(at + 1).map(|url| document.slice(url.range()).to_owned()),
        word => word.strip_prefix("--upstream=").map(json),
    });
    // An address that stands in attest's own configuration is in the record alone.
    let url = named.or_else(|| old("url").or_else(|| old("serverUrl")).map(str::to_owned))?;
    let name = if old("serverUrl").is_some() { "serverUrl" } else { "url" };
    let mut entry = format!("\"{name}\": {url}");
    if let Some(headers) = old("headers").filter(|_| property(object, "headers").is_none()) {
        entry = format!("{entry}{}\"headers\": {headers}", between(document, command.range.start));
    }
    let mut splices = vec![Splice::new(command.range, entry), dropped(object, "args")?];
    if let Some(kind) = property(object, "type") {
        splices.push(Splice::new(kind.value.range(), old("type").unwrap_or("\"http\"")));
    }
    Some(splices)
}
