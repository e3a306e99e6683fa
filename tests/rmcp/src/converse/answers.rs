//! What this client answers when the server asks it something, and a note of what was asked. The answers are those of the
//! Python and TypeScript clients.
// Sampling is deprecated in 2026-07-28 (SEP-2577).
#![expect(deprecated)]

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationAction, Implementation, ProtocolVersion, RequestMetaObject, SamplingMessage,
};
use rmcp::service::RequestContext;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};

#[derive(Debug, Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Vec<Value>>>);

impl Answers {
    /// What was asked since this was last called.
    pub(super) fn take_asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// rmcp hands over a request's `_meta` apart from its parameters; in the transcript it stands where it was.
    fn note(&self, method: &str, params: Value, meta: &RequestMetaObject) {
        let (mut params, meta) = (params, json!(meta));
        if let (Some(members), Some(true)) = (params.as_object_mut(), meta.as_object().map(|meta| !meta.is_empty())) {
            members.insert("_meta".to_owned(), meta);
        }
        let asked = json!({"method": method, "params": params});
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
}

impl ClientHandler for Answers {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_sampling().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("attest-converse-rmcp", "1.0.0"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.note("sampling/createMessage", json!(params), &context.meta);
        let message = SamplingMessage::assistant_text("sampled");
        Ok(CreateMessageResult::new(message, "none".to_owned()).with_stop_reason("endTurn"))
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.note("elicitation/create", json!(params), &context.meta);
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({"name": "Ada"})))
    }
}
