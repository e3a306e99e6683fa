//! `attest demo-server`: an ordinary MCP server over stdio, which knows nothing of attest. The one file that uses rmcp.

use std::path::PathBuf;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::json as document;

use super::notes::{Notes, TOOLS};
use crate::Ending;

/// The demo's server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Holds notes/, and the count of tool runs
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// The resource that holds the count: read without a tool call, so that looking does not change it.
pub(crate) const COUNTER: &str = "counter://tool-runs";

pub(crate) fn run(args: Args) -> Ending {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server(Notes::new(args.folder));
        let served = server.serve((tokio::io::stdin(), tokio::io::stdout())).await?;
        served.waiting().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    // A read of standard input that nobody answers any more must not hold up the end.
    runtime.shutdown_background();
    Ok(0)
}

struct Server(Notes);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().build())
            .with_server_info(Implementation::new("attest-demo-notes", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |(name, description, arguments): (&'static str, &'static str, &[&str])| {
            let texts: serde_json::Map<_, _> =
                arguments.iter().map(|a| ((*a).to_owned(), document!({ "type": "string" }))).collect();
            let schema = document!({ "type": "object", "properties": texts, "required": arguments });
            Tool::new(name, description, schema.as_object().cloned().unwrap_or_default())
        };
        Ok(ListToolsResult::with_all_items(TOOLS.into_iter().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let argument = |name: &str| request.arguments.as_ref()?.get(name)?.as_str();
        let result = match self.0.run(&request.name, argument) {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(vec![Resource::new(COUNTER, "tool-runs")]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != COUNTER {
            return Err(ErrorData::resource_not_found("there is one resource, counter://tool-runs", None));
        }
        let runs = self.0.tool_runs().map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(runs.to_string(), COUNTER)]).into())
    }
}
