//! The settings of a request: what is left of it without the conversation.

use std::collections::BTreeSet;

use attest_core::digest::Digest;
use attest_core::json::{Object, Value, write_canonical, write_string};

use crate::api::Api;

/// Members that list what the model may call. The second is the first's older name.
pub(crate) const TOOLS: [&str; 2] = ["functions", "tools"];

/// Canonical JSON of the settings. `more` are tools that were given outside of `tools`.
pub(crate) fn canonical(api: Api, request: &Object<'_>, more: &[&Value<'_>]) -> Vec<u8> {
    let mut settings: Vec<_> = request.iter().filter(|(name, _)| !api.left_out().contains(name)).collect();
    if !more.is_empty() && !settings.iter().any(|(name, _)| *name == "tools") {
        let at = settings.iter().position(|(name, _)| comes_after_tools(name)).unwrap_or(settings.len());
        settings.insert(at, ("tools", &Value::Null));
    }
    let mut out = vec![b'{'];
    for (name, value) in settings {
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(name, &mut out);
        out.push(b':');
        let more = if name == "tools" { more } else { &[] };
        match value {
            Value::Array(tools) if TOOLS.contains(&name) => {
                write_tools(tools.iter().chain(more.iter().copied()), &mut out)
            }
            Value::Null if !more.is_empty() => write_tools(more.iter().copied(), &mut out),
            value => write_canonical(value, &mut out),
        }
    }
    out.push(b'}');
    out
}

/// In the order of canonical JSON, which is that of UTF-16 code units (RFC 8785, section 3.2.3).
fn comes_after_tools(name: &str) -> bool {
    name.encode_utf16().gt("tools".encode_utf16())
}

/// Name and digest of each, once, in ascending order of both: in which order they were listed says nothing.
fn write_tools<'v, 'a: 'v>(tools: impl Iterator<Item = &'v Value<'a>>, out: &mut Vec<u8>) {
    let tools: BTreeSet<_> = tools.map(|tool| (name(tool), Digest::of(tool.to_canonical()).to_b64())).collect();
    out.push(b'[');
    for (i, (name, digest)) in tools.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"digest\":");
        write_string(digest, out);
        out.extend_from_slice(b",\"name\":");
        write_string(name, out);
        out.push(b'}');
    }
    out.push(b']');
}

/// What a tool goes by: its own name, the one inside of what its type names, or else its type.
fn name<'v>(tool: &'v Value<'_>) -> &'v str {
    let Some(tool) = tool.as_object() else { return "" };
    let text = |of: &'v Object<'_>, member: &str| of.get(member).and_then(Value::as_str);
    let kind = text(tool, "type");
    let inner = || tool.get(kind?).and_then(Value::as_object).and_then(|inner| text(inner, "name"));
    text(tool, "name").or_else(inner).or(kind).unwrap_or_default()
}
