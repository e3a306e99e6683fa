//! The tools, in groups. Each group says which it has and runs them; this file finds the group and notes the run.

mod content;
mod messages;
mod questions;
pub(super) mod rounds;
mod tasks;

use std::sync::LazyLock;

use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, Tool};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::Shared;

/// One red pixel.
pub(super) const PIXEL_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

pub(super) type Answer = Result<CallToolResponse, ErrorData>;

/// One `tools/call`, and what its tool may use.
pub(super) struct Call<'a> {
    pub(super) fixture: &'a Shared,
    #[expect(deprecated, reason = "2025-11-25 has it")]
    pub(super) level: rmcp::model::LoggingLevel,
    pub(super) request: CallToolRequestParams,
    pub(super) context: RequestContext<RoleServer>,
}

impl Call<'_> {
    fn argument(&self, name: &str) -> Option<&Value> {
        self.request.arguments.as_ref()?.get(name)
    }

    /// The argument if it is a string, else `otherwise`.
    fn text<'b>(&'b self, name: &str, otherwise: &'b str) -> &'b str {
        self.argument(name).and_then(Value::as_str).unwrap_or(otherwise)
    }
}

#[derive(Debug, Clone, Copy)]
enum Group {
    Content,
    Messages,
    Questions,
    Rounds,
    Tasks,
}

static CATALOGUE: LazyLock<Vec<(Group, Tool)>> = LazyLock::new(|| {
    let groups = [
        (Group::Content, content::tools()),
        (Group::Messages, messages::tools()),
        (Group::Questions, questions::tools()),
        (Group::Rounds, rounds::tools()),
        (Group::Tasks, tasks::tools()),
    ];
    groups.into_iter().flat_map(|(group, tools)| tools.into_iter().map(move |tool| (group, tool))).collect()
});

pub(super) fn all() -> Vec<Tool> {
    CATALOGUE.iter().map(|(_, tool)| tool.clone()).collect()
}

pub(super) fn find(name: &str) -> Option<Tool> {
    CATALOGUE.iter().find(|(_, tool)| tool.name == name).map(|(_, tool)| tool.clone())
}

pub(super) async fn run(call: Call<'_>) -> Answer {
    let name = call.request.name.as_ref();
    let Some((group, _)) = CATALOGUE.iter().find(|(_, tool)| tool.name == name) else {
        return Err(unknown(name));
    };
    call.fixture
        .runs
        .note(name, call.request.arguments.as_ref())
        .map_err(|error| ErrorData::internal_error(format!("the run could not be noted: {error}"), None))?;
    match group {
        Group::Content => content::run(&call),
        Group::Messages => messages::run(&call).await,
        Group::Questions => questions::run(&call).await,
        Group::Rounds => rounds::run(&call),
        Group::Tasks => tasks::run(&call).await,
    }
}

fn unknown(name: &str) -> ErrorData {
    ErrorData::invalid_params(format!("there is no tool {name}"), None)
}

fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// A tool that takes no arguments.
fn plain(name: &'static str, description: &'static str) -> Tool {
    tool(name, description, json!({"type": "object", "properties": {}}))
}

/// A tool whose schema is written as JSON; `schema` must be an object.
fn tool(name: &'static str, description: &'static str, schema: Value) -> Tool {
    Tool::new(name, description, object(schema))
}

fn object(value: Value) -> JsonObject {
    if let Value::Object(members) = value { members } else { JsonObject::new() }
}
