//! `[flow]`, `[[server]]` and `[[declassifier]]` in `guard.toml`: labels of what this server gives out, and of what may reach it.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::checkpoint::{LogKeys, LogKeysError};
use attest_core::labelling::{Labelling, Pointer};
use attest_core::labels::Labels;
use attest_core::trust::{Declassifier, FlowTrust, ToolFlow};
use serde::Deserialize;

use super::Jwk;

/// What this server does with labels.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Of the answers of each tool; by the empty name of those that are not listed, and of other methods.
    labels: BTreeMap<String, Labelling>,
    /// Tools that keep what is written into them, and the name of what they keep it in.
    stores: BTreeMap<String, String>,
    /// Whether the server behind is told of each call that was let through.
    pub tell_server: bool,
}

impl Flow {
    /// What the answers of a tool are labelled with.
    pub fn labelling(&self, tool: Option<&str>) -> Option<&Labelling> {
        tool.and_then(|tool| self.labels.get(tool)).or_else(|| self.labels.get(""))
    }

    /// The store that a tool writes into and reads from.
    pub fn store(&self, tool: Option<&str>) -> Option<&str> {
        self.stores.get(tool?).map(String::as_str)
    }

    /// Whether any tool keeps what is written into it.
    pub fn has_stores(&self) -> bool {
        !self.stores.is_empty()
    }
}

/// Why the tables make no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// Not labels.
    #[error(
        "{0}: a label is 1 to 64 characters of a-z, 0-9, `.`, `_`, `:`, `/` and `-`, the first a letter or digit; or \"*\" for every label"
    )]
    Label(String),
    /// Not a place.
    #[error(
        "fields of {tool:?}: {pointer:?} is no place in a result; write one as in \"/structuredContent/rows/*/pay\""
    )]
    Pointer {
        /// Of which tool.
        tool: String,
        /// What stands there.
        pointer: String,
    },
    /// A log's keys.
    #[error("[[server]]: {0}")]
    Log(#[from] LogKeysError),
    /// A declassifier's key.
    #[error("[[declassifier]]: {0}")]
    Key(#[from] attest_core::jwk::KeyError),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FlowTable {
    accepts: Option<Vec<String>>,
    labels: Vec<String>,
    lineage: bool,
    tell_server: bool,
    tools: BTreeMap<String, ToolTable>,
}

/// What is not said of a tool is as for all.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ToolTable {
    accepts: Option<Vec<String>>,
    labels: Option<Vec<String>>,
    fields: BTreeMap<String, Vec<String>>,
    lineage: Option<bool>,
    store: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    log_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclassifierTable {
    labels: Vec<String>,
    jwk: Jwk,
}

/// Labels of a list.
pub(super) fn labels(texts: &[String], of: &str) -> Result<Labels, FlowError> {
    Labels::of(texts).ok_or_else(|| FlowError::Label(of.to_owned()))
}

impl FlowTable {
    /// What the verifier has to know, and what the gate does.
    pub(super) fn read(
        self,
        logs: Vec<LogTable>,
        declassifiers: Vec<DeclassifierTable>,
        lineage: BTreeSet<String>,
    ) -> Result<(FlowTrust, Flow), FlowError> {
        let accepts = |texts: &Option<Vec<String>>, of: &str| texts.as_ref().map(|texts| labels(texts, of)).transpose();
        let all = ToolFlow {
            accepts: accepts(&self.accepts, "[flow] accepts")?.unwrap_or(Labels::Every),
            lineage: self.lineage,
        };
        let always = labels(&self.labels, "[flow] labels")?;
        let mut flow = Flow { tell_server: self.tell_server, ..Flow::default() };
        let mut tools = BTreeMap::new();
        for (tool, table) in self.tools {
            let of = format!("[flow.tools.{tool}]");
            let rule = ToolFlow {
                accepts: accepts(&table.accepts, &of)?.unwrap_or_else(|| all.accepts.clone()),
                lineage: table.lineage.unwrap_or(all.lineage),
            };
            let fields = table.fields.iter().map(|(pointer, texts)| {
                let place = Pointer::parse(pointer);
                let place = place.ok_or_else(|| FlowError::Pointer { tool: tool.clone(), pointer: pointer.clone() })?;
                Ok((place, labels(texts, &of)?))
            });
            let labelling = Labelling {
                always: table.labels.as_ref().map_or(Ok(always.clone()), |texts| labels(texts, &of))?,
                fields: fields.collect::<Result<_, FlowError>>()?,
            };
            flow.stores.extend(table.store.map(|store| (tool.clone(), store)));
            flow.labels.insert(tool.clone(), labelling);
            tools.insert(tool, rule);
        }
        flow.labels.insert(String::new(), Labelling { always, fields: Vec::new() });
        tools.insert(String::new(), all);
        let logs = logs.iter().map(|log| LogKeys::parse(&log.log_keys)).collect::<Result<_, _>>()?;
        let declassifiers = declassifiers.iter().map(|table| {
            Ok(Declassifier { key: table.jwk.key()?, labels: labels(&table.labels, "[[declassifier]]")? })
        });
        let declassifiers = declassifiers.collect::<Result<_, FlowError>>()?;
        Ok((FlowTrust { logs, declassifiers, lineage, tools }, flow))
    }
}
