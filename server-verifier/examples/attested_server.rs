//! An MCP server with the gate inside. Its one tool says who calls it, and on whose behalf.
//!
//! ```text
//! attest init --audience tools --tool whoami -- cargo run -p server-verifier --example attested_server -- --stdio
//! cargo run -p server-verifier --example attested_server      (where guard.toml lies)
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use http::request::Parts;
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServiceExt as _, tool, tool_router};
use server_verifier::{AttestLayer, Attested, Calls, Config, Filter, Gate};
use tower_layer::Layer as _;

struct Server {
    /// Over stdio the verdict is asked for by the request's id; over HTTP it comes with the request.
    calls: Option<Calls>,
}

#[tool_router(server_handler)]
impl Server {
    #[tool(description = "Says who calls, and on whose behalf")]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        let caller: Option<Attested> = match &self.calls {
            Some(calls) => calls.attested(&context.id),
            None => context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get().cloned()),
        };
        let caller = caller.ok_or_else(|| ErrorData::internal_error("no gate stands before this tool", None))?;
        Ok(format!("{} on behalf of {}", caller.agent, caller.on_behalf_of()))
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "whoever started this reads the URL there")]
async fn main() -> Result<(), Box<dyn Error>> {
    let gate = Arc::new(Gate::open(Config::read(Path::new("guard.toml"))?).await?);
    if std::env::args().any(|argument| argument == "--stdio") {
        let filter = Filter::new(gate.clone())?;
        let server = Server { calls: Some(filter.calls) };
        server.serve((filter.input, filter.output)).await?.waiting().await?;
        filter.ended.await??;
    } else {
        let sessions = Arc::new(LocalSessionManager::default());
        let mcp = StreamableHttpService::new(|| Ok(Server { calls: None }), sessions, StreamableHttpServerConfig::default());
        let app = Router::new().route_service("/mcp", AttestLayer::new(gate.clone()).layer(mcp));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/mcp", listener.local_addr()?);
        let stop = async { drop(tokio::signal::ctrl_c().await) };
        axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    }
    gate.close().await;
    Ok(())
}
