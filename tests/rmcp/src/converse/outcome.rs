//! What came of one step.

use std::fmt;

use rmcp::ServiceError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a refusal that has the shape of a tool's result says to programs, in its `_meta`.
const REFUSAL: &str = "io.github.agent-attest/refusal";

/// The kinds of outcome, as scenarios and transcripts spell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    Result,
    ToolError,
    Error,
    Cancelled,
    ClientError,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// An outcome as it is written down: one of the four verdicts, and what came in meanwhile.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) progress: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) asked: Vec<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Result(Value),
    Error(Value),
    Cancelled(bool),
    ClientError(String),
}

impl Outcome {
    pub(super) fn kind(&self) -> Kind {
        match &self.verdict {
            Verdict::Result(result) if result.get("isError") == Some(&Value::Bool(true)) => Kind::ToolError,
            Verdict::Result(_) => Kind::Result,
            Verdict::Error(_) => Kind::Error,
            Verdict::Cancelled(_) => Kind::Cancelled,
            Verdict::ClientError(_) => Kind::ClientError,
        }
    }

    /// The form that `--expect-refusal` prints: `{"kind", "code", "message", "data"}` or `{"kind": "tool-error", "text", "data"}`.
    pub(super) fn refusal(&self) -> Value {
        let kind = self.kind();
        let mut members = match &self.verdict {
            Verdict::Error(Value::Object(error)) => error.clone(),
            Verdict::Result(result) if kind == Kind::ToolError => {
                let content = result.get("content").and_then(Value::as_array).into_iter().flatten();
                let texts: Vec<_> =
                    content.map(|block| block.get("text").and_then(Value::as_str).unwrap_or_default()).collect();
                let mut members = rmcp::model::JsonObject::from_iter([("text".to_owned(), json!(texts.join("\n")))]);
                if let Some(data) = result.get("_meta").and_then(|meta| meta.get(REFUSAL)) {
                    members.insert("data".to_owned(), data.clone());
                }
                members
            }
            _ => json!(self).as_object().cloned().unwrap_or_default(),
        };
        members.insert("kind".to_owned(), json!(kind));
        Value::Object(members)
    }
}

impl From<Result<Value, ServiceError>> for Verdict {
    fn from(result: Result<Value, ServiceError>) -> Self {
        match result {
            Ok(value) => Self::Result(value),
            Err(ServiceError::McpError(error)) => Self::Error(json!(error)),
            Err(other) => Self::ClientError(other.to_string()),
        }
    }
}
