//! Arguments against a tool's input schema.
//!
//! The schema is a server's, so it can be made to cost: nothing is fetched for it, and one that could take long, or whose
//! references are more than pointers into itself, is not used.

use attest_core::json::{Object, Value};
use attest_core::seen::{MAX_OUTSIDE, pointer};
use jsonschema::{PatternOptions, Validator};

/// Largest schema that is used, in bytes of canonical JSON.
pub const MAX_SCHEMA: usize = 256 << 10;
/// Most steps of a schema with its references unfolded.
const MAX_STEPS: usize = 20_000;
/// How often references are followed within each other: a schema that contains itself is unfolded so deep.
const MAX_UNFOLDED: usize = 8;
/// Most values in arguments that are checked.
const MAX_VALUES: usize = 10_000;
/// Deepest arguments that are checked.
const MAX_ARGUMENTS_DEPTH: usize = 32;
/// How far a pattern may look for a match, in steps.
const MAX_BACKTRACKS: usize = 10_000;

/// Why a schema is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Longer than [`MAX_SCHEMA`].
    #[error("the schema is longer than {MAX_SCHEMA} bytes")]
    TooLong,
    /// It could take long to check by.
    #[error("the schema unfolds to more than {MAX_STEPS} steps")]
    TooManySteps,
    /// A reference that is no JSON pointer into the schema itself.
    #[error("the schema has a reference that does not point into itself")]
    Reference,
    /// It is no JSON Schema.
    #[error("it is no JSON Schema that can be used")]
    Invalid,
}

/// A schema, made ready once.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    recursive: bool,
}

impl Schema {
    /// Makes it ready.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn new(schema: &Value<'_>) -> Result<Self, SchemaError> {
        if schema.to_canonical().len() > MAX_SCHEMA {
            return Err(SchemaError::TooLong);
        }
        let mut walk = Walk { root: schema, steps: 0, recursive: false };
        walk.go(schema, 0)?;
        let value = serde_json::to_value(schema).map_err(|_| SchemaError::Invalid)?;
        let patterns = PatternOptions::fancy_regex().backtrack_limit(MAX_BACKTRACKS).size_limit(1 << 20);
        let options = jsonschema::options().offline().should_validate_formats(false).with_pattern_options(patterns);
        let validator = options.build(&value).map_err(|_| SchemaError::Invalid)?;
        Ok(Self { validator, recursive: walk.recursive })
    }

    /// Pointers to where arguments break it, at most [`MAX_OUTSIDE`], ascending; none where they keep it, or are too large to be
    /// checked.
    pub fn outside(&self, arguments: &Value<'_>) -> Vec<String> {
        let deepest = if self.recursive { MAX_UNFOLDED } else { MAX_ARGUMENTS_DEPTH };
        let mut left = MAX_VALUES;
        if !fits(arguments, deepest, &mut left) {
            return Vec::new();
        }
        let Ok(value) = serde_json::to_value(arguments) else { return Vec::new() };
        let errors = self.validator.iter_errors(&value).take(4 * MAX_OUTSIDE);
        let mut places: Vec<String> = errors.map(|error| pointer(error.instance_path().as_str())).collect();
        places.sort_unstable();
        places.dedup();
        places.truncate(MAX_OUTSIDE);
        places
    }
}

fn fits(value: &Value<'_>, depth: usize, left: &mut usize) -> bool {
    if *left == 0 || depth == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, depth - 1, left)),
        Value::Object(object) => object.iter().all(|(_, item)| fits(item, depth - 1, left)),
        _ => true,
    }
}

/// Counts what checking could cost.
struct Walk<'s> {
    root: &'s Value<'s>,
    steps: usize,
    recursive: bool,
}

impl<'s> Walk<'s> {
    fn go(&mut self, schema: &'s Value<'s>, followed: usize) -> Result<(), SchemaError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(SchemaError::TooManySteps);
        }
        match schema {
            Value::Array(items) => items.iter().try_for_each(|item| self.go(item, followed)),
            Value::Object(object) => {
                self.reference(schema, object, followed)?;
                // Everything, used or not: a member that looks like data may be the name of a property.
                object.iter().try_for_each(|(_, value)| self.go(value, followed))
            }
            _ => Ok(()),
        }
    }

    fn reference(&mut self, part: &Value<'_>, object: &'s Object<'s>, followed: usize) -> Result<(), SchemaError> {
        let is_text = |name: &str| object.get(name).is_some_and(|value| value.as_str().is_some());
        // A part with an `$id` of its own, or of the draft that wrote it `id`, has another root for its pointers.
        let below = !core::ptr::eq(self.root, part);
        let old = object.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-04"));
        if old || (below && is_text("$id")) {
            return Err(SchemaError::Reference);
        }
        if ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"].into_iter().any(is_text) {
            return Err(SchemaError::Reference);
        }
        let Some(to) = object.get("$ref").and_then(Value::as_str) else { return Ok(()) };
        let target = to.strip_prefix('#').and_then(|to| find(self.root, to)).ok_or(SchemaError::Reference)?;
        if followed == MAX_UNFOLDED {
            self.recursive = true;
            return Ok(());
        }
        self.go(target, followed + 1)
    }
}

/// What a JSON pointer (RFC 6901) points to.
fn find<'s>(root: &'s Value<'s>, to: &str) -> Option<&'s Value<'s>> {
    if to.is_empty() {
        return Some(root);
    }
    to.strip_prefix('/')?.split('/').try_fold(root, |value, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Object(object) => object.get(&part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest_core::json::parse;

    fn schema(text: &str) -> Result<Schema, SchemaError> {
        Schema::new(&parse(text.as_bytes()).unwrap())
    }

    fn outside(text: &str, arguments: &str) -> Vec<String> {
        schema(text).unwrap().outside(&parse(arguments.as_bytes()).unwrap())
    }

    const MAIL: &str = r##"{"type":"object","properties":{"to":{"type":"array","items":{"$ref":"#/$defs/a"}},"n":{"type":"integer"}},"required":["to"],"additionalProperties":false,"$defs":{"a":{"type":"string","pattern":"^(?!x).+@"}}}"##;

    #[test]
    fn arguments_are_outside_where_they_break_the_schema_and_nowhere_else() {
        assert_eq!(outside(MAIL, r#"{"to":["a@b"],"n":1}"#), [""; 0]);
        assert_eq!(outside(MAIL, r#"{"to":["a@b",7],"n":"1"}"#), ["/n", "/to/1"]);
        assert_eq!(outside(MAIL, r#"{"to":["x@b"]}"#), ["/to/0"]);
        assert_eq!(outside(MAIL, r#"{"to":[],"bcc":1}"#), [""]);
    }

    #[test]
    fn nothing_is_fetched_and_only_pointers_into_the_schema_are_followed() {
        for to in ["http://h.example/s", "file:///etc/passwd", "#anchor", "other.json", "#/$defs/none"] {
            let text = format!(r#"{{"properties":{{"a":{{"$ref":"{to}"}}}}}}"#);
            assert_eq!(schema(&text).err(), Some(SchemaError::Reference), "{to}");
        }
    }

    #[test]
    fn a_schema_that_would_take_for_ever_is_not_used() {
        let defs: Vec<String> = (0..40)
            .map(|n| format!(r##""a{n}":{{"allOf":[{{"$ref":"#/$defs/a{m}"}},{{"$ref":"#/$defs/a{m}"}},{{"$ref":"#/$defs/a{m}"}}]}}"##, m = n + 1))
            .collect();
        let text = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{},"a40":{{}}}}}}"##, defs.join(","));
        assert_eq!(schema(&text).err(), Some(SchemaError::TooManySteps));
    }

    #[test]
    fn a_schema_that_contains_itself_is_used_as_deep_as_it_was_unfolded() {
        let tree = r##"{"type":"object","properties":{"sub":{"$ref":"#"},"n":{"type":"integer"}}}"##;
        assert_eq!(outside(tree, r#"{"sub":{"sub":{"n":"x"}}}"#), ["/sub/sub/n"]);
        let deep = format!("{}{}{}", r#"{"sub":"#.repeat(20), r#"{"n":"x"}"#, "}".repeat(20));
        assert_eq!(outside(tree, &deep), [""; 0]);
    }

    #[test]
    fn at_most_eight_places_are_named() {
        let text = r#"{"items":{"type":"string"}}"#;
        let many = format!("[{}1]", "1,".repeat(100));
        assert_eq!(outside(text, &many).len(), MAX_OUTSIDE);
    }
}
