//! Arguments for a tool of which only the schema is known.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

/// A value of the right type for each required property; nothing for a tool that requires nothing.
pub(super) fn fitting(schema: &JsonObject) -> Option<JsonObject> {
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let required = schema.get("required").and_then(Value::as_array)?;
    let arguments = required.iter().filter_map(Value::as_str).filter_map(|name| {
        let value = match properties.get(name)?.get("type").and_then(Value::as_str)? {
            "string" => json!("text"),
            "integer" => json!(1),
            "number" => json!(1.5),
            "boolean" => json!(true),
            "array" => json!([]),
            "object" => json!({}),
            _ => Value::Null,
        };
        Some((name.to_owned(), value))
    });
    Some(arguments.collect::<JsonObject>()).filter(|arguments| !arguments.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_given_what_it_requires_and_nothing_else() {
        let schema = json!({
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "string"}},
            "required": ["a", "b"],
        });
        let schema = schema.as_object().unwrap();
        assert_eq!(fitting(schema), json!({"a": 1, "b": "text"}).as_object().cloned());
    }
}
