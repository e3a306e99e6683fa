//! Arguments that a tool wants to see in headers: `x-mcp-header` (2026-07-28, Streamable HTTP, "Custom Headers").

use std::collections::HashMap;

use attest_core::json::{Object, Value};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::encode;

/// Most tools with annotations that are remembered, and most annotations of one. Beyond them the server misses a header,
/// and says so.
const MOST_TOOLS: usize = 4096;
const MOST_MIRRORS: usize = 64;
/// 2^53: integers from here on are not safe in a double.
const UNSAFE: f64 = 9_007_199_254_740_992.0;

/// One argument and its header.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    header: HeaderName,
    /// Names of members, from `arguments` inwards.
    path: Vec<String>,
}

/// What the lists of tools say that have passed.
#[derive(Debug, Default)]
pub(super) struct Tools(HashMap<String, Vec<Mirror>>);

impl Tools {
    /// Takes in the result of `tools/list`; the first page of a list replaces what was known.
    pub fn learn(&mut self, result: &Object<'_>, first_page: bool) {
        if first_page {
            self.0.clear();
        }
        let tools = result.get("tools").and_then(Value::as_array).unwrap_or_default();
        for tool in tools.iter().filter_map(Value::as_object) {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let mut mirrors = Vec::new();
            if let Some(schema) = tool.get("inputSchema").and_then(Value::as_object) {
                collect(schema, &mut Vec::new(), &mut mirrors);
            }
            let mirrors = unambiguous(mirrors);
            if mirrors.is_empty() {
                self.0.remove(name);
            } else if self.0.len() < MOST_TOOLS {
                self.0.insert(name.to_owned(), mirrors);
            }
        }
    }

    /// Adds the headers for a call of `tool`.
    pub fn mirror(&self, tool: &str, arguments: Option<&Value<'_>>, headers: &mut HeaderMap) {
        for mirror in self.0.get(tool).into_iter().flatten() {
            let found = mirror.path.iter().try_fold(arguments, |at, name| Some(at?.as_object()?.get(name)));
            if let Some(value) = found.flatten().and_then(header_value) {
                headers.insert(mirror.header.clone(), value);
            }
        }
    }
}

/// Walks chains of `properties` alone: an annotation anywhere else is none.
fn collect(schema: &Object<'_>, path: &mut Vec<String>, mirrors: &mut Vec<Mirror>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.iter().flat_map(|properties| properties.iter()) {
        let Some(property) = property.as_object() else { continue };
        path.push(name.to_owned());
        if let Some(annotation) = property.get("x-mcp-header")
            && mirrors.len() < MOST_MIRRORS
        {
            match header_name(annotation).filter(|_| is_primitive(property)) {
                Some(header) => mirrors.push(Mirror { header, path: path.clone() }),
                None => tracing::warn!(property = name, "an x-mcp-header annotation is malformed; it is ignored"),
            }
        }
        // As deep as the strict reader lets a message be.
        collect(property, path, mirrors);
        path.pop();
    }
}

fn header_name(annotation: &Value<'_>) -> Option<HeaderName> {
    let name = annotation.as_str().filter(|name| !name.is_empty())?;
    HeaderName::try_from([encode::PARAM, name].concat()).ok()
}

/// Whether values are strings, integers or booleans, or such and null.
fn is_primitive(property: &Object<'_>) -> bool {
    let primitive = |name: &Value<'_>| matches!(name.as_str(), Some("string" | "integer" | "boolean"));
    match property.get("type") {
        Some(Value::Array(types)) => types.iter().all(|t| primitive(t) || t.as_str() == Some("null")),
        Some(name) => primitive(name),
        None => false,
    }
}

/// Without the headers that two arguments claim. Names of headers are compared without case, as [`HeaderName`] does.
fn unambiguous(mirrors: Vec<Mirror>) -> Vec<Mirror> {
    let mut claims = HashMap::new();
    for mirror in &mirrors {
        *claims.entry(mirror.header.clone()).or_insert(0) += 1;
    }
    mirrors.into_iter().filter(|mirror| claims.get(&mirror.header) == Some(&1)).collect()
}

/// Null is as good as absent. What is no primitive has no header.
fn header_value(value: &Value<'_>) -> Option<HeaderValue> {
    match value {
        Value::String(text) => encode::value(text),
        Value::Bool(true) => Some(HeaderValue::from_static("true")),
        Value::Bool(false) => Some(HeaderValue::from_static("false")),
        // Whole and exact, so the cast is too.
        Value::Number(n) if n.fract() == 0.0 && n.abs() < UNSAFE => Some(HeaderValue::from(*n as i64)),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    /// The headers of a call of `t` with `arguments`, after a list with this schema; as lines, sorted.
    fn headers(properties: &str, arguments: &str) -> Vec<String> {
        let list = format!(r#"{{"tools":[{{"name":"t","inputSchema":{{"properties":{properties}}}}}]}}"#);
        let mut tools = Tools::default();
        tools.learn(parse(list.as_bytes()).unwrap().as_object().unwrap(), true);
        let mut headers = HeaderMap::new();
        tools.mirror("t", Some(&parse(arguments.as_bytes()).unwrap()), &mut headers);
        let mut lines: Vec<_> = headers.iter().map(|(k, v)| format!("{k}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn annotated_arguments_of_every_primitive_type_are_mirrored_at_any_depth() {
        let properties = r#"{
            "region":{"type":"string","x-mcp-header":"Region"},
            "n":{"type":"integer","x-mcp-header":"N"},
            "maybe":{"type":["boolean","null"],"x-mcp-header":"Maybe"},
            "deep":{"type":"object","properties":{"er":{"type":"string","x-mcp-header":"Deeper"}}}}"#;
        let arguments = r#"{"region":"世界","n":-7.0,"maybe":true,"deep":{"er":"x"}}"#;
        let wanted = [
            "mcp-param-deeper: x",
            "mcp-param-maybe: true",
            "mcp-param-n: -7",
            "mcp-param-region: =?base64?5LiW55WM?=",
        ];
        assert_eq!(headers(properties, arguments), wanted);
        assert_eq!(headers(properties, r#"{"maybe":null,"n":1.5,"deep":"er"}"#), Vec::<String>::new());
    }

    #[test]
    fn malformed_annotations_are_ignored_and_the_others_hold() {
        let properties = r#"{
            "a":{"type":"number","x-mcp-header":"A"},
            "b":{"type":"string","x-mcp-header":""},
            "c":{"type":"string","x-mcp-header":"c\r\nx: y"},
            "d":{"type":"string","x-mcp-header":"Same"},
            "e":{"type":"string","x-mcp-header":"sAME"},
            "f":{"type":"array","items":{"properties":{"g":{"type":"string","x-mcp-header":"G"}}}},
            "h":{"type":"string","x-mcp-header":"H"},
            "i":{"x-mcp-header":"I"},
            "j":{"type":"string","x-mcp-header":7}}"#;
        let arguments = r#"{"a":1,"b":"1","c":"1","d":"1","e":"1","f":[{"g":"1"}],"h":"1","i":"1","j":"1"}"#;
        assert_eq!(headers(properties, arguments), ["mcp-param-h: 1"]);
    }

    #[test]
    fn a_new_list_replaces_the_old_and_a_further_page_adds_to_it() {
        let page = |name: &str| {
            format!(
                r#"{{"tools":[{{"name":"{name}","inputSchema":{{"properties":{{"x":{{"type":"string","x-mcp-header":"X"}}}}}}}}]}}"#
            )
        };
        let mut tools = Tools::default();
        let knows = |tools: &Tools, name| tools.0.contains_key(name);
        tools.learn(parse(page("a").as_bytes()).unwrap().as_object().unwrap(), true);
        tools.learn(parse(page("b").as_bytes()).unwrap().as_object().unwrap(), false);
        assert!(knows(&tools, "a") && knows(&tools, "b"));
        tools.learn(parse(page("c").as_bytes()).unwrap().as_object().unwrap(), true);
        assert!(!knows(&tools, "a") && !knows(&tools, "b") && knows(&tools, "c"));
    }
}
