//! An MCP server with the gate inside; its one tool says who calls it, and on whose behalf. `attest init --audience tools
//! --tool whoami` writes the guard.toml that it reads. Over HTTP, or with `--stdio`.

use std::{error::Error, io::Write as _, path::Path, sync::Arc};

use axum::Router;
use http::request::Parts;
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _, object};
use server_verifier::{AttestLayer, Attested, Calls, Config, Filter, Gate};
use tower_layer::Layer as _;

type Context = RequestContext<RoleServer>;

/// Over stdio the verdict is asked for by the request's id; over HTTP it comes with the request.
struct Server(Option<Calls>);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: Context) -> Result<ListToolsResult, ErrorData> {
        let whoami = Tool::new("whoami", "Says who calls, and on whose behalf", object!({"type": "object"}));
        Ok(ListToolsResult::with_all_items(vec![whoami]))
    }

    async fn call_tool(&self, _: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        let caller: Option<Attested> = match &self.0 {
            Some(calls) => calls.attested(&context.id),
            None => context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get().cloned()),
        };
        let caller = caller.ok_or_else(|| ErrorData::internal_error("no gate stands before this tool", None))?;
        let text = format!("{} on behalf of {}", caller.agent, caller.on_behalf_of());
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gate = Arc::new(Gate::open(Config::read(Path::new("guard.toml"))?).await?);
    if std::env::args().any(|argument| argument == "--stdio") {
        let filter = Filter::new(gate.clone())?;
        Server(Some(filter.calls)).serve((filter.input, filter.output)).await?.waiting().await?;
        filter.ended.await??;
    } else {
        let mcp =
            StreamableHttpService::new(|| Ok(Server(None)), LocalSessionManager::default().into(), Default::default());
        let app = Router::new().route_service("/mcp", AttestLayer::new(gate.clone()).layer(mcp));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
        axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    }
    gate.close().await;
    Ok(())
}
