//! An agent on rmcp that is itself a server, over stdio.

use std::error::Error;

use attest_rmcp::assistant::Assistant;
use clap::Parser;
use rmcp::ServiceExt as _;

/// An MCP server with one tool, `ask`, that calls a tool of another server.
#[derive(Parser)]
struct Options {
    /// Does not hand on on whose behalf it works.
    #[arg(long)]
    silent: bool,
    /// Starts that other server, or what stands in front of it.
    #[arg(last = true, required = true, value_name = "SERVER ARGS")]
    command: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { silent, command } = Options::parse();
    let assistant = Assistant::new(command, !silent);
    assistant.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
