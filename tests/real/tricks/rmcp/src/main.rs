//! A server on rmcp and axum, stateless. One tool, `count`, which appends what it is given to the file after `--runs`.
//! Prints its URL on standard output once it listens.
#![allow(clippy::print_stdout, reason = "the URL on standard output is what whoever starts this waits for")]

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

#[derive(Clone)]
struct Counter {
    runs: PathBuf,
}

impl ServerHandler for Counter {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object", "properties": { "who": { "type": "string" } }, "required": ["who"] });
        let tool = Tool::new("count", "Count a run.", schema.as_object().cloned().unwrap_or_default());
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let who = request.arguments.as_ref().and_then(|a| a.get("who")).filter(|who| who.is_string());
        let Some(who) = who.filter(|_| request.name == "count") else {
            return Err(ErrorData::invalid_params("there is one tool, count, which takes a string `who`", None));
        };
        append(&self.runs, who).map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text("counted")]).into())
    }
}

fn append(runs: &Path, who: &Value) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(runs)?;
    file.write_all(format!("{who}\n").as_bytes())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some("--runs"), Some(runs)) = (args.next().as_deref(), args.next()) else {
        return Err("usage: attest-count-server --runs FILE".into());
    };
    let counter = Counter { runs: runs.into() };
    let service = StreamableHttpService::new(
        move || Ok(counter.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_legacy_session_mode(false),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
