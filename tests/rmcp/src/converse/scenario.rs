//! What a scenario lists. The file is shared with the Python and TypeScript clients.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rmcp::model::JsonObject;
use serde::Deserialize;
use serde_json::Value;

use super::ConverseError;
use super::outcome::Kind;

const SHARED: &str = include_str!("../../../real/scenarios.json");

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Scenario {
    #[serde(default)]
    pub(super) mask: Vec<(String, String)>,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    /// The scenario whose steps these are, in place of steps of its own.
    like: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Step {
    pub(super) step: String,
    #[serde(default)]
    pub(super) expect: Kind,
    #[serde(flatten)]
    pub(super) action: Action,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Action {
    Call {
        tool: String,
        args: JsonObject,
    },
    Progress {
        tool: String,
        args: JsonObject,
    },
    Cancel {
        tool: String,
        args: JsonObject,
    },
    ListTools,
    ListResources,
    ListTemplates,
    ReadResource {
        uri: String,
    },
    ListPrompts,
    GetPrompt {
        name: String,
        args: Option<JsonObject>,
    },
    /// A kind of step that only clients of other SDKs can make.
    #[serde(other)]
    Foreign,
}

impl Scenario {
    pub(super) fn load(name: &str, file: Option<&Path>) -> Result<Self, ConverseError> {
        let what = file.map_or_else(|| "tests/real/scenarios.json".to_owned(), |file| file.display().to_string());
        let text = match file {
            Some(file) => {
                fs::read_to_string(file).map_err(|source| ConverseError::Io { what: what.clone(), source })?
            }
            None => SHARED.to_owned(),
        };
        let mut all: BTreeMap<String, Self> =
            serde_json::from_str(&text).map_err(|source| ConverseError::Json { what, source })?;
        let mut wanted = all.remove(name);
        if let Some(scenario) = &mut wanted
            && let Some(steps) = scenario.like.as_ref().map(|like| all.remove(like))
        {
            // A name that leads nowhere leaves nothing to do, which must not look done.
            wanted = steps.map(|like| Self { steps: like.steps, ..scenario.clone() });
        }
        wanted.ok_or_else(|| ConverseError::NoScenario {
            name: name.to_owned(),
            known: all.into_keys().collect::<Vec<_>>().join(", "),
        })
    }
}

/// The action with the folder's path wherever it says `{workdir}`.
pub(super) fn fill(action: &Action, workdir: Option<&Path>) -> Action {
    let Some(path) = workdir.map(|path| path.display().to_string()) else { return action.clone() };
    let text = |text: &String| text.replace("{workdir}", &path);
    let object = |members: &JsonObject| -> JsonObject {
        members.iter().map(|(key, value)| (key.clone(), fill_value(value, &path))).collect()
    };
    match action {
        Action::Call { tool, args } => Action::Call { tool: tool.clone(), args: object(args) },
        Action::Progress { tool, args } => Action::Progress { tool: tool.clone(), args: object(args) },
        Action::Cancel { tool, args } => Action::Cancel { tool: tool.clone(), args: object(args) },
        Action::ReadResource { uri } => Action::ReadResource { uri: text(uri) },
        Action::GetPrompt { name, args } => Action::GetPrompt { name: name.clone(), args: args.as_ref().map(object) },
        plain => plain.clone(),
    }
}

fn fill_value(value: &Value, path: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{workdir}", path)),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill_value(item, path)).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, item)| (key.clone(), fill_value(item, path))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shared_scenario_can_be_read() {
        let names: BTreeMap<String, Value> = serde_json::from_str(SHARED).unwrap();
        for name in names.keys() {
            assert!(!Scenario::load(name, None).unwrap().steps.is_empty(), "{name}");
        }
    }
}
