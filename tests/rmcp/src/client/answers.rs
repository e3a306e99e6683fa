//! What the conformance client answers when the server asks it something.
// Sampling is deprecated in 2026-07-28 (SEP-2577).
#![expect(deprecated)]

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationAction, Implementation, JsonObject, SamplingMessage,
};
use rmcp::service::RequestContext;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};

/// A user who leaves every form as it is, and a model that always says the same.
pub(super) struct Answers;

impl ClientHandler for Answers {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_sampling().enable_elicitation().enable_roots().build();
        ClientConfig::new(capabilities, Implementation::new("attest-conformance-client", "1.0.0"))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let message = SamplingMessage::assistant_text("sampled");
        Ok(CreateMessageResult::new(message, "none".to_owned()).with_stop_reason("endTurn"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { requested_schema, .. } = &request else {
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(defaults(&json!(requested_schema))))
    }
}

/// The form with each field at the default that its schema gives; fields without one stay empty (SEP-1034).
fn defaults(schema: &Value) -> Value {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let filled = fields.filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())));
    Value::Object(filled.collect::<JsonObject>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_with_the_defaults_of_its_schema_and_nothing_else() {
        let schema =
            json!({"properties": {"age": {"default": 30}, "name": {"type": "string"}, "ok": {"default": false}}});
        assert_eq!(defaults(&schema), json!({"age": 30, "ok": false}));
    }
}
