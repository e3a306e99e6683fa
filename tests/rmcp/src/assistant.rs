//! An agent that is itself a server: asked for something, it calls a tool of the mail server that it is the client of.
//!
//! It knows nothing of attest but one name: what came with a request under it goes with the calls that are made for that request.

use std::process::Stdio;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient, RoleServer, ServerHandler, ServiceError,
};
use serde_json::json;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// On whose behalf, and with which authority.
const CAUSE: &str = "io.github.agent-attest/cause";

/// The agent.
pub struct Assistant {
    /// What stands in front of the mail server.
    command: Vec<String>,
    /// Whether it hands on what it is told.
    says: bool,
    mail: OnceCell<RunningService<RoleClient, ()>>,
}

impl Assistant {
    /// Reaches its mail server by this command, which is started with the first request.
    pub fn new(command: Vec<String>, says: bool) -> Self {
        Self { command, says, mail: OnceCell::new() }
    }

    async fn mail(&self) -> Result<&RunningService<RoleClient, ()>, ErrorData> {
        let failed = |error: String| ErrorData::internal_error(error, None);
        let start = || async {
            let (program, arguments) = self.command.split_first().ok_or_else(|| failed("no command".to_owned()))?;
            let mut command = Command::new(program);
            command.args(arguments).stderr(Stdio::inherit());
            let process = TokioChildProcess::new(command).map_err(|error| failed(error.to_string()))?;
            let client = ().serve_with_lifecycle(process, ClientLifecycleMode::Initialize).await;
            client.map_err(|error| failed(error.to_string()))
        };
        self.mail.get_or_try_init(start).await
    }

    /// What came of it: `done`, or the reason of a refusal.
    async fn ask(&self, mut arguments: JsonObject, context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
        let tool = arguments.remove("tool").and_then(|tool| Some(tool.as_str()?.to_owned()));
        let mut call = CallToolRequestParams::new(tool.unwrap_or("send".to_owned())).with_arguments(arguments);
        // What came with the request is handed on with what is done for it: all that an agent has to do.
        let cause = context.meta.get(CAUSE).filter(|_| self.says);
        call.meta = cause.map(|cause| JsonObject::from_iter([(CAUSE.into(), cause.clone())]).into());
        match self.mail().await?.call_tool(call).await {
            Ok(_) => Ok("done".to_owned()),
            Err(ServiceError::McpError(error)) => {
                let reason = error.data.as_ref().and_then(|data| data.get("reason")?.as_str());
                Ok(reason.unwrap_or(&error.message).to_owned())
            }
            Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
        }
    }
}

impl ServerHandler for Assistant {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("assistant", "1"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"});
        let tool = Tool::new("ask", "Sends a mail.", schema.as_object().cloned().unwrap_or_default());
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let said = self.ask(request.arguments.unwrap_or_default(), &context).await?;
        Ok(CallToolResult::success(vec![ContentBlock::text(said)]).into())
    }
}
