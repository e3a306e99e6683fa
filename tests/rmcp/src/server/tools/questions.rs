//! Tools that send the client a request and wait for its answer (2025-11-25, where a session can carry one).
// Sampling is deprecated in 2026-07-28 (SEP-2577).
#![expect(deprecated)]

use rmcp::model::{
    CallToolResult, ContentBlock, CreateMessageRequestParams, ElicitRequestParams, ElicitationSchema, SamplingMessage,
    Tool,
};
use rmcp::{ErrorData, ServiceError};
use serde_json::{Value, json};

use super::{Answer, Call, object, plain, said, tool, unknown};

const MAX_TOKENS: u32 = 100;

pub(super) fn tools() -> Vec<Tool> {
    let takes = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    vec![
        tool("test_sampling", "Has the client's model answer a prompt", takes("prompt")),
        tool("test_elicitation", "Asks the user for a name and an address", takes("message")),
        plain("test_elicitation_sep1034_defaults", "Asks for values that all have a default"),
        plain("test_elicitation_sep1330_enums", "Asks to choose, in each of the five ways to say so"),
    ]
}

pub(super) async fn run(call: &Call<'_>) -> Answer {
    let result = match call.request.name.as_ref() {
        "test_sampling" => sample(call, call.text("prompt", "Say something")).await,
        "test_elicitation" => elicit(call, call.text("message", "Who are you?"), person()).await?,
        "test_elicitation_sep1034_defaults" => elicit(call, "Change what is not right", defaults()).await?,
        "test_elicitation_sep1330_enums" => elicit(call, "Choose", choices()).await?,
        other => return Err(unknown(other)),
    };
    Ok(result.into())
}

async fn sample(call: &Call<'_>, prompt: &str) -> CallToolResult {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], MAX_TOKENS);
    match call.context.peer.create_message(params).await {
        Ok(answer) => {
            let text = answer.message.content.first().and_then(|content| content.as_text());
            said(format!("LLM response: {}", text.map_or("", |text| text.text.as_str())))
        }
        Err(error) => failed(&error),
    }
}

async fn elicit(call: &Call<'_>, message: &str, schema: Value) -> Result<CallToolResult, ErrorData> {
    let requested_schema = ElicitationSchema::from_json_schema(object(schema))
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let params =
        ElicitRequestParams::FormElicitationParams { meta: None, message: message.to_owned(), requested_schema };
    Ok(match call.context.peer.create_elicitation(params).await {
        Ok(answer) => {
            let (action, content) = (json!(answer.action), answer.content.unwrap_or_default());
            said(format!("User response: action={}, content={content}", action.as_str().unwrap_or_default()))
        }
        Err(error) => failed(&error),
    })
}

fn failed(error: &ServiceError) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(format!("The client did not answer: {error}"))])
}

fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    })
}

/// One property of each primitive kind (SEP-1034).
fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
        "required": [],
    })
}

/// The five ways to spell a choice (SEP-1330).
fn choices() -> Value {
    let titled = |titles: [&str; 3]| {
        let values = ["value1", "value2", "value3"];
        Value::Array(values.iter().zip(titles).map(|(value, title)| json!({"const": value, "title": title})).collect())
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}},
        },
        "required": [],
    })
}
