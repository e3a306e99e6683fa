//! Tool parameters that callers mirror into `Mcp-Param-…` headers (2026-07-28, Streamable HTTP, "Custom Headers from Tool
//! Parameters").
//!
//! Which ones those are stands in the answers to `tools/list`, so it is known once one has passed; until then, as for a
//! tool that no list named, there is nothing to compare.

use std::collections::HashMap;

use attest_core::json::Value;
use http::{HeaderMap, HeaderName};

use crate::http::encode::PARAM;
use crate::http::gateway::headers;
use crate::http::gateway::problem::Problem;

/// Most tools remembered; a server with more has the others unchecked.
const MAX_TOOLS: usize = 4_096;
/// Most mirrored parameters of one tool; a tool with more is not checked.
const MAX_MIRRORED: usize = 64;

/// A parameter and its header.
#[derive(Debug, PartialEq, Eq)]
struct Mirrored {
    header: HeaderName,
    /// The names that lead to it from `params.arguments`.
    way: Vec<String>,
}

/// What is known of the child's tools.
#[derive(Default)]
pub(super) struct Tools {
    mirrored: HashMap<String, Vec<Mirrored>>,
}

impl Tools {
    /// Takes in an answer to `tools/list`.
    pub fn learn(&mut self, answer: &Value<'_>) {
        let tools = answer.as_object().and_then(|o| o.get("result")?.as_object()?.get("tools")?.as_array());
        for tool in tools.into_iter().flatten().filter_map(Value::as_object) {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let mirrored = tool.get("inputSchema").and_then(annotated).unwrap_or_default();
            if mirrored.is_empty() {
                self.mirrored.remove(name);
            } else if self.mirrored.len() < MAX_TOOLS || self.mirrored.contains_key(name) {
                self.mirrored.insert(name.to_owned(), mirrored);
            }
        }
    }

    /// Forgets all: another child may have other tools.
    pub fn forget(&mut self) {
        self.mirrored.clear();
    }

    /// Whether a `tools/call` has the headers that its arguments ask for.
    pub fn check(&self, headers: &HeaderMap, call: &Value<'_>) -> Result<(), Problem> {
        let params = call.as_object().and_then(|o| o.get("params")?.as_object());
        let Some((name, params)) = params.and_then(|params| Some((params.get("name")?.as_str()?, params))) else {
            return Ok(());
        };
        let arguments = params.get("arguments");
        for Mirrored { header, way } in self.mirrored.get(name).into_iter().flatten() {
            let value = way.iter().try_fold(arguments, |at, name| Some(at?.as_object()?.get(name))).flatten();
            let is_same = match value {
                None | Some(Value::Null) => {
                    if headers.contains_key(header) {
                        return Err(Problem::HeaderDiffers(header.clone()));
                    }
                    continue;
                }
                Some(Value::String(text)) => headers::shown(headers, header)? == *text,
                // By value: `42.0` is `42`.
                Some(Value::Number(n)) => headers::shown(headers, header)?.parse() == Ok(*n),
                Some(Value::Bool(b)) => headers::shown(headers, header)? == if *b { "true" } else { "false" },
                // Not of a type that can be mirrored: the server will not take it either.
                Some(Value::Array(_) | Value::Object(_)) => continue,
            };
            if !is_same {
                return Err(Problem::HeaderDiffers(header.clone()));
            }
        }
        Ok(())
    }
}

/// The annotated parameters of a schema. `None` where one is not as it must be: the client then leaves the tool out.
fn annotated(schema: &Value<'_>) -> Option<Vec<Mirrored>> {
    let mut all = Vec::new();
    collect(schema, &mut Vec::new(), &mut all)?;
    Some(all)
}

fn collect(schema: &Value<'_>, way: &mut Vec<String>, all: &mut Vec<Mirrored>) -> Option<()> {
    let properties = schema.as_object().and_then(|o| o.get("properties")?.as_object());
    for (name, property) in properties.into_iter().flat_map(|properties| properties.iter()) {
        way.push(name.to_owned());
        if let Some(annotation) = property.as_object().and_then(|o| o.get("x-mcp-header")) {
            let suffix = annotation.as_str().filter(|suffix| !suffix.is_empty())?;
            let header = HeaderName::try_from([PARAM, suffix].concat()).ok()?;
            if all.len() == MAX_MIRRORED || all.iter().any(|other| other.header == header) {
                return None;
            }
            all.push(Mirrored { header, way: way.clone() });
        }
        collect(property, way, all)?;
        way.pop();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;
    use http::HeaderValue;

    use super::*;

    const LIST: &str = r#"{"id":1,"result":{"tools":[{"name":"query","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "limit":{"type":"integer","x-mcp-header":"Limit"},
        "deep":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry"}}}}}}]}}"#;

    fn check(list: &str, arguments: &str, pairs: &[(&'static str, &'static str)]) -> Result<(), Problem> {
        let mut tools = Tools::default();
        tools.learn(&parse(list.as_bytes()).unwrap());
        let headers = pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        let call = format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"query","arguments":{arguments}}}}}"#);
        tools.check(&headers, &parse(call.as_bytes()).unwrap())
    }

    #[test]
    fn values_that_are_the_same_pass_whatever_their_type_and_encoding() {
        let arguments = r#"{"region":"Hello, 世界","limit":42,"deep":{"dry":true}}"#;
        let region = ("mcp-param-region", "=?base64?SGVsbG8sIOS4lueVjA==?=");
        check(LIST, arguments, &[region, ("mcp-param-limit", "42.0"), ("mcp-param-dry", "true")]).unwrap();
        check(LIST, r#"{"region":null}"#, &[("mcp-param-other", "x")]).unwrap();
        check(LIST, "{}", &[]).unwrap();
    }

    #[test]
    fn values_that_are_missing_or_different_on_either_side_are_refused() {
        let missing = HeaderName::from_static("mcp-param-region");
        assert_eq!(check(LIST, r#"{"region":"a"}"#, &[]), Err(Problem::HeaderMissing(missing)));
        for (arguments, header, value) in [
            (r#"{"region":"a"}"#, "mcp-param-region", "b"),
            (r#"{"region":null}"#, "mcp-param-region", "b"),
            ("{}", "mcp-param-region", "b"),
            (r#"{"limit":42}"#, "mcp-param-limit", "43"),
            (r#"{"limit":42}"#, "mcp-param-limit", "forty-two"),
            (r#"{"deep":{"dry":false}}"#, "mcp-param-dry", "true"),
        ] {
            let name = HeaderName::from_static(header);
            assert_eq!(check(LIST, arguments, &[(header, value)]), Err(Problem::HeaderDiffers(name)), "{arguments}");
        }
        let bad = ("mcp-param-region", "=?base64?!?=");
        assert!(matches!(check(LIST, r#"{"region":"a"}"#, &[bad]), Err(Problem::HeaderInvalid(_))));
    }

    #[test]
    fn a_tool_whose_annotations_are_invalid_is_not_checked() {
        for bad in [r#""""#, r#""a b""#, "7", r#""LIMIT""#] {
            check(&LIST.replace(r#""Region""#, bad), r#"{"region":"a"}"#, &[]).unwrap();
        }
    }
}
