//! The client that the conformance suite is run with: what a plain rmcp client does in each scenario that is not about OAuth.

mod answers;
mod arguments;
mod listening;

use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, JsonObject, ProtocolVersion, ReadResourceRequestParams, Tool,
};
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceError};
use serde_json::Value;

use self::answers::Answers;
use self::listening::Listening;

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The scenario is about OAuth, in which attest has no part.
    #[error("the scenario {0} is about OAuth, which this client does not do; run it with another client")]
    OutOfScope(String),
    /// The suite has a scenario that this client does not know yet.
    #[error("the scenario {0} is not known here; add what its client does to tests/rmcp/src/client.rs")]
    Unknown(String),
    /// What the suite hands over as the scenario's context is no JSON.
    #[error("MCP_CONFORMANCE_CONTEXT is no JSON: {0}")]
    Context(#[from] serde_json::Error),
    /// There is no client of HTTP here.
    #[error("cannot make a client of HTTP: {0}")]
    Http(#[from] reqwest::Error),
    /// No conversation came about.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// The suite's server.
        url: String,
        /// What rmcp said.
        source: Box<ClientInitializeError>,
    },
    /// A request failed that no scenario wants to fail.
    #[error("the server refused what it offers: {0}")]
    Refused(#[from] ServiceError),
}

/// What the suite says about one scenario, by environment variables.
#[derive(Debug)]
pub struct Scenario {
    /// `MCP_CONFORMANCE_SCENARIO`: its name.
    pub name: String,
    /// `MCP_CONFORMANCE_PROTOCOL_VERSION`: the revision to speak.
    pub version: ProtocolVersion,
    /// `MCP_CONFORMANCE_CONTEXT`: calls to make, for the scenarios that name any; null for the others.
    pub context: Value,
}

/// What the client does once it is connected.
enum Plan {
    List,
    CallAll,
    /// All tools, prompts and resources, for the scenario that looks at the headers of each method.
    VisitAll,
    EchoSchema,
}

/// Plays one scenario against the suite's server. The messages are one line for each call that failed: several scenarios
/// have calls that must fail, so a failed call is no failure of the client; the suite judges by what its server saw.
///
/// # Errors
///
/// When there is nothing to play, or no conversation came about.
pub async fn play(scenario: &Scenario, url: &str) -> Result<Vec<String>, ClientError> {
    let plan = plan(&scenario.name)?;
    let lifecycle = lifecycle(&scenario.version);
    let http = Listening::new()?;
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = Answers
        .serve_with_lifecycle(StreamableHttpClientTransport::with_client(http.clone(), config), lifecycle)
        .await
        .map_err(|source| ClientError::Connect { url: url.to_owned(), source: Box::new(source) })?;
    http.listens().await;
    let tools = client.list_all_tools().await?;
    let calls = match &plan {
        Plan::List => Vec::new(),
        Plan::CallAll | Plan::VisitAll => {
            calls_of(&scenario.context).unwrap_or_else(|| tools.iter().map(call_of).collect())
        }
        Plan::EchoSchema => echo_of(&tools).into_iter().collect(),
    };
    let mut failures = Vec::new();
    for call in calls {
        let name = call.name.clone();
        if let Err(error) = client.call_tool(call).await {
            failures.push(format!("{name}: {error}"));
        }
    }
    if matches!(plan, Plan::VisitAll) {
        for prompt in client.list_all_prompts().await? {
            client.get_prompt(GetPromptRequestParams::new(prompt.name)).await?;
        }
        for resource in client.list_all_resources().await? {
            client.read_resource(ReadResourceRequestParams::new(resource.uri)).await?;
        }
    }
    close(client).await;
    Ok(failures)
}

fn plan(scenario: &str) -> Result<Plan, ClientError> {
    match scenario {
        "initialize" | "json-schema-ref-no-deref" => Ok(Plan::List),
        "json-schema-2020-12-preservation" => Ok(Plan::EchoSchema),
        "tools_call"
        | "elicitation-sep1034-client-defaults"
        | "sse-retry"
        | "request-metadata"
        | "sep-2322-client-request-state"
        | "http-custom-headers"
        | "http-invalid-tool-headers" => Ok(Plan::CallAll),
        "http-standard-headers" => Ok(Plan::VisitAll),
        other if other.starts_with("auth/") => Err(ClientError::OutOfScope(other.to_owned())),
        other => Err(ClientError::Unknown(other.to_owned())),
    }
}

/// From 2026-07-28 on there is no handshake.
fn lifecycle(version: &ProtocolVersion) -> ClientLifecycleMode {
    if version.has_initialize() {
        return ClientLifecycleMode::Initialize;
    }
    let others = ProtocolVersion::KNOWN_VERSIONS.iter().rev().filter(|known| *known != version);
    ClientLifecycleMode::Discover { preferred_versions: std::iter::once(version).chain(others).cloned().collect() }
}

/// The calls that the scenario's context lists as `toolCalls: [{name, arguments}]`.
fn calls_of(context: &Value) -> Option<Vec<CallToolRequestParams>> {
    let calls = context.get("toolCalls")?.as_array()?;
    let call = |call: &Value| {
        let name = call.get("name")?.as_str()?.to_owned();
        let arguments = call.get("arguments").and_then(Value::as_object).cloned();
        Some(with_arguments(CallToolRequestParams::new(name), arguments))
    };
    Some(calls.iter().filter_map(call).collect())
}

fn call_of(tool: &Tool) -> CallToolRequestParams {
    with_arguments(CallToolRequestParams::new(tool.name.clone()), arguments::fitting(&tool.input_schema))
}

fn with_arguments(call: CallToolRequestParams, arguments: Option<JsonObject>) -> CallToolRequestParams {
    match arguments {
        Some(arguments) => call.with_arguments(arguments),
        None => call,
    }
}

/// One tool takes a schema, and is given that of the other.
fn echo_of(tools: &[Tool]) -> Option<CallToolRequestParams> {
    const ECHO: &str = "json_schema_echo";
    let rich = tools.iter().find(|tool| tool.name != ECHO)?;
    let schema = Value::Object(rich.input_schema.as_ref().clone());
    Some(CallToolRequestParams::new(ECHO).with_arguments(JsonObject::from_iter([("schema".to_owned(), schema)])))
}

/// The suite has seen what it wanted by now, so an error while closing says nothing.
async fn close(client: RunningService<RoleClient, Answers>) {
    let _ = client.cancel().await;
}
